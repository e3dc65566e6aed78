package inject

import (
	"fmt"
	"slices"
)

// Injected is the record of what was done to a Pod: the JSON of the annotation
// v1beta1.AnnotationInjected. It never holds a value of a Secret. The guard
// policy reads it as text and relies on the order of its members.
type Injected struct {
	// Bindings in the order of the annotation v1beta1.AnnotationBinding.
	Bindings []InjectedBinding `json:"bindings"`
}

// InjectedBinding is what was done for one binding.
type InjectedBinding struct {
	// Name of the ServiceBinding.
	Name string `json:"name"`
	// Volume with the binding's files; empty without files.
	Volume string `json:"volume,omitempty"`
	// Secret with the credentials; empty if nothing of the Pod refers to it.
	Secret string `json:"secret,omitempty"`
	// EnvSecret with the automatic variables; empty without them.
	EnvSecret string `json:"envSecret,omitempty"`
	// Variables that were asked for by name.
	Variables []string `json:"variables,omitempty"`
	// Containers that have the above, in the order of the Pod, init containers
	// first.
	Containers []string `json:"containers"`
}

// ParseInjected reads the annotation v1beta1.AnnotationInjected of a Pod.
// Members that it does not know are skipped.
func ParseInjected(value string) (Injected, error) {
	var in Injected
	r := &reader{}
	r.reset([]byte(value))
	err := r.object(func(name []byte) error {
		if string(name) != "bindings" {
			return r.skip()
		}
		return r.array(func(int) error {
			var b InjectedBinding
			err := r.object(func(name []byte) error { return r.injectedMember(&b, name) })
			in.Bindings = append(in.Bindings, b)
			return err
		})
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return Injected{}, fmt.Errorf("read record of injection: %w", err)
	}
	return in, nil
}

func (r *reader) injectedMember(b *InjectedBinding, name []byte) error {
	switch string(name) {
	case "variables":
		return r.texts(&b.Variables)
	case "containers":
		return r.texts(&b.Containers)
	}
	to := map[string]*string{
		"name": &b.Name, "volume": &b.Volume, "secret": &b.Secret, "envSecret": &b.EnvSecret,
	}[string(name)]
	if to == nil {
		return r.skip()
	}
	text, err := r.text()
	*to = string(text)
	return err
}

func (r *reader) texts(to *[]string) error {
	return r.array(func(int) error {
		text, err := r.text()
		*to = append(*to, string(text))
		return err
	})
}

// find is the record of one binding, or nil.
func (in *Injected) find(name string) *InjectedBinding {
	at := slices.IndexFunc(in.Bindings, func(b InjectedBinding) bool { return b.Name == name })
	if at < 0 {
		return nil
	}
	return &in.Bindings[at]
}

// String is the annotation's value.
func (in Injected) String() string { return string(in.appendTo(nil)) }

func (in Injected) appendTo(dst []byte) []byte {
	p := patch{buf: dst}
	p.buf = append(p.buf, '{')
	p.member("bindings")
	p.buf = append(p.buf, '[')
	for i := range in.Bindings {
		if i > 0 {
			p.buf = append(p.buf, ',')
		}
		b := &in.Bindings[i]
		p.buf = append(p.buf, '{')
		p.members("name", b.Name, "volume", b.Volume, "secret", b.Secret, "envSecret", b.EnvSecret)
		if len(b.Variables) > 0 {
			p.member("variables")
			p.texts(b.Variables)
		}
		p.member("containers")
		p.texts(b.Containers)
		p.buf = append(p.buf, '}')
	}
	return append(p.buf, "]}"...)
}

// texts writes an array of strings.
func (p *patch) texts(all []string) {
	p.buf = append(p.buf, '[')
	for i, text := range all {
		if i > 0 {
			p.buf = append(p.buf, ',')
		}
		p.buf = appendString(p.buf, text)
	}
	p.buf = append(p.buf, ']')
}
