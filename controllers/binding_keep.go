package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// repairRetry is how long a repair waits after a failure.
const repairRetry = 30 * time.Second

// storeRetry is how long it waits where only a write failed: somebody may have
// touched the Secret in that very moment.
const storeRetry = time.Second

// damage is what is wrong with a binding's Secrets.
type damage struct {
	// kind is ReasonSecretLost, ReasonSecretEdited, ReasonSourceChanged, or
	// ReasonErrorInjectingBindResult for a Secret that something else made.
	kind string
	// what is a clause that names the Secret.
	what string
}

// keep looks after the Secrets of a binding that works: metadata is mended at once;
// what they hold comes from the broker again, where it gives credentials again. done
// ends the pass.
func (b *binding) keep(ctx context.Context) (done bool, after time.Duration, err error) {
	if b.Status.Binding == nil || !b.DeletionTimestamp.IsZero() || b.Status.Operation != nil && !b.aside() || b.Annotations[v1beta1.AnnotationPaused] == annotationOn {
		return false, 0, nil
	}
	if b.r.Calls.hold(b.ServiceBinding) {
		return true, 0, nil
	}
	before := b.DeepCopy()
	harm, err := b.inspect(ctx)
	if err != nil {
		return false, 0, err
	}
	switch {
	case harm == nil:
		b.note(v1beta1.ConditionSecretsAltered, "", "")
		b.recovered()
	case harm.kind == v1beta1.ReasonErrorInjectingBindResult:
		b.suffer(harm, foreignSecret(harm.what).Error(), false)
		after = storeRecheck
	default:
		if done, after, err = b.restore(ctx, harm); done || err != nil {
			return done, after, err
		}
	}
	if equality.Semantic.DeepEqual(before, b.ServiceBinding) {
		return after > 0, after, nil
	}
	b.tellHarm(before, harm)
	return true, after, b.r.save(ctx, before, b.ServiceBinding)
}

// inspect compares the Secrets with what was recorded of them. It reads from a cache;
// a Secret itself is read only if its version is another one.
func (b *binding) inspect(ctx context.Context) (*damage, error) {
	name := b.EffectiveSecretName()
	var kept []v1beta1.StoredSecret
	var worst *damage
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		s, harm, err := b.inspectOne(ctx, n)
		if err != nil {
			return nil, err
		}
		if harm != nil && (worst == nil || worst.kind == v1beta1.ReasonSecretEdited) {
			worst = harm
		}
		kept = append(kept, s)
	}
	if worst != nil {
		return worst, nil
	}
	b.Status.Secrets = kept
	return b.inspectSources(ctx)
}

func (b *binding) inspectOne(ctx context.Context, name string) (v1beta1.StoredSecret, *damage, error) {
	record := b.recorded(name)
	key := client.ObjectKey{Namespace: b.Namespace, Name: name}
	if m := secretMetadata(); b.r.Ours.Get(ctx, key, m) == nil && m.ResourceVersion == record.ResourceVersion {
		return record, nil, nil
	}
	got := &corev1.Secret{}
	err := b.r.Get(ctx, key, got)
	switch {
	case apierrors.IsNotFound(err):
		return record, &damage{v1beta1.ReasonSecretLost, fmt.Sprintf("Secret %q was deleted", name)}, nil
	case err != nil:
		return record, nil, fmt.Errorf("look at Secret %q: %w", name, err)
	case !b.owns(got):
		return record, &damage{v1beta1.ReasonErrorInjectingBindResult, name}, nil
	case record.Digest != "" && digestOf(got) != record.Digest:
		return record, &damage{v1beta1.ReasonSecretEdited, fmt.Sprintf("Secret %q was edited", name)}, nil
	}
	// What it holds is right, or was never recorded and is taken for right.
	want := b.newSecret(name, got.Type, got.Data)
	want.Annotations[v1beta1.AnnotationDigestKey] = newDigestKey()
	if err := b.bring(ctx, got, want); err != nil {
		return record, nil, fmt.Errorf("mend Secret %q: %s", name, briefly(err))
	}
	return v1beta1.StoredSecret{Name: name, ResourceVersion: got.ResourceVersion, Digest: digestOf(got)}, nil, nil
}

// recorded is what the status says of a Secret.
func (b *binding) recorded(name string) v1beta1.StoredSecret {
	for _, s := range b.Status.Secrets {
		if s.Name == name {
			return s
		}
	}
	return v1beta1.StoredSecret{Name: name}
}

// inspectSources tells whether a Secret that keys were copied from has changed. One
// that is gone leaves the keys where they are.
func (b *binding) inspectSources(ctx context.Context) (*damage, error) {
	for _, was := range b.Status.SecretSources {
		m := secretMetadata()
		err := b.r.Get(ctx, client.ObjectKey{Namespace: was.Namespace, Name: was.Name}, m)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at Secret %q of namespace %q: %w", was.Name, was.Namespace, err)
		}
		if m.ResourceVersion != was.ResourceVersion {
			return &damage{v1beta1.ReasonSourceChanged, fmt.Sprintf("Secret %q of namespace %q, which addKeysFrom names, has changed", was.Name, was.Namespace)}, nil
		}
	}
	return nil, nil
}

