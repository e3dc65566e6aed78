package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
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

// A rotation that the broker does not carry out, without refusing it, is put off
// for rotationPause after rotationTries, so that what else is to be done for the
// binding does not wait for it.
const (
	rotationTries = 5
	rotationPause = 5 * time.Minute
)

// urgent is how long before their end credentials are renewed whatever else waits.
const urgent = time.Hour

// turn is whose turn it is: the binding's own (nil), its successor's or that of a
// predecessor. after is when to look again for that alone.
func (b *binding) turn(ctx context.Context) (t target, after time.Duration, err error) {
	if held, err := b.readIDs(); held || err != nil {
		return nil, 0, err
	}
	deleting := !b.DeletionTimestamp.IsZero()
	t = b.begun(deleting)
	if !b.aside() {
		if t != nil || deleting || b.Status.Operation != nil || b.Status.Binding == nil {
			return t, 0, nil
		}
		if t, after, err = b.revocable(ctx); t != nil || err != nil {
			return t, after, err
		}
	}
	due, next := b.dueForRotation()
	if b.fresh && !due {
		due, next = b.dueAfresh()
	}
	if !due {
		b.ids.Next = "" // what was not asked for yet never will be
		return t, soonest(after, next), nil
	}
	return b.succeed(), 0, nil
}

// succeed begins a successor, or goes on with one.
func (b *binding) succeed() *successor {
	b.Status.Operation = nil // at most one that is put off
	if b.ids.Next == "" {
		b.ids.Next = uuid.NewString()
	}
	return &successor{binding: b, id: b.ids.Next}
}

