package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/rotation"
	"github.com/svc-cat/catalog/osb"
)

// A rotation is a second life beside the binding's own: a successor is bound under
// an id of its own, its credentials take the place of the old ones in the Secrets,
// and what was in force becomes a predecessor, which is unbound when its time has
// come. All three share the journal; whose operation is open, its id tells.

// rotationRetry is how long a rotation waits that the broker refused for good.
const rotationRetry = time.Hour

// urgent is how long before their end credentials are renewed whatever else waits.
const urgent = time.Hour

// turn is whose turn it is: the binding's own (nil), its successor's or that of a
// predecessor. after is when to look again for that alone.
func (b *binding) turn(ctx context.Context) (t target, after time.Duration, err error) {
	ids, err := parseGenerations(b.Annotations[v1beta1.AnnotationCredentialIDs])
	if err != nil {
		return nil, 0, err
	}
	if ids.Next == b.Status.ExternalID || b.predecessor(ids.Next) != nil {
		ids.Next = "" // it is in force by now, and the annotation not yet up to date
	}
	b.ids = ids
	deleting := !b.DeletionTimestamp.IsZero()
	if b.Annotations[v1beta1.AnnotationPaused] == annotationOn || deleting && b.Annotations[v1beta1.AnnotationPurge] == annotationOn {
		return nil, 0, nil
	}
	if t := b.begun(deleting); t != nil || deleting || b.Status.Operation != nil || b.Status.Binding == nil {
		return t, 0, nil
	}
	old, after, err := b.revocable(ctx)
	if old != nil || err != nil {
		return old, after, err
	}
	due, next := b.dueForRotation()
	if b.fresh && !due {
		due, next = b.dueAfresh()
	}
	if !due {
		return nil, soonest(after, next), nil
	}
	if b.ids.Next == "" {
		b.ids.Next = uuid.NewString()
	}
	return &successor{binding: b, id: b.ids.Next}, 0, nil
}

// begun is what has an operation open, or must go before the binding itself goes.
func (b *binding) begun(deleting bool) target {
	op, r := b.Status.Operation, b.Status.Rotation
	switch {
	case op != nil && op.ExternalID != b.Status.ExternalID:
		if old := b.predecessor(op.ExternalID); old != nil {
			return &predecessor{binding: b, old: old}
		}
		return &successor{binding: b, id: op.ExternalID}
	case deleting && r != nil && len(r.Predecessors) > 0:
		return &predecessor{binding: b, old: &r.Predecessors[0]}
	}
	return nil
}

// rotate is one pass over the successor or a predecessor of a binding. The ids are
// on the object before they are used.
func (b *binding) rotate(ctx context.Context, t target) (ctrl.Result, error) {
	if b.r.Calls.hold(b.ServiceBinding) {
		return ctrl.Result{}, nil
	}
	next := ""
	if s, ok := t.(*successor); ok {
		next = s.id
	}
	if saved, err := b.saveIDs(ctx, next); saved || err != nil {
		return ctrl.Result{}, err
	}
	return b.r.run(ctx, t)
}

