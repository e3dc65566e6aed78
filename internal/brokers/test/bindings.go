package test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// Bind makes credentials, or tells those of the binding of that id again (B17).
func (e *engine) Bind(ctx context.Context, r *osb.BindRequest) (*osb.BindResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	c := callOf(ctx)
	async, err := c.asynchronous(r.AcceptsIncomplete)
	if err != nil {
		return nil, err
	}
	app := r.AppGUID
	if r.BindResource != nil && r.BindResource.AppGUID != "" {
		app = r.BindResource.AppGUID
	}
	if c.do.RequiresApp && app == "" {
		return nil, broker.ErrRequiresApp
	}
	i := e.instance(r.InstanceID)
	if i == nil {
		return nil, broker.ErrNotFound.Describe("there is no such instance")
	}
	wanted := &Binding{
		ID: r.BindingID, InstanceID: i.ID, ServiceID: i.ServiceID, PlanID: i.PlanID, AppGUID: app,
		Predecessor: r.PredecessorBindingID, Context: r.Context, Parameters: r.Parameters, Phase: PhaseCreating, Created: e.now(),
	}
	k := key{i.ID, r.BindingID}
	if b := e.binding(k); b != nil {
		return e.bindAgain(b, wanted, r)
	}
	if err := e.checkBind(c, i, r); err != nil {
		return nil, err
	}
	if pre := e.binding(key{i.ID, r.PredecessorBindingID}); pre != nil {
		wanted.Parameters = pre.Parameters // a rotation does not send them again (P99)
	}
	if wanted.Credentials, err = e.credentials(c, wanted); err != nil {
		return nil, err
	}
	wanted.Work = e.begin(c, osb.OpBind, async)
	e.bindings[k] = wanted
	e.unbury(k)
	if async {
		e.keepBinding(wanted)
	} else {
		e.finishBinding(wanted)
	}
	return wanted.answer(async, false)
}

// checkBind says whether the instance can be bound now.
func (e *engine) checkBind(c *call, i *Instance, r *osb.BindRequest) error {
	_, used := e.graves[key{i.ID, r.BindingID}]
	switch {
	case r.ServiceID != "" && r.ServiceID != i.ServiceID, r.PlanID != "" && r.PlanID != i.PlanID:
		return broker.BadRequest("service_id or plan_id is not the instance's")
	case i.Phase == PhaseFailed:
		return broker.Unprocessable("the provision of this instance failed")
	case i.Phase != PhaseReady:
		return broker.ErrConcurrency
	case i.Unusable:
		c.complainIf(true, "P88: a bind to an instance that instance_usable false was said of")
		return broker.Unprocessable("the instance is not usable")
	case used && c.do.RefuseUsedID:
		return broker.ErrConflict.Describe("a binding of this id was deleted; ids are not used twice here")
	case r.PredecessorBindingID != "":
		if err := e.checkRotation(c, i, r); err != nil {
			return err
		}
	}
	return e.room(r.BindingID)
}

// checkRotation says whether the binding's predecessor can have a successor (B18).
func (e *engine) checkRotation(c *call, i *Instance, r *osb.BindRequest) error {
	service, plan := e.b.offer.catalog.Find(i.ServiceID, i.PlanID)
	c.complainIf(r.Parameters != nil, "P99: a rotation with parameters")
	if service != nil && plan != nil && !plan.BindingRotatable {
		c.complainIf(true, "P98: a rotation, although the plan is not binding_rotatable")
		return broker.BadRequest("bindings of this plan cannot be rotated")
	}
	if pre := e.binding(key{i.ID, r.PredecessorBindingID}); pre == nil || pre.Phase != PhaseReady || !pre.Live(e.now()) {
		return broker.BadRequest("predecessor_binding_id is not a binding of this instance that has not expired")
	}
	return nil
}

// bindAgain answers a PUT of an id that is there.
func (e *engine) bindAgain(b, wanted *Binding, r *osb.BindRequest) (*osb.BindResponse, error) {
	same := (r.PredecessorBindingID != "" || sameJSON(b.Parameters, wanted.Parameters)) && b.Predecessor == wanted.Predecessor &&
		b.AppGUID == wanted.AppGUID && (r.PlanID == "" || r.PlanID == b.PlanID)
	switch {
	case b.Phase == PhaseDeleting:
		return nil, broker.ErrConcurrency
	case !same:
		return nil, broker.ErrConflict
	case b.Phase == PhaseFailed:
		return nil, broker.ErrConflict.Describe("what a failed bind left is still there; delete it first")
	case b.Phase == PhaseCreating && !r.AcceptsIncomplete:
		return nil, broker.ErrAsyncRequired
	}
	return b.answer(b.Phase == PhaseCreating, true)
}

