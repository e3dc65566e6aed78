package inject

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Input is what a plan depends on besides the Pod.
type Input struct {
	// Namespace of the Pod, for messages.
	Namespace string
	// Bindings as they are, one for each of Request.Names in that order.
	Bindings []Binding
	// Buffer, if not nil, is memory that the patch may be written to. It then
	// must not be used again before the Result is done with.
	Buffer []byte
}

// Result is what to do to a Pod.
type Result struct {
	// Patch is a JSON patch, of operations "add" only; nil if the Pod is as it
	// should be.
	Patch []byte
	// Warnings are sentences for the user.
	Warnings []string
	// Waiting says that the Pod is held back by our scheduling gate.
	Waiting bool
	// Injected is the record that the Pod carries after the patch.
	Injected Injected
}

// Inject is Scan, Request and Plan in one go, for callers that can look up
// bindings without waiting. The error is a *Refusal or wraps ErrMalformed. A
// Pod without annotations of ours, or a static Pod's copy, gets an empty Result.
func Inject(raw []byte, namespace string, find func(name string) Binding) (Result, error) {
	pod, err := Scan(raw)
	if err != nil || pod.Mirror || !pod.Annotated() {
		return Result{}, err
	}
	req, err := pod.Request()
	if err != nil {
		return Result{}, err
	}
	in := Input{Namespace: namespace}
	for _, name := range req.Names() {
		in.Bindings = append(in.Bindings, find(name))
	}
	return pod.Plan(req, in)
}

// planner works out one plan. Its parts follow the order of the patch.
type planner struct {
	pod   *Pod
	req   *Request
	in    Input
	patch patch

	chosen   [][]bool // by wish and container
	record   Injected
	warnings warnings
	waiting  bool
}

// Plan works out the patch. The error is a *Refusal, or wraps ErrMalformed if
// something in the Pod's lists is no Pod's. It adds only what is not there yet.
func (p *Pod) Plan(req *Request, in Input) (Result, error) {
	if len(in.Bindings) != len(req.wishes) {
		return Result{}, errors.New("plan injection: not one binding for each name")
	}
	if !p.hasSpec {
		return Result{}, fmt.Errorf("%w: it has no spec", ErrMalformed)
	}
	pl := &planner{pod: p, req: req, in: in, patch: newPatch(in.Buffer), warnings: req.warnings}
	for _, step := range []func(*planner) error{
		(*planner).checkBindings, (*planner).choose, (*planner).addVolumes, (*planner).addToContainers, (*planner).addMarks,
	} {
		if err := step(pl); err != nil {
			return Result{}, err
		}
	}
	return Result{
		Patch: pl.patch.bytes(), Warnings: pl.warnings, Waiting: pl.waiting, Injected: pl.record,
	}, nil
}

// checkBindings refuses bindings that cannot be used and sees whether the Pod
// has to wait.
func (pl *planner) checkBindings() error {
	for i := range pl.in.Bindings {
		b := &pl.in.Bindings[i]
		if b.Deleting {
			return refuse(ReasonBindingDeleting, "binding %s in namespace %s is being deleted; make it anew, or name another in %s",
				show(b.Name), show(pl.in.Namespace), v1beta1.AnnotationBinding)
		}
		if b.Stored {
			continue
		}
		if pl.req.wishes[i].reject {
			return refuse(ReasonNotReady, "binding %s in namespace %s %s, and %s is reject; try again later, or set it to wait",
				show(b.Name), show(pl.in.Namespace), b.State, pl.req.wishes[i].rejectKey)
		}
		pl.waiting = true
		// What the binding says comes last, since long warnings are cut.
		held := "the Pod is held back until the credentials of binding %s in namespace %s are stored, and then starts by itself; the binding %s"
		if pl.pod.nodeName {
			held = "the Pod has spec.nodeName and so cannot be gated; the kubelet starts its containers when the credentials of binding %s in namespace %s are stored; the binding %s"
		}
		pl.warnings.add(held, show(b.Name), show(pl.in.Namespace), b.State)
	}
	return nil
}

