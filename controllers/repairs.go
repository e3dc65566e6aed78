package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// repairs remembers which bindings' Secrets could not be restored lately, so that
// their brokers are not asked at each event.
type repairs struct {
	mu    sync.Mutex
	until map[types.UID]time.Time
}

func (r *repairs) failed(id types.UID, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[types.UID]time.Time{}
	}
	r.until[id] = until
}

func (r *repairs) waiting(id types.UID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, until := range r.until {
		if !now.Before(until) {
			delete(r.until, other)
		}
	}
	_, ok := r.until[id]
	return ok
}

func (r *repairs) forget(id types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.until, id)
}
