package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
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
// stored must not be taken back at the broker: applications have it already. It
// counts as swapped in.

// findStored notes whether the Secrets hold the successor's credentials. Then the
// wish stays what it was.
func (s *successor) findStored(ctx context.Context, f *lifecycle.Facts) error {
	op := s.Status.Operation
	if op == nil || op.Action != v1beta1.ActionBind || f.Deleting {
		return nil
	}
	m := secretMetadata()
	err := s.r.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: s.EffectiveSecretName()}, m)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if s.held = s.owns(m) && m.Annotations[v1beta1.AnnotationBindingID] == s.id; !s.held || f.Wish == nil {
		return nil
	}
	w := f.Wish
	s.moved = w.ServiceID != op.ServiceID || w.PlanID != op.PlanID || w.Checksum != op.ParameterChecksum
	w.ServiceID, w.PlanID, w.Checksum = op.ServiceID, op.PlanID, op.ParameterChecksum
	return nil
}

// lostSwap is the state of a request that is not repeated: it was carried out, and
// its answer is lost.
func lostSwap() error {
	return &osb.Error{Operation: osb.OpBind, Kind: osb.KindUnavailable, Lost: true,
		Err: errors.New("the credentials are stored, but not recorded, and the request for them cannot be repeated")}
}

// rescue takes what is stored for swapped in, after a request that came to reply.
func (s *successor) rescue(ctx context.Context, op *v1beta1.Operation, reply lifecycle.Reply) lifecycle.Reply {
	if s.retrievable() {
		got, err := s.get(ctx, op)
		switch {
		case err == nil && s.swapSecrets(ctx, got.BindingData) == nil:
			return lifecycle.Reply{Existed: true}
		case osb.IsKind(err, osb.KindNotFound), osb.IsKind(err, osb.KindGone):
			if reply.Err == nil || s.moved { // what is stored is dead, and the next try makes the rest so
				return lifecycle.Reply{Err: &osb.Error{Operation: osb.OpBind, Kind: osb.KindUnavailable, Lost: true, OrphanMitigation: true, Err: err}}
			}
			return reply
		}
	}
	secrets, err := s.bothStored(ctx)
	if err != nil {
		// Half of it is stored, so it is neither in force nor to be taken back.
		return lifecycle.Reply{Err: &osb.Error{Operation: osb.OpBind, Kind: osb.KindUnavailable, Lost: true, Err: halfStored{err}}}
	}
	// How long they live is not known: they are renewed soon.
	soon := s.r.Clock.Now()
	s.stored = stored{done: true, secrets: secrets, sources: s.Status.SecretSources,
		given: osb.BindingData{Metadata: &osb.BindingMetadata{RenewBefore: &soon}}}
	return lifecycle.Reply{Existed: true}
}

// bothStored are the versions of both Secrets, if both hold the successor's credentials.
func (s *successor) bothStored(ctx context.Context) ([]v1beta1.StoredSecret, error) {
	var all stored
	name := s.EffectiveSecretName()
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		secret := &corev1.Secret{}
		if err := s.r.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: n}, secret); err != nil {
			return nil, errors.New(briefly(err))
		}
		if !s.owns(secret) || secret.Annotations[v1beta1.AnnotationBindingID] != s.id {
			return nil, fmt.Errorf("the Secret %q still holds the credentials before", n)
		}
		all.add(secret)
	}
	return all.secrets, nil
}