// choose settles which containers get which binding: those that are named,
// else all. In a Pod that was injected before, "all" are those that were chosen
// then, so that containers which other webhooks add later stay as they are.
func (pl *planner) choose() error {
	var before Injected
	if pl.req.injected != "" {
		// What a user or a copy made of the record is not trusted: it only says
		// that there was a pass before, and that counts only with its traces.
		before, _ = ParseInjected(pl.req.injected)
	}
	all := pl.pod.containers
	cells := make([]bool, len(pl.req.wishes)*len(all))
	pl.chosen = make([][]bool, len(pl.req.wishes))
	pl.record.Bindings = make([]InjectedBinding, len(pl.req.wishes))
	recorded := 0
	for i := range pl.req.wishes {
		w := &pl.req.wishes[i]
		pl.chosen[i] = cells[i*len(all) : (i+1)*len(all)]
		var err error
		switch was := before.find(w.name); {
		case w.containers != nil:
			err = pl.chooseNamed(i)
		case was != nil:
			err = pl.chooseAgain(i, was)
		default:
			fill(pl.chosen[i])
		}
		if err != nil {
			return err
		}
		if recorded += pl.note(i); recorded > maxPatch {
			return tooLarge()
		}
	}
	return nil
}

func (pl *planner) chooseNamed(i int) error {
	w := &pl.req.wishes[i]
	for _, name := range w.containers {
		at := slices.IndexFunc(pl.pod.containers, func(c container) bool { return c.name == name })
		if at < 0 {
			return refuse(ReasonUnknownContainer, "annotation %s names the container %s, which the Pod does not have; it has %s",
				w.containersKey, show(name), pl.containerNames())
		}
		pl.chosen[i][at] = true
	}
	return nil
}

// chooseAgain finds the containers of the pass before by its traces and its
// record. Without any trace there was none, and all are chosen.
func (pl *planner) chooseAgain(i int, was *InjectedBinding) error {
	traced := false
	for j := range pl.pod.containers {
		c := &pl.pod.containers[j]
		has, err := pl.traced(c, &pl.in.Bindings[i])
		if err != nil {
			return err
		}
		traced = traced || has
		pl.chosen[i][j] = has || slices.Contains(was.Containers, c.name)
	}
	if !traced {
		fill(pl.chosen[i])
	}
	return nil
}

// traced says whether a container refers to a binding's volume or Secrets.
func (pl *planner) traced(c *container, b *Binding) (has bool, err error) {
	volume := v1beta1.VolumeName(b.Name)
	if c.mounts.mayContain(volume) {
		err = pl.pod.each(c.mounts, func(e *entry) bool {
			has = string(e.name) == volume
			return !has
		})
	}
	for _, l := range []list{c.envFrom, c.env} {
		if has || err != nil || !l.mayContain(b.Secret) && !l.mayContain(b.EnvSecret) {
			continue
		}
		err = pl.pod.each(l, func(e *entry) bool {
			has = string(e.secret) == b.Secret || string(e.secret) == b.EnvSecret
			return !has
		})
	}
	return has, err
}

func fill(cells []bool) {
	for i := range cells {
		cells[i] = true
	}
}

func (pl *planner) containerNames() string {
	var names []string
	for i := range min(len(pl.pod.containers), maxNamed) {
		names = append(names, pl.pod.containers[i].name)
	}
	return cut(strings.Join(names, ", "), 2*maxShown)
}

