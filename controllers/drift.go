package controllers

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// minCheckInterval is the shortest time between two looks at what a broker has.
const minCheckInterval = time.Minute

// checks remembers when an instance is to be compared with what its broker has. A
// restart forgets it and spreads the next looks over their intervals.
type checks struct {
	mu   sync.Mutex
	next map[types.UID]time.Time
}

// due says whether a look is due, or else in how long it is.
func (c *checks) due(uid types.UID, every time.Duration, now time.Time) (bool, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if every == 0 {
		delete(c.next, uid)
		return false, 0
	}
	if c.next == nil {
		c.next = map[types.UID]time.Time{}
	}
	at, known := c.next[uid]
	if !known || at.After(now.Add(every)) { // new, or asked for more often now
		h := fnv.New32a()
		_, _ = h.Write([]byte(uid)) // a hash takes all
		at = now.Add(time.Duration(h.Sum32()) * time.Microsecond % every)
		c.next[uid] = at
	}
	return !at.After(now), at.Sub(now)
}

func (c *checks) done(uid types.UID, every time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if every > 0 {
		c.next[uid] = now.Add(every)
	}
}

// checkInterval is how often the user wants the instance compared with what the
// broker has; 0 for never.
func (i *instance) checkInterval() time.Duration {
	every, err := time.ParseDuration(i.Annotations[v1beta1.AnnotationCheckInterval])
	if err != nil || every <= 0 {
		return 0
	}
	return max(every, minCheckInterval)
}

// compare looks, where that was asked for and the service can be asked, whether
// the broker still has an instance that rests. asked says that the user wants it
// done now. A worker only finds out whether it is time: the look is a call like
// any other.
func (i *instance) compare(ctx context.Context, f lifecycle.Facts, asked bool) (ctrl.Result, error) {
	every, now := i.checkInterval(), i.r.Clock.Now()
	due, wait := i.r.checks.due(i.UID, every, now)
	if !due && !asked || !f.Exists || f.Deleting || i.Status.Operation != nil {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	ready, err := i.canBeAsked(ctx, &f)
	if !ready || err != nil {
		return ctrl.Result{RequeueAfter: every}, err
	}
	place, wait, _ := i.r.Calls.reserve(i.at, i.ServiceInstance, &i.r.waker)
	if place == nil {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	i.r.checks.done(i.UID, every, now)
	place.run(ctx, func(ctx context.Context) (time.Duration, error) { return every, i.lookForDrift(ctx) })
	return ctrl.Result{}, nil
}

// canBeAsked says whether the service lets instances be fetched (OSB 2.17, P70),
// and gets its broker's client.
func (i *instance) canBeAsked(ctx context.Context, f *lifecycle.Facts) (bool, error) {
	var err error
	if i.found, err = i.r.resolved(ctx, i.ServiceInstance); err != nil {
		return false, err
	}
	if c := i.found.class.Spec; c == nil || !c.InstancesRetrievable {
		return false, nil
	}
	b, problem, err := i.r.brokerFor(ctx, i.Status.BrokerRef, i.Namespace)
	if problem != nil || err != nil {
		return false, err
	}
	i.found.broker = b
	problem, err = i.connectFound(ctx, f)
	return problem == nil, err
}

// lookForDrift fetches the instance and says in a condition if it is gone or not
// what was accepted. Nothing is made again: what is lost is lost, and a user must
// know. An answer that is none proves nothing.
func (i *instance) lookForDrift(ctx context.Context) error {
	before := i.DeepCopy()
	got, err := i.client.GetInstance(ctx, &osb.GetInstanceRequest{InstanceID: i.Status.ExternalID, ServiceID: i.have.ServiceID, PlanID: i.have.PlanID})
	drift := metav1.Condition{Type: v1beta1.ConditionDrifted, Status: metav1.ConditionTrue, ObservedGeneration: i.Generation, LastTransitionTime: metav1.NewTime(i.r.Clock.Now())}
	switch {
	case osb.IsKind(err, osb.KindNotFound):
		drift.Reason, drift.Message = v1beta1.ReasonNotFoundAtBroker, "The broker says that it does not have this instance any more. It is not made again by itself: ask its operator, then delete this object and make it anew."
	case err != nil:
		ctrl.LoggerFrom(ctx).Info("An instance could not be compared with what its broker has", "reason", err.Error())
		return nil
	case got.PlanID != "" && got.PlanID != i.have.PlanID:
		drift.Reason, drift.Message = v1beta1.ReasonPlanDiffersAtBroker, fmt.Sprintf("The broker says that the plan of this instance is %q, and it was asked for %q; somebody changed it there. Raise spec.updateRequests by one after correcting the spec.", got.PlanID, i.have.PlanID)
	default:
		apimeta.RemoveStatusCondition(&i.Status.Conditions, v1beta1.ConditionDrifted)
		return i.r.save(ctx, before, i.ServiceInstance)
	}
	was := apimeta.FindStatusCondition(i.Status.Conditions, v1beta1.ConditionDrifted)
	known := was != nil && was.Message == drift.Message
	apimeta.SetStatusCondition(&i.Status.Conditions, drift)
	if !known {
		i.r.tell(i.ServiceInstance, "Compare", &lifecycle.Event{Warning: true, Reason: drift.Reason, Note: drift.Message})
	}
	return i.r.save(ctx, before, i.ServiceInstance)
}
