package controllers

import (
	"hash/fnv"
	"slices"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// keptPlace is how long a place is kept for an object that was woken for it.
	keptPlace = 10 * time.Second
	// lookAgain is when an object in the queue asks again although nobody woke it.
	lookAgain = time.Minute
)

// limits are what a broker is asked at most.
type limits struct {
	// concurrent requests.
	concurrent int
	// perSecond is how many requests may begin in a second, with a burst of as many.
	perSecond int
}

// lane orders the requests to one broker: so many at a time, so many a second, in
// the order in which they came, and none while its circuit is open. It neither
// waits nor wakes: time is given, and who is to be woken is returned.
type lane struct {
	limits
	circuit circuit
	// stale: somebody was told that the broker's catalog is another one by now.
	stale bool
	// epoch counts the broker's registrations; what older ones report is void.
	epoch   int
	running int
	// queue are the objects that wait, the first to come first.
	queue []types.UID
	// kept are places for objects that were woken, until the time given.
	kept map[types.UID]time.Time
	// booked says when an object's request may begin by the rate.
	booked map[types.UID]time.Time
	tokens *rate.Limiter
}

func newLane(l limits) *lane {
	return &lane{
		limits: l, kept: map[types.UID]time.Time{}, booked: map[types.UID]time.Time{},
		tokens: rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond),
	}
}

// resize takes over changed limits.
func (l *lane) resize(to limits, now time.Time) {
	if to.perSecond != l.perSecond {
		l.tokens.SetLimitAt(now, rate.Limit(to.perSecond))
		l.tokens.SetBurstAt(now, to.perSecond)
	}
	l.limits = to
}

// enter takes a place for an object's request, or says when to ask again.
func (l *lane) enter(id types.UID, now time.Time) (ok bool, wait time.Duration) {
	l.forgetLate(now)
	if pause := l.circuit.wait(now); pause > 0 {
		l.enqueue(id)
		if l.queue[0] == id {
			return false, pause // the first one tries whether the broker is back
		}
		return false, pause + spread(id)
	}
	_, mine := l.kept[id]
	if !mine && !l.free(id) {
		l.enqueue(id)
		return false, lookAgain + spread(id)
	}
	if wait := l.byRate(id, now); wait > 0 {
		return false, wait
	}
	l.leaveQueue(id)
	delete(l.kept, id)
	delete(l.booked, id)
	l.running++
	l.circuit.probing = l.circuit.open()
	return true, 0
}

// free says whether there is a place for an object that none is kept for.
func (l *lane) free(id types.UID) bool {
	if len(l.queue) > 0 && l.queue[0] != id {
		return false
	}
	return l.places() > 0
}

// places is how many requests more may begin. After a pause it is one at a time,
// beside those from before it, which may still hang.
func (l *lane) places() int {
	n := l.concurrent - l.running - len(l.kept)
	switch {
	case !l.circuit.open():
		return n
	case l.circuit.probing || len(l.kept) > 0:
		return 0
	}
	return min(1, n)
}

// byRate books a moment for the request and says how long it is until then.
func (l *lane) byRate(id types.UID, now time.Time) time.Duration {
	at, ok := l.booked[id]
	if !ok {
		at = now.Add(l.tokens.ReserveN(now, 1).DelayFrom(now))
		l.booked[id] = at
	}
	return max(0, at.Sub(now))
}

// leave gives a place back and returns whom to wake for it.
func (l *lane) leave(now time.Time) []types.UID {
	l.running--
	l.circuit.probing = false
	return l.admit(now)
}

// admit keeps free places for those who wait longest, and returns them.
func (l *lane) admit(now time.Time) []types.UID {
	l.forgetLate(now)
	if l.circuit.wait(now) > 0 {
		return nil
	}
	n := min(len(l.queue), max(0, l.places()))
	woken := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	for _, id := range woken {
		l.kept[id] = now.Add(keptPlace)
	}
	return woken
}

func (l *lane) enqueue(id types.UID) {
	if !slices.Contains(l.queue, id) {
		l.queue = append(l.queue, id)
	}
	delete(l.kept, id)
}

func (l *lane) leaveQueue(id types.UID) {
	if n := slices.Index(l.queue, id); n >= 0 {
		l.queue = slices.Delete(l.queue, n, n+1)
	}
}

// forgetLate gives up places and moments that nobody came for.
func (l *lane) forgetLate(now time.Time) {
	for id, until := range l.kept {
		if now.After(until) {
			delete(l.kept, id)
		}
	}
	for id, at := range l.booked {
		if now.After(at.Add(keptPlace)) {
			delete(l.booked, id)
		}
	}
}

// spread is up to a quarter of a minute, by object, so that those who wait do not
// all ask again at once.
func spread(id types.UID) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash takes all
	return time.Duration(h.Sum32()%15_000) * time.Millisecond
}
