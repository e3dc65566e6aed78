package lifecycle

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// Found is what a look at the broker showed after a create was refused.
type Found struct {
	// ServiceID and PlanID of what is there; empty where the broker withholds
	// them.
	ServiceID, PlanID string
	// Pending: the broker is still making it.
	Pending bool
}

// Reply is the broker's answer.
type Reply struct {
	// Err is the call's error; the call's own type is *osb.Error.
	Err error
	// Existed: 200 to a create, so it was there before, identical.
	Existed bool
	// Async: 202, the broker goes on in the background.
	Async bool
	// Operation is the broker's key for that; may be empty.
	Operation string
	// Found is set when the create was refused and a GET shows that something
	// is there under the id.
	Found *Found
	// StoreErr says that credentials were given and could not be stored.
	StoreErr error
}

// Event is what to tell about a change.
type Event struct {
	Warning      bool
	Reason, Note string
}

// Outcome is the new state of an object after an answer.
type Outcome struct {
	// None: the call was cut short by our own end; the intent stays as it is
	// and is sent again.
	None bool
	// Op is the journal to keep; nil means that nothing is open.
	Op *v1beta1.Operation
	// Exists, MayExist and CreatedByUs are as in Facts; CreatedByUs is to be
	// remembered.
	Exists, MayExist, CreatedByUs bool
	// Accepted: the broker has carried out what the journal says; it has those
	// values now.
	Accepted bool
	// Adopted is set when what was there before was taken over, unasked, as it is.
	Adopted *Found
	// Unusable as in Facts.
	Unusable bool
	// Relist: the catalog that the request was made from is out of date.
	Relist bool
	// ExternalID is the id in force from now on.
	ExternalID string
	// Ready is the condition to show.
	Ready metav1.ConditionStatus
	// Reason and Message go with Ready.
	Reason, Message string
	// Failed: a user must act. Working: something goes on by itself.
	Failed, Working bool
	Event           *Event
	// Wait is when to look again; 0 means when something changes.
	Wait time.Duration
}

// Absorb turns the answer to d, whose intent was op, into the new state.
func Absorb(f Facts, op *v1beta1.Operation, r Reply) Outcome {
	if osb.IsKind(r.Err, osb.KindCanceled) {
		return Outcome{None: true}
	}
	a := absorber{f: f, op: answered(op), r: r, e: classify(r.Err)}
	var o Outcome
	switch {
	case a.e == nil && r.Async && f.Background:
		o = a.background(r.Operation)
	case op.Action == f.Kind.create():
		o = a.create()
	case op.Action == v1beta1.ActionUpdate:
		o = a.update()
	case op.Action == v1beta1.ActionMitigate:
		o = a.mitigation()
	default:
		o = a.removal()
	}
	return a.finish(o)
}

// answered is a journal whose attempt is over.
func answered(op *v1beta1.Operation) *v1beta1.Operation {
	done := *op
	done.Answered, done.NextAttemptTime, done.BrokerOperation, done.PollDeadline = true, nil, nil, nil
	return &done
}

// finish fills in what all outcomes have in common.
func (a absorber) finish(o Outcome) Outcome {
	o.Relist = osb.IsKind(a.r.Err, osb.KindMaintenanceInfoConflict)
	o.Working = o.Op != nil && !o.Failed
	return o
}

// classify makes sure that every failure has a class: one that is not the
// client's own never left this process.
func classify(err error) *osb.Error {
	if err == nil {
		return nil
	}
	if e := osb.AsError(err); e != nil {
		return e
	}
	return &osb.Error{Kind: osb.KindInvalid, Err: err}
}

type absorber struct {
	f  Facts
	op *v1beta1.Operation // the intent, answered
	r  Reply
	e  *osb.Error
}

func (a absorber) create() Outcome {
	switch {
	case a.r.StoreErr != nil:
		return a.undo(v1beta1.ReasonErrorInjectingBindResult, storeMessage(a.r.StoreErr), !a.r.Existed)
	case a.e == nil && a.r.Async:
		return a.undo(a.words().callFailed, asyncMessage, true)
	case a.e == nil:
		return a.created(!a.r.Existed)
	case a.r.Found != nil && a.matches():
		return a.found()
	case a.e.Lost:
		a.op.UnreadAttempts++
	}
	return a.createFailed()
}