// note writes the record of one binding. It returns how many bytes the names of
// its containers have.
func (pl *planner) note(i int) (size int) {
	w, b, rec := &pl.req.wishes[i], &pl.in.Bindings[i], &pl.record.Bindings[i]
	rec.Name = w.name
	if w.files {
		rec.Volume, rec.Secret = v1beta1.VolumeName(w.name), b.Secret
	}
	if w.auto {
		rec.EnvSecret = b.EnvSecret
	}
	for _, v := range w.vars {
		rec.Variables = append(rec.Variables, v.name)
		if !v.file {
			rec.Secret = b.Secret
		}
	}
	rec.Containers = make([]string, 0, len(pl.pod.containers))
	for j, chosen := range pl.chosen[i] {
		if chosen {
			rec.Containers = append(rec.Containers, pl.pod.containers[j].name)
			size += len(pl.pod.containers[j].name)
		}
	}
	return size
}

// addVolumes adds a volume for each binding with files.
func (pl *planner) addVolumes() error {
	ins := insertion{patch: &pl.patch, path: "/spec/", list: "volumes", has: pl.pod.volumes != nil}
	for i := range pl.record.Bindings {
		rec := &pl.record.Bindings[i]
		if rec.Volume == "" {
			continue
		}
		there, err := pl.hasVolume(rec)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		ins.element()
		pl.patch.buf = append(pl.patch.buf, '{')
		pl.patch.members("name", rec.Volume)
		pl.patch.member("secret")
		pl.patch.object("secretName", rec.Secret)
		pl.patch.buf = append(pl.patch.buf, '}')
	}
	ins.done()
	return nil
}

func (pl *planner) hasVolume(rec *InjectedBinding) (there bool, err error) {
	foreign := false
	err = pl.pod.each(pl.pod.volumes, func(e *entry) bool {
		there = string(e.name) == rec.Volume
		foreign = there && string(e.secret) != rec.Secret
		return !there
	})
	if err == nil && foreign {
		// Either the volume is not ours, or the Pod was copied from one that was
		// made when the binding had another Secret. We change nothing in place.
		err = refuse(ReasonVolume, "the Pod has a volume %s, which is kept for binding %s, but it is not its Secret %s; remove the volume and its mounts (if the Pod was copied from a running one: all that injection added), and create it again",
			show(rec.Volume), show(rec.Name), show(rec.Secret))
	}
	return there, err
}

// Where our marks go, as JSON pointers (RFC 6901 §3: ~1 is a slash).
const (
	labelPath    = "/metadata/labels/" + domain + "~1injection"
	injectedPath = "/metadata/annotations/" + domain + "~1injected"
)

// addMarks adds the record, the label and, while waiting, the gate.
func (pl *planner) addMarks() error {
	gated := false
	err := pl.pod.each(pl.pod.gates, func(e *entry) bool {
		gated = string(e.name) == v1beta1.SchedulingGate
		return !gated
	})
	if err != nil {
		return err
	}
	if pl.waiting && !gated && !pl.pod.nodeName {
		ins := insertion{patch: &pl.patch, path: "/spec/", list: "schedulingGates", has: pl.pod.gates != nil}
		ins.element()
		pl.patch.object("name", v1beta1.SchedulingGate)
		ins.done()
		gated = true
	}
	// A gate that is there already, from an earlier pass or a copied Pod, is
	// lifted by the controllers, who look for the label.
	pl.waiting = gated
	label := v1beta1.InjectionDone
	if gated {
		label = v1beta1.InjectionWaiting
	}
	switch {
	case !pl.pod.hasLabels:
		pl.patch.add("/metadata/labels")
		pl.patch.object(v1beta1.LabelInjection, label)
		pl.patch.end()
	case pl.pod.label != label:
		pl.patch.add(labelPath)
		pl.patch.buf = appendString(pl.patch.buf, label)
		pl.patch.end()
	}
	record := pl.record.appendTo(make([]byte, 0, 128+192*len(pl.record.Bindings)))
	if string(record) != pl.req.injected {
		pl.patch.add(injectedPath)
		pl.patch.buf = appendString(pl.patch.buf, record)
		pl.patch.end()
	}
	return nil
}