// saveIDs brings the annotation to what the status says, and tells whether it wrote:
// its event begins the next pass then. A binding that never rotated needs none.
func (b *binding) saveIDs(ctx context.Context, next string) (saved bool, err error) {
	want := generationsOf(b.ServiceBinding, next)
	value := want.String()
	if want.plain() && b.Status.ExternalID == b.Spec.ExternalID {
		value = ""
	}
	if b.Annotations[v1beta1.AnnotationCredentialIDs] == value {
		return false, nil
	}
	before := b.DeepCopy()
	if b.Annotations == nil {
		b.Annotations = map[string]string{}
	}
	b.Annotations[v1beta1.AnnotationCredentialIDs] = value
	if value == "" {
		delete(b.Annotations, v1beta1.AnnotationCredentialIDs)
	}
	err = b.r.Patch(ctx, b.ServiceBinding, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return true, ignoreConflict(client.IgnoreNotFound(err))
}

// successor is the binding whose credentials are to take the place of those in
// force. Whatever becomes of it, what is in force stays and the binding is Ready.
type successor struct {
	*binding
	id string
}

func (s *successor) observe(ctx context.Context) (lifecycle.Facts, error) {
	op := s.Status.Operation
	f := lifecycle.Facts{
		Kind: lifecycle.Binding, Now: s.r.Clock.Now(), Deleting: !s.DeletionTimestamp.IsZero(),
		MayExist: op != nil, Ours: true, Mitigate: true, ExternalID: s.id, BaseID: s.id, Op: op,
		PollLimit: s.r.MaxPolling, NextPoll: s.r.polls.after(s.UID, op), Have: s.have(),
	}
	f.Background = f.Deleting || op != nil && (op.Action != v1beta1.ActionBind || op.BrokerOperation != nil)
	var problem *lifecycle.Problem
	var err error
	if f.Deleting || op != nil && op.Action != v1beta1.ActionBind {
		problem, err = s.observeRemoval(ctx, &f)
	} else {
		problem, err = s.wish(ctx, &f)
	}
	if problem != nil {
		f.Wish, f.Blocked = nil, problem
	}
	return f, err
}

func (s *successor) begin(op *v1beta1.Operation) state {
	ready, working := s.Status.UnbindStatus, s.Status.CurrentOperation
	st := s.binding.begin(op)
	s.Status.UnbindStatus, s.Status.CurrentOperation, s.Status.OrphanMitigationInProgress = ready, working, false
	return s.shown(st)
}

// shown keeps a binding Ready that works, whatever goes on beside it.
func (b *binding) shownBeside(st state, message string) state {
	switch now := readyOf(&b.Status.CommonStatus); {
	case !b.DeletionTimestamp.IsZero():
		return st
	case now.Status != metav1.ConditionTrue && now.Reason == v1beta1.ReasonSecretLost:
		return state{ready: now.Status, reason: now.Reason, message: now.Message, working: true}
	}
	return state{ready: metav1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: message}
}

func (s *successor) shown(st state) state {
	return s.shownBeside(st, "The credentials are stored. New ones are being made.")
}

func (s *successor) call(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	if op.Action != v1beta1.ActionBind {
		return s.unbind(ctx, op)
	}
	if c := s.found.plan.Spec; c != nil && c.BindingRotatable {
		s.replaces = s.Status.ExternalID
	}
	s.storeAs = s.id
	return s.bind(ctx, op, s.swapSecrets)
}

func (s *successor) poll(ctx context.Context, op *v1beta1.Operation, planID string) lifecycle.Progress {
	s.storeAs = s.id
	return s.pollFor(ctx, op, planID, s.swapSecrets)
}

func (s *successor) settle(_ *v1beta1.Operation, o lifecycle.Outcome) {
	if o.Exists {
		s.swap(o.ExternalID)
		return
	}
	s.id = o.ExternalID
	if o.MayExist || o.Op != nil && !o.Op.Terminal {
		return
	}
	// Refused, or taken back: what is in force stays.
	s.Status.Operation, s.Status.InProgressProperties = nil, nil
	if s.DeletionTimestamp.IsZero() {
		s.failed(o.Reason, o.Message)
	}
}

// halfStored is a swap that neither came to its end nor could be taken back.
type halfStored struct{ error }

// swapSecrets writes the successor's credentials over those in force, into both
// Secrets or into none.
func (s *successor) swapSecrets(ctx context.Context, given osb.BindingData) error {
	var were []*corev1.Secret
	name := s.EffectiveSecretName()
	for _, n := range []string{name, v1beta1.EnvSecretName(name)} {
		was := &corev1.Secret{}
		err := s.r.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: n}, was)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("read Secret %q: %s", n, briefly(err))
		}
		if err == nil {
			were = append(were, was)
		}
	}
	err := s.store(ctx, given)
	if err == nil {
		return nil
	}
	for _, was := range were {
		if backErr := s.putBack(ctx, was); backErr != nil {
			return halfStored{fmt.Errorf("%w; and what Secret %q held could not be put back: %s", err, was.Name, briefly(backErr))}
		}
	}
	return err
}

