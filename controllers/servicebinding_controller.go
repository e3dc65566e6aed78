package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/params"
	"github.com/svc-cat/catalog/osb"
)

// BindingReconciler binds, stores credentials in Secrets, and unbinds.
type BindingReconciler struct {
	*Engine
	// Ours reads the metadata of Secrets of ours from a cache.
	Ours  client.Reader
	waker waker
	// Live reads Pods, which are not in the cache.
	Live client.Reader
	// Rotations spares brokers many rotations at a time.
	Rotations *pace
	// repairs that failed lately.
	repairs repairs
}

// Reconcile is one pass over a ServiceBinding.
func (r *BindingReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	obj := &v1beta1.ServiceBinding{}
	if err := r.Get(ctx, req.NamespacedName, obj); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	b := &binding{ServiceBinding: obj.DeepCopy(), r: r}
	if done, after, err := b.keep(ctx); done || err != nil {
		return ctrl.Result{RequeueAfter: after}, err
	}
	return r.pass(ctx, b)
}

// pass is one over the binding's own life, or over what its rotation left to do.
func (r *BindingReconciler) pass(ctx context.Context, b *binding) (ctrl.Result, error) {
	if r.Calls.hold(b.ServiceBinding) {
		return ctrl.Result{}, nil
	}
	before := b.DeepCopy()
	beside, after, err := b.turn(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	if beside != nil {
		res, err := b.rotate(ctx, beside)
		res.RequeueAfter = soonest(res.RequeueAfter, after)
		return res, err
	}
	if b.Status.ExternalID != "" {
		if saved, err := b.saveIDs(ctx, b.pending()); saved || err != nil {
			return ctrl.Result{}, err
		}
		if !equality.Semantic.DeepEqual(before.Status, b.Status) {
			return ctrl.Result{RequeueAfter: after}, r.save(ctx, before, b.ServiceBinding)
		}
	}
	res, err := r.run(ctx, b)
	res.RequeueAfter = soonest(res.RequeueAfter, after)
	return res, err
}

// binding is a ServiceBinding on its way through one pass.
type binding struct {
	*v1beta1.ServiceBinding
	r *BindingReconciler
	// gathered by observe
	instance *v1beta1.ServiceInstance
	found    offering
	params   params.Merged
	space    types.UID
	at       broker
	client   *osb.Client
	// unchecked says why parameters could not be checked.
	unchecked error
	// stored is what was stored, known after a bind.
	stored stored
	// ids are those of all credentials, as the annotation has them.
	ids generations
	// storeAs is the id whose credentials are to be stored, if not the one in force;
	// replaces the id that the broker is told is replaced.
	storeAs, replaces string
	// fresh: what is in force cannot be had again, so new credentials are needed.
	fresh bool
}

func (b *binding) object() client.Object { return b.ServiceBinding }

func (b *binding) home() (broker, *waker) { return b.at, &b.r.waker }

func (b *binding) status() (*v1beta1.CommonStatus, **v1beta1.Operation) {
	return &b.Status.CommonStatus, &b.Status.Operation
}

func (b *binding) identity() identity {
	return identity{&b.Spec.ExternalID, &b.Spec.ExternalIDOrigin, &b.Status.ExternalID, &b.Status.ExternalIDOrigin, b.r.derivedID(kindBinding, b)}
}

func (b *binding) observe(ctx context.Context) (lifecycle.Facts, error) {
	s := &b.Status
	if s.ExternalID == "" && b.ids.InForce != "" {
		b.ids.restore(b.ServiceBinding)
	}
	b.identity().settle()
	f := lifecycle.Facts{
		Kind: lifecycle.Binding, Now: b.r.Clock.Now(), Deleting: !b.DeletionTimestamp.IsZero(),
		Paused: b.Annotations[v1beta1.AnnotationPaused] == annotationOn, Purge: b.Annotations[v1beta1.AnnotationPurge] == annotationOn,
		Exists: s.Binding != nil, MayExist: s.UnbindStatus == v1beta1.UnbindStatusRequired,
		Ours:       s.ExternalIDOrigin == v1beta1.ExternalIDGenerated || s.CreatedByUs,
		ExternalID: s.ExternalID, BaseID: b.Spec.ExternalID, Op: s.Operation, Mitigate: true,
		PollLimit: b.r.MaxPolling, NextPoll: b.r.polls.after(b.UID, s.Operation), Have: b.have(),
	}
	f.Background = f.Deleting || s.Operation != nil && (s.Operation.Action != v1beta1.ActionBind || s.Operation.BrokerOperation != nil)
	var problem *lifecycle.Problem
	var err error
	switch {
	case f.Deleting, s.Operation != nil && s.Operation.Action == v1beta1.ActionMitigate:
		problem, err = b.observeRemoval(ctx, &f)
	case !f.Exists:
		problem, err = b.wish(ctx, &f)
	}
	if problem != nil {
		f.Wish, f.Blocked = nil, problem
	}
	return f, err
}

// sent are the properties that the broker accepted, or else was last sent.
func (b *binding) sent() *v1beta1.ServiceBindingProperties {
	if p := b.Status.ExternalProperties; p != nil {
		return p
	}
	return b.Status.InProgressProperties
}

func (b *binding) have() lifecycle.Request {
	p := b.sent()
	if p == nil {
		return lifecycle.Request{}
	}
	return lifecycle.Request{
		ExternalID: b.Status.ExternalID, ServiceID: p.ServiceExternalID, PlanID: p.PlanExternalID, Checksum: p.ParameterChecksum,
	}
}

// observeRemoval needs the broker, and of the rest only what was recorded, so
// that it works when instance, class and plan are gone.
func (b *binding) observeRemoval(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	if !f.MayExist {
		return nil, nil
	}
	if err := b.currentPlan(ctx, f); err != nil {
		return nil, err
	}
	at, problem, err := b.r.brokerFor(ctx, b.Status.BrokerRef, b.Namespace)
	if problem == nil && err == nil {
		problem, err = b.connect(ctx, at, f)
	}
	return b.r.removal(b.ServiceBinding, problem), err
}

// currentPlan makes the removal name the plan that the broker knows now: the
// instance's may have changed since the bind (OSB 2.17, P105).
func (b *binding) currentPlan(ctx context.Context, f *lifecycle.Facts) error {
	i := &v1beta1.ServiceInstance{}
	err := b.r.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}, i)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read instance %q: %w", b.Spec.InstanceRef.Name, err)
	}
	p := b.sent()
	if has := i.Status.ExternalProperties; err == nil && has != nil && p != nil && i.Status.ExternalID == p.InstanceExternalID {
		f.Have.PlanID = has.ClusterServicePlanExternalID + has.ServicePlanExternalID
	}
	return nil
}

