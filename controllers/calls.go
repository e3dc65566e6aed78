package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// Calls carries out requests to brokers outside of the controllers' workers, so
// that a broker which hangs delays nobody but itself. A worker reserves a place in
// the broker's lane, saves the intent, and hands over the rest.
type Calls struct {
	clock  clock.Clock
	limits limits
	// brokers wakes brokers, by kind, when what is known of them changes.
	brokers map[string]*waker

	mu    sync.Mutex
	lanes map[string]*lane
	// callers are those who reserved, or wait for a place.
	callers map[types.UID]*caller
	closing bool
	open    sync.WaitGroup
	pruned  time.Time
}

// caller is an object on whose behalf brokers are asked.
type caller struct {
	name  types.NamespacedName
	waker *waker
	// flying: a call is under way.
	flying bool
	// missed: something happened to the object meanwhile.
	missed bool
	// saved is the version that the last call left behind, until the cache has it.
	saved string
	// seen is when the caller last did something, so that it can be forgotten.
	seen time.Time
}

// forgetCaller is after how long nothing is remembered of an object.
const forgetCaller = 10 * time.Minute

func newCalls(c clock.Clock, l limits) *Calls {
	return &Calls{
		clock: c, limits: l, brokers: map[string]*waker{}, lanes: map[string]*lane{}, callers: map[types.UID]*caller{},
	}
}

// NeedLeaderElection says that only the leader calls brokers.
func (c *Calls) NeedLeaderElection() bool { return true }

// Start keeps the manager, and so the lease, until every call has ended and its
// outcome is saved. No new one begins then.
func (c *Calls) Start(ctx context.Context) error {
	<-ctx.Done()
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.open.Wait()
	return nil
}

// hold says whether an object's pass must end at once: its call is under way, or
// the cache does not have yet what the last one saved. Both end with an event.
func (c *Calls) hold(obj client.Object) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	who, ok := c.callers[obj.GetUID()]
	switch {
	case !ok:
		return false
	case who.flying:
		who.missed = true
		return true
	case who.saved == "":
		return false
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), who.saved)
	if err == nil && order < 0 {
		return true
	}
	who.saved = ""
	return false
}

// slot is a place in a broker's lane.
type slot struct {
	c   *Calls
	key string
	obj client.Object
}

// reserve takes a place for a request to b, or says when to ask again; paused
// says that the broker's circuit is open.
func (c *Calls) reserve(b broker, obj client.Object, w *waker) (s *slot, wait time.Duration, paused bool) {
	key := brokerKey(b.kind, b.GetNamespace(), b.GetName())
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil, forgetCaller, false
	}
	l := c.lane(key)
	l.resize(c.limits.of(b.spec.OSB), now)
	who := c.callers[obj.GetUID()]
	if who == nil {
		who = &caller{name: client.ObjectKeyFromObject(obj), waker: w}
		c.callers[obj.GetUID()] = who
	}
	who.seen = now
	ok, wait := l.enter(obj.GetUID(), now)
	if !ok {
		return nil, wait, l.circuit.open()
	}
	c.open.Add(1)
	who.flying, who.missed = true, false
	return &slot{c, key, obj}, 0, false
}

func (c *Calls) lane(key string) *lane {
	l := c.lanes[key]
	if l == nil {
		l = newLane(c.limits)
		c.lanes[key] = l
	}
	return l
}

// of are the limits for one broker.
func (l limits) of(s *v1beta1.OSBSettings) limits {
	if s == nil {
		return l
	}
	if s.MaxConcurrent != nil {
		l.concurrent = int(*s.MaxConcurrent)
	}
	if s.MaxRequestsPerSecond != nil {
		l.perSecond = int(*s.MaxRequestsPerSecond)
	}
	return l
}

// release gives a place back that was not used.
func (s *slot) release() { s.c.finish(s, 0, nil) }

// run carries out do in the background and gives the place back after it. do
// returns when the object is to be looked at again, 0 for when it changes.
func (s *slot) run(ctx context.Context, do func(context.Context) (time.Duration, error)) {
	// The call and the save of its outcome go on while this process shuts down;
	// Start waits for them.
	ctx = context.WithoutCancel(ctx)
	go func() {
		again, err := time.Duration(0), error(nil)
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
			if err != nil {
				ctrl.LoggerFrom(ctx).Error(err, "Work on an object ended early; it begins again")
			}
			s.c.finish(s, again, err)
		}()
		again, err = do(ctx)
	}()
}

