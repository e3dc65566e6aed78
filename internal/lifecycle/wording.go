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
	mitigating              string
	removed, removedMessage string
	removeFailed            string
}

func (a absorber) words() words {
	if a.f.Kind == Instance {
		return words{
			thing:   "instance",
			created: v1beta1.ReasonProvisionedSuccessfully, createdMessage: "The broker has provisioned the instance.",
			callFailed: v1beta1.ReasonProvisionCallFailed, callError: v1beta1.ReasonErrorCallingProvision,
			refused:    v1beta1.ReasonBrokerReturnedFailure,
			mitigating: v1beta1.ReasonStartingOrphanMitigation,
			removed:    v1beta1.ReasonDeprovisionedSuccessfully, removedMessage: "The broker has deprovisioned the instance.",
			removeFailed: v1beta1.ReasonDeprovisionCallFailed,
		}
	}
	return words{
		thing:   "binding",
		created: v1beta1.ReasonInjectedBindResult, createdMessage: "The credentials are stored.",
		callFailed: v1beta1.ReasonBindCallFailed, callError: v1beta1.ReasonBindCallFailed,
		refused:    v1beta1.ReasonBindingReturnedFailure,
		mitigating: v1beta1.ReasonBindingNeedsOrphanMitigation,
		removed:    v1beta1.ReasonUnboundSuccessfully, removedMessage: "The broker has revoked the credentials.",
		removeFailed: v1beta1.ReasonUnbindCallFailed,
	}
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

const (
	mitigateNext  = " What the broker may hold of it is removed first."
	mitigated     = "The broker has confirmed that nothing is left of the failed attempt."
	asyncMessage  = "The broker answered that it goes on in the background, although that was not asked for; this version waits for no background work. Choose another plan, or ask the broker's operator for synchronous answers."
	stillDeleting = "The broker is still deleting; it is asked again until it says that nothing is left."
)

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
		return fmt.Sprintf("%s. %s It is tried again as soon as the %s's spec changes.", e, e.Hint(), thing)
	}
	return fmt.Sprintf("%s. %s It is tried again by itself.", e, e.Hint())
}
