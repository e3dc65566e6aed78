package controllers

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	corev1 "k8s.io/api/core/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// BrokerReconciler keeps the catalog of one kind of broker.
type BrokerReconciler struct {
	client.Client
	// Kind is ClusterServiceBroker or ServiceBroker.
	Kind     string
	Clients  *Clients
	Calls    *Calls
	Metrics  *Metrics
	Recorder events.EventRecorder
	Clock    clock.Clock
	// RelistInterval holds where a broker names none.
	RelistInterval time.Duration

	waker waker
}

// Reconcile fetches the catalog of a broker when that is due.
func (r *BrokerReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	b := newBroker(r.Kind)
	if err := r.Get(ctx, req.NamespacedName, b.Object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.Calls.hold(b.Object) {
		return ctrl.Result{}, nil
	}
	b = b.deepCopy()
	if !b.GetDeletionTimestamp().IsZero() {
		return r.remove(ctx, b)
	}
	if !controllerutil.ContainsFinalizer(b.Object, v1beta1.Finalizer) {
		before := b.deepCopy()
		controllerutil.AddFinalizer(b.Object, v1beta1.Finalizer)
		// The event of this write begins the next pass.
		err := r.Patch(ctx, b.Object, client.MergeFromWithOptions(before.Object, client.MergeFromWithOptimisticLock{}))
		return ctrl.Result{}, ignoreConflict(client.IgnoreNotFound(err))
	}
	if err := r.sweep(ctx, b); err != nil {
		return ctrl.Result{}, err
	}
	before := b.deepCopy()
	osbClient, token, err := r.Clients.get(ctx, b)
	if err != nil && authSentence(err) == "" {
		return ctrl.Result{}, err
	}
	if b.GetAnnotations()[v1beta1.AnnotationReconcile] != b.status.LastHandledReconcile {
		r.Calls.retryNow(b)
	}
	r.showCircuit(b)
	r.Metrics.looked(b, r.isLeftAlone(b))
	wait, due := r.due(b, token)
	if !due && b.status.NextAttemptTime == nil {
		freed, err := r.freed(ctx, b)
		if err != nil {
			return ctrl.Result{}, err
		}
		due = freed
	}
	if !due {
		return ctrl.Result{RequeueAfter: wait}, r.save(ctx, before, b)
	}
	if err != nil {
		res := r.record(b, token, err)
		return res, r.save(ctx, before, b)
	}
	place, wait, _ := r.Calls.reserve(b, b.Object, &r.waker)
	if place == nil {
		return ctrl.Result{RequeueAfter: wait}, r.save(ctx, before, b)
	}
	place.run(ctx, func(ctx context.Context) (time.Duration, error) { return r.refreshAndSave(ctx, b, osbClient, token) })
	return ctrl.Result{}, nil
}

// refreshAndSave fetches the catalog, takes it over and saves how that went. It
// says when to look again.
func (r *BrokerReconciler) refreshAndSave(ctx context.Context, b broker, c *osb.Client, token string) (time.Duration, error) {
	before, began := b.deepCopy(), r.Clock.Now()
	if r.Calls.catalogStale(b) || b.GetAnnotations()[v1beta1.AnnotationReconcile] != b.status.LastHandledReconcile {
		b.status.CatalogETag = "" // who asks for it is to have it whole
	}
	r.Calls.catalogFetched(b)
	err := r.refresh(ctx, b, c, token)
	r.Metrics.fetched(b, r.Clock.Since(began), err)
	res := r.record(b, token, err)
	r.showCircuit(b)
	return res.RequeueAfter, r.save(ctx, before, b)
}

// due says whether the catalog is to be fetched now, or else in how long; 0 means
// not by the clock.
func (r *BrokerReconciler) due(b broker, token string) (time.Duration, bool) {
	s, now := b.status, r.Clock.Now()
	until := func(t time.Time) (time.Duration, bool) { return t.Sub(now), !t.After(now) }
	// A failure waits only while spec and Secret are those that failed.
	attempted := s.ObservedGeneration == b.GetGeneration() && s.RetryToken == token
	switch {
	case !attempted, b.GetAnnotations()[v1beta1.AnnotationReconcile] != s.LastHandledReconcile, r.Calls.catalogStale(b):
		return 0, true
	case s.NextAttemptTime != nil:
		return until(s.NextAttemptTime.Time)
	case s.LastCatalogRetrievalTime == nil:
		return 0, true
	case b.spec.RelistBehavior == v1beta1.RelistBehaviorManual:
		return 0, false
	case b.spec.RelistDuration != nil && b.spec.RelistDuration.Duration > 0:
		return until(s.LastCatalogRetrievalTime.Add(relistAfter(b.spec.RelistDuration.Duration, b.GetUID())))
	}
	return until(s.LastCatalogRetrievalTime.Add(relistAfter(r.RelistInterval, b.GetUID())))
}

// relistAfter is the interval between two fetches, less up to a tenth, always the
// same for a broker: those that were registered together are not listed together.
func relistAfter(interval time.Duration, id types.UID) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash takes all
	return interval - time.Duration(h.Sum64()%1000)*(interval/10_000)
}

