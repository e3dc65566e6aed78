package controllers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/credentials"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// storeRecheck is how often a Secret that could not be written is tried again,
// by dry run, without a call to the broker.
const storeRecheck = 15 * time.Second

// checkSpec refuses what cannot work whatever the broker gives.
func (b *binding) checkSpec(ctx context.Context, _ *lifecycle.Facts) (*lifecycle.Problem, error) {
	if err := credentials.Check(&b.Spec); err != nil {
		return parameterProblem(sentence(err)), nil
	}
	_, _, problem, err := b.sources(ctx)
	return problem, err
}

// sentence begins an error in upper case, unless a field is its first word.
func sentence(err error) string {
	m := err.Error()
	if strings.HasPrefix(m, "spec.") {
		return m
	}
	return strings.ToUpper(m[:1]) + m[1:]
}

// sources reads the Secrets that addKeysFrom names, live; admission saw to it that
// whoever named them may. Which versions they are is returned too.
func (b *binding) sources(ctx context.Context) (map[v1beta1.ObjectReference]map[string][]byte, []v1beta1.SecretSource, *lifecycle.Problem, error) {
	data := map[v1beta1.ObjectReference]map[string][]byte{}
	var versions []v1beta1.SecretSource
	for _, ref := range credentials.Sources(b.Spec.SecretTransforms) {
		s := &corev1.Secret{}
		err := b.r.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, s)
		if apierrors.IsNotFound(err) {
			n := slices.IndexFunc(b.Spec.SecretTransforms, func(t v1beta1.SecretTransform) bool {
				return t.AddKeysFrom != nil && t.AddKeysFrom.SecretRef != nil && *t.AddKeysFrom.SecretRef == ref
			})
			return nil, nil, parameterProblem(credentials.MissingSecret(n, ref).Error()), nil
		}
		if err != nil {
			return nil, nil, nil, fmt.Errorf("read Secret %q of namespace %q: %w", ref.Name, ref.Namespace, err)
		}
		data[ref] = s.Data
		versions = append(versions, v1beta1.SecretSource{Namespace: ref.Namespace, Name: ref.Name, ResourceVersion: s.ResourceVersion})
	}
	return data, versions, nil, nil
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

// owns says whether a Secret is of this binding: it is its controller's; or it holds
// this very binding's id and, as after a restore, is nobody's, or of the object that
// had this one's name before.
func (b *binding) owns(s metav1.Object) bool {
	id := s.GetAnnotations()[v1beta1.AnnotationBindingID]
	same := id != "" && (id == b.Status.ExternalID || id == b.Spec.ExternalID || id == b.ids.InForce || id == b.ids.Next)
	owner := metav1.GetControllerOf(s)
	switch {
	case owner == nil:
		return same
	case owner.UID == b.UID:
		return true
	}
	return same && owner.APIVersion == v1beta1.GroupVersion.String() && owner.Kind == kindBinding && owner.Name == b.Name
}

// secretMetadata is for reading a Secret without what it holds.
func secretMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return m
}

// store writes what a broker gave into the two Secrets of the binding, and remembers
// what is to be recorded of it.
func (b *binding) store(ctx context.Context, given osb.BindingData) error {
	secrets, versions, problem, err := b.sources(ctx)
	if problem != nil {
		return errors.New(problem.Message)
	}
	if err != nil {
		return errors.New(briefly(err))
	}
	out, err := credentials.Render(b.input(given.Credentials, secrets))
	if err != nil {
		return err
	}
	name := b.EffectiveSecretName()
	main := b.newSecret(name, corev1.SecretType(out.Type), out.Data)
	addMarks(&main.Labels, out.Labels)
	addMarks(&main.Annotations, out.Annotations)
	b.stored = stored{done: true, out: out, given: given, sources: versions}
	return errors.Join(b.write(ctx, main), b.write(ctx, b.newSecret(v1beta1.EnvSecretName(name), corev1.SecretTypeOpaque, out.Env)))
}

// stored is what was stored, for the status.
type stored struct {
	done    bool
	out     credentials.Output
	given   osb.BindingData
	secrets []v1beta1.StoredSecret
	sources []v1beta1.SecretSource
}

// input is what the Secrets are made from.
func (b *binding) input(c osb.Credentials, secrets map[v1beta1.ObjectReference]map[string][]byte) credentials.Input {
	in := credentials.Input{
		Credentials: c, Spec: &b.Spec, Binding: b.Name, Namespace: b.Namespace, BindingID: b.storedID(),
		Instance: b.Spec.InstanceRef.Name, InstanceID: b.instance.Status.ExternalID,
		Broker: b.found.broker.GetName(), Secrets: secrets,
	}
	if s := b.found.class.Spec; s != nil {
		in.Class, in.Tags = s.ExternalName, s.Tags
	}
	if s := b.found.plan.Spec; s != nil {
		in.Plan = s.ExternalName
	}
	return in
}

func (b *binding) newSecret(name string, t corev1.SecretType, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: b.Namespace,
			Labels: map[string]string{v1beta1.LabelManaged: "true"},
			Annotations: map[string]string{
				v1beta1.AnnotationBindingID: b.storedID(), v1beta1.AnnotationBindingName: b.Name,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1beta1.GroupVersion.String(), Kind: kindBinding, Name: b.Name, UID: b.UID,
				Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(false),
			}},
		},
		Type: t, Data: data,
	}
}

// storedID is the id whose credentials the Secrets hold, or are to hold.
func (b *binding) storedID() string {
	if b.storeAs != "" {
		return b.storeAs
	}
	return b.Status.ExternalID
}

// addMarks adds labels or annotations to others.
func addMarks(to *map[string]string, more map[string]string) {
	if *to == nil {
		*to = map[string]string{}
	}
	maps.Copy(*to, more)
}

// write creates a Secret, or updates one that is ours, and records its version.
func (b *binding) write(ctx context.Context, want *corev1.Secret) error {
	want.Annotations[v1beta1.AnnotationDigestKey] = newDigestKey()
	made := want.DeepCopy()
	err := b.r.Create(ctx, made)
	if err == nil {
		b.stored.add(made)
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
	if err := b.bring(ctx, got, want); err != nil {
		return errors.New(briefly(err))
	}
	b.stored.add(got)
	return nil
}

// bring makes a Secret that is there what it should be, but for its type, which
// cannot change, and marks that others put on it.
func (b *binding) bring(ctx context.Context, got, want *corev1.Secret) error {
	before := got.DeepCopy()
	marks := maps.Clone(want.Annotations)
	if got.Annotations[v1beta1.AnnotationDigestKey] != "" {
		delete(marks, v1beta1.AnnotationDigestKey) // a key is as good as another
	}
	got.Data, got.OwnerReferences = want.Data, want.OwnerReferences
	addMarks(&got.Labels, want.Labels)
	addMarks(&got.Annotations, marks)
	if equality.Semantic.DeepEqual(before, got) {
		return nil
	}
	return b.r.Update(ctx, got)
}

// add records the version of a Secret that is as it should be.
func (s *stored) add(secret *corev1.Secret) {
	s.secrets = append(s.secrets, v1beta1.StoredSecret{
		Name: secret.Name, ResourceVersion: secret.ResourceVersion, Digest: digestOf(secret),
	})
}

// newDigestKey is 128 bits of chance.
func newDigestKey() string { return rand.Text() }

func digestOf(s *corev1.Secret) string {
	return credentials.Digest([]byte(s.Annotations[v1beta1.AnnotationDigestKey]), s.Data)
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
