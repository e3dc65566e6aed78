package lifecycle

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// Progress is what a broker says of work in the background.
type Progress struct {
	// Err is the poll's error; its own type is *osb.Error.
	Err error
	// State is how far the work has come.
	State osb.State
	// Description is the broker's own sentence.
	Description string
	// RetryAfter is how long to wait before the next poll; 0 if it does not say.
	RetryAfter time.Duration
	// InstanceUsable and UpdateRepeatable come with a failure; nil means true.
	InstanceUsable, UpdateRepeatable *bool
	// StoreErr says that the work is done, and what it gave could not be fetched or
	// stored.
	StoreErr error
}

// AbsorbPoll turns the answer to a poll for op into the new state. The journal is
// the same afterwards while the work goes on.
func AbsorbPoll(f Facts, op *v1beta1.Operation, p Progress) Outcome {
	if osb.IsKind(p.Err, osb.KindCanceled) {
		return Outcome{None: true}
	}
	a := absorber{f: f, op: answered(op), r: Reply{StoreErr: p.StoreErr}}
	var o Outcome
	switch e := classify(p.Err); {
	case e == nil && p.State == osb.StateSucceeded:
		o = a.finished()
	case e == nil && p.State == osb.StateFailed:
		o = a.failedInBackground(p)
	case e != nil && e.Kind == osb.KindNotFound && a.removing():
		// It may be gone, or never have begun: a DELETE tells (OSB 2.17, pitfall 1).
		o = a.removeAgain(notFound)
	case op.PollDeadline != nil && !f.Now.Before(op.PollDeadline.Time):
		o = a.expired(op)
	default:
		o = a.inProgress(op, p, e)
	}
	return a.finish(o)
}

// removing says that the work is to end with nothing left.
func (a absorber) removing() bool {
	return a.op.Action == a.f.Kind.remove() || a.op.Action == v1beta1.ActionMitigate
}

// background notes that the broker works on the operation.
func (a absorber) background(operation string) Outcome {
	op := *a.op
	limit := metav1.NewTime(a.f.Now.Add(a.f.PollLimit))
	op.BrokerOperation, op.PollDeadline = &operation, &limit
	wait := PollWait(0, 0, op.AttemptID)
	at := metav1.NewMicroTime(a.f.Now.Add(wait))
	op.NextAttemptTime = &at
	if op.Action != v1beta1.ActionMitigate {
		op.Reason, op.Message = "", ""
	}
	o := a.shownInProgress(&op, "", nil)
	o.Wait = wait
	if op.Action == a.f.Kind.create() {
		o.CreatedByUs = true
	}
	o.Event = &Event{Reason: o.Reason, Note: o.Message}
	return o
}

// inProgress goes on polling: also after an error, since the broker may be at work
// all the same (OSB 2.17, P45, P46).
func (a absorber) inProgress(op *v1beta1.Operation, p Progress, e *osb.Error) Outcome {
	o := a.shownInProgress(op, p.Description, e)
	asked := p.RetryAfter
	if e != nil {
		asked = e.RetryAfter
	}
	o.Wait = PollWait(a.f.Now.Sub(op.IntentTime.Time), asked, op.AttemptID)
	if op.PollDeadline != nil {
		o.Wait = min(o.Wait, max(op.PollDeadline.Sub(a.f.Now), time.Second))
	}
	return o
}

// shownInProgress is the state while the broker works.
func (a absorber) shownInProgress(op *v1beta1.Operation, description string, e *osb.Error) Outcome {
	reason, message := a.words().background(op.Action)
	switch {
	case e != nil:
		message += fmt.Sprintf(" Asking it how far it is failed and is tried again: %s.", e)
	case description != "":
		message += " It says: " + description
	}
	o := Outcome{
		Op: op, Exists: a.f.Exists, MayExist: true, CreatedByUs: a.f.Ours, Unusable: a.f.Unusable, ExternalID: op.ExternalID,
		Ready: metav1.ConditionFalse, Reason: reason, Message: message,
	}
	if op.Action == v1beta1.ActionUpdate {
		o.Ready = usable(o.Unusable)
	}
	return o
}

// finished is work that succeeded.
func (a absorber) finished() Outcome {
	switch {
	case a.op.Action == a.f.Kind.create() && a.r.StoreErr != nil:
		return a.undo(v1beta1.ReasonErrorInjectingBindResult, storeMessage(a.r.StoreErr), false)
	case a.op.Action == a.f.Kind.create():
		return a.created(false)
	case a.op.Action == v1beta1.ActionUpdate:
		return a.updated()
	case a.op.Action == v1beta1.ActionMitigate:
		return a.mitigation()
	}
	return a.removed()
}

// failedInBackground: a failed create is not tried again by itself (OSB 2.17,
// pitfall 5), and what is left of it removed; a failed removal is.
func (a absorber) failedInBackground(p Progress) Outcome {
	said := "The broker reported that its work failed"
	if p.Description != "" {
		said += ": " + p.Description
	}
	said += "."
	switch {
	case a.op.Action == a.f.Kind.create():
		a.op.Terminal = true
		return a.undo(a.words().callFailed, said+fmt.Sprintf(refusedNext, a.words().thing), false)
	case a.op.Action == v1beta1.ActionUpdate:
		// Whether any of it was applied is not said, so nothing is taken for known.
		a.op.UnreadAttempts = max(1, a.op.UnreadAttempts)
		return a.updateRefused(rejection{
			reason: v1beta1.ReasonUpdateCallFailed, message: said + updateNext,
			unusable: isFalse(p.InstanceUsable), unrepeatable: isFalse(p.UpdateRepeatable),
		})
	}
	o := a.removeAgain(said)
	o.Unusable = o.Unusable || isFalse(p.InstanceUsable)
	return o
}

// expired counts as failed (OSB 2.17, P48). A create may still come to something,
// so that is removed before the next one.
func (a absorber) expired(op *v1beta1.Operation) Outcome {
	said := fmt.Sprintf("The broker has not finished within %s, the longest that the plan or this cluster allows.", op.PollDeadline.Sub(op.IntentTime.Time).Round(time.Second))
	switch {
	case a.op.Action == a.f.Kind.create():
		return a.undo(v1beta1.ReasonPollingTimedOut, said+" Ask its operator what it waits for.", false)
	case a.op.Action == v1beta1.ActionUpdate:
		a.op.UnreadAttempts = max(1, a.op.UnreadAttempts)
		return a.updateRefused(rejection{reason: v1beta1.ReasonPollingTimedOut, message: said + " Ask its operator what it waits for." + updateNext})
	}
	return a.removeAgain(said)
}

// removeAgain sends the DELETE again, later.
func (a absorber) removeAgain(said string) Outcome {
	if a.op.Action == v1beta1.ActionMitigate {
		return a.mitigationFailed(" " + said + " It is told again to remove what may be left.")
	}
	return a.removalFailed(said + " It is asked again to delete by itself.")
}
