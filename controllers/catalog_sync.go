package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// parallelWrites is how many classes or plans of a broker are written at a time.
const parallelWrites = 16

// catchUp is how long a sync waits for the cache, which may lack what the last one
// wrote, or what somebody writes meanwhile: 50 ms at first, 10 s in all.
func catchUp() wait.Backoff {
	return wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.7, Steps: 10}
}

// staleError is a write that failed because the cache did not show what there is.
type staleError struct{ error }

func (e staleError) Unwrap() error { return e.error }

// syncCatalog makes the classes and plans of b what o says. Entries that cannot be
// written are returned beside the error, and hinder no other. What the cache did
// not know yet is looked at again: a conflict is no fault of the broker's.
func (r *BrokerReconciler) syncCatalog(ctx context.Context, b broker, o offer) ([]v1beta1.SkippedEntry, error) {
	var skipped []v1beta1.SkippedEntry
	err := retry.OnError(catchUp(), func(err error) bool { return errors.As(err, &staleError{}) }, func() (err error) {
		skipped, err = r.syncOnce(ctx, b, o)
		return err
	})
	return skipped, err
}

// syncOnce writes what differs. Plans are written before their classes, so that a
// class is never seen with half its plans; what is as it should be is not written.
func (r *BrokerReconciler) syncOnce(ctx context.Context, b broker, o offer) ([]v1beta1.SkippedEntry, error) {
	have, err := r.present(ctx, b, o)
	if err != nil {
		return nil, err
	}
	used, err := r.inUse(ctx, b)
	if err != nil {
		return nil, err
	}
	retire := func(ctx context.Context, _ broker, c change) (*v1beta1.SkippedEntry, error) {
		return nil, r.retire(ctx, c.have, used)
	}
	d := diff(b, o, have)
	skipped := d.skipped
	for _, step := range []struct {
		changes []change
		do      func(context.Context, broker, change) (*v1beta1.SkippedEntry, error)
	}{
		{d.plans, r.write}, {d.classes, r.write}, {d.gone, retire},
	} {
		left, err := r.each(ctx, b, step.changes, step.do)
		if err != nil {
			return nil, err
		}
		skipped = append(skipped, left...)
	}
	slices.SortFunc(skipped, bySkipped) // the same each time, whoever was quicker
	return skipped, nil
}

// present is what there is of b's catalog, and who has the names that are missing.
func (r *BrokerReconciler) present(ctx context.Context, b broker, o offer) (have present, err error) {
	if have.plans, err = b.listPlans(ctx, r.Client); err != nil {
		return have, err
	}
	if have.classes, err = b.listClasses(ctx, r.Client); err != nil {
		return have, err
	}
	have.takenClasses, have.takenPlans = map[string]catalogEntry{}, map[string]catalogEntry{}
	look := func(name string, empty catalogEntry, mine, taken map[string]catalogEntry) error {
		if _, ok := mine[name]; ok {
			return nil
		}
		other, err := r.entry(ctx, b, name, empty)
		if err == nil && other.Object != nil {
			taken[name] = other
		}
		return err
	}
	for _, c := range o.Classes {
		if err := look(c.Name, b.newClass(offeredClass{}), have.classes, have.takenClasses); err != nil {
			return have, err
		}
	}
	for _, p := range o.Plans {
		if err := look(p.Name, b.newPlan(offeredPlan{}), have.plans, have.takenPlans); err != nil {
			return have, err
		}
	}
	return have, nil
}

// entry reads a class or a plan of any broker into an empty one; zero if there is none.
func (r *BrokerReconciler) entry(ctx context.Context, b broker, name string, empty catalogEntry) (catalogEntry, error) {
	err := r.Get(ctx, client.ObjectKey{Namespace: b.GetNamespace(), Name: name}, empty.Object)
	switch {
	case apierrors.IsNotFound(err):
		return catalogEntry{}, nil
	case err != nil:
		return catalogEntry{}, fmt.Errorf("look who has the name %q: %w", name, err)
	}
	return entryOf(empty.Object), nil
}