// restore has the credentials fetched again, outside of the worker, or says why that
// cannot be.
func (b *binding) restore(ctx context.Context, harm *damage) (done bool, after time.Duration, err error) {
	f := lifecycle.Facts{}
	for _, step := range []func(context.Context, *lifecycle.Facts) (*lifecycle.Problem, error){b.findInstance, b.findOffering} {
		problem, err := step(ctx, &f)
		if err != nil {
			return false, 0, err
		}
		if problem != nil && b.found.broker == nil {
			b.suffer(harm, sentenceOf(harm)+" It cannot be restored now: "+problem.Message, true)
			return false, 0, nil
		}
	}
	if b.found.class.Spec == nil || !b.found.class.Spec.BindingRetrievable {
		b.fresh = true
		b.suffer(harm, sentenceOf(harm)+" The broker does not give the same credentials again, so new ones take their place.", true)
		return false, 0, nil
	}
	problem, err := b.connectFound(ctx, &f)
	if err != nil {
		return false, 0, err
	}
	if problem != nil {
		b.suffer(harm, sentenceOf(harm)+" It cannot be restored now: "+problem.Message, true)
		return false, 0, nil
	}
	if b.r.repairs.waiting(b.UID, b.r.Clock.Now()) {
		return true, storeRetry, nil
	}
	place, wait, _ := b.r.Calls.reserve(b.at, b.ServiceBinding, &b.r.waker)
	if place == nil {
		return true, wait, nil
	}
	place.run(ctx, func(ctx context.Context) (time.Duration, error) { return b.fetch(ctx, harm) })
	return true, 0, nil
}

// fetch asks the broker for the credentials (OSB 2.17, GET of a binding) and stores
// them.
func (b *binding) fetch(ctx context.Context, harm *damage) (time.Duration, error) {
	before := b.DeepCopy()
	p := b.sent()
	got, err := b.client.GetBinding(ctx, &osb.GetBindingRequest{
		InstanceID: p.InstanceExternalID, BindingID: b.Status.ExternalID, ServiceID: p.ServiceExternalID, PlanID: p.PlanExternalID})
	after := repairRetry
	if err == nil {
		after, err = storeRetry, b.store(ctx, got.BindingData)
	}
	if err != nil {
		b.r.repairs.failed(b.UID, b.r.Clock.Now().Add(after))
		b.suffer(harm, fmt.Sprintf("%s It could not be restored, which is tried again by itself: %s.", sentenceOf(harm), briefly(err)), true)
	} else {
		after = 0
		b.r.repairs.forget(b.UID)
		b.record()
		b.recovered()
		b.r.tell(b.ServiceBinding, v1beta1.ActionBind, &lifecycle.Event{Reason: v1beta1.ReasonSecretRepaired, Note: sentenceOf(harm) + " It was restored from the broker."})
	}
	b.tellHarm(before, harm)
	return after, b.r.save(ctx, before, b.ServiceBinding)
}

func sentenceOf(harm *damage) string { return harm.what + "." }

// conditionOf is where a damage is shown: one that takes the credentials away makes the
// binding not Ready.
func (b *binding) conditionOf(harm *damage) string {
	if harm.kind == v1beta1.ReasonSecretEdited || harm.kind == v1beta1.ReasonSourceChanged {
		return v1beta1.ConditionSecretsAltered
	}
	return v1beta1.ConditionReady
}

// suffer shows a damage that stays, or goes on being mended.
func (b *binding) suffer(harm *damage, message string, goesOn bool) {
	if b.conditionOf(harm) == v1beta1.ConditionSecretsAltered {
		b.recovered()
		b.note(v1beta1.ConditionSecretsAltered, harm.kind, message)
		return
	}
	b.r.show(b, state{ready: metav1.ConditionFalse, reason: harm.kind, message: message, failed: !goesOn, working: goesOn})
}

// recovered takes back what suffer showed.
func (b *binding) recovered() {
	reasons := []string{v1beta1.ReasonSecretLost, v1beta1.ReasonErrorInjectingBindResult}
	if slices.Contains(reasons, readyOf(&b.Status.CommonStatus).Reason) {
		b.r.show(b, state{ready: metav1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: "The credentials are stored."})
	}
}

// tellHarm sends an event when a damage is shown that was not.
func (b *binding) tellHarm(before *v1beta1.ServiceBinding, harm *damage) {
	if harm == nil {
		return
	}
	kind := b.conditionOf(harm)
	is, was := apimeta.FindStatusCondition(b.Status.Conditions, kind), apimeta.FindStatusCondition(before.Status.Conditions, kind)
	if is == nil || is.Reason != harm.kind || was != nil && was.Reason == is.Reason && was.Message == is.Message {
		return
	}
	b.r.tell(b.ServiceBinding, v1beta1.ActionBind, &lifecycle.Event{Warning: true, Reason: harm.kind, Note: is.Message})
}
