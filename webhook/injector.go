package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/svc-cat/catalog/internal/inject"
)

// MaxBody is the largest review that is read, in bytes. The API server takes
// objects of up to 3 MiB; the rest is room for JSON escapes.
const MaxBody = 8 << 20

// answerTimeout bounds all look-ups of one review together. The API server
// gives up after the webhook's timeoutSeconds, 5; an answer with a sentence
// before that is better than none.
const answerTimeout = 4 * time.Second

// Injector answers AdmissionReviews (v1) for new Pods over HTTP. It reads, and
// writes nothing but the answer, so a dry run needs no care.
type Injector struct {
	bindings Bindings
	metrics  *metrics
	log      logr.Logger
	now      func() time.Time
	memory   sync.Pool // of *memory
}

// InjectorOptions are what an Injector needs. All but Now are required.
type InjectorOptions struct {
	Bindings   Bindings
	Registerer prometheus.Registerer
	Log        logr.Logger
	// Now is the clock for the metrics; default time.Now.
	Now func() time.Time
}

// NewInjector makes an Injector and registers its metrics.
func NewInjector(opts InjectorOptions) (*Injector, error) {
	if opts.Bindings == nil || opts.Registerer == nil {
		return nil, errors.New("make injector: Bindings and Registerer are required")
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Injector{
		bindings: opts.Bindings, metrics: m, log: opts.Log, now: opts.Now,
		memory: sync.Pool{New: func() any { return &memory{patch: make([]byte, 0, 4096)} }},
	}, nil
}

// memory is what one review needs, kept for the next one.
type memory struct {
	body     bytes.Buffer
	scanner  inject.Scanner
	patch    []byte
	response []byte
}

// maxKept is the largest body whose memory is kept.
const maxKept = 1 << 20

// verdict is what became of a review, for the metrics and the log.
type verdict struct {
	outcome outcome
	reason  string
	err     error // of outcomeFailed
	status  int   // HTTP status if there is no answer to send; else 0
}

// ServeHTTP answers one review.
func (i *Injector) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	start := i.now()
	mem, _ := i.memory.Get().(*memory)
	v := i.serve(mem, req)
	i.metrics.observe(v.outcome, v.reason, i.now().Sub(start))
	if v.err != nil {
		i.log.Error(v.err, "Failed to answer a review", "reason", v.reason)
	}
	if v.status != 0 {
		// Without a review's uid there is no answer that the API server takes; it
		// shows the text of an HTTP error to the user.
		http.Error(w, "the catalog's webhook could not read the request: "+strings.ToLower(http.StatusText(v.status)), v.status)
	} else {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(mem.response) // a caller that is gone needs no answer
	}
	if mem.body.Cap() <= maxKept {
		i.memory.Put(mem)
	}
}

// serve reads a request and leaves the answer in mem.response. A panic becomes
// an answer, too: the API server would take a cut connection for an unreachable
// webhook and try it again.
func (i *Injector) serve(mem *memory, req *http.Request) (v verdict) {
	uid := ""
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		// The memory may be in any state; the next one gets another.
		*mem = memory{}
		v = verdict{outcome: outcomeFailed, reason: reasonBug, err: fmt.Errorf("panic: %v\n%s", cause, debug.Stack())}
		if uid == "" {
			v.status = http.StatusInternalServerError
			return
		}
		answer := fault("a bug in it was hit; please report it with the webhook's log")
		mem.response = answer.Append(nil, uid)
	}()
	if v, ok := i.read(mem, req); !ok {
		return v
	}
	review, err := mem.scanner.Review(mem.body.Bytes())
	if err != nil {
		return verdict{outcome: outcomeFailed, reason: reasonMalformed, err: err, status: http.StatusBadRequest}
	}
	uid = review.UID
	ctx, cancel := context.WithTimeout(req.Context(), answerTimeout)
	defer cancel()
	answer, v := i.answer(ctx, mem, &review)
	mem.response = answer.Append(mem.response[:0], uid)
	return v
}

