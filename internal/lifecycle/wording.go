package lifecycle

import (
	"fmt"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// words are the reasons and sentences of one kind.
type words struct {
	thing                   string
	created, createdMessage string
	callFailed, callError   string
	refused                 string
	mitigating, mitigated   string
	removed, removedMessage string
	removeFailed            string
	updated, updatedMessage string
	// in flight, and in the background
	creating, removing     string
	workCreate, workRemove string
}

func (a absorber) words() words {
	if a.f.Kind == Instance {
		return words{
			thing:   "instance",
			created: v1beta1.ReasonProvisionedSuccessfully, createdMessage: Provisioned,
			callFailed: v1beta1.ReasonProvisionCallFailed, callError: v1beta1.ReasonErrorCallingProvision,
			refused:    v1beta1.ReasonBrokerReturnedFailure,
			mitigating: v1beta1.ReasonStartingOrphanMitigation, mitigated: mitigated,
			removed: v1beta1.ReasonDeprovisionedSuccessfully, removedMessage: "The broker has deprovisioned the instance.",
			removeFailed: v1beta1.ReasonDeprovisionCallFailed,
			updated:      v1beta1.ReasonUpdatedSuccessfully, updatedMessage: Updated,
			creating: v1beta1.ReasonProvisionRequestInFlight, removing: v1beta1.ReasonDeprovisionRequestInFlight,
			workCreate: v1beta1.ReasonProvisioning, workRemove: v1beta1.ReasonDeprovisioning,
		}
	}
	return words{
		thing:   "binding",
		created: v1beta1.ReasonInjectedBindResult, createdMessage: "The credentials are stored.",
		callFailed: v1beta1.ReasonBindCallFailed, callError: v1beta1.ReasonBindCallFailed,
		refused:    v1beta1.ReasonBindingReturnedFailure,
		mitigating: v1beta1.ReasonBindingNeedsOrphanMitigation, mitigated: mitigated,
		removed: v1beta1.ReasonUnboundSuccessfully, removedMessage: "The broker has revoked the credentials.",
		removeFailed: v1beta1.ReasonUnbindCallFailed,
		creating:     v1beta1.ReasonBindingRequestInFlight, removing: v1beta1.ReasonUnbindingRequestInFlight,
		workCreate: v1beta1.ReasonBinding, workRemove: v1beta1.ReasonUnbinding,
	}
}

// asked is the reason while an action is asked for, again if need be.
func (w words) asked(action v1beta1.Action) string {
	switch action {
	case v1beta1.ActionProvision, v1beta1.ActionBind:
		return w.creating
	case v1beta1.ActionUpdate:
		return v1beta1.ReasonUpdateRequestInFlight
	case v1beta1.ActionMitigate:
		return w.mitigating
	}
	return w.removing
}

// background is what to show while the broker works on an action.
func (w words) background(action v1beta1.Action) (reason, message string) {
	switch action {
	case v1beta1.ActionProvision, v1beta1.ActionBind:
		return w.workCreate, fmt.Sprintf("The broker is making the %s.", w.thing)
	case v1beta1.ActionUpdate:
		return v1beta1.ReasonUpdating, "The broker is updating the instance."
	case v1beta1.ActionMitigate:
		return w.mitigating, "The broker is removing what may be left of a failed attempt."
	}
	return w.workRemove, fmt.Sprintf("The broker is deleting the %s.", w.thing)
}

// updateFailed is the reason for a failed update.
func (w words) updateFailed(e *osb.Error) string {
	if e.StatusCode == 0 {
		return v1beta1.ReasonErrorCallingUpdate
	}
	return v1beta1.ReasonUpdateCallFailed
}

// failed is the reason for a failed create.
func (w words) failed(e *osb.Error) string {
	switch {
	case final(e):
		return w.refused
	case e.StatusCode == 0:
		return w.callError
	}
	return w.callFailed
}

// What an instance says that works and has nothing to wait for.
const (
	Provisioned = "The broker has provisioned the instance."
	Updated     = "The broker has updated the instance."
)

const (
	mitigateNext  = " What the broker may hold of it is removed first."
	mitigated     = "The broker has confirmed that nothing is left of the failed attempt."
	asyncMessage  = "The broker answered that it goes on in the background, although that was not asked for; this version waits for no background work. Choose another plan, or ask the broker's operator for synchronous answers."
	adopted       = "The broker has had this instance before, and it was taken over as it is there."
	pending       = "The broker is making something under this id already; it is asked again until that has ended."
	notFound      = "The broker does not know of the removal that it had promised."
	refusedNext   = " It is tried again as soon as the %s's spec changes."
	updateNext    = " It is tried again as soon as the spec changes; putting the spec back ends this too."
	stillDeleting = "The broker is still deleting; it is asked again until it says that nothing is left."
)

func updateRefused(what, hint string) string {
	return fmt.Sprintf("%s. %s", what, hint) + updateNext
}

// paused is what an object says whose work the user holds.
func paused(f Facts) *Problem {
	message := "All work on this object is held by the annotation " + v1beta1.AnnotationPaused + "; remove it, and work goes on."
	if working(f.Op) {
		message += " What the broker was asked before goes on there."
	}
	return &Problem{Reason: v1beta1.ReasonPaused, Message: message, Idle: true}
}

func storeMessage(err error) string {
	return fmt.Sprintf("The broker gave credentials, but they could not be stored: %s. They are given back; mend what hinders the Secret, and the binding is tried again by itself.", err)
}

func mitigationFailed(e *osb.Error) string {
	if e == nil {
		return " The broker is still removing what may be left of it."
	}
	return fmt.Sprintf(" Removing what may be left of it failed too and is tried again: %s.", e)
}

// failure is the sentence for the condition: what is wrong, whose move it is and
// the next step. The error's own text has no secret in it.
func (a absorber) failure() string {
	e, thing := a.e, a.words().thing
	removal := a.op.Action == a.f.Kind.remove()
	switch {
	case !removal && e.Kind == osb.KindConflict:
		return fmt.Sprintf("%s. The broker has something else under the id %s; make a new %s, which gets an id of its own.", e, a.op.ExternalID, thing)
	case !removal && final(e):
		return fmt.Sprintf("%s. %s"+refusedNext, e, e.Hint(), thing)
	}
	return fmt.Sprintf("%s. %s It is tried again by itself.", e, e.Hint())
}