// syncError is a failure to write what was fetched.
type syncError struct{ error }

func (e syncError) Unwrap() error { return e.error }

// specError is a fault in the broker's registration, which only a user can mend.
type specError struct{ error }

func (e specError) Unwrap() error { return e.error }

// refresh fetches the catalog and writes what changed.
func (r *BrokerReconciler) refresh(ctx context.Context, b broker, c *osb.Client, token string) error {
	only, err := b.restrictions()
	if err != nil {
		return specError{err}
	}
	req := &osb.CatalogRequest{}
	if b.status.ReconciledGeneration == b.GetGeneration() && b.status.RetryToken == token {
		whole, err := r.isWhole(ctx, b)
		if err != nil {
			return syncError{err}
		}
		if whole {
			req.ETag = b.status.CatalogETag
		}
	}
	b.status.CatalogETag = req.ETag
	resp, err := c.GetCatalog(ctx, req)
	if err != nil || resp.NotModified {
		return err
	}
	b.status.CatalogETag = "" // until all that it stands for is written
	o := only.of(offerOf(resp))
	skipped, err := r.syncCatalog(ctx, b, o)
	if err != nil {
		return syncError{err}
	}
	if len(skipped) == 0 && len(resp.ETag) <= maxETag { // what hinders an entry may go without the broker's doing
		b.status.CatalogETag = resp.ETag
	}
	r.showSkipped(b, o, slices.Concat(o.Problems, skipped))
	show(&b.status.CommonStatus, b.GetGeneration(), r.Clock.Now(), state{
		ready: metav1.ConditionTrue, reason: v1beta1.ReasonFetchedCatalog, message: o.fetchedMessage()})
	return nil
}

// maxETag is the longest entity tag that is kept.
const maxETag = 1024

// isWhole says whether as many classes and plans are offered as the last fetch
// brought. Where somebody deleted one, "not modified" would not bring it back.
func (r *BrokerReconciler) isWhole(ctx context.Context, b broker) (bool, error) {
	offered := func(list func(context.Context, client.Reader) (map[string]catalogEntry, error)) (n int64, err error) {
		entries, err := list(ctx, r.Client)
		for _, e := range entries {
			if b.made(e) && !*e.removed {
				n++
			}
		}
		return n, err
	}
	classes, err := offered(b.listClasses)
	if err != nil {
		return false, err
	}
	plans, err := offered(b.listPlans)
	return classes == b.status.ClassCount && plans == b.status.PlanCount, err
}

// record writes the outcome of a fetch into the status.
func (r *BrokerReconciler) record(b broker, token string, err error) ctrl.Result {
	s, now := b.status, metav1.NewTime(r.Clock.Now())
	s.LastHandledReconcile = b.GetAnnotations()[v1beta1.AnnotationReconcile]
	sameCause := s.ObservedGeneration == b.GetGeneration() && s.RetryToken == token
	s.RetryToken = token
	if err == nil {
		first := s.LastCatalogRetrievalTime == nil || s.Failures > 0
		s.ReconciledGeneration, s.LastCatalogRetrievalTime = b.GetGeneration(), &now
		s.OperationStartTime, s.NextAttemptTime, s.Failures = nil, nil, 0
		if s.ObservedGeneration != b.GetGeneration() || s.LastConditionState != v1beta1.ConditionReady {
			// 304 after a failure: what was fetched before still holds.
			show(&s.CommonStatus, b.GetGeneration(), now.Time, state{ready: metav1.ConditionTrue,
				reason: v1beta1.ReasonFetchedCatalog, message: "The broker's catalog is unchanged."})
		}
		if first {
			r.Recorder.Eventf(b.Object, nil, corev1.EventTypeNormal, v1beta1.ReasonFetchedCatalog, "FetchCatalog", "%s", readyMessage(&s.CommonStatus))
		}
		wait, _ := r.due(b, token)
		return ctrl.Result{RequeueAfter: wait}
	}
	if !sameCause {
		s.Failures = 0
	}
	s.Failures++
	if s.OperationStartTime == nil {
		s.OperationStartTime = &now
	}
	wait := lifecycle.Backoff(s.Failures, string(b.GetUID()))
	if e := osb.AsError(err); e != nil {
		wait = max(wait, e.RetryAfter)
	}
	next := metav1.NewTime(now.Add(wait))
	s.NextAttemptTime = &next
	reason, message := fetchFailure(err)
	if message != readyMessage(&s.CommonStatus) {
		r.Recorder.Eventf(b.Object, nil, corev1.EventTypeWarning, reason, "FetchCatalog", "%s", message)
	}
	show(&s.CommonStatus, b.GetGeneration(), now.Time, state{
		ready: metav1.ConditionFalse, reason: reason, message: message, working: true, failed: errors.As(err, &specError{})})
	return ctrl.Result{RequeueAfter: wait}
}

