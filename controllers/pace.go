package controllers

import (
	"sync"
	"time"
)

// pace lets so many begin within any span of time, however long nobody came before.
// A token bucket would let twice as many begin when it is full.
type pace struct {
	span time.Duration

	mu sync.Mutex
	// last is when each of the last that were let in began; oldest is the index of
	// the earliest.
	last   []time.Time
	oldest int
}

func newPace(most int, span time.Duration) *pace {
	return &pace{span: span, last: make([]time.Time, most)}
}

// enter lets one begin now and returns 0, or says in how long to ask again.
func (p *pace) enter(now time.Time) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if free := p.last[p.oldest].Add(p.span); now.Before(free) {
		return free.Sub(now)
	}
	p.last[p.oldest] = now
	p.oldest = (p.oldest + 1) % len(p.last)
	return 0
}
