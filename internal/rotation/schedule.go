package rotation

import (
	"hash/fnv"
	"time"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// MinOverlap is how long old credentials stay valid at the least.
const MinOverlap = 10 * time.Minute

// minLife is the shortest life that is believed. Credentials that are dead when they
// come, or as good as dead, are of a broker whose clock is wrong; they are renewed
// when they are minAge old, so that it is not asked for others without end.
const (
	minLife = time.Minute
	minAge  = 10 * time.Minute
)

// Causes of a rotation.
const (
	CauseInterval = "Interval"
	CauseExpiry   = "Expiry"
)

// Policy is a binding's spec.rotation with its defaults.
type Policy struct {
	// Interval between rotations; 0 for none by the clock.
	Interval time.Duration
	// Overlap is at least MinOverlap.
	Overlap time.Duration
	// MaxOverlap ends the life of old credentials that are still used; 0 for never.
	MaxOverlap time.Duration
	// Window is when in the day rotations may begin; zero length for always.
	Window Window
}

// Window is a time of the day, in UTC.
type Window struct {
	// Start is counted from midnight.
	Start, Length time.Duration
}

// PolicyOf reads a policy; nil is the policy that rotates only what expires.
func PolicyOf(r *v1beta1.RotationPolicy) Policy {
	p := Policy{Overlap: MinOverlap}
	if r == nil {
		return p
	}
	if r.Interval != nil {
		p.Interval = r.Interval.Duration
	}
	if r.Overlap != nil {
		p.Overlap = max(MinOverlap, r.Overlap.Duration)
	}
	if r.MaxOverlap != nil {
		p.MaxOverlap = max(p.Overlap, r.MaxOverlap.Duration)
	}
	if r.Window != nil {
		if at, err := time.Parse("15:04", r.Window.Start); err == nil { // the API takes no other
			p.Window = Window{time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, r.Window.Duration.Duration}
		}
	}
	return p
}

// Credential is what is in force.
type Credential struct {
	// Born is when it was stored.
	Born time.Time
	// ExpiresAt and RenewBefore are what the broker said, zero for nothing.
	ExpiresAt, RenewBefore time.Time
	// Seed tells bindings apart, so that those which were made together are not
	// renewed together.
	Seed string
}

// Next says when a credential is to be renewed, and why; ok is false where that is
// by annotation only. What expires goes before policy and window: the broker's word
// ends the credential, ours only its age. Who missed the window, by now, waits for
// the next one.
func Next(p Policy, c Credential, now time.Time) (at time.Time, cause string, ok bool) {
	expiry := c.limit(p)
	if p.Interval > 0 {
		at, cause = p.Window.from(c.Born.Add(p.Interval-jitter(c.Seed, p.Interval/10)), c.Seed), CauseInterval
		if at.Before(now) {
			if open := p.Window.from(now, c.Seed); open.After(now) {
				at = open
			}
		}
	}
	if !expiry.IsZero() && (at.IsZero() || expiry.Before(at)) {
		at, cause = expiry, CauseExpiry
	}
	return at, cause, !at.IsZero()
}

// limit is when a credential that ends by itself is to be renewed at the latest:
// with the overlap, or a tenth of its life if that is more, still before it; but
// never in the first half of its life, or one with a short life would be renewed
// without end.
func (c Credential) limit(p Policy) time.Time {
	end := c.ExpiresAt
	if end.IsZero() || !c.RenewBefore.IsZero() && c.RenewBefore.Before(end) {
		end = c.RenewBefore
	}
	if end.IsZero() {
		return end
	}
	life := end.Sub(c.Born)
	if life < minLife {
		return c.Born.Add(minAge)
	}
	margin := max(p.Overlap, life/10)
	margin += jitter(c.Seed, margin)
	return end.Add(-min(margin, life/2))
}

// from is the first moment of the window from t on, t itself if it is in it. Those
// that had to wait for the window do not all begin at its start.
func (w Window) from(t time.Time, seed string) time.Time {
	if w.Length <= 0 || w.Length >= 24*time.Hour {
		return t
	}
	t = t.UTC()
	// The window that began yesterday may last until today.
	for day := -1; ; day++ {
		start := time.Date(t.Year(), t.Month(), t.Day()+day, 0, 0, 0, 0, time.UTC).Add(w.Start)
		if t.Before(start) {
			return start.Add(jitter(seed, w.Length/2))
		}
		if t.Before(start.Add(w.Length)) {
			return t
		}
	}
}

// jitter is a part of most, the same each time for a seed.
func jitter(seed string, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))                   // a hash takes all
	return time.Duration(h.Sum64() % uint64(most)) //nolint:gosec // less than most, which is a Duration
}
