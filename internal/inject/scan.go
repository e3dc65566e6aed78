package inject

import (
	"bytes"
	"fmt"
	"slices"

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
// bytes it was scanned from, which must not change while it is in use, and the
// memory of its Scanner. It is not safe for concurrent use.
type Pod struct {
	reader *reader

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

// Scanner reads reviews and Pods, one after the other, in memory that it keeps.
// The zero value is ready. What it returned before is void after the next call.
type Scanner struct {
	reader reader
	pod    Pod
}

// Scan reads a Pod's JSON once. The error wraps ErrMalformed. Lists that
// injection may need are kept as they stand and looked into only on demand, so
// the cost of a scan is that of reading past them.
func Scan(raw []byte) (*Pod, error) { return new(Scanner).Pod(raw) }

// Pod is Scan with the Scanner's memory.
func (s *Scanner) Pod(raw []byte) (*Pod, error) {
	s.reader.reset(raw)
	pod, err := s.scanPod()
	if err == nil {
		err = s.reader.end()
	}
	if err != nil {
		return nil, err
	}
	return pod, nil
}

// scanPod takes the next value, which must be a Pod.
func (s *Scanner) scanPod() (*Pod, error) {
	p := &s.pod
	*p = Pod{reader: &s.reader, marks: p.marks[:0], containers: p.containers[:0]}
	if err := s.reader.object(p.scanMember); err != nil {
		return nil, err
	}
	// The API server sends init containers first, but nothing says it must.
	if !slices.IsSortedFunc(p.containers, initFirst) {
		slices.SortStableFunc(p.containers, initFirst)
	}
	return p, nil
}

func initFirst(a, b container) int {
	switch {
	case a.init == b.init:
		return 0
	case a.init:
		return -1
	}
	return 1
}

func (p *Pod) scanMember(name []byte) error {
	switch string(name) {
	case "metadata":
		return p.reader.object(p.scanMetadata)
	case "spec":
		p.hasSpec = p.reader.kind() == '{'
		return p.reader.object(p.scanSpec)
	}
	return p.reader.skip()
}

// Annotated says whether the Pod carries an annotation of ours.
func (p *Pod) Annotated() bool { return len(p.marks) > 0 }

func (p *Pod) scanMetadata(name []byte) error {
	r := p.reader
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
	r := p.reader
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

// scanContainers adds the containers of a list.
func (p *Pod) scanContainers(init bool) error {
	return p.reader.array(func(i int) error {
		if p.reader.kind() != '{' {
			return fmt.Errorf("%w: a container is not an object", ErrMalformed)
		}
		p.containers = append(p.containers, container{init: init, index: i})
		return p.reader.object(p.scanContainer)
	})
}

// scanContainer takes one member of the last container.
func (p *Pod) scanContainer(name []byte) (err error) {
	r, c := p.reader, &p.containers[len(p.containers)-1]
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
