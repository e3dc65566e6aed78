package controllers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/rotation"
)

// credential is what is in force, as the status knows it.
func (b *binding) credential() rotation.Credential {
	c := rotation.Credential{Seed: string(b.UID)}
	if r := b.Status.Rotation; r != nil {
		c.Born, c.ExpiresAt, c.RenewBefore = timeOf(r.LastTime), timeOf(r.ExpiresAt), timeOf(r.RenewBefore)
	}
	return c
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// schedule writes into the status when the credentials in force are to be renewed.
func (b *binding) schedule() {
	s := b.Status.Rotation
	if s == nil {
		if b.Spec.Rotation == nil && b.Annotations[v1beta1.AnnotationRotate] == "" || b.Status.Binding == nil {
			return
		}
		// Made before there was a policy: its age is not known, so it counts from now.
		s = &v1beta1.RotationStatus{LastTime: new(metav1.NewTime(b.r.Clock.Now()))}
		b.Status.Rotation = s
	}
	at, cause, ok := rotation.Next(rotation.PolicyOf(b.Spec.Rotation), b.credential(), later(b.r.Clock.Now(), timeOf(s.RetryTime)))
	s.NextTime, s.Cause = nil, ""
	if ok {
		s.NextTime, s.Cause = new(metav1.NewTime(at.Truncate(time.Second))), cause
	}
	if s.RetryTime != nil && (!ok || s.RetryTime.After(s.NextTime.Time)) {
		s.NextTime = s.RetryTime
	}
}

// refused says that the broker has refused to renew them, and is not asked again yet.
func (b *binding) refused() bool {
	r := b.Status.Rotation
	return r != nil && r.RetryTime != nil && r.RetryTime.After(b.r.Clock.Now())
}

// dueForRotation says whether new credentials are to be made now, or in how long.
func (b *binding) dueForRotation() (due bool, wait time.Duration) {
	b.schedule()
	s := b.Status.Rotation
	if s == nil {
		return false, 0
	}
	now := b.r.Clock.Now()
	switch {
	case b.Annotations[v1beta1.AnnotationRotate] != s.Handled:
		return true, 0
	case b.ids.Next != "" && !b.refused():
		return true, 0 // begun, and not yet heard of
	case s.NextTime == nil:
		return false, 0
	case s.NextTime.After(now):
		return false, s.NextTime.Sub(now)
	}
	if end := b.credential().ExpiresAt; !end.IsZero() && end.Sub(now) < urgent {
		return true, 0
	}
	// What is overdue after a standstill is not renewed all at once.
	if delay := b.r.Rotations.enter(now); delay > 0 {
		return false, delay + spread(b.UID)
	}
	return true, 0
}

// freshEvery is how often at most lost or edited Secrets are answered with new
// credentials: who goes on editing them must not have the broker flooded.
const freshEvery = 10 * time.Minute

// dueAfresh says whether credentials that cannot be had again are to be replaced now.
func (b *binding) dueAfresh() (due bool, wait time.Duration) {
	r, now := b.Status.Rotation, b.r.Clock.Now()
	switch {
	case r == nil:
		return true, 0
	case b.refused():
		return false, r.RetryTime.Sub(now)
	case r.Generation > 0 && r.LastTime != nil && r.LastTime.Add(freshEvery).After(now):
		return false, r.LastTime.Add(freshEvery).Sub(now)
	}
	return true, 0
}
