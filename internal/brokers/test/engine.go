package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// engine is the broker itself, as the kit knows it. What it does differently from
// a faultless broker stands in the call that comes with the context. Its methods
// take the Broker's lock; what is not exported is called under it.
type engine struct {
	*state
	b *Broker
}

var (
	_ broker.Broker         = (*engine)(nil)
	_ broker.Updater        = (*engine)(nil)
	_ broker.Poller         = (*engine)(nil)
	_ broker.InstanceGetter = (*engine)(nil)
	_ broker.BindingGetter  = (*engine)(nil)
)

type callKey struct{}

// callOf is the request being carried out.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{entry: &Entry{}}
}

// Catalog is what is offered; it is never changed, only exchanged.
func (e *engine) Catalog(context.Context) (*osb.Catalog, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	return e.b.offer.catalog, nil
}

func (e *engine) now() time.Time { return e.b.opts.Clock.Now() }

// asynchronous says whether a request is answered with 202, or that it would have
// to be and may not (B11).
func (c *call) asynchronous(accepts bool) (bool, error) {
	switch a := c.do.Async; {
	case a == nil || !accepts && a.Optional:
		return false, nil
	case !accepts:
		return false, broker.ErrAsyncRequired
	}
	return true, nil
}

// begin is new work; what is not asynchronous is due at once.
func (e *engine) begin(c *call, kind osb.Operation, async bool) *Work {
	w := &Work{
		Kind: kind, Started: e.now(), State: osb.StateInProgress, Request: compact(c.body),
		ExpiresIn: c.do.ExpiresIn, RenewIn: c.do.RenewIn,
	}
	if !async {
		return w
	}
	w.Asynchronous, w.Async = true, *c.do.Async
	if given := w.Async.Operation; given != nil {
		w.ID = *given
	} else {
		e.works++
		w.ID = fmt.Sprintf("%s-%d", kind, e.works)
	}
	return w
}

// instance is the instance as it stands now, nil if there is none.
func (e *engine) instance(id string) *Instance {
	i := e.instances[id]
	if i != nil && i.Work.running() && i.Work.due(e.now()) {
		e.finishInstance(i)
	}
	return e.instances[id]
}

// binding is the binding as it stands now, nil if there is none.
func (e *engine) binding(k key) *Binding {
	b := e.bindings[k]
	if b != nil && b.Work.running() && b.Work.due(e.now()) {
		e.finishBinding(b)
	}
	return e.bindings[k]
}

// settleAll lets all work that is over have its effect.
func (e *engine) settleAll() {
	for id := range e.instances {
		e.instance(id)
	}
	for k := range e.bindings {
		e.binding(k)
	}
}

// finishInstance gives work its effect.
func (e *engine) finishInstance(i *Instance) {
	w := i.Work
	w.State = w.end()
	failed := w.State == osb.StateFailed
	switch {
	case w.Kind == osb.OpDeprovision && !failed:
		e.dropInstance(i, w)
		return
	case w.Kind == osb.OpProvision && failed:
		i.Phase = PhaseFailed
	case w.Kind == osb.OpProvision:
		i.Phase = PhaseReady
	case failed:
		i.Phase = w.Before
		i.Unusable = i.Unusable || isFalse(w.Async.InstanceUsable)
		if w.Kind == osb.OpUpdate && isFalse(w.Async.UpdateRepeatable) {
			i.Unrepeatable = w.Request
		}
	default:
		i.Phase, i.Unusable, i.Unrepeatable = PhaseReady, false, nil
		i.apply(w.Request)
	}
	e.keepInstance(i)
}

func isFalse(b *bool) bool { return b != nil && !*b }

// apply makes the changes that an update asked for. Parameters that it does not
// name stay as they are (P82).
func (i *Instance) apply(request osb.RawJSON) {
	var r osb.UpdateRequest
	if json.Unmarshal(request, &r) != nil {
		return // the kit has read it before: this cannot be
	}
	if r.PlanID != "" {
		i.PlanID = r.PlanID
	}
	if r.Context != nil {
		i.Context = r.Context
	}
	if r.MaintenanceInfo != nil && r.MaintenanceInfo.Version != "" {
		i.MaintenanceVersion = r.MaintenanceInfo.Version
	}
	if r.Parameters != nil {
		i.Parameters = merged(i.Parameters, r.Parameters)
	}
}