// finish gives a place back and wakes who needs it.
func (c *Calls) finish(s *slot, again time.Duration, err error) {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.open.Done()
	who := c.callers[s.obj.GetUID()]
	who.flying, who.seen, who.saved = false, now, s.obj.GetResourceVersion()
	switch {
	case err != nil:
		who.waker.retry(who.name)
	case who.missed:
		who.waker.wake(who.name, 0)
	case again > 0:
		who.waker.wake(who.name, again)
	}
	c.wakeAll(c.lane(s.key).leave(now))
	c.prune(now)
}

// prune forgets, now and then, objects of which nothing was heard for long.
func (c *Calls) prune(now time.Time) {
	if now.Sub(c.pruned) < forgetCaller {
		return
	}
	c.pruned = now
	for id, who := range c.callers {
		if !who.flying && now.Sub(who.seen) > forgetCaller {
			delete(c.callers, id)
		}
	}
}

func (c *Calls) wakeAll(ids []types.UID) {
	for _, id := range ids {
		if who := c.callers[id]; who != nil {
			who.waker.wake(who.name, 0)
		}
	}
}

// observer lets a broker's circuit hear of each request. It is made anew when the
// broker's registration or Secret changes: what was known before is void then.
func (c *Calls) observer(b broker) osb.Observer {
	kind, name := b.kind, client.ObjectKeyFromObject(b.Object)
	key := brokerKey(kind, name.Namespace, name.Name)
	c.retryNow(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lane(key).epoch++
	epoch := c.lane(key).epoch
	return func(_ context.Context, o osb.Observation) {
		now := c.clock.Now()
		c.mu.Lock()
		defer c.mu.Unlock()
		l := c.lane(key)
		if l.epoch != epoch || !l.circuit.record(judge(o), o.RetryAfter, now) {
			return
		}
		c.brokers[kind].wake(name, 0)
		c.wakeAll(l.admit(now))
	}
}

// pause says whether a broker is left alone, and whether that was its wish.
func (c *Calls) pause(b broker) (open, asked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[brokerKey(b.kind, b.GetNamespace(), b.GetName())]
	if l == nil {
		return false, false
	}
	return l.circuit.open(), l.circuit.asked
}

// retryNow ends the pause of a broker.
func (c *Calls) retryNow(b broker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[brokerKey(b.kind, b.GetNamespace(), b.GetName())]
	if l == nil || !l.circuit.open() {
		return
	}
	l.circuit = circuit{}
	c.brokers[b.kind].wake(client.ObjectKeyFromObject(b.Object), 0)
	c.wakeAll(l.admit(c.clock.Now()))
}

// askCatalog has the catalog of a broker fetched again, because the broker said
// that what it was asked by is out of date.
func (c *Calls) askCatalog(b broker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lane(brokerKey(b.kind, b.GetNamespace(), b.GetName())).stale = true
	c.brokers[b.kind].wake(client.ObjectKeyFromObject(b.Object), 0)
}

// catalogStale says whether askCatalog was called since the last catalogFetched.
func (c *Calls) catalogStale(b broker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[brokerKey(b.kind, b.GetNamespace(), b.GetName())]
	return l != nil && l.stale
}

// catalogFetched says that a fetch begins, which answers all who asked before.
func (c *Calls) catalogFetched(b broker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.lanes[brokerKey(b.kind, b.GetNamespace(), b.GetName())]; l != nil {
		l.stale = false
	}
}

// forget drops what is known of a broker that is gone.
func (c *Calls) forget(b broker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := brokerKey(b.kind, b.GetNamespace(), b.GetName())
	if l := c.lanes[key]; l != nil && l.running == 0 {
		delete(c.lanes, key)
	}
}

// pausedProblem is what an object says whose broker is left alone.
func pausedProblem(b broker, asked bool) *lifecycle.Problem {
	if asked {
		return &lifecycle.Problem{Reason: v1beta1.ReasonBrokerThrottles, Message: fmt.Sprintf(
			"The %s %q has asked not to be called for a while; work goes on by itself after it.", b.kind, b.GetName())}
	}
	return &lifecycle.Problem{Reason: v1beta1.ReasonBrokerNotResponding, Message: fmt.Sprintf(
		"The %s %q does not answer, so it is only tried from time to time; work goes on by itself as soon as it does. Its conditions say more.", b.kind, b.GetName())}
}

// waker puts objects of one controller back into its queue.
type waker struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// source gives the waker its controller's queue.
func (w *waker) source() source.Source {
	return source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.queue = q
		return nil
	})
}

// wake has an object looked at after a while.
func (w *waker) wake(name types.NamespacedName, after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.AddAfter(reconcile.Request{NamespacedName: name}, after)
	}
}

// retry has an object looked at again after an error, later each time.
func (w *waker) retry(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.AddRateLimited(reconcile.Request{NamespacedName: name})
	}
}
