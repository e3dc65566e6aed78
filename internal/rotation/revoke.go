package rotation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Recheck is how often it is looked whether old credentials are still used.
const Recheck = time.Minute

// Notice is how long before they are cut off at the least those are named who use old
// credentials. In the normal course they are when half of the overlap is over, which
// is no later.
const Notice = MinOverlap / 2

// Skew is by how much the clocks of a broker and of the cluster may differ: what
// has expired by ours may still let somebody in for so long.
const Skew = 5 * time.Minute

// Verdict is what to do about old credentials.
type Verdict struct {
	// Revoke them now.
	Revoke bool
	// Forced: they are revoked although the users given still have them.
	Forced bool
	// InUse: they are kept for the users given alone.
	InUse bool
	// Look: it matters who still has them, although their overlap is not over: who
	// uses them is to be told while there is time.
	Look bool
	// Wait is when to look again.
	Wait time.Duration
}

// Replaced is the predecessor that a rotation at a moment leaves behind.
func Replaced(externalID string, p Policy, expiresAt, now time.Time) v1beta1.Predecessor {
	old := v1beta1.Predecessor{ExternalID: externalID}
	old.ReplacedAt.Time, old.RevokeAfter.Time = now, now.Add(p.Overlap)
	if !expiresAt.IsZero() {
		old.ExpiresAt = new(metav1.NewTime(expiresAt))
	}
	return old
}

// Revoke decides about old credentials, of which it is known whether a container
// that got them by its environment still runs.
func Revoke(p Policy, old v1beta1.Predecessor, used bool, now time.Time) Verdict {
	dead := old.ExpiresAt != nil && !now.Before(old.ExpiresAt.Add(Skew))
	switch {
	case !dead && now.Before(old.RevokeAfter.Time):
		return within(old, now)
	case dead, !used: // of dead ones the broker is only told
		return Verdict{Revoke: true}
	}
	wait := Recheck
	if p.MaxOverlap > 0 {
		end := old.ReplacedAt.Add(p.MaxOverlap)
		if !now.Before(end) {
			return Verdict{Revoke: true, Forced: true}
		}
		wait = min(wait, end.Sub(now))
	}
	return Verdict{InUse: true, Wait: wait}
}

// within is the verdict on credentials whose overlap lasts for a while yet. From its
// half on it is told who uses them.
func within(old v1beta1.Predecessor, now time.Time) Verdict {
	end := old.RevokeAfter.Time
	if e := old.ExpiresAt; e != nil && e.Add(Skew).Before(end) {
		end = e.Add(Skew)
	}
	half := old.ReplacedAt.Add(end.Sub(old.ReplacedAt.Time) / 2)
	if now.Before(half) {
		return Verdict{Wait: half.Sub(now)}
	}
	return Verdict{Look: true, Wait: end.Sub(now)}
}