// merged lays one JSON object over another.
func merged(under, over osb.RawJSON) osb.RawJSON {
	all := map[string]json.RawMessage{}
	for _, raw := range []osb.RawJSON{under, over} {
		if len(raw) > 0 && json.Unmarshal(raw, &all) != nil {
			return over
		}
	}
	out, err := json.Marshal(all)
	if err != nil {
		return over
	}
	return out
}

// finishBinding gives work its effect.
func (e *engine) finishBinding(b *Binding) {
	w := b.Work
	w.State = w.end()
	failed := w.State == osb.StateFailed
	switch {
	case w.Kind == osb.OpUnbind && !failed:
		e.dropBinding(b, w)
		return
	case w.Kind == osb.OpBind && failed:
		b.Phase = PhaseFailed
	case w.Kind == osb.OpBind:
		b.Phase, b.Issued = PhaseReady, true
		e.issued++
		b.ExpiresAt, b.RenewBefore = after(e.now(), w.ExpiresIn), after(e.now(), w.RenewIn)
	case failed:
		b.Phase = w.Before
	}
	e.keepBinding(b)
}

// after is a moment that JSON can tell in full, nil for no duration.
func after(now time.Time, d Duration) *time.Time {
	if d == 0 {
		return nil
	}
	t := now.Add(time.Duration(d)).UTC().Truncate(time.Millisecond)
	return &t
}

// dropInstance deletes an instance with whatever bindings it has; work is what
// deleted it, if the platform did.
func (e *engine) dropInstance(i *Instance, work *Work) {
	for k, b := range e.bindings {
		if k.instance == i.ID {
			e.dropBinding(b, nil)
		}
	}
	e.count(&i.counted, 0)
	delete(e.instances, i.ID)
	g := &grave{ServiceID: i.ServiceID, PlanID: i.PlanID, Work: buried(work)}
	e.bury(key{instance: i.ID}, g)
	e.b.journal.put(line{InstanceGone: &i.ID, Grave: g})
}

// dropBinding deletes a binding and revokes its credentials.
func (e *engine) dropBinding(b *Binding, work *Work) {
	if b.Issued {
		e.revoked++
	}
	e.count(&b.counted, 0)
	k := key{b.InstanceID, b.ID}
	delete(e.bindings, k)
	g := &grave{ServiceID: b.ServiceID, PlanID: b.PlanID, Work: buried(work)}
	e.bury(k, g)
	e.b.journal.put(line{BindingGone: []string{b.InstanceID, b.ID}, Grave: g, Revoked: e.revoked})
}

// buried is work without what only mattered while it went on.
func buried(w *Work) *Work {
	if w = w.clone(); w != nil {
		w.Request = nil
	}
	return w
}

// keepInstance stores what has changed.
func (e *engine) keepInstance(i *Instance) {
	e.count(&i.counted, i.size())
	e.b.journal.put(line{Instance: i, Works: e.works})
}

func (e *engine) keepBinding(b *Binding) {
	e.count(&b.counted, b.size())
	e.b.journal.put(line{Binding: b, Issued: e.issued, Works: e.works})
}

// room refuses to hold more than there is memory for.
func (e *engine) room(id string) error {
	switch {
	case len(id) > maxID:
		return broker.BadRequest("the test broker takes ids of up to %d bytes", maxID)
	case e.held >= e.b.opts.StateBytes:
		return broker.Unprocessable("the test broker holds as much as it may; delete instances, or reset it")
	}
	return nil
}

// compact is JSON in one line, nil if it is none.
func compact(raw []byte) osb.RawJSON {
	var out bytes.Buffer
	if len(raw) == 0 || json.Compact(&out, raw) != nil {
		return nil
	}
	return out.Bytes()
}

// sameJSON compares values, not spelling. Nothing is the same as an empty object.
func sameJSON(x, y osb.RawJSON) bool {
	read := func(raw osb.RawJSON) any {
		var v any
		if len(raw) == 0 {
			return map[string]any{}
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&v) != nil {
			return string(raw)
		}
		return v
	}
	return reflect.DeepEqual(read(x), read(y))
}
