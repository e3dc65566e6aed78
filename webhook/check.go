package webhook

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/market"
	"github.com/svc-cat/catalog/internal/params"
	"github.com/svc-cat/catalog/internal/resolve"
)

// The kinds that Admission knows.
const (
	kindClusterBroker = "ClusterServiceBroker"
	kindBroker        = "ServiceBroker"
	kindInstance      = "ServiceInstance"
	kindBinding       = "ServiceBinding"
)

// finding is what a check comes to.
type finding struct {
	// refusal is a sentence for the user; empty lets the request pass.
	refusal  string
	warnings []string
}

// check answers ValidatePath.
func (a *Admission) check(ctx context.Context, req admission.Request) admission.Response {
	var f finding
	var err error
	switch req.Kind.Kind {
	case kindClusterBroker:
		f, err = a.checkClusterBroker(ctx, req)
	case kindBroker:
		f, err = a.checkBroker(ctx, req)
	case kindInstance:
		f, err = a.checkInstance(ctx, req)
	case kindBinding:
		f, err = a.checkBinding(ctx, req)
	}
	switch {
	case err != nil:
		return failed(err)
	case f.refusal != "":
		return admission.Denied(f.refusal)
	}
	return admission.Allowed("").WithWarnings(f.warnings...)
}

func (a *Admission) checkClusterBroker(ctx context.Context, req admission.Request) (f finding, err error) {
	b, old, err := decode[v1beta1.ClusterServiceBroker](req)
	if err != nil {
		return f, err
	}
	common := func(s *v1beta1.ClusterServiceBrokerSpec) *v1beta1.CommonServiceBrokerSpec {
		return &s.CommonServiceBrokerSpec
	}
	if old == nil || changedBroker(b.Spec, old.Spec, common) {
		f.refusal, err = a.checkSecrets(ctx, req.UserInfo, clusterBrokerSecrets(&b.Spec))
	}
	return f, err
}

func (a *Admission) checkBroker(ctx context.Context, req admission.Request) (f finding, err error) {
	b, old, err := decode[v1beta1.ServiceBroker](req)
	if err != nil {
		return f, err
	}
	common := func(s *v1beta1.ServiceBrokerSpec) *v1beta1.CommonServiceBrokerSpec { return &s.CommonServiceBrokerSpec }
	if old == nil || changedBroker(b.Spec, old.Spec, common) {
		f.refusal, err = a.checkSecrets(ctx, req.UserInfo, brokerSecrets(&b.Spec, req.Namespace))
	}
	return f, err
}

func (a *Admission) checkInstance(ctx context.Context, req admission.Request) (f finding, err error) {
	i, old, err := decode[v1beta1.ServiceInstance](req)
	if err != nil {
		return f, err
	}
	before := &v1beta1.ServiceInstance{}
	if old != nil {
		before = old
	}
	uses := added(parameterSecrets(i.Spec.ParametersFrom, req.Namespace), parameterSecrets(before.Spec.ParametersFrom, req.Namespace))
	if f.refusal, err = a.checkSecrets(ctx, req.UserInfo, uses); f.refusal != "" || err != nil {
		return f, err
	}
	class, plan, unresolved := a.find(ctx, i)
	if i.Spec.ExternalIDOrigin != v1beta1.ExternalIDGenerated && i.Spec.ExternalID != before.Spec.ExternalID {
		if f.refusal, err = a.checkInstanceID(ctx, i, class); f.refusal != "" || err != nil {
			return f, err
		}
	}
	if old != nil {
		f.refusal = a.checkPlanChange(ctx, i, old, plan)
	}
	f.warn(unresolved)
	if unresolved == nil {
		f.checkParameters(instanceSchema(plan.Spec, old), i.Spec.Parameters, i.Spec.ParametersFrom)
	}
	return f, nil
}

// find resolves what an instance asks for, as far as the cache knows it.
func (a *Admission) find(ctx context.Context, i *v1beta1.ServiceInstance) (resolve.Class, resolve.Plan, error) {
	w, err := resolve.Want(i.Spec.PlanReference)
	if err != nil {
		return resolve.Class{}, resolve.Plan{}, err
	}
	return market.Find(ctx, a.Cache, w, i.Namespace)
}

// warn tells what keeps an instance from being provisioned, if its user can
// know; what is not for users is the controllers' to meet again.
func (f *finding) warn(unresolved error) {
	if e, ok := errors.AsType[*resolve.Error](unresolved); ok {
		f.warnings = append(f.warnings, e.Message)
	}
}

// instanceSchema is what parameters of an instance have to keep.
func instanceSchema(plan *v1beta1.CommonServicePlanSpec, old *v1beta1.ServiceInstance) *runtime.RawExtension {
	if old != nil && old.Status.ProvisionStatus == v1beta1.ProvisionStatusProvisioned {
		return plan.InstanceUpdateParameterSchema
	}
	return plan.InstanceCreateParameterSchema
}

