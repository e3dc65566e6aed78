package inject

import (
	"encoding/base64"
	"fmt"
	"strconv"
)

// reviewVersion is the only version of AdmissionReview that is spoken; every
// API server that can call us knows it.
const reviewVersion = "admission.k8s.io/v1"

// Review is what matters of an AdmissionReview's request.
type Review struct {
	UID       string
	Namespace string
	Operation string
	// Group, Resource and SubResource are of the request after conversion to
	// what the webhook registered for.
	Group, Resource, SubResource string
	// Pod is the Pod to be created; nil if the request is for anything else.
	Pod *Pod

	object []byte // what was not scanned on the way
}

// createsPod says that the request is for a new Pod, as far as it was read.
func (r *Review) createsPod() bool {
	return r.Operation == "CREATE" && r.Group == "" && r.Resource == "pods" && r.SubResource == ""
}

// Review reads an AdmissionReview once, with the Pod in it, and passes by what
// is not needed. The error wraps ErrMalformed.
func (s *Scanner) Review(body []byte) (Review, error) {
	var out Review
	var version []byte
	r := &s.reader
	r.reset(body)
	err := r.object(func(name []byte) (err error) {
		switch string(name) {
		case "apiVersion":
			version, err = r.text()
			return err
		case "request":
			return r.object(func(name []byte) error { return s.request(&out, name) })
		}
		return r.skip()
	})
	if err == nil {
		err = r.end()
	}
	// The API server sends the object last; if it ever comes before what says
	// that it is a Pod, it is read a second time.
	if err == nil && out.createsPod() && out.Pod == nil {
		out.Pod, err = s.Pod(out.object)
	}
	switch {
	case err != nil:
		return Review{}, fmt.Errorf("read admission review: %w", err)
	case string(version) != reviewVersion:
		return Review{}, fmt.Errorf("read admission review: %w: its version is not %s", ErrMalformed, reviewVersion)
	case out.UID == "":
		return Review{}, fmt.Errorf("read admission review: %w: it has no uid", ErrMalformed)
	case !out.createsPod():
		out.Pod = nil
	}
	return out, nil
}

// request takes one member of a review's request.
func (s *Scanner) request(out *Review, name []byte) (err error) {
	r := &s.reader
	switch string(name) {
	case "uid":
		return r.into(&out.UID)
	case "namespace":
		return r.into(&out.Namespace)
	case "operation":
		return r.into(&out.Operation)
	case "subResource":
		return r.into(&out.SubResource)
	case "resource":
		return r.object(func(name []byte) error {
			switch string(name) {
			case "group":
				return r.into(&out.Group)
			case "resource":
				return r.into(&out.Resource)
			}
			return r.skip()
		})
	case "object":
		if out.createsPod() && r.kind() == '{' {
			out.Pod, err = s.scanPod()
			return err
		}
		out.object, err = r.value()
		return err
	}
	return r.skip()
}

// into takes a string as a copy.
func (r *reader) into(to *string) error {
	text, err := r.text()
	*to = string(text)
	return err
}

// Answer is the response to a Review.
type Answer struct {
	Allowed bool
	// Code and Message say why not: an HTTP status and a sentence.
	Code    int
	Message string
	// Patch is a JSON patch, or nil.
	Patch []byte
	// Warnings are sentences for the user; long ones are cut.
	Warnings []string
	// Audit is the value of the audit annotation AuditKey; empty for none.
	Audit string
}

// AuditKey is the key of our audit annotation. The API server puts the name of
// the webhook before it.
const AuditKey = "injection"

// maxWarning is how long the API server promises to keep a warning. Those that
// together are too long for a response's headers it cuts to this itself.
const maxWarning = 256

// maxAudit is how many bytes an audit annotation may have of ours.
const maxAudit = 1024

// Append appends the AdmissionReview with the answer to the review with a uid.
// It makes dst grow at most once.
func (a *Answer) Append(dst []byte, uid string) []byte {
	need := 256 + len(uid) + len(a.Message) + base64.StdEncoding.EncodedLen(len(a.Patch)) + len(a.Audit)
	for _, w := range a.Warnings {
		need += 8 + len(w)
	}
	if cap(dst)-len(dst) < need {
		dst = append(make([]byte, 0, len(dst)+need), dst...)
	}
	dst = append(dst, `{"kind":"AdmissionReview","apiVersion":"`+reviewVersion+`","response":{"uid":`...)
	dst = appendString(dst, uid)
	dst = append(dst, `,"allowed":`...)
	dst = strconv.AppendBool(dst, a.Allowed)
	if !a.Allowed {
		dst = append(dst, `,"status":{"code":`...)
		dst = strconv.AppendInt(dst, int64(a.Code), 10)
		dst = append(dst, `,"message":`...)
		dst = appendString(dst, a.Message)
		dst = append(dst, '}')
	}
	if a.Patch != nil {
		dst = append(dst, `,"patchType":"JSONPatch","patch":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, a.Patch)
		dst = append(dst, '"')
	}
	for i, w := range a.Warnings {
		if i == 0 {
			dst = append(dst, `,"warnings":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(dst, cut(w, maxWarning))
	}
	if len(a.Warnings) > 0 {
		dst = append(dst, ']')
	}
	if a.Audit != "" {
		dst = append(dst, `,"auditAnnotations":{"`+AuditKey+`":`...)
		dst = appendString(dst, cut(a.Audit, maxAudit))
		dst = append(dst, '}')
	}
	return append(dst, "}}"...)
}
