package controllers

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/market"
	"github.com/svc-cat/catalog/internal/resolve"
)

// offering is what an instance asks for: a class, a plan of it, and its broker.
type offering struct {
	class  resolve.Class
	plan   resolve.Plan
	broker *broker
}

// resolve finds the offering and notes in the status what it found.
func (i *instance) resolve(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	w, err := resolve.Want(i.Spec.PlanReference)
	if err == nil {
		i.Status.UserSpecifiedClassName, i.Status.UserSpecifiedPlanName = w.Kind()+"/"+w.Class, w.Plan
		i.found.class, i.found.plan, err = market.Find(ctx, i.r, w, i.Namespace)
	}
	var problem *resolve.Error
	if errors.As(err, &problem) {
		return &lifecycle.Problem{Reason: problem.Reason, Message: problem.Message}, nil
	}
	if err != nil {
		return nil, err
	}
	i.note()
	b, missing, err := i.r.brokerFor(ctx, i.found.brokerRef(), i.Namespace)
	if missing != nil || err != nil {
		return missing, err
	}
	i.found.broker = b
	return i.found.closed(f.Exists), nil
}

// note records the resolved references; spec stays as the user wrote it.
func (i *instance) note() {
	s, c, p := &i.Status, i.found.class.Name, i.found.plan.Name
	s.ClusterServiceClassRef, s.ClusterServicePlanRef, s.ServiceClassRef, s.ServicePlanRef = nil, nil, nil, nil
	if i.found.class.Cluster {
		s.ClusterServiceClassRef, s.ClusterServicePlanRef = &v1beta1.ClusterObjectReference{Name: c}, &v1beta1.ClusterObjectReference{Name: p}
	} else {
		s.ServiceClassRef, s.ServicePlanRef = &v1beta1.LocalObjectReference{Name: c}, &v1beta1.LocalObjectReference{Name: p}
	}
	s.UserSpecifiedPlanName = i.found.plan.Spec.ExternalName
}

func (o offering) brokerRef() *v1beta1.BrokerReference {
	if o.class.Cluster {
		return &v1beta1.BrokerReference{Kind: kindClusterBroker, Name: o.class.Broker}
	}
	return &v1beta1.BrokerReference{Kind: kindBroker, Name: o.class.Broker}
}

// closed says why nothing new can be had of the offering, nil if it can.
func (o offering) closed(exists bool) *lifecycle.Problem {
	switch {
	case exists:
		return nil
	case o.class.Removed:
		return &lifecycle.Problem{Reason: v1beta1.ReasonReferencesDeletedServiceClass, Message: fmt.Sprintf(
			"The broker does not offer class %q any more, so nothing new can be provisioned of it; choose another class.", o.class.Spec.ExternalName)}
	case o.plan.Removed:
		return &lifecycle.Problem{Reason: v1beta1.ReasonReferencesDeletedServicePlan, Message: fmt.Sprintf(
			"The broker does not offer plan %q of class %q any more, so nothing new can be provisioned of it; choose another plan.", o.plan.Spec.ExternalName, o.class.Spec.ExternalName)}
	case !o.broker.GetDeletionTimestamp().IsZero():
		return &lifecycle.Problem{Reason: v1beta1.ReasonReferencesNonexistentBroker, Message: fmt.Sprintf(
			"The broker %q is being deleted, so nothing new can be provisioned at it; choose a class of another broker.", o.broker.GetName())}
	}
	return nil
}

// resolved reads the class and the plan that an instance stands on. What is gone
// is left zero: an instance outlives its catalog entry.
func (e *Engine) resolved(ctx context.Context, i *v1beta1.ServiceInstance) (offering, error) {
	var o offering
	s := &i.Status
	cc, c := &v1beta1.ClusterServiceClass{}, &v1beta1.ServiceClass{}
	cp, p := &v1beta1.ClusterServicePlan{}, &v1beta1.ServicePlan{}
	for _, want := range []struct {
		name, namespace string
		obj             client.Object
		found           func()
	}{
		{nameOf(s.ClusterServiceClassRef), "", cc, func() { o.class = resolve.FromClusterClass(cc) }},
		{localName(s.ServiceClassRef), i.Namespace, c, func() { o.class = resolve.FromClass(c) }},
		{nameOf(s.ClusterServicePlanRef), "", cp, func() { o.plan = resolve.FromClusterPlan(cp) }},
		{localName(s.ServicePlanRef), i.Namespace, p, func() { o.plan = resolve.FromPlan(p) }},
	} {
		if want.name == "" {
			continue
		}
		err := e.Get(ctx, client.ObjectKey{Namespace: want.namespace, Name: want.name}, want.obj)
		if client.IgnoreNotFound(err) != nil {
			return o, fmt.Errorf("read %q: %w", want.name, err)
		}
		if err == nil {
			want.found()
		}
	}
	return o, nil
}

// maintenance is the version that the plan is at; "" if it has none.
func (o offering) maintenance() string {
	if o.plan.Spec == nil || o.plan.Spec.MaintenanceInfo == nil {
		return ""
	}
	return o.plan.Spec.MaintenanceInfo.Version
}

// planChangeable says whether the plan whose OSB id is given may be left for
// another one: by its own word, else by the class's (OSB 2.17, P80). A plan that
// is gone forbids nothing: the broker has the last word.
func (e *Engine) planChangeable(ctx context.Context, o offering, namespace, planID string) (bool, error) {
	plans, err := market.Plans(ctx, e, o.class, namespace)
	if err != nil {
		return false, fmt.Errorf("look for the plan in force: %w", err)
	}
	for _, p := range plans {
		if p.Spec.ExternalID != planID {
			continue
		}
		if p.Spec.PlanUpdatable != nil {
			return *p.Spec.PlanUpdatable, nil
		}
		return o.class.Spec.PlanUpdatable, nil
	}
	return true, nil
}

// bindable is the plan's word, else the class's; what is gone forbids nothing.
func (o offering) bindable() bool {
	if o.plan.Spec != nil && o.plan.Spec.Bindable != nil {
		return *o.plan.Spec.Bindable
	}
	return o.class.Spec == nil || o.class.Spec.Bindable
}