// wish finds out what the spec asks for. A problem says what is missing.
func (b *binding) wish(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	for _, step := range []func(context.Context, *lifecycle.Facts) (*lifecycle.Problem, error){
		b.checkSpec, b.findInstance, b.findOffering, b.checkID, b.mergeParameters, b.checkSecrets, b.findSpace, b.connectFound,
	} {
		if problem, err := step(ctx, f); problem != nil || err != nil {
			return problem, err
		}
	}
	f.Background = f.Background || b.retrievable()
	b.limitPolling(f)
	have := b.instance.Status.ExternalProperties
	f.Wish = &lifecycle.Request{
		ServiceID: have.ServiceExternalID, PlanID: have.ClusterServicePlanExternalID + have.ServicePlanExternalID,
		Checksum: b.params.Checksum, Generation: b.Generation,
	}
	f.Token = retryToken(f.Token+b.instance.Status.ExternalID, *f.Wish, b.Annotations)
	return nil, nil
}

// findInstance waits for the instance to be there and usable. It is watched.
func (b *binding) findInstance(ctx context.Context, _ *lifecycle.Facts) (*lifecycle.Problem, error) {
	name := b.Spec.InstanceRef.Name
	b.instance = &v1beta1.ServiceInstance{}
	err := b.r.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: name}, b.instance)
	if apierrors.IsNotFound(err) {
		return &lifecycle.Problem{Reason: v1beta1.ReasonReferencesNonexistentInstance, Message: fmt.Sprintf(
			"There is no ServiceInstance %q in this namespace yet; the binding goes on as soon as it is made. If the name is wrong, make the binding anew.", name)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read instance %q: %w", name, err)
	}
	i := b.instance
	switch {
	case !i.DeletionTimestamp.IsZero():
		return &lifecycle.Problem{Reason: v1beta1.ReasonErrorInstanceNotReady, Message: fmt.Sprintf(
			"Instance %q is being deleted, so nothing new can be bound to it; delete this binding too.", name)}, nil
	case i.Status.ProvisionStatus != v1beta1.ProvisionStatusProvisioned || i.Status.ExternalProperties == nil || i.Status.BrokerRef == nil:
		// What hinders the instance is not repeated here: each change of it would
		// be a write and an event of the binding too.
		return &lifecycle.Problem{Reason: v1beta1.ReasonErrorInstanceNotReady, Message: fmt.Sprintf(
			"Instance %q is not provisioned yet; the binding goes on as soon as it is. Its conditions say what it waits for: kubectl describe serviceinstance %s.", name, name)}, nil
	case i.Status.Unusable:
		return &lifecycle.Problem{Reason: v1beta1.ReasonErrorInstanceNotReady, Message: fmt.Sprintf(
			"The broker says that instance %q cannot be used since an update or a deletion of it failed; the binding goes on as soon as an update succeeds. Its conditions say more: kubectl describe serviceinstance %s.", name, name)}, nil
	}
	return nil, nil
}

