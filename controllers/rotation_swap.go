package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/rotation"
	"github.com/svc-cat/catalog/osb"
)

// halfStored is a swap that neither came to its end nor could be taken back.
type halfStored struct{ error }

// swapSecrets writes the successor's credentials over those in force, into both
// Secrets or into none.
func (s *successor) swapSecrets(ctx context.Context, given osb.BindingData) error {
	were := map[string]*corev1.Secret{}
	name := s.EffectiveSecretName()
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		was := &corev1.Secret{}
		err := s.r.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: n}, was)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("read Secret %q: %s", n, briefly(err))
		}
		if err == nil {
			were[n] = was
		}
	}
	err := s.store(ctx, given)
	if err == nil {
		return nil
	}
	if main := were[name]; main != nil && main.Annotations[v1beta1.AnnotationBindingID] == s.id {
		return halfStored{err} // by an earlier attempt; what was there before is not known
	}
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		if backErr := s.putBack(ctx, n, were[n]); backErr != nil {
			return halfStored{fmt.Errorf("%w; and what Secret %q held could not be put back: %s", err, n, briefly(backErr))}
		}
	}
	return err
}

// putBack makes a Secret what it was, which may be none.
func (s *successor) putBack(ctx context.Context, name string, was *corev1.Secret) error {
	now := &corev1.Secret{}
	err := s.r.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, now)
	switch {
	case apierrors.IsNotFound(err) && was == nil:
		return nil
	case err != nil:
		return err
	case was != nil && now.ResourceVersion == was.ResourceVersion, !s.owns(now):
		return nil
	case was == nil:
		return client.IgnoreNotFound(s.r.Delete(ctx, now, client.Preconditions{UID: &now.UID}))
	}
	back := was.DeepCopy()
	back.ResourceVersion = now.ResourceVersion
	return s.r.Update(ctx, back)
}

// A process may end after it stored a successor's credentials and before it saved
// that. The request is repeated then, and all is well. But if it cannot be repeated,
// because the spec asks for something else by now or the broker refuses, what is
// stored must not be taken back at the broker: applications have it already. It is
// fetched and swapped in; or, where that cannot be, kept like old credentials, until
// yet others have taken its place.

// findStored notes whether the Secrets hold the successor's credentials. Then the
// wish stays what it was.
func (s *successor) findStored(ctx context.Context, f *lifecycle.Facts) error {
	op := s.Status.Operation
	if op == nil || op.Action != v1beta1.ActionBind || f.Deleting {
		return nil
	}
	var err error
	if s.held, err = s.stores(ctx, s.id); err != nil || !s.held || f.Wish == nil {
		return err
	}
	w := f.Wish
	s.moved = w.ServiceID != op.ServiceID || w.PlanID != op.PlanID || w.Checksum != op.ParameterChecksum
	w.ServiceID, w.PlanID, w.Checksum = op.ServiceID, op.PlanID, op.ParameterChecksum
	return nil
}

// stores says whether one of the Secrets holds the credentials of an id.
func (b *binding) stores(ctx context.Context, id string) (bool, error) {
	name := b.EffectiveSecretName()
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		m := secretMetadata()
		err := b.r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: n}, m)
		if client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("look at Secret %q: %w", n, err)
		}
		if err == nil && m.Annotations[v1beta1.AnnotationBindingID] == id && b.owns(m) {
			return true, nil
		}
	}
	return false, nil
}

// rescue is what a request for credentials comes to that are stored already, after
// the broker gave err for it, or nil if it was not made.
func (s *successor) rescue(ctx context.Context, op *v1beta1.Operation, err error) lifecycle.Reply {
	lost := &osb.Error{Operation: osb.OpBind, Kind: osb.KindUnavailable, Lost: true, Err: errors.New("the credentials are stored already, but the request for them cannot be repeated")}
	if s.retrievable() {
		got, getErr := s.get(ctx, op)
		switch {
		case getErr == nil && s.swapSecrets(ctx, got.BindingData) == nil:
			return lifecycle.Reply{Existed: true}
		case osb.IsKind(getErr, osb.KindNotFound), osb.IsKind(getErr, osb.KindGone):
			lost.OrphanMitigation = true // what is stored is dead: it may as well be removed
			return lifecycle.Reply{Err: lost}
		}
	}
	refused := osb.IsKind(err, osb.KindConflict)
	if e := osb.AsError(err); e != nil {
		refused = refused || e.Actor() == osb.ActorUser
	}
	s.kept = err == nil || refused || op.Failures >= rotationTries
	if err != nil {
		lost.Err = err
	}
	return lifecycle.Reply{Err: lost}
}

// keepOld counts what is stored among the old credentials; a rotation that is due
// still replaces it.
func (s *successor) keepOld(id string) {
	if s.Status.Rotation == nil {
		s.Status.Rotation = &v1beta1.RotationStatus{}
	}
	r := s.Status.Rotation
	r.Predecessors = append(r.Predecessors, rotation.Replaced(id, rotation.PolicyOf(s.Spec.Rotation), time.Time{}, s.r.Clock.Now()))
	s.Status.Operation, s.Status.InProgressProperties = nil, nil
}