// read takes in the body of a request; ok is false if there is no use in it.
func (i *Injector) read(mem *memory, req *http.Request) (v verdict, ok bool) {
	failed := func(reason string, status int, err error) (verdict, bool) {
		return verdict{outcome: outcomeFailed, reason: reason, err: err, status: status}, false
	}
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	switch {
	case req.Method != http.MethodPost:
		return failed(reasonMalformed, http.StatusMethodNotAllowed, errors.New("read review: the method is not POST"))
	case kind != "application/json":
		return failed(reasonMalformed, http.StatusUnsupportedMediaType, errors.New("read review: the content is not application/json"))
	case req.ContentLength > MaxBody:
		return failed(reasonTooLarge, http.StatusRequestEntityTooLarge, fmt.Errorf("read review: %d bytes are more than %d", req.ContentLength, MaxBody))
	}
	mem.body.Reset()
	if req.ContentLength > 0 {
		// What ReadFrom wants to grow no more; but a large body has to come first.
		mem.body.Grow(min(int(req.ContentLength), maxKept) + bytes.MinRead)
	}
	n, err := mem.body.ReadFrom(io.LimitReader(req.Body, MaxBody+1))
	switch {
	case err != nil:
		return failed(reasonRead, http.StatusBadRequest, fmt.Errorf("read review: %w", err))
	case n > MaxBody:
		return failed(reasonTooLarge, http.StatusRequestEntityTooLarge, fmt.Errorf("read review: more than %d bytes", MaxBody))
	}
	return verdict{}, true
}

// answer decides on one review.
func (i *Injector) answer(ctx context.Context, mem *memory, review *inject.Review) (inject.Answer, verdict) {
	pod := review.Pod
	switch {
	case pod == nil:
		return allow(), verdict{outcome: outcomeIgnored, reason: reasonNoPod}
	case pod.Mirror:
		return allow(), verdict{outcome: outcomeIgnored, reason: reasonStaticPod}
	case !pod.Annotated():
		return allow(), verdict{outcome: outcomeIgnored, reason: reasonNotAnnotated}
	}
	request, err := pod.Request()
	if err != nil {
		return deny(err)
	}
	in := inject.Input{Namespace: review.Namespace, Buffer: mem.patch}
	names := request.Names()
	in.Bindings = make([]inject.Binding, len(names))
	for n, name := range names {
		b, err := i.bindings.Get(ctx, review.Namespace, name)
		if err != nil {
			return fault("a binding could not be looked up; try again, and if it happens again see the webhook's log"),
				verdict{outcome: outcomeFailed, reason: reasonLookup, err: err}
		}
		in.Bindings[n] = inject.Observe(name, b)
	}
	plan, err := pod.Plan(request, in)
	if err != nil {
		return deny(err)
	}
	if plan.Patch != nil {
		mem.patch = plan.Patch[:0] // it may have grown
	}
	v := sum(plan, in.Bindings)
	return inject.Answer{
		Allowed: true, Patch: plan.Patch, Warnings: plan.Warnings,
		Audit: string(v.outcome) + " " + strings.Join(names, ","),
	}, v
}

// sum says what a plan comes to.
func sum(plan inject.Result, bindings []inject.Binding) verdict {
	if plan.Patch == nil {
		return verdict{outcome: outcomeUnchanged}
	}
	if !plan.Waiting {
		return verdict{outcome: outcomeInjected}
	}
	v := verdict{outcome: outcomeWaiting, reason: reasonGated}
	for n := range bindings {
		switch {
		case !bindings[n].Exists:
			v.reason = reasonBindingMissing
			return v
		case !bindings[n].Stored:
			v.reason = reasonNotStored
		}
	}
	return v
}

func allow() inject.Answer { return inject.Answer{Allowed: true} }

// deny is the answer to a refusal. Anything else is a Pod that no API server
// sends.
func deny(err error) (inject.Answer, verdict) {
	refusal, ok := errors.AsType[*inject.Refusal](err)
	if !ok {
		return fault("the Pod it was sent cannot be read"), verdict{outcome: outcomeFailed, reason: reasonMalformed, err: err}
	}
	reason := string(refusal.Reason)
	return inject.Answer{Code: http.StatusForbidden, Message: refusal.Message, Audit: string(outcomeRefused) + " " + reason},
		verdict{outcome: outcomeRefused, reason: reason}
}

// fault is the answer when nobody can say whether the Pod is right.
func fault(what string) inject.Answer {
	return inject.Answer{Code: http.StatusInternalServerError, Message: "the webhook could not inject credentials: " + what}
}
