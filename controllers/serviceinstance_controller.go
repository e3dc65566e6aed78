package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/params"
	"github.com/svc-cat/catalog/osb"
)

// InstanceReconciler provisions, updates and deprovisions ServiceInstances.
type InstanceReconciler struct {
	*Engine
	waker waker
}

// Reconcile is one pass over a ServiceInstance.
func (r *InstanceReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := &v1beta1.ServiceInstance{}
	if err := r.Get(ctx, req.NamespacedName, obj); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return r.run(ctx, &instance{ServiceInstance: obj.DeepCopy(), r: r})
}

// instance is a ServiceInstance on its way through one pass.
type instance struct {
	*v1beta1.ServiceInstance
	r *InstanceReconciler
	// gathered by observe
	found offering
	// user are the parameters that the user states, params those with defaults.
	user, params params.Merged
	space        space
	at           broker
	client       *osb.Client
	// have is what the broker has, as the facts say it.
	have lifecycle.Request
	// unchecked says why parameters could not be checked.
	unchecked error
}

func (i *instance) object() client.Object { return i.ServiceInstance }

func (i *instance) home() (broker, *waker) { return i.at, &i.r.waker }

func (i *instance) status() (*v1beta1.CommonStatus, **v1beta1.Operation) {
	return &i.Status.CommonStatus, &i.Status.Operation
}

func (i *instance) identity() identity {
	return identity{&i.Spec.ExternalID, &i.Spec.ExternalIDOrigin, &i.Status.ExternalID, &i.Status.ExternalIDOrigin, i.r.derivedID(kindInstance, i)}
}

func (i *instance) observe(ctx context.Context) (lifecycle.Facts, error) {
	s := &i.Status
	i.identity().settle()
	f := lifecycle.Facts{
		Kind: lifecycle.Instance, Now: i.r.Clock.Now(), Deleting: !i.DeletionTimestamp.IsZero(),
		Paused: i.Annotations[v1beta1.AnnotationPaused] == annotationOn, Purge: i.Annotations[v1beta1.AnnotationPurge] == annotationOn,
		Retain:     retains(i.Spec.DeletionPolicy, s.ExternalIDOrigin),
		Exists:     s.ProvisionStatus == v1beta1.ProvisionStatusProvisioned,
		MayExist:   s.DeprovisionStatus == v1beta1.DeprovisionStatusRequired,
		Ours:       s.ExternalIDOrigin == v1beta1.ExternalIDGenerated || s.CreatedByUs,
		ExternalID: s.ExternalID, BaseID: i.Spec.ExternalID, Op: s.Operation, Mitigate: true,
		Unusable: s.Unusable, Background: true, PollLimit: i.r.MaxPolling, NextPoll: i.r.polls.after(i.UID, s.Operation),
		Have: i.accepted(),
	}
	var problem *lifecycle.Problem
	var err error
	switch op := s.Operation; {
	case f.Paused, f.Deleting && f.Purge:
	case f.Deleting, op != nil && (op.Action == v1beta1.ActionMitigate || op.BrokerOperation != nil):
		problem, err = i.observeRecorded(ctx, &f)
	case f.Exists:
		problem, err = i.wishOfExisting(ctx, &f)
	default:
		problem, err = i.wish(ctx, &f)
	}
	if problem != nil {
		f.Wish, f.Blocked = nil, problem
	}
	i.have = f.Have
	return f, err
}

// annotationOn is the value that turns an annotation's switch on.
const annotationOn = "true"

// retains says whether what the broker has stays when the object goes: as the
// user said, else unless we made the id.
func retains(p v1beta1.DeletionPolicy, o v1beta1.ExternalIDOrigin) bool {
	if p == "" {
		return o != v1beta1.ExternalIDGenerated
	}
	return p == v1beta1.DeletionPolicyRetain
}

// accepted is what the broker accepted, or else was last sent.
func (i *instance) accepted() lifecycle.Request {
	p := i.Status.ExternalProperties
	if p == nil {
		p = i.Status.InProgressProperties
	}
	if p == nil {
		return lifecycle.Request{}
	}
	r := lifecycle.Request{
		ExternalID: i.Status.ExternalID, ServiceID: p.ServiceExternalID,
		PlanID: p.ClusterServicePlanExternalID + p.ServicePlanExternalID, Checksum: p.ParameterChecksum,
		Maintenance: p.MaintenanceVersion, Context: p.ContextChecksum, Updates: i.Spec.UpdateRequests,
	}
	if p.UpdateRequests != nil {
		r.Updates = *p.UpdateRequests
	}
	return r
}