// readIDs takes in the annotation, and whether the binding is left to itself.
func (b *binding) readIDs() (held bool, err error) {
	ids, err := parseGenerations(b.Annotations[v1beta1.AnnotationCredentialIDs])
	if err != nil {
		return false, err
	}
	if ids.Next == b.Status.ExternalID || b.predecessor(ids.Next) != nil {
		ids.Next = "" // it is in force by now, and the annotation not yet up to date
	}
	b.ids = ids
	b.inForceIsNotOld()
	purged := !b.DeletionTimestamp.IsZero() && b.Annotations[v1beta1.AnnotationPurge] == annotationOn
	return purged || b.Annotations[v1beta1.AnnotationPaused] == annotationOn, nil
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

// inForceIsNotOld makes sure that what is in force is never revoked as old.
func (b *binding) inForceIsNotOld() {
	if r := b.Status.Rotation; r != nil {
		r.Predecessors = slices.DeleteFunc(r.Predecessors, func(p v1beta1.Predecessor) bool { return p.ExternalID == b.Status.ExternalID })
	}
}

// aside says that what is open may be put off, because it is the revocation of old
// credentials, which the broker refuses or takes long over: they are not forgotten,
// and what the application needs goes first.
func (b *binding) aside() bool {
	op := b.Status.Operation
	return op != nil && op.Answered && b.DeletionTimestamp.IsZero() && b.predecessor(op.ExternalID) != nil
}

// pending is the id of a successor that the broker may have heard of, or soon will.
func (b *binding) pending() string {
	if op := b.Status.Operation; op != nil && op.ExternalID != b.Status.ExternalID && b.predecessor(op.ExternalID) == nil {
		return op.ExternalID
	}
	return b.ids.Next
}

// rotate is one pass over the successor or a predecessor of a binding. The ids are
// on the object before they are used.
func (b *binding) rotate(ctx context.Context, t target) (ctrl.Result, error) {
	if b.r.Calls.hold(b.ServiceBinding) {
		return ctrl.Result{}, nil
	}
	next := b.ids.Next
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
	// held: the Secrets hold its credentials already, because a process ended before
	// it could say so. moved: the spec asks for something else by now.
	held, moved bool
	// kept: they are kept like old ones.
	kept bool
	// pause is how long to wait after a failure, if not rotationRetry.
	pause time.Duration
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
	if err == nil {
		err = s.findStored(ctx, &f)
	}
	return f, err
}

func (s *successor) begin(op *v1beta1.Operation) state {
	was := s.Status.DeepCopy()
	st := s.binding.begin(op)
	s.Status.UnbindStatus, s.Status.CurrentOperation, s.Status.OrphanMitigationInProgress = was.UnbindStatus, was.CurrentOperation, false
	s.Status.OperationStartTime = was.OperationStartTime
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
	if b.Status.Operation == nil {
		message = ""
	}
	return state{ready: metav1.ConditionTrue, reason: v1beta1.ReasonInjectedBindResult, message: "The credentials are stored." + message}
}

func (s *successor) shown(st state) state {
	return s.shownBeside(st, " New ones are being made.")
}

func (s *successor) call(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	if op.Action != v1beta1.ActionBind {
		return s.unbind(ctx, op)
	}
	if s.rotatable() {
		s.replaces = s.Status.ExternalID
	}
	s.storeAs = s.id
	if s.held && s.moved {
		return s.rescue(ctx, op, nil)
	}
	reply := s.bind(ctx, op, s.swapSecrets)
	if s.held && reply.Err != nil && !osb.IsKind(reply.Err, osb.KindCanceled) {
		return s.rescue(ctx, op, reply.Err)
	}
	return reply
}

// rotatable says whether the broker is told what is replaced (OSB 2.17, P98). What
// has expired it would refuse, and so it may whatever it has lost: after a refusal
// new credentials are asked for like first ones.
func (s *successor) rotatable() bool {
	plan, r := s.found.plan.Spec, s.Status.Rotation
	if plan == nil || !plan.BindingRotatable || r != nil && r.RetryTime != nil {
		return false
	}
	end := s.credential().ExpiresAt
	return end.IsZero() || s.r.Clock.Now().Before(end)
}

func (s *successor) poll(ctx context.Context, op *v1beta1.Operation, planID string) lifecycle.Progress {
	s.storeAs = s.id
	p := s.pollFor(ctx, op, planID, s.swapSecrets)
	failed := p.Err != nil && !osb.IsKind(p.Err, osb.KindCanceled) || p.State == osb.StateFailed
	if op.Action != v1beta1.ActionBind || !s.held || !failed {
		return p
	}
	if r := s.rescue(ctx, op, p.Err); r.Err != nil {
		return lifecycle.Progress{Err: r.Err}
	}
	return lifecycle.Progress{State: osb.StateSucceeded}
}

func (s *successor) settle(op *v1beta1.Operation, o lifecycle.Outcome) {
	if o.Exists {
		s.swap(o.ExternalID)
		return
	}
	if s.kept {
		s.keepOld(op.ExternalID)
		return
	}
	s.id = o.ExternalID
	switch op := o.Op; {
	case o.MayExist, op != nil && !op.Terminal && op.Failures < rotationTries:
		return
	case op != nil && !op.Terminal:
		s.pause = rotationPause
	}
	// Refused, or taken back, or failed too often: what is in force stays.
	s.Status.Operation, s.Status.InProgressProperties = nil, nil
	if s.DeletionTimestamp.IsZero() {
		s.failed(o.Reason, o.Message)
	}
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
		if b.Spec.Rotation == nil && b.Annotations[v1beta1.AnnotationRotate] == "" && (meta == nil || meta.ExpiresAt == nil && meta.RenewBefore == nil) {
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
	r, now := s.Status.Rotation, s.r.Clock.Now()
	wait := cmp.Or(s.pause, rotationRetry)
	if end := s.credential().ExpiresAt; end.After(now) {
		wait = min(wait, max(end.Sub(now)/2, time.Minute))
	}
	r.RetryTime, r.Handled = new(metav1.NewTime(now.Add(wait))), s.Annotations[v1beta1.AnnotationRotate]
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
