package controllers

import (
	"context"

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

// InstanceReconciler provisions and deprovisions ServiceInstances.
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
	found  offering
	params params.Merged
	space  types.UID
	at     broker
	client *osb.Client
	// unchecked says why parameters could not be checked.
	unchecked error
}

func (i *instance) object() client.Object { return i.ServiceInstance }

func (i *instance) home() (broker, *waker) { return i.at, &i.r.waker }

func (i *instance) status() (*v1beta1.CommonStatus, **v1beta1.Operation) {
	return &i.Status.CommonStatus, &i.Status.Operation
}

func (i *instance) identity() identity {
	return identity{&i.Spec.ExternalID, &i.Spec.ExternalIDOrigin, &i.Status.ExternalID, &i.Status.ExternalIDOrigin}
}

func (i *instance) observe(ctx context.Context) (lifecycle.Facts, error) {
	s := &i.Status
	i.identity().settle()
	f := lifecycle.Facts{
		Kind: lifecycle.Instance, Now: i.r.Clock.Now(), Deleting: !i.DeletionTimestamp.IsZero(),
		Retain:     retains(i.Spec.DeletionPolicy, s.ExternalIDOrigin),
		Exists:     s.ProvisionStatus == v1beta1.ProvisionStatusProvisioned,
		MayExist:   s.DeprovisionStatus == v1beta1.DeprovisionStatusRequired,
		Ours:       s.ExternalIDOrigin == v1beta1.ExternalIDGenerated || s.CreatedByUs,
		ExternalID: s.ExternalID, BaseID: i.Spec.ExternalID, Op: s.Operation, Mitigate: true,
		Have: i.have(),
	}
	if f.Deleting || s.Operation != nil && s.Operation.Action == v1beta1.ActionMitigate {
		return i.observeRemoval(ctx, f)
	}
	problem, err := i.wish(ctx, &f)
	if problem != nil {
		f.Wish, f.Blocked = nil, problem
	}
	return f, err
}

// retains says whether what the broker has stays when the object goes: as the
// user said, else unless we made the id.
func retains(p v1beta1.DeletionPolicy, o v1beta1.ExternalIDOrigin) bool {
	if p == "" {
		return o != v1beta1.ExternalIDGenerated
	}
	return p == v1beta1.DeletionPolicyRetain
}

// have is what the broker accepted, or else was last sent.
func (i *instance) have() lifecycle.Request {
	p := i.Status.ExternalProperties
	if p == nil {
		p = i.Status.InProgressProperties
	}
	if p == nil {
		return lifecycle.Request{}
	}
	return lifecycle.Request{
		ExternalID: i.Status.ExternalID, ServiceID: p.ServiceExternalID,
		PlanID: p.ClusterServicePlanExternalID + p.ServicePlanExternalID, Checksum: p.ParameterChecksum,
	}
}

// observeRemoval needs the broker, and of the rest only what was recorded, so
// that it works when class and plan are gone.
func (i *instance) observeRemoval(ctx context.Context, f lifecycle.Facts) (lifecycle.Facts, error) {
	if !f.MayExist {
		return f, nil
	}
	var err error
	if f.Dependents, err = i.r.bindingNames(ctx, i.ServiceInstance); err != nil {
		return f, err
	}
	b, problem, err := i.r.brokerFor(ctx, i.Status.BrokerRef, i.Namespace)
	if problem == nil && err == nil {
		problem, err = i.connect(ctx, b, &f)
	}
	f.Blocked = problem
	return f, err
}

// wish finds out what the spec asks for: class, plan, broker and parameters. A
// problem says what is missing for that.
func (i *instance) wish(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	if f.Exists && i.Status.ReconciledGeneration == i.Generation {
		have := f.Have // nothing was asked for since
		f.Wish = &have
		return nil, nil
	}
	for _, step := range []func(context.Context, *lifecycle.Facts) (*lifecycle.Problem, error){
		i.resolve, i.checkID, i.mergeParameters, i.findSpace, i.connectFound,
	} {
		if problem, err := step(ctx, f); problem != nil || err != nil {
			return problem, err
		}
	}
	f.Wish = &lifecycle.Request{
		ServiceID: i.found.class.Spec.ExternalID, PlanID: i.found.plan.Spec.ExternalID,
		Checksum: i.params.Checksum, Generation: i.Generation,
	}
	f.Token = retryToken(f.Token, *f.Wish, i.Annotations)
	return nil, nil
}

func (i *instance) findSpace(ctx context.Context, _ *lifecycle.Facts) (_ *lifecycle.Problem, err error) {
	i.space, err = i.r.namespaceUID(ctx, i.Namespace)
	return nil, err
}

func (i *instance) connectFound(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	if o := i.found.broker.spec.OSB; o != nil {
		f.Mitigate = o.OrphanMitigation != v1beta1.Disabled
	}
	return i.connect(ctx, i.found.broker, f)
}

func (i *instance) connect(ctx context.Context, b *broker, f *lifecycle.Facts) (problem *lifecycle.Problem, err error) {
	i.at = *b
	i.client, f.Token, problem, err = i.r.connect(ctx, b)
	return problem, err
}

func (i *instance) mergeParameters(ctx context.Context, f *lifecycle.Facts) (_ *lifecycle.Problem, err error) {
	var problem *lifecycle.Problem
	i.params, problem, err = i.r.parameters(ctx, i.Namespace, i.Spec.Parameters, i.Spec.ParametersFrom)
	if problem != nil || err != nil || f.Exists {
		return problem, err
	}
	problem, i.unchecked = checkSchema(i.found.plan.Spec.InstanceCreateParameterSchema, i.params.JSON)
	return problem, nil
}

