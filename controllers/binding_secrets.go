package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// secretTypePrefix begins the type of a Secret that servicebinding.io knows.
const secretTypePrefix = "servicebinding.io/"

// storeRecheck is how often a Secret that could not be written is tried again,
// by dry run, without a call to the broker.
const storeRecheck = 15 * time.Second

// checkSpec refuses what this version would otherwise pass over in silence.
func (b *binding) checkSpec(context.Context, *lifecycle.Facts) (*lifecycle.Problem, error) {
	refuse := func(format string, args ...any) (*lifecycle.Problem, error) {
		return parameterProblem(fmt.Sprintf(format, args...)), nil
	}
	switch {
	case b.Spec.Rotation != nil:
		return refuse("This version does not act on spec.rotation; make the binding anew without it")
	case b.Spec.SecretTemplate != nil:
		return refuse("This version does not act on spec.secretTemplate; make the binding anew without it")
	}
	for n, t := range b.Spec.SecretTransforms {
		if t.AddKeysFrom != nil {
			return refuse("This version does not act on spec.secretTransforms[%d].addKeysFrom; make the binding anew without it", n)
		}
	}
	return nil, nil
}

// checkSecrets makes sure, before the broker is asked, that the Secrets can be
// written: their names are free or ours, and after a failure to store, a dry
// run passes.
func (b *binding) checkSecrets(ctx context.Context, f *lifecycle.Facts) (*lifecycle.Problem, error) {
	name := b.EffectiveSecretName()
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		s := secretMetadata()
		err := b.r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: n}, s)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("look at Secret %q: %w", n, err)
		}
		if err == nil && !b.owns(s) {
			return &lifecycle.Problem{Reason: v1beta1.ReasonErrorInjectingBindResult, Recheck: storeRecheck, Message: foreignSecret(n).Error()}, nil
		}
	}
	if op := f.Op; op == nil || op.Reason != v1beta1.ReasonErrorInjectingBindResult {
		return nil, nil
	}
	trial := b.newSecret(name, corev1.SecretTypeOpaque, map[string][]byte{"dry-run": nil})
	err := b.r.Create(ctx, trial, client.DryRunAll)
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil, nil
	}
	return &lifecycle.Problem{Reason: v1beta1.ReasonErrorInjectingBindResult, Recheck: storeRecheck, Message: fmt.Sprintf(
		"The Secret %q cannot be written: %s. Mend that, and the broker is asked again by itself; until then it is not.", name, briefly(err))}, nil
}

// foreignSecret is the error for a Secret that something else made.
func foreignSecret(name string) error {
	return fmt.Errorf("Secret %q exists and is not of this binding, so it is not written over; delete or rename it, or make the binding anew with another spec.secretName", name) //nolint:staticcheck // a sentence for the condition, beginning with a kind
}

// owns says whether a Secret is of this binding: it is its controller's, or, as
// after a restore, nobody's and holds this very binding's id.
func (b *binding) owns(s metav1.Object) bool {
	if owner := metav1.GetControllerOf(s); owner != nil {
		return owner.UID == b.UID
	}
	id := s.GetAnnotations()[v1beta1.AnnotationBindingID]
	return id != "" && (id == b.Status.ExternalID || id == b.Spec.ExternalID)
}

// secretMetadata is for reading a Secret without what it holds.
func secretMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return m
}

// store writes the credentials into the two Secrets of the binding.
func (b *binding) store(ctx context.Context, c osb.Credentials) error {
	c, err := transform(b.Spec.SecretTransforms, c)
	if err != nil {
		return err
	}
	meta := b.meta(c)
	data, lost, err := secretData(c, meta)
	if err != nil {
		return err
	}
	env, left, err := envData(c)
	if err != nil {
		return err
	}
	b.leftOut = slices.Compact(slices.Sorted(slices.Values(append(lost, left...))))
	name := b.EffectiveSecretName()
	if err := b.write(ctx, b.newSecret(name, corev1.SecretType(secretTypePrefix+meta.Type), data)); err != nil {
		return err
	}
	return b.write(ctx, b.newSecret(v1beta1.EnvSecretName(name), corev1.SecretTypeOpaque, env))
}

func (b *binding) meta(c osb.Credentials) secretMeta {
	class, provider := "", b.found.broker.GetName()
	var tags []string
	if s := b.found.class.Spec; s != nil {
		class, tags = s.ExternalName, s.Tags
	}
	m := secretMeta{
		Type: effective(b.Spec.Type, c, "type", class), Provider: effective(b.Spec.Provider, c, "provider", provider),
		Amount: b.Spec.SecretMetadata, Extra: map[string]string{"instance": b.instance.Name},
	}
	if s := b.found.plan.Spec; s != nil {
		m.Extra["plan"] = s.ExternalName
	}
	if raw, err := json.Marshal(tags); err == nil && len(tags) > 0 {
		m.Extra["tags"] = string(raw)
	}
	return m
}

func (b *binding) newSecret(name string, t corev1.SecretType, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: b.Namespace,
			Labels: map[string]string{v1beta1.LabelManaged: "true"},
			Annotations: map[string]string{
				v1beta1.AnnotationBindingID: b.Status.ExternalID, v1beta1.AnnotationBindingName: b.Name,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1beta1.GroupVersion.String(), Kind: "ServiceBinding", Name: b.Name, UID: b.UID,
				Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(false),
			}},
		},
		Type: t, Data: data,
	}
}

// write creates a Secret, or updates one that is ours.
func (b *binding) write(ctx context.Context, want *corev1.Secret) error {
	err := b.r.Create(ctx, want.DeepCopy())
	if err == nil {
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return errors.New(briefly(err))
	}
	got := &corev1.Secret{}
	if err := b.r.Get(ctx, client.ObjectKeyFromObject(want), got); err != nil {
		return errors.New(briefly(err))
	}
	if !b.owns(got) {
		return foreignSecret(want.Name)
	}
	before := got.DeepCopy()
	got.Data, got.OwnerReferences = want.Data, want.OwnerReferences
	for _, set := range []struct{ have, want *map[string]string }{{&got.Labels, &want.Labels}, {&got.Annotations, &want.Annotations}} {
		if *set.have == nil {
			*set.have = map[string]string{}
		}
		for k, v := range *set.want {
			(*set.have)[k] = v
		}
	}
	if equality.Semantic.DeepEqual(before, got) {
		return nil
	}
	if err := b.r.Update(ctx, got); err != nil {
		return errors.New(briefly(err))
	}
	return nil
}

// briefly is the reason and the beginning of an API error. Errors on a Secret
// name its keys and what hinders it; none is wrapped, so that nothing that a
// policy may have quoted goes further than this.
func briefly(err error) string {
	const most = 300
	m := err.Error()
	if len(m) > most {
		m = m[:most] + "…"
	}
	return m
}

// release deletes the Secrets, if they are this binding's.
func (b *binding) release(ctx context.Context) error {
	name := b.EffectiveSecretName()
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		s := secretMetadata()
		err := b.r.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: n}, s)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look at Secret %q: %w", n, err)
		}
		if !b.owns(s) {
			continue
		}
		uid := s.UID
		if err := b.r.Delete(ctx, s, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Secret %q: %w", n, err)
		}
	}
	return nil
}
