package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// parallelWrites is how many classes or plans of a broker are written at a time.
const parallelWrites = 16

// syncCatalog makes the classes and plans of b what o says. Plans are written
// before their classes, so that a class is never seen with half its plans; what
// is as it should be is not written. Entries that cannot be written are returned
// beside the error, and hinder no other.
func (r *BrokerReconciler) syncCatalog(ctx context.Context, b broker, o offer) ([]v1beta1.SkippedEntry, error) {
	plans, err := b.listPlans(ctx, r.Client)
	if err != nil {
		return nil, err
	}
	classes, err := b.listClasses(ctx, r.Client)
	if err != nil {
		return nil, err
	}
	d := diff(b, o, classes, plans)
	var skipped []v1beta1.SkippedEntry
	for _, step := range []struct {
		changes []change
		do      func(context.Context, broker, change) (*v1beta1.SkippedEntry, error)
	}{
		{d.plans, r.write}, {d.classes, r.write}, {d.gone, r.retireOne},
	} {
		left, err := r.each(ctx, b, step.changes, step.do)
		if err != nil {
			return nil, err
		}
		skipped = append(skipped, left...)
	}
	return skipped, nil
}

// each carries out changes, several at a time. After an error no more begin.
func (r *BrokerReconciler) each(ctx context.Context, b broker, changes []change, do func(context.Context, broker, change) (*v1beta1.SkippedEntry, error)) ([]v1beta1.SkippedEntry, error) {
	var (
		mu      sync.Mutex
		failed  error
		skipped []v1beta1.SkippedEntry
		workers sync.WaitGroup
	)
	work := make(chan change)
	for range min(parallelWrites, len(changes)) {
		workers.Go(func() {
			for c := range work {
				mu.Lock()
				stop := failed != nil
				mu.Unlock()
				if stop {
					continue
				}
				left, err := do(ctx, b, c)
				mu.Lock()
				if err != nil && failed == nil {
					failed = err
				}
				if left != nil {
					skipped = append(skipped, *left)
				}
				mu.Unlock()
			}
		})
	}
	for _, c := range changes {
		work <- c
	}
	close(work)
	workers.Wait()
	slices.SortFunc(skipped, bySkipped) // the same each time, whoever was quicker
	return skipped, failed
}

// write carries out one change of a class or a plan that is offered.
func (r *BrokerReconciler) write(ctx context.Context, b broker, c change) (*v1beta1.SkippedEntry, error) {
	if c.have.Object == nil {
		return r.create(ctx, b, c.want)
	}
	e := entryOf(copyOf(c.have.Object)) // the cache's own must not change
	if c.spec {
		e.take(c.want)
		if err := r.own(b, e); err != nil {
			left := c.want.skipped("an object of its name is controlled by something else; it is offered as soon as that one is gone")
			return &left, nil //nolint:nilerr // the sentence says it all
		}
		if err := r.Update(ctx, e.Object); err != nil {
			return c.want.refused(err, "update")
		}
	}
	return nil, r.setRemoved(ctx, e, false)
}

func (r *BrokerReconciler) create(ctx context.Context, b broker, e catalogEntry) (*v1beta1.SkippedEntry, error) {
	if err := r.own(b, e); err != nil {
		return nil, err
	}
	err := r.Create(ctx, e.Object)
	if apierrors.IsAlreadyExists(err) {
		s := e.skipped("its id is taken by an entry of another broker, or by one that a user made; it is offered as soon as that one is gone")
		return &s, nil
	}
	if err != nil {
		return e.refused(err, "create")
	}
	return nil, nil
}

// refused sorts an error of a write: what the API does not take is left out, and
// all else is tried again.
func (e catalogEntry) refused(err error, verb string) (*v1beta1.SkippedEntry, error) {
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err) {
		s := e.skipped("this cluster does not take it: " + briefly(err))
		return &s, nil
	}
	return nil, fmt.Errorf("%s %q: %w", verb, e.GetName(), err)
}

// own makes the broker the controlling owner of an entry of its catalog. That
// mark tells it from one that a user made. An owner of the same name that is gone
// is replaced: so objects of an old cluster are taken over.
func (r *BrokerReconciler) own(b broker, e catalogEntry) error {
	if old := metav1.GetControllerOf(e.Object); old != nil && old.UID != b.GetUID() && old.Kind == b.kind && old.Name == b.GetName() {
		e.SetOwnerReferences(slices.DeleteFunc(slices.Clone(e.GetOwnerReferences()), func(o metav1.OwnerReference) bool { return o.UID == old.UID }))
	}
	if err := controllerutil.SetControllerReference(b.Object, e.Object, r.Scheme(), controllerutil.WithBlockOwnerDeletion(false)); err != nil {
		return fmt.Errorf("own %q: %w", e.GetName(), err)
	}
	return nil
}

// retireOne takes an entry away that the broker offers no more: at once if nothing
// uses it, else it is marked and stays manageable.
func (r *BrokerReconciler) retireOne(ctx context.Context, b broker, c change) (*v1beta1.SkippedEntry, error) {
	used, err := r.inUse(ctx, b)
	if err != nil {
		return nil, err
	}
	if used[c.have.GetName()] {
		return nil, r.setRemoved(ctx, entryOf(copyOf(c.have.Object)), true)
	}
	return nil, r.deleteEntry(ctx, c.have)
}

// sweep deletes what is offered no more as soon as nothing uses it.
func (r *BrokerReconciler) sweep(ctx context.Context, b broker) error {
	var removed []catalogEntry
	for _, list := range []func(context.Context, client.Reader) (map[string]catalogEntry, error){b.listRemovedPlans, b.listRemovedClasses} {
		entries, err := list(ctx, r.Client)
		if err != nil {
			return err
		}
		removed = slices.AppendSeq(removed, maps.Values(entries))
	}
	if len(removed) == 0 {
		return nil
	}
	used, err := r.inUse(ctx, b)
	if err != nil {
		return err
	}
	for _, e := range removed {
		if metav1.IsControlledBy(e.Object, b.Object) && !used[e.GetName()] {
			if err := r.deleteEntry(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
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

// inUse names the classes and plans of a broker that instances stand on.
func (r *BrokerReconciler) inUse(ctx context.Context, b broker) (map[string]bool, error) {
	instances, err := r.instancesOf(ctx, b)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for i := range instances {
		s := &instances[i].Status
		for _, name := range []string{nameOf(s.ClusterServiceClassRef), nameOf(s.ClusterServicePlanRef), localName(s.ServiceClassRef), localName(s.ServicePlanRef)} {
			used[name] = true
		}
	}
	return used, nil
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
