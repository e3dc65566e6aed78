package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/params"
)

// wishOfExisting finds out whether the spec asks for something else than the
// broker has. Where nothing was asked for since, class and plan need not be there
// any more.
func (i *instance) wishOfExisting(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	have := f.Have
	f.Wish = &have
	var err error
	if i.found, err = i.r.resolved(ctx, i.ServiceInstance); err != nil {
		return nil, err
	}
	asked := i.Status.ReconciledGeneration != i.Generation || i.Status.Operation != nil
	if !asked {
		changed, err := i.changedOutside(ctx, f)
		if !changed || err != nil {
			return nil, err
		}
	}
	for _, step := range []func(context.Context, *lifecycle.Facts) (*lifecycle.Problem, error){
		i.resolve, i.checkSame, i.mergeParameters, i.checkUpdate, i.findSpace, i.connectFound,
	} {
		if problem, err := step(ctx, f); problem != nil || err != nil {
			return problem, err
		}
	}
	f.Wish = i.updated(f.Have)
	f.Token = retryToken(f.Token, *f.Wish, i.Annotations)
	return nil, nil
}

// changedOutside says whether what the spec refers to has changed: a Secret with
// parameters, or an annotation that the service wants to hear of. What cannot be
// read has not changed.
func (i *instance) changedOutside(ctx context.Context, f *lifecycle.Facts) (bool, error) {
	if now := i.contextChecksum(); f.Have.Context != "" && now != "" && now != f.Have.Context {
		return true, nil
	}
	if len(i.Spec.ParametersFrom) == 0 {
		return false, nil
	}
	problem, err := i.mergeParameters(ctx, f)
	if problem != nil || err != nil {
		return false, err
	}
	return f.Have.Checksum != unknownChecksum && !i.params.Is(f.Have.Checksum), nil
}

// unknownChecksum stands for the parameters of what was adopted without a look at
// them: an update states them in any case.
const unknownChecksum = "unknown"

// checkSame makes sure that an update can lead to what the spec asks for.
func (i *instance) checkSame(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	class, plan := i.found.class, i.found.plan
	if f.Have.ServiceID == "" { // an object of v0.3, which did not record it
		f.Have.ServiceID = class.Spec.ExternalID
	}
	if class.Spec.ExternalID != f.Have.ServiceID {
		return &lifecycle.Problem{Reason: v1beta1.ReasonErrorWithParameters, Final: true, Message: fmt.Sprintf(
			"The instance is of another service than class %q stands for now, and an instance cannot change its service. Make a new instance for the other.", class.Spec.ExternalName)}, nil
	}
	if plan.Spec.ExternalID == f.Have.PlanID {
		return nil, nil
	}
	if problem := i.found.closed(false); problem != nil {
		return problem, nil
	}
	changeable, err := i.r.planChangeable(ctx, i.found, i.Namespace, f.Have.PlanID)
	if err != nil {
		return nil, err
	}
	if !changeable {
		return &lifecycle.Problem{Reason: v1beta1.ReasonPlanNotUpdatable, Final: true, Message: fmt.Sprintf(
			"The broker does not change the plan of such instances, so plan %q cannot be had for this one. Put the plan back, or make a new instance.", plan.Spec.ExternalName)}, nil
	}
	return nil, nil
}

// checkUpdate holds the parameters that would be sent against the plan's schema.
func (i *instance) checkUpdate(_ context.Context, f *lifecycle.Facts) (problem *lifecycle.Problem, _ error) {
	i.limitPolling(f)
	if i.params.Is(f.Have.Checksum) {
		return nil, nil
	}
	stated, err := i.stated()
	if err != nil {
		return nil, err // cannot be: Merge made them
	}
	problem, i.unchecked = checkSchema(i.found.plan.Spec.InstanceUpdateParameterSchema, stated)
	return problem, nil
}

// stated are the parameters of an update.
func (i *instance) stated() ([]byte, error) {
	var before *runtime.RawExtension
	if p := i.Status.ExternalProperties; p != nil {
		before = p.Parameters
	}
	return i.params.Stated(i.user, rawOf(before))
}

// updated is what the spec asks for. Maintenance is only upgraded with another
// plan, or when the user asks for an update: it may interrupt.
func (i *instance) updated(have lifecycle.Request) *lifecycle.Request {
	r := &lifecycle.Request{
		ServiceID: have.ServiceID, PlanID: i.found.plan.Spec.ExternalID, Checksum: i.params.Checksum,
		Maintenance: have.Maintenance, Updates: i.Spec.UpdateRequests, Generation: i.Generation,
	}
	if i.params.Is(have.Checksum) {
		r.Checksum = have.Checksum // also if it was counted in another way
	}
	if r.PlanID != have.PlanID || r.Updates != have.Updates {
		r.Maintenance = i.found.maintenance()
	}
	if r.Context = i.contextChecksum(); have.Context == "" {
		r.Context = "" // what it was told is not recorded, so it is not compared
	}
	return r
}

// findDefaults takes the defaults of class and plan into the status. It does so
// once: later changes of them are not for instances that are there.
func (i *instance) findDefaults() *lifecycle.Problem {
	defaults, err := params.Defaults(rawOf(i.found.class.Spec.DefaultProvisionParameters), rawOf(i.found.plan.Spec.DefaultProvisionParameters))
	if err != nil {
		return &lifecycle.Problem{Reason: v1beta1.ReasonErrorWithParameters, Message: fmt.Sprintf(
			"The default parameters cannot be used: %s. The platform team must correct them.", err)}
	}
	i.Status.DefaultProvisionParameters = nil
	if defaults != nil {
		i.Status.DefaultProvisionParameters = &runtime.RawExtension{Raw: defaults}
	}
	return nil
}

func rawOf(e *runtime.RawExtension) []byte {
	if e == nil {
		return nil
	}
	return e.Raw
}
