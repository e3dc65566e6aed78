package rotation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Recheck is how often it is looked whether old credentials are still used.
const Recheck = time.Minute

// Verdict is what to do about old credentials.
type Verdict struct {
	// Revoke them now.
	Revoke bool
	// Forced: they are revoked although the users given still have them.
	Forced bool
	// InUse: they are kept for the users given alone.
	InUse bool
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
	if e := old.ExpiresAt; e != nil && !now.Before(e.Time) {
		return Verdict{Revoke: true} // dead already; the broker is only told
	}
	if wait := old.RevokeAfter.Sub(now); wait > 0 {
		if e := old.ExpiresAt; e != nil {
			wait = min(wait, e.Sub(now))
		}
		return Verdict{Wait: wait}
	}
	if !used {
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