// matches says whether what is there may be taken for what was asked for: then a
// refusal was only a broker's way to answer a repeat, or this is an adoption, by an
// id that the user was allowed to give. What somebody else made may have another
// plan by now; it is taken over as it is.
func (a absorber) matches() bool {
	got, want := a.r.Found, a.op
	if got.ServiceID != "" && got.ServiceID != want.ServiceID {
		return false
	}
	if !a.f.Ours {
		return true
	}
	return want.UnreadAttempts > 0 && (got.PlanID == "" || got.PlanID == want.PlanID)
}

// found takes what a look has shown for the outcome of the create.
func (a absorber) found() Outcome {
	if a.r.Found.Pending {
		return a.retry(a.words().asked(a.op.Action), pending, true) // whether it is what was asked for, the repeat will show
	}
	o := a.created(false)
	if !a.f.Ours {
		o.Adopted, o.Event.Reason, o.Event.Note = a.r.Found, v1beta1.ReasonAdopted, adopted
	}
	return o
}

func (a absorber) created(seen bool) Outcome {
	w := a.words()
	return Outcome{
		Accepted: true, Exists: true, MayExist: true, CreatedByUs: seen || a.f.Ours, ExternalID: a.op.ExternalID,
		Ready: metav1.ConditionTrue, Reason: w.created, Message: w.createdMessage,
		Event: &Event{Reason: w.created, Note: w.createdMessage},
	}
}

// createFailed sorts a failed create by what the broker may hold now and by who
// must act.
func (a absorber) createFailed() Outcome {
	unread := a.op.UnreadAttempts > 0
	switch {
	case a.e.OrphanMitigation:
		return a.undo(a.words().failed(a.e), a.failure(), false)
	case a.e.Kind == osb.KindConflict && a.op.Mitigations > 0 && !unread && a.f.Ours:
		return a.anotherID()
	case a.e.Kind == osb.KindConflict && unread && a.mayUndo():
		return a.undo(a.words().failed(a.e), a.failure(), false)
	case final(a.e) && unread && a.mayUndo():
		a.op.Terminal = true
		return a.undo(a.words().failed(a.e), a.failure(), false)
	case final(a.e):
		return a.refused(unread)
	}
	return a.retry(a.words().failed(a.e), a.failure(), unread)
}

// final says whether the same request would be refused again.
func final(e *osb.Error) bool {
	return e.Kind == osb.KindConflict || e.Actor() == osb.ActorUser
}

func (a absorber) mayUndo() bool { return a.f.Ours && a.f.Mitigate }

// undo removes what a create may have left, if the id is surely ours; else the
// create is repeated, which OSB brokers answer alike, or rests if it is not to be
// tried again. seen says that the broker accepted the create, so that the id has
// become ours.
func (a absorber) undo(reason, message string, seen bool) Outcome {
	if !a.f.Mitigate || !a.f.Ours && !seen {
		a.op.UnreadAttempts = max(1, a.op.UnreadAttempts) // it may have been carried out
		if a.op.Terminal {
			return a.refusedAs(reason, message, true)
		}
		return a.retry(reason, message, true)
	}
	op := *a.op
	op.Action, op.Reason, op.Message, op.Answered = v1beta1.ActionMitigate, reason, message, true
	op.Failures++
	return Outcome{
		Op: &op, MayExist: true, CreatedByUs: seen || a.f.Ours, ExternalID: op.ExternalID,
		Ready: metav1.ConditionFalse, Reason: a.words().mitigating, Message: message + mitigateNext,
		Event: &Event{Warning: true, Reason: reason, Note: message + mitigateNext},
	}
}

// anotherID goes on under the next id, since the broker refuses one that it has
// seen before.
func (a absorber) anotherID() Outcome {
	o := a.retry(a.words().failed(a.e), a.failure(), false)
	o.ExternalID = NextID(a.f.BaseID, a.op.Mitigations)
	o.Op.ExternalID = o.ExternalID
	return o
}

// refused rests until the user acts. The journal stays, so that the refusal is
// known to be of this very request.
func (a absorber) refused(mayExist bool) Outcome {
	return a.refusedAs(a.words().failed(a.e), a.failure(), mayExist)
}

