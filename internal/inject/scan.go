package inject

import (
	"bytes"
	"fmt"

	"github.com/svc-cat/catalog/api/v1beta1"
)

const (
	// mirrorAnnotation marks the API's copy of a static Pod, which the kubelet
	// runs from a file whatever the API says.
	mirrorAnnotation = "kubernetes.io/config.mirror"
	// bindingRoot is the variable below which a program looks for its bindings
	// (servicebinding.io, Workload Projection).
	bindingRoot = "SERVICE_BINDING_ROOT"
)

// Pod is the thin view of a Pod that injection needs. It keeps slices of the
// bytes it was scanned from, which must not change while it is in use, and is
// not safe for concurrent use.
type Pod struct {
	reader reader

	// Mirror says that the Pod is a static Pod's copy, to be left alone.
	Mirror bool

	marks      []mark // annotations of ours, in the order of the input
	hasSpec    bool
	hasLabels  bool
	label      string // value of the label v1beta1.LabelInjection
	nodeName   bool
	gates      list
	volumes    list
	containers []container // init containers first
}

// mark is one annotation of ours.
type mark struct{ key, value string }

// container is one container or init container.
type container struct {
	name                 string
	init                 bool
	index                int
	env, envFrom, mounts list
}

// Scan reads a Pod's JSON once. The error wraps ErrMalformed. Lists that
// injection may need are kept as they stand and looked into only on demand, so
// the cost of a scan is that of reading past them.
func Scan(raw []byte) (*Pod, error) {
	p := &Pod{}
	r := &p.reader
	r.reset(raw)
	err := r.object(func(name []byte) error {
		switch string(name) {
		case "metadata":
			return r.object(p.scanMetadata)
		case "spec":
			p.hasSpec = r.kind() == '{'
			return r.object(p.scanSpec)
		}
		return r.skip()
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Annotated says whether the Pod carries an annotation of ours.
func (p *Pod) Annotated() bool { return len(p.marks) > 0 }

func (p *Pod) scanMetadata(name []byte) error {
	r := &p.reader
	switch string(name) {
	case "annotations":
		return r.object(p.scanAnnotation)
	case "labels":
		p.hasLabels = r.kind() != 'n'
		return r.object(func(name []byte) error {
			if string(name) != v1beta1.LabelInjection {
				return r.skip()
			}
			value, err := r.text()
			p.label = string(value)
			return err
		})
	}
	return r.skip()
}

func (p *Pod) scanAnnotation(key []byte) error {
	if string(key) == mirrorAnnotation {
		p.Mirror = true
	}
	if !ours(key) {
		return p.reader.skip()
	}
	value, err := p.reader.text()
	p.marks = append(p.marks, mark{string(key), string(value)})
	return err
}

// ours mirrors the webhook's match condition: the plain prefix, or a binding's
// name before it.
func ours(key []byte) bool {
	return bytes.HasPrefix(key, []byte(v1beta1.AnnotationPrefix)) ||
		bytes.Contains(key, []byte("."+v1beta1.AnnotationPrefix))
}

func (p *Pod) scanSpec(name []byte) (err error) {
	r := &p.reader
	switch string(name) {
	case "containers":
		return p.scanContainers(false)
	case "initContainers":
		return p.scanContainers(true)
	case "volumes":
		p.volumes, err = r.list()
	case "schedulingGates":
		p.gates, err = r.list()
	case "nodeName":
		var node []byte
		node, err = r.text()
		p.nodeName = len(node) > 0
	default:
		err = r.skip()
	}
	return err
}

// scanContainers adds the containers of a list. Init containers come first
// whatever the order of the input.
func (p *Pod) scanContainers(init bool) error {
	var found []container
	err := p.reader.array(func(i int) error {
		if p.reader.kind() != '{' {
			return fmt.Errorf("%w: a container is not an object", ErrMalformed)
		}
		c := container{init: init, index: i}
		if err := p.reader.object(func(name []byte) error { return p.scanContainer(&c, name) }); err != nil {
			return err
		}
		found = append(found, c)
		return nil
	})
	if init {
		p.containers = append(found, p.containers...)
		return err
	}
	p.containers = append(p.containers, found...)
	return err
}

func (p *Pod) scanContainer(c *container, name []byte) (err error) {
	r := &p.reader
	switch string(name) {
	case "name":
		var text []byte
		text, err = r.text()
		c.name = string(text)
	case "env":
		c.env, err = r.list()
	case "envFrom":
		c.envFrom, err = r.list()
	case "volumeMounts":
		c.mounts, err = r.list()
	default:
		err = r.skip()
	}
	return err
}