// credentials are those that the rule asks for, or made up: no two bindings have the same.
func (e *engine) credentials(c *call, b *Binding) (osb.RawJSON, error) {
	if c.do.Credentials != nil {
		return c.do.Credentials, nil
	}
	secret := make([]byte, 16)
	if _, err := io.ReadFull(e.b.opts.Random, secret); err != nil {
		return nil, fmt.Errorf("draw a password: %w", err)
	}
	password, username := hex.EncodeToString(secret), "u-"+identifier(b.InstanceID + "/" + b.ID)[:13]
	const host = "service.test-broker.example"
	raw, err := json.Marshal(map[string]any{
		"username": username, "password": password, "host": host, "port": 4242,
		"uri": "test://" + username + ":" + password + "@" + host + ":4242/" + identifier(b.InstanceID),
	})
	if err != nil {
		return nil, fmt.Errorf("write credentials: %w", err)
	}
	return raw, nil
}

// data is what the platform is told of a binding.
func (b *Binding) data() (osb.BindingData, error) {
	var out osb.BindingData
	if err := json.Unmarshal(b.Credentials, &out.Credentials); err != nil {
		return out, fmt.Errorf("read credentials: %w", err)
	}
	if b.ExpiresAt != nil || b.RenewBefore != nil {
		out.Metadata = &osb.BindingMetadata{ExpiresAt: b.ExpiresAt, RenewBefore: b.RenewBefore}
	}
	return out, nil
}

func (b *Binding) answer(async, existed bool) (*osb.BindResponse, error) {
	data, err := b.data()
	return &osb.BindResponse{Async: async, Existed: existed, Operation: b.Work.ID, BindingData: data}, err
}

// GetBinding tells a binding again (B22).
func (e *engine) GetBinding(ctx context.Context, r *osb.GetBindingRequest) (*osb.GetBindingResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	c := callOf(ctx)
	b := e.binding(key{r.InstanceID, r.BindingID})
	if b == nil || b.Phase == PhaseCreating || b.Phase == PhaseFailed {
		return nil, broker.ErrNotFound
	}
	service, _ := e.b.offer.catalog.Find(b.ServiceID, b.PlanID)
	if service != nil && !service.BindingsRetrievable && !b.Work.Asynchronous { // after an asynchronous bind it must be asked for (P49)
		c.complainIf(true, "a binding is fetched, although bindings_retrievable is false")
		return nil, broker.ErrNotFound
	}
	data, err := b.data()
	if c.do.WithholdCredentials {
		data.Credentials = nil
	}
	return &osb.GetBindingResponse{BindingData: data, Parameters: b.Parameters}, err
}

// Unbind deletes a binding (B19).
func (e *engine) Unbind(ctx context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	c := callOf(ctx)
	async, err := c.asynchronous(r.AcceptsIncomplete)
	if err != nil {
		return nil, err
	}
	b := e.binding(key{r.InstanceID, r.BindingID})
	switch {
	case b == nil:
		return &osb.UnbindResponse{Gone: true}, nil
	case b.Phase == PhaseDeleting && !r.AcceptsIncomplete:
		return nil, broker.ErrConcurrency
	case b.Phase == PhaseDeleting:
		return &osb.UnbindResponse{Async: true, Operation: b.Work.ID}, nil
	}
	plan := b.PlanID
	if i := e.instance(b.InstanceID); i != nil {
		plan = i.PlanID // it may have changed since
	}
	c.complainIf(r.ServiceID != b.ServiceID || r.PlanID != plan, "P105: service_id or plan_id is not the binding's")
	old := b.Work
	b.Work = e.begin(c, osb.OpUnbind, async)
	b.Work.Before = b.Phase
	if b.Phase == PhaseCreating { // B20
		b.Work.Before, b.Work.Halted = PhaseFailed, old.ID
	}
	b.Phase = PhaseDeleting
	if !async {
		e.finishBinding(b)
		return &osb.UnbindResponse{}, nil
	}
	e.keepBinding(b)
	return &osb.UnbindResponse{Async: true, Operation: b.Work.ID}, nil
}
