package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// polls remembers when brokers are to be asked next how they are getting on, so
// that a poll which brings nothing new costs no write. A restart forgets it, and
// asks once too early.
type polls struct {
	mu   sync.Mutex
	next map[types.UID]pollTime
}

type pollTime struct {
	attempt string
	at      time.Time
}

// after is when the attempt of a journal is to be polled; zero if that is not known.
func (p *polls) after(uid types.UID, op *v1beta1.Operation) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.next[uid]; ok && op != nil && t.attempt == op.AttemptID {
		return t.at
	}
	return time.Time{}
}

// set notes when to poll, or forgets it where there is nothing to poll any more.
func (p *polls) set(uid types.UID, op *v1beta1.Operation, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if op == nil || op.BrokerOperation == nil {
		delete(p.next, uid)
		return
	}
	if p.next == nil {
		p.next = map[types.UID]pollTime{}
	}
	p.next[uid] = pollTime{op.AttemptID, at}
}
