package controllers

import (
	"context"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

func (i *instance) call(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	switch op.Action {
	case v1beta1.ActionProvision:
		return i.provision(ctx, op)
	case v1beta1.ActionUpdate:
		return i.update(ctx, op)
	}
	r := &osb.DeprovisionRequest{
		InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID, AcceptsIncomplete: true,
	}
	if op.Action == v1beta1.ActionDeprovision { // a mitigation is nobody's wish
		r.Identity = identityOf(i.Spec.UserInfo)
	}
	resp, err := i.client.Deprovision(ctx, r)
	if err != nil {
		return lifecycle.Reply{Err: err}
	}
	return lifecycle.Reply{Async: resp.Async, Operation: resp.Operation}
}

func (i *instance) provision(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	i.r.tellUnchecked(i.ServiceInstance, op.Action, i.unchecked)
	resp, err := i.client.Provision(ctx, &osb.ProvisionRequest{
		InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID, AcceptsIncomplete: true,
		Identity: identityOf(i.Spec.UserInfo), OrganizationGUID: i.r.ClusterID, SpaceGUID: string(i.space.uid),
		Context: i.osbContext(), Parameters: i.params.JSON, MaintenanceInfo: maintenanceInfo(op.MaintenanceVersion),
	})
	if err != nil {
		return lifecycle.Reply{Err: err, Found: i.look(ctx, op, err)}
	}
	i.Status.DashboardURL = dashboardURL(resp.DashboardURL, i.Status.DashboardURL)
	return lifecycle.Reply{Existed: resp.Existed, Async: resp.Async, Operation: resp.Operation}
}

func (i *instance) update(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	change := lifecycle.ChangeOf(i.have, op)
	r := &osb.UpdateRequest{
		InstanceID: op.ExternalID, ServiceID: op.ServiceID, AcceptsIncomplete: true,
		Identity: identityOf(i.Spec.UserInfo), Context: i.osbContext(),
		PreviousValues: &osb.PreviousValues{
			ServiceID: i.have.ServiceID, PlanID: i.have.PlanID, MaintenanceInfo: maintenanceInfo(i.have.Maintenance),
			OrganizationID: i.r.ClusterID, SpaceID: string(i.space.uid),
		},
	}
	if change.Plan {
		r.PlanID = op.PlanID
	}
	if change.Maintenance {
		r.MaintenanceInfo = maintenanceInfo(op.MaintenanceVersion)
	}
	if change.Parameters {
		stated, err := i.stated()
		if err != nil {
			return lifecycle.Reply{Err: err}
		}
		r.Parameters = stated
		i.r.tellUnchecked(i.ServiceInstance, op.Action, i.unchecked)
	}
	resp, err := i.client.Update(ctx, r)
	if err != nil {
		return lifecycle.Reply{Err: err}
	}
	i.Status.DashboardURL = dashboardURL(resp.DashboardURL, i.Status.DashboardURL)
	return lifecycle.Reply{Async: resp.Async, Operation: resp.Operation}
}

func maintenanceInfo(version string) *osb.MaintenanceInfo {
	if version == "" {
		return nil
	}
	return &osb.MaintenanceInfo{Version: version}
}

func (i *instance) poll(ctx context.Context, op *v1beta1.Operation, planID string) lifecycle.Progress {
	r := &osb.LastOperationRequest{
		Polled: polled(op.Action), InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: planID, Operation: *op.BrokerOperation,
	}
	if op.Action != v1beta1.ActionMitigate {
		r.Identity = identityOf(i.Spec.UserInfo)
	}
	resp, err := i.client.LastOperation(ctx, r)
	if err != nil {
		return lifecycle.Progress{Err: err}
	}
	return lifecycle.Progress{
		State: resp.State, Description: resp.Description, RetryAfter: resp.RetryAfter,
		InstanceUsable: resp.InstanceUsable, UpdateRepeatable: resp.UpdateRepeatable,
	}
}

// polled is the call whose end is awaited.
func polled(a v1beta1.Action) osb.Operation {
	switch a {
	case v1beta1.ActionProvision:
		return osb.OpProvision
	case v1beta1.ActionUpdate:
		return osb.OpUpdate
	}
	return osb.OpDeprovision
}

// look asks the broker what it has under an id whose creation it refused, where
// that can be what was asked for: a lost answer comes back so (OSB 2.17, pitfall
// 18), and so does what an authorised user takes over.
func (i *instance) look(ctx context.Context, op *v1beta1.Operation, refusal error) *lifecycle.Found {
	e := osb.AsError(refusal)
	given := i.Status.ExternalIDOrigin != v1beta1.ExternalIDGenerated && !i.Status.CreatedByUs
	switch {
	case e == nil || e.StatusCode < 400 || e.StatusCode >= 500, !given && op.UnreadAttempts == 0:
		return nil
	case e.Kind != osb.KindConflict && (op.UnreadAttempts == 0 || e.Actor() != osb.ActorUser):
		return nil
	}
	if i.found.class.Spec.InstancesRetrievable {
		got, err := i.client.GetInstance(ctx, &osb.GetInstanceRequest{InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID})
		switch {
		case err == nil:
			return &lifecycle.Found{ServiceID: got.ServiceID, PlanID: got.PlanID}
		case osb.IsKind(err, osb.KindBusy):
			return &lifecycle.Found{Pending: true}
		}
		return i.lookAtWork(ctx, op, nil)
	}
	if given && e.Kind == osb.KindConflict {
		return i.lookAtWork(ctx, op, &lifecycle.Found{}) // the refusal itself says that it is there
	}
	return i.lookAtWork(ctx, op, nil)
}

// lookAtWork asks for the last operation under an id. That it succeeded proves
// nothing: it may have been a deletion.
func (i *instance) lookAtWork(ctx context.Context, op *v1beta1.Operation, otherwise *lifecycle.Found) *lifecycle.Found {
	resp, err := i.client.LastOperation(ctx, &osb.LastOperationRequest{
		Polled: osb.OpProvision, InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID})
	switch {
	case osb.IsKind(err, osb.KindGone), err == nil && resp.State == osb.StateFailed:
		return nil
	case err == nil && resp.State == osb.StateInProgress:
		return &lifecycle.Found{Pending: true}
	}
	return otherwise
}