// save writes the status if it changed.
func (r *BrokerReconciler) save(ctx context.Context, before, b broker) error {
	if equality.Semantic.DeepEqual(before.status, b.status) {
		return nil
	}
	if err := r.Status().Update(ctx, b.Object); err != nil {
		if apierrors.IsConflict(err) {
			return nil // the newer object is on its way and comes by again
		}
		return fmt.Errorf("save status of broker %q: %w", b.GetName(), err)
	}
	return nil
}

// remove lets a deleted broker go once no instance stands on it.
func (r *BrokerReconciler) remove(ctx context.Context, b broker) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(b.Object, v1beta1.Finalizer) {
		return ctrl.Result{}, nil
	}
	before := b.deepCopy()
	instances, err := r.instancesOf(ctx, b)
	if err != nil {
		return ctrl.Result{}, err
	}
	if len(instances) > 0 && b.GetAnnotations()[v1beta1.AnnotationPurge] != annotationOn {
		show(&b.status.CommonStatus, b.GetGeneration(), r.Clock.Now(), state{
			ready: metav1.ConditionFalse, reason: v1beta1.ReasonBrokerInUse, message: inUseMessage(instances), working: true})
		return ctrl.Result{}, r.save(ctx, before, b)
	}
	for _, list := range []func(context.Context, client.Reader) (map[string]catalogEntry, error){b.listClasses, b.listPlans} {
		entries, err := list(ctx, r.Client)
		if err != nil {
			return ctrl.Result{}, err
		}
		own := slices.DeleteFunc(slices.Collect(maps.Values(entries)), func(e catalogEntry) bool { return !b.made(e) })
		if err := r.deleteAll(ctx, b, own); err != nil {
			return ctrl.Result{}, err
		}
	}
	r.Clients.forget(b)
	r.Calls.forget(b)
	r.Metrics.forget(b)
	controllerutil.RemoveFinalizer(b.Object, v1beta1.Finalizer)
	err = r.Patch(ctx, b.Object, client.MergeFromWithOptions(before.Object, client.MergeFromWithOptimisticLock{}))
	return ctrl.Result{}, ignoreConflict(client.IgnoreNotFound(err))
}

func inUseMessage(instances []v1beta1.ServiceInstance) string {
	const most = 5
	var names []string
	for i := range instances {
		names = append(names, instances[i].Namespace+"/"+instances[i].Name)
	}
	slices.Sort(names)
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return fmt.Sprintf("The broker is deleted, but %s on it: %s%s. Delete them, and the broker goes by itself.",
		count(len(instances), "instance still stands", "instances still stand"), strings.Join(names, ", "), more)
}

// instancesOf lists the instances that stand on a broker.
func (r *BrokerReconciler) instancesOf(ctx context.Context, b broker) ([]v1beta1.ServiceInstance, error) {
	var list v1beta1.ServiceInstanceList
	key := brokerKey(b.kind, b.GetNamespace(), b.GetName())
	if err := r.List(ctx, &list, client.MatchingFields{indexBroker: key}); err != nil {
		return nil, fmt.Errorf("list instances of broker %q: %w", b.GetName(), err)
	}
	return list.Items, nil
}

// ignoreConflict drops the error of a write that lost against a newer version:
// the newer object comes by again by itself.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