func (a absorber) refusedAs(reason, message string, mayExist bool) Outcome {
	a.op.Terminal, a.op.Reason, a.op.Message = true, reason, message
	return Outcome{
		Op: a.op, MayExist: mayExist, CreatedByUs: a.f.Ours && mayExist, ExternalID: a.op.ExternalID,
		Ready: metav1.ConditionFalse, Reason: reason, Message: message, Failed: true,
		Event: &Event{Warning: true, Reason: reason, Note: message},
	}
}

// retry tries the same action again, later.
func (a absorber) retry(reason, message string, mayExist bool) Outcome {
	op := *a.op
	op.Failures++
	wait := Backoff(op.Failures, op.ExternalID)
	event := &Event{Warning: true, Reason: reason, Note: message}
	if a.e != nil {
		if a.e.Kind == osb.KindBusy {
			wait = min(wait, maxBusy)
			reason, event = a.words().asked(op.Action), nil // nothing is wrong
		}
		wait = max(wait, a.e.RetryAfter)
	}
	op.Reason, op.Message = reason, message
	at := metav1.NewMicroTime(a.f.Now.Add(wait))
	op.NextAttemptTime = &at
	return Outcome{
		Op: &op, Exists: a.f.Exists, MayExist: mayExist, CreatedByUs: a.f.Ours && mayExist, Unusable: a.f.Unusable,
		ExternalID: op.ExternalID, Ready: metav1.ConditionFalse, Reason: reason, Message: message, Event: event, Wait: wait,
	}
}

func (a absorber) mitigation() Outcome {
	w := a.words()
	if a.e != nil || a.r.Async {
		return a.mitigationFailed(mitigationFailed(a.e))
	}
	op := *a.op
	op.Action, op.UnreadAttempts = a.f.Kind.create(), 0
	op.Mitigations++
	o := Outcome{
		Op: &op, ExternalID: op.ExternalID, Ready: metav1.ConditionFalse,
		Reason: op.Reason, Message: op.Message, Failed: op.Terminal,
		Event: &Event{Reason: v1beta1.ReasonOrphanMitigationSuccessful, Note: w.mitigated},
	}
	if op.Terminal {
		return o
	}
	if op.Reason == "" { // the spec changed under an attempt without answer
		op.Failures = 0
		o.Reason, o.Message = v1beta1.ReasonOrphanMitigationSuccessful, w.mitigated
		return o
	}
	o.Wait = Backoff(op.Failures, op.ExternalID)
	at := metav1.NewMicroTime(a.f.Now.Add(o.Wait))
	op.NextAttemptTime = &at
	return o
}

// mitigationFailed tries again to remove what a create may have left; the cause
// of that stays to be seen.
func (a absorber) mitigationFailed(why string) Outcome {
	cause, message := a.op.Reason, a.op.Message
	o := a.retry(cause, message, true)
	o.Op.Reason, o.Op.Message = cause, message
	o.Message += why
	o.Event = &Event{Warning: true, Reason: v1beta1.ReasonOrphanMitigationFailed, Note: o.Message}
	o.Reason = a.words().mitigating
	return o
}

func (a absorber) removal() Outcome {
	if a.e == nil && !a.r.Async {
		return a.removed()
	}
	message := stillDeleting
	if a.e != nil {
		message = a.failure()
	}
	return a.removalFailed(message)
}

func (a absorber) removed() Outcome {
	w := a.words()
	return Outcome{
		ExternalID: a.op.ExternalID, Ready: metav1.ConditionFalse, Reason: w.removed, Message: w.removedMessage,
		Event: &Event{Reason: w.removed, Note: w.removedMessage},
	}
}

// removalFailed tries the removal again, for ever: what is at the broker is owed
// to somebody.
func (a absorber) removalFailed(message string) Outcome {
	o := a.retry(a.words().removeFailed, message, true)
	// Whether it still works is not known after a failed removal.
	o.Ready = metav1.ConditionUnknown
	if a.e != nil && a.e.Kind == osb.KindBusy {
		o.Ready = metav1.ConditionFalse
	}
	o.Exists, o.CreatedByUs = a.f.Exists, a.f.Ours
	if a.e != nil && isFalse(a.e.InstanceUsable) {
		o.Unusable = true
	}
	return o
}

func isFalse(b *bool) bool { return b != nil && !*b }