// findOffering reads class and plan; both may be gone while the instance lives.
func (b *binding) findOffering(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	at, problem, err := b.r.brokerFor(ctx, b.instance.Status.BrokerRef, b.Namespace)
	if problem != nil || err != nil {
		return problem, err
	}
	if o := at.spec.OSB; o != nil {
		f.Mitigate = o.OrphanMitigation != v1beta1.Disabled
	}
	if b.found, err = b.r.resolved(ctx, b.instance); err != nil {
		return nil, err
	}
	b.found.broker = at
	if b.found.bindable() {
		return nil, nil
	}
	return &lifecycle.Problem{Reason: v1beta1.ReasonErrorNonbindableClass, Message: fmt.Sprintf(
		"Instances of plan %q of class %q cannot be bound; delete this binding, or choose another plan for the instance.",
		b.found.plan.Spec.ExternalName, b.found.class.Spec.ExternalName)}, nil
}

func (b *binding) mergeParameters(ctx context.Context, _ *lifecycle.Facts) (_ *lifecycle.Problem, err error) {
	var problem *lifecycle.Problem
	b.params, problem, err = b.r.parameters(ctx, b.Namespace, b.Spec.Parameters, b.Spec.ParametersFrom)
	if problem != nil || err != nil || b.found.plan.Spec == nil {
		return problem, err
	}
	problem, b.unchecked = checkSchema(b.found.plan.Spec.ServiceBindingCreateParameterSchema, b.params.JSON)
	return problem, nil
}

func (b *binding) findSpace(ctx context.Context, _ *lifecycle.Facts) (_ *lifecycle.Problem, err error) {
	b.space, err = b.r.namespaceUID(ctx, b.Namespace)
	return nil, err
}

func (b *binding) connectFound(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	return b.connect(ctx, b.found.broker, f)
}

