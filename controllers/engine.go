package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
)

// saveTimeout bounds the save of an outcome, which goes on during shutdown.
const saveTimeout = 15 * time.Second

// Engine is what instance and binding reconcilers share.
type Engine struct {
	client.Client
	Clients  *Clients
	Calls    *Calls
	Recorder events.EventRecorder
	Clock    clock.Clock
	// ClusterID identifies this cluster to brokers.
	ClusterID string
	// DeriveIDs makes ids that are left out follow from cluster, namespace and name.
	DeriveIDs bool
	// IntentTTL is how old a saved intent may be when its call begins. It is
	// the leader's renew deadline less one retry period: a process that was
	// frozen for longer may not be the leader any more.
	IntentTTL time.Duration
	// MaxPolling is how long brokers may work in the background where a plan does
	// not say less.
	MaxPolling time.Duration

	polls  polls
	checks checks
}

// target is an instance or a binding on its way through one pass. Its methods
// change the object in memory; only the engine saves.
type target interface {
	object() client.Object
	status() (*v1beta1.CommonStatus, **v1beta1.Operation)
	// observe gathers the facts; an error is a fault of the API, not a state.
	observe(ctx context.Context) (lifecycle.Facts, error)
	// begin mirrors an intent into the status.
	begin(op *v1beta1.Operation) state
	// call carries out the action of the journal.
	call(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply
	// settle mirrors an outcome into the status.
	settle(op *v1beta1.Operation, o lifecycle.Outcome)
	// rest says how the object is when there is nothing to do; nil leaves the
	// conditions as they are.
	rest(f lifecycle.Facts, p *lifecycle.Problem) *state
	// release removes what the object holds in the cluster, before its finalizer.
	release(ctx context.Context) error
	// identity is where the object keeps its id.
	identity() identity
	// home is the broker that call asks, and what puts the object back into its
	// controller's queue.
	home() (broker, *waker)
}

// poller is a target whose broker may work in the background.
type poller interface {
	// poll asks how the operation of the journal is getting on; planID is the one
	// that the broker knows.
	poll(ctx context.Context, op *v1beta1.Operation, planID string) lifecycle.Progress
}

// shower is a target whose operations are beside what its object stands for, so that
// their outcome is not the object's own.
type shower interface {
	shown(s state) state
}

// run is one pass over a target.
func (e *Engine) run(ctx context.Context, t target) (ctrl.Result, error) {
	obj := t.object()
	if e.Calls.hold(obj) {
		return ctrl.Result{}, nil
	}
	if ready, err := e.ensureIdentity(ctx, t); err != nil || !ready {
		return ctrl.Result{}, ignoreConflict(err)
	}
	before := copyOf(obj)
	facts, err := t.observe(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	next := lifecycle.Next(facts)
	switch {
	case next.Done:
		return ctrl.Result{}, e.release(ctx, t, next)
	case next.Action == "":
		return e.rest(ctx, t, facts, next, before)
	}
	b, w := t.home()
	place, wait, paused := e.Calls.reserve(b, obj, w)
	if place != nil && next.Poll {
		place.run(ctx, func(ctx context.Context) (time.Duration, error) { return e.ask(ctx, t, facts, next) })
		return ctrl.Result{}, nil
	}
	if place != nil {
		return e.act(ctx, t, facts, next, place)
	}
	next.Wait = wait
	if op := facts.Op; paused && (op == nil || op.Failures == 0) { // else the last answer says more
		_, asked := e.Calls.pause(b)
		next.Problem = pausedProblem(b, asked)
	}
	return e.rest(ctx, t, facts, next, before)
}

// rest ends a pass in which the broker is not asked.
func (e *Engine) rest(ctx context.Context, t target, f lifecycle.Facts, next lifecycle.Decision, before client.Object) (ctrl.Result, error) {
	if next.Clear {
		_, journal := t.status()
		*journal = nil
	}
	status, _ := t.status()
	was, asked := readyOf(status), status.LastHandledReconcile != t.object().GetAnnotations()[v1beta1.AnnotationReconcile]
	if s := t.rest(f, next.Problem); s != nil {
		e.show(t, *s)
		e.tellProblem(was, t, next.Problem)
	}
	err := e.save(ctx, before, t.object())
	if i, ok := t.(*instance); ok && err == nil && next.Problem == nil && next.Wait == 0 {
		return i.compare(ctx, f, asked)
	}
	return ctrl.Result{RequeueAfter: next.Wait}, err
}

// act saves the intent, and has the broker called and the outcome saved outside
// of the worker.
func (e *Engine) act(ctx context.Context, t target, f lifecycle.Facts, next lifecycle.Decision, place *slot) (ctrl.Result, error) {
	obj := t.object()
	op := lifecycle.Intent(f, next, uuid.NewString())
	_, journal := t.status()
	*journal = op
	e.show(t, t.begin(op))
	saved := e.Clock.Now()
	if err := e.Status().Update(ctx, obj); err != nil {
		place.release()
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, nil
		}
		return ctrl.Result{}, fmt.Errorf("save intent: %w", err)
	}
	place.run(ctx, func(ctx context.Context) (time.Duration, error) { return e.carryOut(ctx, t, f, op, saved) })
	return ctrl.Result{}, nil
}

// carryOut calls the broker and saves the outcome of an intent that was saved at
// a time.
func (e *Engine) carryOut(ctx context.Context, t target, f lifecycle.Facts, op *v1beta1.Operation, saved time.Time) (time.Duration, error) {
	if age := e.Clock.Since(saved); age > e.IntentTTL {
		return 0, fmt.Errorf("no call was made: %s passed since the intent was saved, so another process may lead by now", age)
	}
	out := lifecycle.Absorb(f, op, t.call(ctx, op))
	if out.None {
		return 0, nil
	}
	e.apply(t, op, out)
	return out.Wait, e.conclude(ctx, t, op, out)
}

// ask polls the broker, and saves what that changes.
func (e *Engine) ask(ctx context.Context, t target, f lifecycle.Facts, next lifecycle.Decision) (time.Duration, error) {
	p, ok := t.(poller)
	if !ok {
		return 0, fmt.Errorf("%T waits for work in the background and cannot ask for it", t)
	}
	obj, op := t.object(), f.Op
	before := copyOf(obj)
	out := lifecycle.AbsorbPoll(f, op, p.poll(ctx, op, next.Request.PlanID))
	if out.None {
		return 0, nil
	}
	e.apply(t, op, out)
	e.polls.set(obj.GetUID(), out.Op, e.Clock.Now().Add(out.Wait))
	if equality.Semantic.DeepEqual(before, obj) {
		return out.Wait, nil
	}
	return out.Wait, e.conclude(ctx, t, op, out)
}

// apply mirrors an outcome into the object.
func (e *Engine) apply(t target, op *v1beta1.Operation, out lifecycle.Outcome) {
	_, journal := t.status()
	*journal = out.Op
	t.settle(op, out)
	s := state{
		ready: out.Ready, reason: out.Reason, message: out.Message, failed: out.Failed,
		working: out.Working, mitigating: out.Op != nil && out.Op.Action == v1beta1.ActionMitigate,
	}
	if other, ok := t.(shower); ok {
		s = other.shown(s)
	}
	e.showOf(askedBy(op, t.object()), t, s)
}

// askedBy is the generation of the spec that an operation was asked for by. The
// object's may be newer by now; a removal is of none.
func askedBy(op *v1beta1.Operation, obj client.Object) int64 {
	return cmp.Or(op.Generation, obj.GetGeneration())
}

// conclude saves an outcome and tells about it.
func (e *Engine) conclude(ctx context.Context, t target, op *v1beta1.Operation, out lifecycle.Outcome) error {
	obj := t.object()
	if err := e.saveOutcome(ctx, obj, op.AttemptID); err != nil {
		return err
	}
	ctrl.LoggerFrom(ctx).Info("Broker answered", "action", op.Action, "reason", out.Reason, "externalID", op.ExternalID)
	e.tell(obj, op.Action, out.Event)
	if out.Relist {
		b, _ := t.home()
		e.Calls.askCatalog(b)
	}
	return nil
}

// ensureIdentity makes sure that the finalizer and an id are on the live object
// before anything is asked of a broker. Where they were missing, the pass ends
// with their write: its event begins the next one, on an object that has them.
func (e *Engine) ensureIdentity(ctx context.Context, t target) (ready bool, err error) {
	obj := t.object()
	if !obj.GetDeletionTimestamp().IsZero() {
		return controllerutil.ContainsFinalizer(obj, v1beta1.Finalizer), nil
	}
	before := copyOf(obj)
	added := controllerutil.AddFinalizer(obj, v1beta1.Finalizer)
	if named := t.identity().fill(); !added && !named {
		return true, nil
	}
	err = e.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return false, client.IgnoreNotFound(err)
}

// release lets a deleted object go: first what it holds in the cluster, then
// the finalizer.
func (e *Engine) release(ctx context.Context, t target, d lifecycle.Decision) error {
	obj := t.object()
	if err := t.release(ctx); err != nil {
		return err
	}
	switch {
	case d.Retained:
		e.tell(obj, v1beta1.ActionDeprovision, &lifecycle.Event{Reason: v1beta1.ReasonRetained,
			Note: "The object goes; what it stands for stays at the broker, as its deletion policy says."})
	case d.Purged:
		e.tell(obj, v1beta1.ActionDeprovision, &lifecycle.Event{Warning: true, Reason: v1beta1.ReasonPurged,
			Note: "The object goes without its broker being asked, as the annotation " + v1beta1.AnnotationPurge + " says; what it stands for may be there still, for the platform team to remove."})
	}
	e.polls.set(obj.GetUID(), nil, time.Time{})
	e.checks.due(obj.GetUID(), 0, time.Time{})
	before := copyOf(obj)
	controllerutil.RemoveFinalizer(obj, v1beta1.Finalizer)
	err := e.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return ignoreConflict(client.IgnoreNotFound(err))
}

// save writes the status if it changed, unless the object did too meanwhile:
// then the newer one comes by again.
func (e *Engine) save(ctx context.Context, before, obj client.Object) error {
	if equality.Semantic.DeepEqual(before, obj) {
		return nil
	}
	if err := e.Status().Update(ctx, obj); err != nil {
		return ignoreConflict(client.IgnoreNotFound(fmt.Errorf("save status: %w", err)))
	}
	return nil
}

// saveOutcome writes the status after a call. It has no lock on the version, so
// that an edit of the object meanwhile cannot lose it; it tests that the object
// is the same and that the attempt recorded in it is still this one, so that a
// late writer cannot win.
func (e *Engine) saveOutcome(ctx context.Context, obj client.Object, attemptID string) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	status, err := statusJSON(obj)
	if err != nil {
		return err
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": obj.GetUID()},
		{"op": "test", "path": "/status/operation/attemptID", "value": attemptID},
		{"op": "replace", "path": "/status", "value": status},
	})
	if err != nil {
		return fmt.Errorf("encode outcome: %w", err)
	}
	var last error
	for attempt := range 4 {
		if attempt > 0 {
			// An outcome is worth a few tries: without it the call is repeated.
			select {
			case <-ctx.Done():
			case <-e.Clock.After(time.Duration(attempt) * 500 * time.Millisecond):
			}
		}
		last = e.Status().Patch(ctx, obj, client.RawPatch(types.JSONPatchType, patch))
		if last == nil || apierrors.IsNotFound(last) {
			return nil
		}
		if apierrors.IsInvalid(last) {
			return fmt.Errorf("another process has taken over this operation, its outcome is not ours to save: %w", last)
		}
	}
	return fmt.Errorf("save outcome: %w", last)
}

