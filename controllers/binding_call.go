package controllers

import (
	"context"
	"errors"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// storing puts what a broker gave where it belongs.
type storing func(context.Context, osb.BindingData) error

func (b *binding) call(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	if op.Action == v1beta1.ActionBind {
		return b.bind(ctx, op, b.store)
	}
	reply := b.unbind(ctx, op)
	if reply.Err == nil && !reply.Async && op.Action == v1beta1.ActionMitigate {
		// One Secret may have been stored before the other could not be; what it
		// holds is revoked now.
		reply.Err = b.release(ctx)
	}
	return reply
}

func (b *binding) unbind(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	r := &osb.UnbindRequest{
		InstanceID: b.sent().InstanceExternalID, BindingID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID, AcceptsIncomplete: true,
	}
	if op.Action == v1beta1.ActionUnbind { // a mitigation is nobody's wish
		r.Identity = identityOf(b.Spec.UserInfo)
	}
	resp, err := b.client.Unbind(ctx, r)
	if err != nil {
		return lifecycle.Reply{Err: err}
	}
	return lifecycle.Reply{Async: resp.Async, Operation: resp.Operation}
}

// bind asks for credentials under the id of the journal. Work in the background is
// only of use where the credentials can be fetched after it (OSB 2.17, P49).
func (b *binding) bind(ctx context.Context, op *v1beta1.Operation, store storing) lifecycle.Reply {
	b.r.tellUnchecked(b.ServiceBinding, op.Action, b.unchecked)
	resp, err := b.client.Bind(ctx, &osb.BindRequest{
		InstanceID: b.sent().InstanceExternalID, BindingID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID,
		AcceptsIncomplete: b.retrievable(), Identity: identityOf(b.Spec.UserInfo), PredecessorBindingID: b.replaces,
		AppGUID: string(b.space), BindResource: &osb.BindResource{AppGUID: string(b.space)},
		Context: b.r.osbContext(b.Namespace, b.instance.Name), Parameters: b.params.JSON,
	})
	if err != nil {
		return b.look(ctx, op, err, store)
	}
	if resp.Async {
		return lifecycle.Reply{Async: true, Operation: resp.Operation}
	}
	return storedReply(lifecycle.Reply{Existed: resp.Existed}, store(ctx, resp.BindingData))
}

// storedReply puts the outcome of storing into a reply. What is half stored must not
// be taken back at the broker: it is bound again, under the same id.
func storedReply(r lifecycle.Reply, err error) lifecycle.Reply {
	var half halfStored
	if errors.As(err, &half) {
		return lifecycle.Reply{Err: &osb.Error{Operation: osb.OpBind, Kind: osb.KindUnavailable, Lost: true, Err: half}}
	}
	r.StoreErr = err
	return r
}

// limitPolling shortens how long the broker may work to what the plan says.
func (b *binding) limitPolling(f *lifecycle.Facts) { f.PollLimit = planLimit(b.found, f.PollLimit) }

// retrievable says whether the broker gives credentials again.
func (b *binding) retrievable() bool {
	return b.found.class.Spec != nil && b.found.class.Spec.BindingRetrievable
}

// look fetches the binding that a broker says it has already, where that can be
// ours: a lost answer comes back so (OSB 2.17, pitfall 18).
func (b *binding) look(ctx context.Context, op *v1beta1.Operation, refusal error, store storing) lifecycle.Reply {
	reply := lifecycle.Reply{Err: refusal}
	mayBeOurs := op.UnreadAttempts > 0 || b.Status.ExternalIDOrigin != v1beta1.ExternalIDGenerated
	if !mayBeOurs || !osb.IsKind(refusal, osb.KindConflict) || !b.retrievable() {
		return reply
	}
	got, err := b.get(ctx, op)
	if err != nil {
		return reply
	}
	reply.Found, reply.Existed = &lifecycle.Found{}, true
	return storedReply(reply, store(ctx, got.BindingData))
}

func (b *binding) get(ctx context.Context, op *v1beta1.Operation) (*osb.GetBindingResponse, error) {
	return b.client.GetBinding(ctx, &osb.GetBindingRequest{
		InstanceID: b.sent().InstanceExternalID, BindingID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID})
}

func (b *binding) poll(ctx context.Context, op *v1beta1.Operation, planID string) lifecycle.Progress {
	p := b.pollFor(ctx, op, planID, b.store)
	if op.Action == v1beta1.ActionMitigate && p.Err == nil && p.State == osb.StateSucceeded {
		if err := b.release(ctx); err != nil {
			return lifecycle.Progress{Err: err}
		}
	}
	return p
}

// pollFor asks how far the broker is. At the end of a bind the credentials are
// fetched and stored.
func (b *binding) pollFor(ctx context.Context, op *v1beta1.Operation, planID string, store storing) lifecycle.Progress {
	r := &osb.LastOperationRequest{
		Polled: osb.OpUnbind, InstanceID: b.sent().InstanceExternalID, BindingID: op.ExternalID,
		ServiceID: op.ServiceID, PlanID: planID, Operation: *op.BrokerOperation,
	}
	if op.Action == v1beta1.ActionBind {
		r.Polled = osb.OpBind
	}
	if op.Action != v1beta1.ActionMitigate {
		r.Identity = identityOf(b.Spec.UserInfo)
	}
	resp, err := b.client.LastOperation(ctx, r)
	if err != nil {
		return lifecycle.Progress{Err: err}
	}
	p := lifecycle.Progress{State: resp.State, Description: resp.Description, RetryAfter: resp.RetryAfter}
	if op.Action != v1beta1.ActionBind || resp.State != osb.StateSucceeded {
		return p
	}
	got, err := b.get(ctx, op)
	if err != nil {
		return lifecycle.Progress{Err: err} // the next poll tries again
	}
	reply := storedReply(lifecycle.Reply{}, store(ctx, got.BindingData))
	p.StoreErr = reply.StoreErr
	if reply.Err != nil {
		return lifecycle.Progress{Err: reply.Err}
	}
	return p
}