// observeRecorded needs the broker, and of the rest only what was recorded, so
// that it works when class and plan are gone.
func (i *instance) observeRecorded(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	if !f.MayExist {
		return nil, nil
	}
	var err error
	if f.Deleting {
		if f.Dependents, err = i.r.bindingNames(ctx, i.ServiceInstance); err != nil {
			return nil, err
		}
	}
	if i.found, err = i.r.resolved(ctx, i.ServiceInstance); err != nil {
		return nil, err
	}
	i.limitPolling(f)
	if err := i.recoverBroker(ctx, f); err != nil {
		return nil, err
	}
	b, problem, err := i.r.brokerFor(ctx, i.Status.BrokerRef, i.Namespace)
	if problem == nil && err == nil {
		i.found.broker = b
		problem, err = i.connectFound(ctx, f)
	}
	f.Token = retryToken(f.Token, lifecycle.Request{}, i.Annotations)
	return i.r.removal(i.ServiceInstance, problem), err
}

// recoverBroker finds the broker of an object whose status another version wrote,
// which did not record it: that of the class that the spec names.
func (i *instance) recoverBroker(ctx context.Context, f *lifecycle.Facts) error {
	if i.Status.BrokerRef != nil {
		return nil
	}
	if _, err := i.resolve(ctx, f); err != nil {
		return err
	}
	if i.found.class.Spec == nil {
		return nil // brokerFor says what is missing
	}
	i.Status.BrokerRef = i.found.brokerRef()
	if f.Have.ServiceID == "" {
		f.Have.ServiceID = i.found.class.Spec.ExternalID
	}
	return nil
}

// wish finds out what the spec asks for: class, plan, broker and parameters. A
// problem says what is missing for that.
func (i *instance) wish(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	for _, step := range []func(context.Context, *lifecycle.Facts) (*lifecycle.Problem, error){
		i.resolve, i.checkID, i.mergeParameters, i.checkCreate, i.findSpace, i.connectFound,
	} {
		if problem, err := step(ctx, f); problem != nil || err != nil {
			return problem, err
		}
	}
	f.Wish = &lifecycle.Request{
		ServiceID: i.found.class.Spec.ExternalID, PlanID: i.found.plan.Spec.ExternalID, Checksum: i.params.Checksum,
		Maintenance: i.found.maintenance(), Context: i.contextChecksum(), Updates: i.Spec.UpdateRequests, Generation: i.Generation,
	}
	f.Token = retryToken(f.Token, *f.Wish, i.Annotations)
	return nil, nil
}

func (i *instance) findSpace(ctx context.Context, _ *lifecycle.Facts) (_ *lifecycle.Problem, err error) {
	i.space, err = i.r.spaceOf(ctx, i.Namespace)
	return nil, err
}

// connectFound gets the client of the broker that was found.
func (i *instance) connectFound(ctx context.Context, f *lifecycle.Facts) (problem *lifecycle.Problem, err error) {
	i.at = *i.found.broker
	if o := i.at.spec.OSB; o != nil {
		f.Mitigate = o.OrphanMitigation != v1beta1.Disabled
	}
	i.client, f.Token, problem, err = i.r.connect(ctx, &i.at, f.Deleting)
	return problem, err
}

// mergeParameters puts what the user states over the defaults: those that were
// applied when the instance was provisioned, else those of class and plan now.
func (i *instance) mergeParameters(ctx context.Context, f *lifecycle.Facts) (problem *lifecycle.Problem, err error) {
	i.user, problem, err = i.r.parameters(ctx, i.Namespace, i.Spec.Parameters, i.Spec.ParametersFrom)
	if problem != nil || err != nil {
		return problem, err
	}
	if !f.Exists {
		if problem := i.findDefaults(); problem != nil {
			return problem, nil
		}
	}
	if i.params, err = i.user.Over(rawOf(i.Status.DefaultProvisionParameters)); err != nil {
		return nil, fmt.Errorf("apply the recorded defaults: %w", err)
	}
	return nil, nil
}

// checkCreate holds the parameters against the plan's schema.
func (i *instance) checkCreate(_ context.Context, f *lifecycle.Facts) (problem *lifecycle.Problem, _ error) {
	problem, i.unchecked = checkSchema(i.found.plan.Spec.InstanceCreateParameterSchema, i.params.JSON)
	i.limitPolling(f)
	return problem, nil
}

// limitPolling shortens how long the broker may work to what the plan says.
func (i *instance) limitPolling(f *lifecycle.Facts) { f.PollLimit = planLimit(i.found, f.PollLimit) }

// planLimit is the plan's maximum_polling_duration, or ours if that is shorter.
func planLimit(o offering, ours time.Duration) time.Duration {
	if o.plan.Spec == nil {
		return ours
	}
	if s := o.plan.Spec.MaximumPollingDuration; s != nil && *s > 0 && *s < int64(ours/time.Second) {
		return time.Duration(*s) * time.Second
	}
	return ours
}

func (i *instance) release(context.Context) error { return nil }

// space is the namespace of an instance, as brokers get it.
type space struct {
	uid         types.UID
	annotations map[string]string
}