func statusJSON(obj client.Object) (json.RawMessage, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	var holder struct {
		Status json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(raw, &holder); err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	return holder.Status, nil
}

// readyOf is the Ready condition, or the zero one.
func readyOf(s *v1beta1.CommonStatus) metav1.Condition {
	if c := apimeta.FindStatusCondition(s.Conditions, v1beta1.ConditionReady); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func (e *Engine) show(t target, s state) { e.showOf(t.object().GetGeneration(), t, s) }

// showOf shows a state that is of a generation of the spec.
func (e *Engine) showOf(generation int64, t target, s state) {
	status, _ := t.status()
	status.LastHandledReconcile = t.object().GetAnnotations()[v1beta1.AnnotationReconcile]
	show(status, generation, e.Clock.Now(), s)
}

// tellProblem sends an event when what stands in the way has changed.
func (e *Engine) tellProblem(was metav1.Condition, t target, p *lifecycle.Problem) {
	status, _ := t.status()
	is := readyOf(status)
	if p == nil || was.Reason == is.Reason && was.Message == is.Message {
		return
	}
	e.tell(t.object(), "Resolve", &lifecycle.Event{Warning: true, Reason: p.Reason, Note: p.Message})
}

func (e *Engine) tell(obj client.Object, action v1beta1.Action, ev *lifecycle.Event) {
	if ev == nil {
		return
	}
	kind := corev1.EventTypeNormal
	if ev.Warning {
		kind = corev1.EventTypeWarning
	}
	e.Recorder.Eventf(obj, nil, kind, ev.Reason, string(action), "%s", ev.Note)
}
