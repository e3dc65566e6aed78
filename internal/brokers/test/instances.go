package test

import (
	"context"
	"time"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// dashboard is told with the first answer to a provision (B15).
func dashboard(id string) *string {
	url := "https://dashboard.test-broker.example/" + identifier("dashboard/"+id)
	return &url
}

// Provision makes an instance, or says how the one of that id stands (B12).
func (e *engine) Provision(ctx context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	c := callOf(ctx)
	async, err := c.asynchronous(r.AcceptsIncomplete)
	if err != nil {
		return nil, err
	}
	if i := e.instance(r.InstanceID); i != nil {
		return e.provisionAgain(i, r)
	}
	k := key{instance: r.InstanceID}
	if _, used := e.graves[k]; used && c.do.RefuseUsedID {
		return nil, broker.ErrConflict.Describe("an instance of this id was deleted; ids are not used twice here")
	}
	if err := e.room(r.InstanceID); err != nil {
		return nil, err
	}
	i := &Instance{
		ID: r.InstanceID, ServiceID: r.ServiceID, PlanID: r.PlanID, OrganizationGUID: r.OrganizationGUID, SpaceGUID: r.SpaceGUID,
		Context: r.Context, Parameters: r.Parameters, Phase: PhaseCreating, Created: e.now(),
	}
	if r.MaintenanceInfo != nil {
		i.MaintenanceVersion = r.MaintenanceInfo.Version
	}
	i.Work = e.begin(c, osb.OpProvision, async)
	e.instances[i.ID] = i
	e.unbury(k)
	e.keepOrFinish(i, async)
	return &osb.ProvisionResponse{Async: async, Operation: i.Work.ID, DashboardURL: dashboard(i.ID)}, nil
}

// provisionAgain answers a PUT of an id that is there.
func (e *engine) provisionAgain(i *Instance, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	same := i.ServiceID == r.ServiceID && i.PlanID == r.PlanID && i.OrganizationGUID == r.OrganizationGUID &&
		i.SpaceGUID == r.SpaceGUID && sameJSON(i.Parameters, r.Parameters)
	switch {
	case i.Phase == PhaseDeleting || i.Phase == PhaseUpdating:
		return nil, broker.ErrConcurrency
	case !same:
		return nil, broker.ErrConflict
	case i.Phase == PhaseFailed:
		return nil, broker.ErrConflict.Describe("what a failed provision left is still there; delete it first")
	case i.Phase == PhaseCreating && !r.AcceptsIncomplete:
		return nil, broker.ErrAsyncRequired
	case i.Phase == PhaseCreating:
		return &osb.ProvisionResponse{Async: true, Operation: i.Work.ID, DashboardURL: dashboard(i.ID)}, nil
	}
	return &osb.ProvisionResponse{Existed: true, DashboardURL: dashboard(i.ID)}, nil
}

// Update changes an instance (B16).
func (e *engine) Update(ctx context.Context, r *osb.UpdateRequest) (*osb.UpdateResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	c := callOf(ctx)
	async, err := c.asynchronous(r.AcceptsIncomplete)
	if err != nil {
		return nil, err
	}
	i := e.instance(r.InstanceID)
	switch {
	case i == nil:
		return nil, broker.ErrNotFound
	case i.ServiceID != r.ServiceID:
		return nil, broker.BadRequest("service_id is not that of the instance")
	case i.Phase == PhaseUpdating && sameJSON(i.Work.Request, compact(c.body)):
		if !r.AcceptsIncomplete {
			return nil, broker.ErrAsyncRequired
		}
		return &osb.UpdateResponse{Async: true, Operation: i.Work.ID}, nil
	case i.Phase == PhaseFailed:
		return nil, broker.Unprocessable("the provision of this instance failed; it can only be deleted")
	case i.Phase != PhaseReady:
		return nil, broker.ErrConcurrency
	}
	if err := e.checkUpdate(c, i, r); err != nil {
		return nil, err
	}
	i.Work = e.begin(c, osb.OpUpdate, async)
	i.Work.Before, i.Phase = i.Phase, PhaseUpdating
	e.keepOrFinish(i, async)
	return &osb.UpdateResponse{Async: async, Operation: i.Work.ID}, nil
}

// checkUpdate refuses a change of plan that the catalog forbids, and complains of
// what a platform should know better.
func (e *engine) checkUpdate(c *call, i *Instance, r *osb.UpdateRequest) error {
	service, plan := e.b.offer.catalog.Find(i.ServiceID, i.PlanID)
	changes := r.PlanID != "" && r.PlanID != i.PlanID
	c.complainIf(!changes && r.Parameters == nil && r.MaintenanceInfo == nil && r.Context != nil && service != nil && !service.AllowContextUpdates,
		"P83: an update of the context alone, which the service does not allow")
	c.complainIf(r.PreviousValues != nil && r.PreviousValues.PlanID != "" && r.PreviousValues.PlanID != i.PlanID,
		"P85: previous_values.plan_id is not the plan in force")
	c.complainIf(i.Unrepeatable != nil && sameJSON(i.Unrepeatable, compact(c.body)),
		"P89: an update is repeated that failed with update_repeatable false")
	if changes && service != nil && !service.IsPlanUpdateable(plan) {
		c.complainIf(true, "P80: a change of plan, although the plan is not updateable")
		return broker.Unprocessable("the plan of this instance cannot be changed")
	}
	return nil
}

// Deprovision deletes an instance (B19).
func (e *engine) Deprovision(ctx context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	c := callOf(ctx)
	async, err := c.asynchronous(r.AcceptsIncomplete)
	if err != nil {
		return nil, err
	}
	i := e.instance(r.InstanceID)
	switch {
	case i == nil:
		return &osb.DeprovisionResponse{Gone: true}, nil
	case i.Phase == PhaseDeleting && !r.AcceptsIncomplete:
		return nil, broker.ErrConcurrency
	case i.Phase == PhaseDeleting:
		return &osb.DeprovisionResponse{Async: true, Operation: i.Work.ID}, nil
	}
	c.complainIf(r.ServiceID != i.ServiceID || r.PlanID != i.PlanID, "P105: service_id or plan_id is not the instance's")
	if n := e.bindingsOf(i.ID); n > 0 {
		c.complainIf(true, "P101: a deprovision while there are bindings")
		if !c.do.Cascade {
			return nil, broker.BadRequest("the instance has %d bindings; unbind them first", n)
		}
	}
	old := i.Work
	i.Work = e.begin(c, osb.OpDeprovision, async)
	i.Work.Before = i.Phase
	if i.Phase == PhaseCreating { // what is stopped half way is left as a failure would leave it (B20)
		i.Work.Before, i.Work.Halted = PhaseFailed, old.ID
	}
	i.Phase = PhaseDeleting
	w := i.Work
	e.keepOrFinish(i, async)
	return &osb.DeprovisionResponse{Async: async, Operation: w.ID}, nil
}

// keepOrFinish stores work that goes on, and ends what does not.
func (e *engine) keepOrFinish(i *Instance, async bool) {
	if async {
		e.keepInstance(i)
	} else {
		e.finishInstance(i)
	}
}

func (e *engine) bindingsOf(instanceID string) int {
	n := 0
	for k := range e.bindings {
		if k.instance == instanceID {
			n++
		}
	}
	return n
}

// GetInstance tells what the broker holds (B22).
func (e *engine) GetInstance(ctx context.Context, r *osb.GetInstanceRequest) (*osb.GetInstanceResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	i := e.instance(r.InstanceID)
	if i == nil {
		return nil, broker.ErrNotFound
	}
	if service, _ := e.b.offer.catalog.Find(i.ServiceID, i.PlanID); service != nil && !service.InstancesRetrievable {
		callOf(ctx).complainIf(true, "P70: an instance is fetched, although instances_retrievable is false")
		return nil, broker.ErrNotFound
	}
	switch i.Phase {
	case PhaseCreating, PhaseFailed:
		return nil, broker.ErrNotFound
	case PhaseUpdating, PhaseDeleting:
		return nil, broker.ErrConcurrency
	}
	out := &osb.GetInstanceResponse{ServiceID: i.ServiceID, PlanID: i.PlanID, DashboardURL: dashboard(i.ID), Parameters: i.Parameters}
	if i.MaintenanceVersion != "" {
		out.MaintenanceInfo = &osb.MaintenanceInfo{Version: i.MaintenanceVersion}
	}
	return out, nil
}

// LastOperation tells how the last operation on an instance or binding stands (B21).
func (e *engine) LastOperation(ctx context.Context, r *osb.LastOperationRequest) (*osb.LastOperationResponse, error) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	c := callOf(ctx)
	c.complainIf(r.ServiceID == "" || r.PlanID == "", "P43: a poll without service_id or plan_id")
	k := key{r.InstanceID, r.BindingID}
	w, _, _ := e.work(k)
	switch {
	case w == nil:
		return nil, broker.ErrNotFound
	case r.Operation != "" && r.Operation == w.Halted:
		return &osb.LastOperationResponse{State: osb.StateFailed, Description: "it was stopped by a delete"}, nil
	case w.running():
		w.Polled++ // which may end it
	}
	w, planID, keep := e.work(k)
	c.complainIf(r.Operation != w.ID, "P42: a poll whose operation is not that of the answer 202")
	c.complainIf(w.running() && r.PlanID != "" && r.PlanID != planID, "P43: a poll whose plan_id is not the one before the update")
	out := &osb.LastOperationResponse{State: w.State, Description: w.Async.Description}
	switch {
	case w.running():
		keep()
		out.RetryAfter = time.Duration(w.Async.RetryAfter)
	case w.State == osb.StateFailed:
		out.InstanceUsable, out.UpdateRepeatable = w.Async.InstanceUsable, w.Async.UpdateRepeatable
	default:
		out.Gone = w.Async.Gone && (w.Kind == osb.OpDeprovision || w.Kind == osb.OpUnbind)
	}
	return out, nil
}

// work is the last operation on what a key names, its plan, and how to store a change.
func (e *engine) work(k key) (w *Work, planID string, keep func()) {
	if k.binding != "" {
		if b := e.binding(k); b != nil {
			return b.Work, b.PlanID, func() { e.keepBinding(b) }
		}
	} else if i := e.instance(k.instance); i != nil {
		return i.Work, i.PlanID, func() { e.keepInstance(i) }
	}
	if g := e.graves[k]; g != nil {
		return g.Work, g.PlanID, func() {}
	}
	return nil, "", nil
}