// freed says whether an entry was left out for the sake of one that is gone.
func (r *BrokerReconciler) freed(ctx context.Context, b broker) (bool, error) {
	for _, s := range b.status.SkippedEntries {
		if s.TakenBy == "" {
			continue
		}
		empty := b.newClass(offeredClass{})
		if s.PlanID != "" {
			empty = b.newPlan(offeredPlan{})
		}
		other, err := r.entry(ctx, b, s.Name, empty)
		if err != nil || other.Object == nil || other.owner != s.TakenBy {
			return err == nil, err
		}
	}
	return false, nil
}

// each carries out changes, several at a time. After an error no more begin, but
// for one of the cache.
func (r *BrokerReconciler) each(ctx context.Context, b broker, changes []change, do func(context.Context, broker, change) (*v1beta1.SkippedEntry, error)) ([]v1beta1.SkippedEntry, error) {
	var (
		mu            sync.Mutex
		failed, stale error
		skipped       []v1beta1.SkippedEntry
		workers       sync.WaitGroup
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
				switch {
				case errors.As(err, &staleError{}):
					stale = err
				case err != nil && failed == nil:
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
	if failed == nil {
		failed = stale
	}
	return skipped, failed
}

// write carries out one change of a class or a plan that is offered.
func (r *BrokerReconciler) write(ctx context.Context, b broker, c change) (*v1beta1.SkippedEntry, error) {
	if n := c.want.size(); n > maxEntry {
		left := c.want.skipped(fmt.Sprintf("it has %d KiB, and %d are the most that fit into this cluster; pictures in its metadata should be links", n>>10, maxEntry>>10))
		return &left, nil
	}
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
	if err := r.Create(ctx, e.Object); err != nil {
		return e.refused(err, "create")
	}
	return nil, nil
}

// refused sorts an error of a write: what the API does not take is left out, and
// all else is tried again, at once where the cache was behind.
func (e catalogEntry) refused(err error, verb string) (*v1beta1.SkippedEntry, error) {
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err) {
		s := e.skipped("this cluster does not take it: " + briefly(err))
		return &s, nil
	}
	return nil, failedWrite(verb, e, err)
}

// maxEntry is how large a class or a plan may be, in bytes of JSON. etcd refuses 1.5
// MiB, with an error that looks like a fault of the server.
const maxEntry = 1 << 20

// size is how many bytes an entry has as JSON.
func (e catalogEntry) size() int {
	raw, err := json.Marshal(e.Object)
	if err != nil {
		return 0 // the API server says it better
	}
	return len(raw)
}

// failedWrite adds to an error of a write what was written.
func failedWrite(verb string, e catalogEntry, err error) error {
	stale := apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err)
	err = fmt.Errorf("%s %q: %w", verb, e.GetName(), err)
	if stale {
		return staleError{err}
	}
	return err
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

// retire takes an entry away that the broker offers no more: at once if nothing
// uses it, else it is marked and stays manageable.
func (r *BrokerReconciler) retire(ctx context.Context, e catalogEntry, used map[string]bool) error {
	if used[e.GetName()] {
		return r.setRemoved(ctx, entryOf(copyOf(e.Object)), true)
	}
	return r.deleteEntry(ctx, e)
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
	removed = slices.DeleteFunc(removed, func(e catalogEntry) bool { return !b.made(e) || used[e.GetName()] })
	return r.deleteAll(ctx, b, removed)
}

// deleteAll deletes entries, several at a time.
func (r *BrokerReconciler) deleteAll(ctx context.Context, b broker, entries []catalogEntry) error {
	var all []change
	for _, e := range entries {
		all = append(all, change{have: e})
	}
	_, err := r.each(ctx, b, all, func(ctx context.Context, _ broker, c change) (*v1beta1.SkippedEntry, error) {
		return nil, r.deleteEntry(ctx, c.have)
	})
	return err
}

func (r *BrokerReconciler) deleteEntry(ctx context.Context, e catalogEntry) error {
	uid := e.GetUID()
	err := r.Delete(ctx, e.Object, client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return failedWrite("delete", e, err)
	}
	return nil
}

func (r *BrokerReconciler) setRemoved(ctx context.Context, e catalogEntry, removed bool) error {
	if *e.removed == removed {
		return nil
	}
	*e.removed = removed
	if err := r.Status().Update(ctx, e.Object); err != nil {
		return failedWrite("mark", e, err)
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