func (i *instance) begin(op *v1beta1.Operation) state {
	s := &i.Status
	s.OperationStartTime = &op.StartTime
	switch op.Action {
	case v1beta1.ActionProvision:
		s.CurrentOperation, s.DeprovisionStatus = string(op.Action), v1beta1.DeprovisionStatusRequired
		s.InProgressProperties = i.properties(op)
		s.BrokerRef = ptr.To(i.found.broker.ref())
		return inFlight(op.Action, v1beta1.ReasonProvisionRequestInFlight, "The broker is being asked to provision the instance.")
	case v1beta1.ActionMitigate:
		s.OrphanMitigationInProgress = true
		return inFlight(op.Action, v1beta1.ReasonStartingOrphanMitigation, mitigationMessage(op))
	}
	s.CurrentOperation = string(op.Action)
	return inFlight(op.Action, v1beta1.ReasonDeprovisionRequestInFlight, "The broker is being asked to deprovision the instance.")
}

// properties are what a provision carries, without values of Secrets.
func (i *instance) properties(op *v1beta1.Operation) *v1beta1.ServiceInstanceProperties {
	p := &v1beta1.ServiceInstanceProperties{ServiceExternalID: op.ServiceID, ParameterChecksum: op.ParameterChecksum}
	if i.params.Redacted != nil {
		p.Parameters = &runtime.RawExtension{Raw: i.params.Redacted}
	}
	if i.found.class.Cluster {
		p.ClusterServicePlanExternalName, p.ClusterServicePlanExternalID = i.found.plan.Spec.ExternalName, op.PlanID
	} else {
		p.ServicePlanExternalName, p.ServicePlanExternalID = i.found.plan.Spec.ExternalName, op.PlanID
	}
	return p
}

func (i *instance) call(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	if op.Action != v1beta1.ActionProvision {
		resp, err := i.client.Deprovision(ctx, &osb.DeprovisionRequest{InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID})
		return lifecycle.Reply{Err: err, Async: resp != nil && resp.Async}
	}
	i.r.tellUnchecked(i.ServiceInstance, op.Action, i.unchecked)
	resp, err := i.client.Provision(ctx, &osb.ProvisionRequest{
		InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID,
		OrganizationGUID: i.r.ClusterID, SpaceGUID: string(i.space),
		Context: i.r.osbContext(i.Namespace, i.Name), Parameters: i.params.JSON,
	})
	if err != nil {
		return lifecycle.Reply{Err: err, Found: i.look(ctx, op, err)}
	}
	i.Status.DashboardURL = dashboardURL(resp.DashboardURL, i.Status.DashboardURL)
	return lifecycle.Reply{Existed: resp.Existed, Async: resp.Async}
}

// look asks the broker what it has under an id whose creation it refused,
// where the service says that it can be asked (OSB 2.17, P70).
func (i *instance) look(ctx context.Context, op *v1beta1.Operation, refusal error) *lifecycle.Found {
	if !osb.IsKind(refusal, osb.KindConflict) || !i.found.class.Spec.InstancesRetrievable {
		return nil
	}
	got, err := i.client.GetInstance(ctx, &osb.GetInstanceRequest{InstanceID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID})
	if err != nil {
		return nil
	}
	return &lifecycle.Found{ServiceID: got.ServiceID, PlanID: got.PlanID}
}

func (i *instance) settle(op *v1beta1.Operation, o lifecycle.Outcome) {
	s := &i.Status
	s.ExternalID, s.CreatedByUs = o.ExternalID, o.CreatedByUs
	s.OrphanMitigationInProgress = o.Op != nil && o.Op.Action == v1beta1.ActionMitigate
	s.ProvisionStatus, s.DeprovisionStatus = v1beta1.ProvisionStatusNotProvisioned, v1beta1.DeprovisionStatusNotRequired
	if o.MayExist {
		s.DeprovisionStatus = v1beta1.DeprovisionStatusRequired
	}
	if o.Exists {
		s.ProvisionStatus = v1beta1.ProvisionStatusProvisioned
	}
	if o.Op == nil || o.Op.Terminal && !o.MayExist {
		s.CurrentOperation, s.OperationStartTime = "", nil
	}
	switch {
	case o.Exists && op.Action == v1beta1.ActionProvision:
		s.ExternalProperties, s.InProgressProperties, s.ReconciledGeneration = s.InProgressProperties, nil, op.Generation
	case !o.MayExist:
		s.ExternalProperties = nil
		if op.Action == v1beta1.ActionDeprovision {
			s.DeprovisionStatus, s.InProgressProperties = v1beta1.DeprovisionStatusSucceeded, nil
		}
	}
}

func (i *instance) rest(f lifecycle.Facts, p *lifecycle.Problem) *state {
	if p == nil {
		return nil
	}
	if f.Exists && !f.Deleting {
		return &state{ready: metav1.ConditionTrue, reason: p.Reason, message: p.Message}
	}
	return &state{
		ready: metav1.ConditionFalse, reason: p.Reason, message: p.Message, failed: userMustAct(p.Reason) && !f.Deleting, working: true,
		mitigating: f.Op != nil && f.Op.Action == v1beta1.ActionMitigate,
	}
}

func (i *instance) release(context.Context) error { return nil }