// putBack makes a Secret what it was.
func (s *successor) putBack(ctx context.Context, was *corev1.Secret) error {
	now := &corev1.Secret{}
	if err := s.r.Get(ctx, client.ObjectKeyFromObject(was), now); err != nil {
		return err
	}
	if now.ResourceVersion == was.ResourceVersion || !s.owns(now) {
		return nil
	}
	back := was.DeepCopy()
	back.ResourceVersion = now.ResourceVersion
	return s.r.Update(ctx, back)
}

// swap puts the successor into the place of what was in force.
func (s *successor) swap(id string) {
	st := &s.Status
	now := s.r.Clock.Now()
	r := st.Rotation
	if r == nil {
		r = &v1beta1.RotationStatus{}
		st.Rotation = r
	}
	r.Predecessors = append(r.Predecessors, rotation.Replaced(st.ExternalID, rotation.PolicyOf(s.Spec.Rotation), timeOf(r.ExpiresAt), now))
	r.Generation++
	r.RetryTime, r.Handled = nil, s.Annotations[v1beta1.AnnotationRotate]
	st.ExternalID, st.ExternalIDOrigin, st.CreatedByUs = id, v1beta1.ExternalIDGenerated, true
	st.ExternalProperties, st.InProgressProperties = st.InProgressProperties, nil
	s.note(v1beta1.ConditionRotationFailed, "", "")
	s.record()
	s.born(now)
	s.r.tell(s.ServiceBinding, v1beta1.ActionBind, &lifecycle.Event{Reason: v1beta1.ReasonCredentialsRotated,
		Note: "The Secrets hold new credentials. The old ones stay valid until " + r.Predecessors[len(r.Predecessors)-1].RevokeAfter.UTC().Format(time.RFC3339) + " at the least."})
}

// born notes from when on the credentials are in force, and until when.
func (b *binding) born(now time.Time) {
	meta := b.stored.given.Metadata
	r := b.Status.Rotation
	if r == nil {
		if b.Spec.Rotation == nil && (meta == nil || meta.ExpiresAt == nil && meta.RenewBefore == nil) {
			return
		}
		r = &v1beta1.RotationStatus{Handled: b.Annotations[v1beta1.AnnotationRotate]}
		b.Status.Rotation = r
	}
	r.LastTime, r.ExpiresAt, r.RenewBefore = new(metav1.NewTime(now)), nil, nil
	if meta != nil && meta.ExpiresAt != nil {
		r.ExpiresAt = new(metav1.NewTime(*meta.ExpiresAt))
	}
	if meta != nil && meta.RenewBefore != nil {
		r.RenewBefore = new(metav1.NewTime(*meta.RenewBefore))
	}
	b.schedule()
}

// failed says that the credentials could not be renewed.
func (s *successor) failed(reason, message string) {
	if s.Status.Rotation == nil {
		s.Status.Rotation = &v1beta1.RotationStatus{}
	}
	r := s.Status.Rotation
	r.RetryTime, r.Handled = new(metav1.NewTime(s.r.Clock.Now().Add(rotationRetry))), s.Annotations[v1beta1.AnnotationRotate]
	s.schedule()
	s.note(v1beta1.ConditionRotationFailed, reason, fmt.Sprintf(
		"The credentials in force go on working, but could not be renewed: %s A new value of the annotation %s tries again at once.", message, v1beta1.AnnotationRotate))
}

func (s *successor) rest(f lifecycle.Facts, p *lifecycle.Problem) *state {
	if p == nil {
		return nil
	}
	if f.Deleting {
		return s.binding.rest(f, p)
	}
	s.note(v1beta1.ConditionRotationFailed, p.Reason, "The credentials in force go on working, but cannot be renewed now: "+p.Message)
	st := s.shown(state{})
	return &st
}

// release is not the successor's: the Secrets are the binding's.
func (s *successor) release(context.Context) error { return nil }