func (b *binding) connect(ctx context.Context, at *broker, f *lifecycle.Facts) (problem *lifecycle.Problem, err error) {
	b.at = *at
	b.client, f.Token, problem, err = b.r.connect(ctx, at, f.Deleting)
	return problem, err
}

func (b *binding) begin(op *v1beta1.Operation) state {
	s := &b.Status
	s.OperationStartTime = &op.StartTime
	switch op.Action {
	case v1beta1.ActionBind:
		s.CurrentOperation, s.UnbindStatus = string(op.Action), v1beta1.UnbindStatusRequired
		s.InProgressProperties = &v1beta1.ServiceBindingProperties{
			ParameterChecksum: op.ParameterChecksum, InstanceExternalID: b.instance.Status.ExternalID,
			ServiceExternalID: op.ServiceID, PlanExternalID: op.PlanID,
		}
		if b.params.Redacted != nil {
			s.InProgressProperties.Parameters = &runtime.RawExtension{Raw: b.params.Redacted}
		}
		s.BrokerRef = ptr.To(b.found.broker.ref())
		return inFlight(op.Action, v1beta1.ReasonBindingRequestInFlight, "The broker is being asked for credentials.")
	case v1beta1.ActionMitigate:
		s.OrphanMitigationInProgress = true
		return inFlight(op.Action, v1beta1.ReasonBindingNeedsOrphanMitigation, mitigationMessage(op))
	}
	s.CurrentOperation = string(op.Action)
	return inFlight(op.Action, v1beta1.ReasonUnbindingRequestInFlight, "The broker is being asked to revoke the credentials.")
}

func (b *binding) settle(op *v1beta1.Operation, o lifecycle.Outcome) {
	s := &b.Status
	s.ExternalID, s.CreatedByUs = o.ExternalID, o.CreatedByUs
	s.OrphanMitigationInProgress = o.Op != nil && o.Op.Action == v1beta1.ActionMitigate
	s.UnbindStatus = v1beta1.UnbindStatusNotRequired
	if o.MayExist {
		s.UnbindStatus = v1beta1.UnbindStatusRequired
	}
	if o.Op == nil || o.Op.Terminal && !o.MayExist {
		s.CurrentOperation, s.OperationStartTime = "", nil
	}
	switch {
	case o.Exists && op.Action == v1beta1.ActionBind:
		s.ExternalProperties, s.InProgressProperties, s.ReconciledGeneration = s.InProgressProperties, nil, op.Generation
		s.Binding = &v1beta1.LocalObjectReference{Name: b.EffectiveSecretName()}
		s.EnvSecretName = v1beta1.EnvSecretName(b.EffectiveSecretName())
		b.record()
		b.born(b.r.Clock.Now())
	case !o.MayExist:
		s.ExternalProperties = nil
		if op.Action == v1beta1.ActionUnbind {
			s.UnbindStatus, s.InProgressProperties, s.Binding, s.EnvSecretName = v1beta1.UnbindStatusSucceeded, nil, nil, ""
			s.Secrets, s.SecretSources, s.Endpoints = nil, nil, nil
		}
	}
}

func (b *binding) rest(f lifecycle.Facts, p *lifecycle.Problem) *state {
	if p == nil {
		return b.resumed(f)
	}
	if p.Idle {
		return &state{ready: readyUnless(!f.Exists || f.Deleting), reason: p.Reason, message: p.Message}
	}
	return &state{
		ready: metav1.ConditionFalse, reason: p.Reason, message: p.Message, failed: (p.Final || userMustAct(p.Reason)) && !f.Deleting, working: true,
		mitigating: f.Op != nil && f.Op.Action == v1beta1.ActionMitigate,
	}
}

// resumed is the state of a binding that works and is no longer held.
func (b *binding) resumed(f lifecycle.Facts) *state {
	if !f.Exists || f.Deleting || readyOf(&b.Status.CommonStatus).Reason != v1beta1.ReasonPaused {
		return nil
	}
	return &state{ready: metav1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: "The credentials are stored."}
}
