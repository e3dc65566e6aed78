package inject

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// list is an array of objects as it stands in the Pod; nil if it is missing or
// null, and then a patch has to create it.
type list []byte

// list takes the next value, which must be an array or null.
func (r *reader) list() (list, error) {
	v, err := r.value()
	switch {
	case err != nil:
		return nil, err
	case v[0] == 'n':
		return nil, nil
	case v[0] != '[':
		return nil, fmt.Errorf("%w: a list is not an array", ErrMalformed)
	}
	return v, nil
}

// entry is what matters of an element of any of the lists: env, envFrom,
// volumeMounts, volumes, schedulingGates.
type entry struct {
	name, value, mountPath, prefix []byte
	readOnly                       bool
	// secret is the Secret that the element refers to, if it does; key is the
	// key in it.
	secret, key []byte
	valueFrom   bool
}

// each visits the elements of a list until visit returns false. Visits must
// not nest, and must not keep the entry: one Pod has one reader.
func (p *Pod) each(l list, visit func(e *entry) bool) error {
	if l == nil {
		return nil
	}
	r := p.reader
	r.reset(l)
	more := true
	return r.array(func(int) error {
		if !more {
			return r.skip()
		}
		r.entry = entry{}
		if err := r.object(r.entryMember); err != nil {
			return err
		}
		more = visit(&r.entry)
		return nil
	})
}

// entryMember takes one member of an element.
func (r *reader) entryMember(name []byte) (err error) {
	e := &r.entry
	switch string(name) {
	case "name":
		e.name, err = r.text()
	case "value":
		e.value, err = r.text()
	case "mountPath":
		e.mountPath, err = r.text()
	case "readOnly":
		e.readOnly = r.kind() == 't'
		err = r.skip()
	case "prefix":
		e.prefix, err = r.text()
	case "secret", "secretRef": // of a volume, of envFrom
		err = r.object(r.entrySecret)
	case "valueFrom":
		e.valueFrom = r.kind() != 'n'
		err = r.object(r.entryValueFrom)
	default:
		err = r.skip()
	}
	return err
}

func (r *reader) entryValueFrom(name []byte) error {
	if string(name) == "secretKeyRef" {
		return r.object(r.entrySecret)
	}
	return r.skip()
}

// entrySecret takes one member of any of the three ways to refer to a Secret.
func (r *reader) entrySecret(name []byte) (err error) {
	switch string(name) {
	case "name", "secretName":
		r.entry.secret, err = r.text()
	case "key":
		r.entry.key, err = r.text()
	default:
		err = r.skip()
	}
	return err
}

// mayContain says quickly that a name is not in a list. A true is no proof: it
// may stand elsewhere, or be spelled with escapes.
func (l list) mayContain(name string) bool {
	return bytes.Contains(l, []byte(name)) || bytes.Contains(l, []byte(`\u00`))
}

// root is the value of SERVICE_BINDING_ROOT that a container sets itself; set
// is false if it sets none. The refusal, if any, is why it cannot be used.
func (p *Pod) root(c *container) (value string, set bool, err error) {
	if !c.env.mayContain(bindingRoot) {
		return "", false, nil
	}
	indirect := false
	err = p.each(c.env, func(e *entry) bool {
		if string(e.name) == bindingRoot { // the last one wins, as in the kubelet
			value, set, indirect = string(e.value), true, e.valueFrom
		}
		return true
	})
	if err != nil || !set {
		return "", false, err
	}
	if indirect {
		return "", true, refuse(ReasonRoot, "container %s takes %s from elsewhere, so that its value cannot be known here; give it as a plain value, or set the annotation mount-path", show(c.name), bindingRoot)
	}
	if problem := badPath(value); problem != "" {
		return "", true, refuse(ReasonRoot, "container %s sets %s to %s, which %s; set it to an absolute path, or set the annotation mount-path", show(c.name), bindingRoot, show(value), problem)
	}
	return value, true, nil
}

// maxPath leaves room for a binding's name and a key within the 4095 bytes of a
// path in Linux.
const maxPath = 3500

// badPath says what is wrong with a directory to mount at, or "".
func badPath(dir string) string {
	switch {
	case len(dir) > maxPath:
		return fmt.Sprintf("is longer than %d bytes", maxPath)
	case !strings.HasPrefix(dir, "/"):
		return "is not absolute"
	case strings.Contains(dir, "$("):
		return "contains $(, whose value cannot be known here"
	case strings.Contains(dir, "$$"):
		return "contains $$, of which variables keep one $"
	case strings.ContainsFunc(dir, func(r rune) bool { return r < ' ' || r == 0x7f || r == ':' }):
		return "contains a colon or a control character"
	case path.Clean(dir) == "/":
		return "is the root of the file system"
	}
	for part := range strings.SplitSeq(dir, "/") {
		if part == ".." {
			return "contains .."
		}
	}
	return ""
}
