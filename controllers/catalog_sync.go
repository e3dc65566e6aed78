package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// syncCatalog makes the classes and plans of b what o says. Plans are written
// before their classes, so that a class is never seen with half its plans; what
// is as it should be is not written. Sentences about entries that another
// broker's objects stand in the way of are returned beside the error.
func (r *BrokerReconciler) syncCatalog(ctx context.Context, b broker, o offer) ([]string, error) {
	plans, err := b.listPlans(ctx, r.Client)
	if err != nil {
		return nil, err
	}
	classes, err := b.listClasses(ctx, r.Client)
	if err != nil {
		return nil, err
	}
	var clashes []string
	for _, p := range o.Plans {
		clash, err := r.ensureEntry(ctx, b, b.newPlan(p), plans)
		if err != nil {
			return nil, err
		}
		clashes = append(clashes, clash...)
	}
	for _, c := range o.Classes {
		clash, err := r.ensureEntry(ctx, b, b.newClass(c), classes)
		if err != nil {
			return nil, err
		}
		clashes = append(clashes, clash...)
	}
	return clashes, r.retireMissing(ctx, b, o, classes, plans)
}

// retireMissing takes away what is not offered any more. What could not be read
// is kept, and so are the plans of a class that could not.
func (r *BrokerReconciler) retireMissing(ctx context.Context, b broker, o offer, classes, plans map[string]catalogEntry) error {
	offered := map[string]bool{}
	for _, c := range o.Classes {
		offered["class/"+c.Name] = true
	}
	for _, p := range o.Plans {
		offered["plan/"+p.Name] = true
	}
	for _, e := range classes {
		if name := e.GetName(); !offered["class/"+name] && !o.Keep[name] {
			if err := r.retire(ctx, b, e); err != nil {
				return err
			}
		}
	}
	for _, e := range plans {
		if name := e.GetName(); !offered["plan/"+name] && !o.Keep[name] && !o.Keep[e.classRef] {
			if err := r.retire(ctx, b, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// ensureEntry creates or updates one class or plan.
func (r *BrokerReconciler) ensureEntry(ctx context.Context, b broker, want catalogEntry, have map[string]catalogEntry) ([]string, error) {
	got, ok := have[want.GetName()]
	if !ok {
		if err := r.own(b, want); err != nil {
			return nil, err
		}
		err := r.Create(ctx, want.Object)
		if apierrors.IsAlreadyExists(err) {
			return []string{fmt.Sprintf("%q has the id of an entry of another broker, or of one that a user made", want.externalName())}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("create %q: %w", want.GetName(), err)
		}
		return nil, nil
	}
	if changed := got.take(want); changed {
		if err := r.Update(ctx, got.Object); err != nil {
			return nil, fmt.Errorf("update %q: %w", want.GetName(), err)
		}
	}
	return nil, r.setRemoved(ctx, got, false)
}

// own makes the broker the controlling owner of an entry of its catalog. That
// mark tells it from one that a user made.
func (r *BrokerReconciler) own(b broker, e catalogEntry) error {
	if err := controllerutil.SetControllerReference(b.Object, e.Object, r.Scheme(), controllerutil.WithBlockOwnerDeletion(false)); err != nil {
		return fmt.Errorf("own %q: %w", e.GetName(), err)
	}
	return nil
}

// retire takes an entry away that the broker offers no more: at once if nothing
// uses it, else it is marked and stays manageable. A user's own stays.
func (r *BrokerReconciler) retire(ctx context.Context, b broker, e catalogEntry) error {
	if !metav1.IsControlledBy(e.Object, b.Object) {
		return nil
	}
	used, err := r.inUse(ctx, b, e)
	if err != nil {
		return err
	}
	if used {
		return r.setRemoved(ctx, e, true)
	}
	return r.deleteEntry(ctx, e)
}

func (r *BrokerReconciler) deleteEntry(ctx context.Context, e catalogEntry) error {
	uid := e.GetUID()
	err := r.Delete(ctx, e.Object, client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %q: %w", e.GetName(), err)
	}
	return nil
}

func (r *BrokerReconciler) setRemoved(ctx context.Context, e catalogEntry, removed bool) error {
	if *e.removed == removed {
		return nil
	}
	*e.removed = removed
	if err := r.Status().Update(ctx, e.Object); err != nil {
		return fmt.Errorf("mark %q: %w", e.GetName(), err)
	}
	return nil
}

// inUse says whether an instance stands on the entry.
func (r *BrokerReconciler) inUse(ctx context.Context, b broker, e catalogEntry) (bool, error) {
	instances, err := r.instancesOf(ctx, b)
	if err != nil {
		return false, err
	}
	for i := range instances {
		s := &instances[i].Status
		for _, name := range []string{nameOf(s.ClusterServiceClassRef), nameOf(s.ClusterServicePlanRef), localName(s.ServiceClassRef), localName(s.ServicePlanRef)} {
			if name == e.GetName() {
				return true, nil
			}
		}
	}
	return false, nil
}

func (e catalogEntry) externalName() string {
	if e.class != nil {
		return e.class.ExternalName
	}
	return e.plan.ExternalName
}

// take copies what the broker says into e and tells whether anything changed.
// What an operator set is kept.
func (e catalogEntry) take(want catalogEntry) bool {
	before := e.DeepCopyObject()
	if e.class != nil {
		keep := e.class.DefaultProvisionParameters
		*e.class = *want.class
		e.class.DefaultProvisionParameters = keep
	} else {
		keep := e.plan.DefaultProvisionParameters
		*e.plan = *want.plan
		e.plan.DefaultProvisionParameters = keep
	}
	labels := e.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	for k, v := range want.GetLabels() {
		labels[k] = v
	}
	e.SetLabels(labels)
	return !equality.Semantic.DeepEqual(before, e.Object)
}

func nameOf(r *v1beta1.ClusterObjectReference) string {
	if r == nil {
		return ""
	}
	return r.Name
}

func localName(r *v1beta1.LocalObjectReference) string {
	if r == nil {
		return ""
	}
	return r.Name
}