// checkParameters warns of parameters that the plan does not take. Values of
// Secrets are not read here, so parameters that come from one are not judged.
func (f *finding) checkParameters(schema, inline *runtime.RawExtension, from []v1beta1.ParametersFromSource) {
	if schema == nil || len(from) > 0 {
		return
	}
	var raw []byte
	if inline != nil {
		raw = inline.Raw
	}
	switch err := params.Check(schema.Raw, raw); {
	case errors.Is(err, params.ErrUnusableSchema):
		f.warnings = append(f.warnings, fmt.Sprintf("spec.parameters are not checked, the broker has the last word: %s.", err))
	case err != nil:
		f.warnings = append(f.warnings, fmt.Sprintf("The plan does not take these parameters: %s. Correct spec.parameters; until then nothing is asked of the broker.", err))
	}
}

// checkPlanChange refuses another plan where the one in force cannot be left. An
// instance that the broker was never asked for may have any, and going back to
// what the broker has is always right.
func (a *Admission) checkPlanChange(ctx context.Context, i, old *v1beta1.ServiceInstance, plan resolve.Plan) string {
	if old.Status.ProvisionStatus != v1beta1.ProvisionStatusProvisioned && old.Status.DeprovisionStatus != v1beta1.DeprovisionStatusRequired {
		return ""
	}
	was, err := resolve.Want(old.Spec.PlanReference)
	if err != nil {
		return ""
	}
	is, err := resolve.Want(i.Spec.PlanReference)
	if err != nil || was == is {
		return ""
	}
	if have := old.Status.ExternalProperties; have != nil && plan.Spec != nil &&
		have.ClusterServicePlanExternalID+have.ServicePlanExternalID == plan.Spec.ExternalID {
		return ""
	}
	class, current, err := market.Find(ctx, a.Cache, was, i.Namespace)
	if err != nil || updatable(class, current) {
		return ""
	}
	return fmt.Sprintf("Plan %q of class %q does not allow an instance to change to another plan, so the plan stays %q. "+
		"To use plan %q, create another instance and move what the old one holds.", current.Spec.ExternalName, class.Spec.ExternalName, was.Plan, is.Plan)
}

// updatable is the plan's word, else the class's (OSB 2.17 §Catalog).
func updatable(class resolve.Class, plan resolve.Plan) bool {
	if plan.Spec.PlanUpdatable != nil {
		return *plan.Spec.PlanUpdatable
	}
	return class.Spec.PlanUpdatable
}

// checkBinding checks what cannot change later: a binding's spec is settled when
// it is created.
func (a *Admission) checkBinding(ctx context.Context, req admission.Request) (f finding, err error) {
	b, old, err := decode[v1beta1.ServiceBinding](req)
	if err != nil {
		return f, err
	}
	before := &v1beta1.ServiceBinding{}
	if old != nil {
		before = old
	}
	uses := added(bindingSecrets(&b.Spec, req.Namespace), bindingSecrets(&before.Spec, req.Namespace))
	if f.refusal, err = a.checkSecrets(ctx, req.UserInfo, uses); f.refusal != "" || err != nil {
		return f, err
	}
	if old != nil && !sameParameters(b.Spec.Parameters, old.Spec.Parameters) {
		f.refusal = "spec.parameters cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
		return f, nil
	}
	instance, err := a.instanceOf(ctx, b)
	if err != nil {
		return f, err
	}
	if b.Spec.ExternalIDOrigin != v1beta1.ExternalIDGenerated && b.Spec.ExternalID != before.Spec.ExternalID {
		if f.refusal, err = a.checkBindingID(ctx, b, instance); f.refusal != "" || err != nil {
			return f, err
		}
	}
	if old == nil && instance != nil {
		a.checkNewBinding(ctx, &f, b, instance)
	}
	return f, nil
}

// sameParameters compares JSON objects. The CRD's rule does so too, but where a
// key is only renamed, the API server's own comparison does not see it.
func sameParameters(a, b *runtime.RawExtension) bool {
	sum := func(r *runtime.RawExtension) (string, error) {
		if r == nil {
			return "", nil
		}
		merged, err := params.Merge(params.Source{JSON: r.Raw})
		return merged.Checksum, err
	}
	x, errX := sum(a)
	y, errY := sum(b)
	return x == y && errX == nil && errY == nil
}

// instanceOf is the instance that b names; nil if it does not exist yet.
func (a *Admission) instanceOf(ctx context.Context, b *v1beta1.ServiceBinding) (*v1beta1.ServiceInstance, error) {
	i := &v1beta1.ServiceInstance{}
	err := a.Live.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}, i)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // documented: none is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read instance %q: %w", b.Spec.InstanceRef.Name, err)
	}
	return i, nil
}

// checkNewBinding looks at what a new binding asks of its instance.
func (a *Admission) checkNewBinding(ctx context.Context, f *finding, b *v1beta1.ServiceBinding, i *v1beta1.ServiceInstance) {
	if !i.DeletionTimestamp.IsZero() {
		f.refusal = fmt.Sprintf("ServiceInstance %q is being deleted, so nothing new can be bound to it. Name another instance in spec.instanceRef, or create this binding again when the instance is there anew.", i.Name)
		return
	}
	if _, plan, err := a.find(ctx, i); err == nil {
		f.checkParameters(plan.Spec.ServiceBindingCreateParameterSchema, b.Spec.Parameters, b.Spec.ParametersFrom)
	}
}
