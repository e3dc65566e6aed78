package osb

import (
	"fmt"
	"strings"
)

// Error tells the operation, what went wrong, the status and the broker's own words.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(string(e.Operation), "_", " ") + ": " + e.phrase())
	if e.Word != "" {
		b.WriteString(" " + e.Word)
	}
	if e.Description != "" {
		b.WriteString(": " + e.Description)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) phrase() string {
	if e.StatusCode != 0 && e.Kind != KindTimeout && e.Kind != KindCanceled {
		switch e.Kind {
		case KindUnavailable:
			if e.Err != nil {
				return fmt.Sprintf("broker's answer broke off after its status %d", e.StatusCode)
			}
		case KindMalformed:
			return fmt.Sprintf("broker answered %d outside the specification", e.StatusCode)
		case KindRedirect:
			return fmt.Sprintf("broker answered %d: redirects are not followed", e.StatusCode)
		}
		return fmt.Sprintf("broker answered %d", e.StatusCode)
	}
	if text, ok := silences[e.Kind]; ok {
		return text
	}
	if e.Lost {
		return "connection to the broker broke before its answer"
	}
	return "broker cannot be reached"
}

// silences say what happened where no status line was read.
var silences = map[Kind]string{
	KindInvalid:        "not sent",
	KindUnauthorized:   "broker refused our client certificate",
	KindUntrusted:      "broker's certificate is not trusted",
	KindAddressRefused: "broker's address is refused",
	KindTimeout:        "broker did not answer in time",
	KindCanceled:       "call was canceled",
	KindMalformed:      "broker's answer is outside the specification",
}

// Actor is whose move it is.
func (e *Error) Actor() Actor {
	switch e.Kind {
	case KindBusy, KindNotReceived, KindCanceled, KindMaintenanceInfoConflict:
		return ActorNobody
	case KindUnauthorized, KindVersionUnsupported, KindRedirect, KindUntrusted, KindAddressRefused:
		return ActorPlatformTeam
	case KindUnavailable, KindTimeout, KindMalformed, KindAsyncRequired:
		return ActorBroker
	case KindNotFound, KindGone:
		if e.reads() {
			return ActorNobody
		}
		return ActorPlatformTeam // most often the URL's path is wrong
	}
	if e.Operation == OpCatalog {
		return ActorPlatformTeam // no user had a part in it
	}
	return ActorUser
}

func (e *Error) reads() bool {
	return e.Operation == OpGetInstance || e.Operation == OpGetBinding || e.Operation == OpLastOperation
}

// Retryable says whether the same request, sent again later, may succeed
// without its author changing it. Reads and deletes always may: the first
// change nothing, the second must get through in the end (P46, P102).
func (e *Error) Retryable() bool {
	if e.Kind == KindInvalid {
		return false
	}
	switch e.Operation {
	case OpProvision, OpUpdate, OpBind:
	default:
		return true
	}
	if e.UpdateRepeatable != nil && !*e.UpdateRepeatable {
		return false // P89
	}
	switch e.Kind {
	case KindRejected, KindAsyncRequired, KindMaintenanceInfoConflict, KindRequiresApp, KindConflict, KindGone, KindNotFound:
		return false
	}
	return true
}

// hints are the next steps by kind.
var hints = map[Kind]string{
	KindInvalid:                 "Correct the request.",
	KindRejected:                "Change the parameters or the plan as the broker's answer says.",
	KindBusy:                    "The broker is working on this resource; the request is sent again later.",
	KindAsyncRequired:           "The broker can only do this asynchronously; ask who runs it.",
	KindMaintenanceInfoConflict: "The plan's maintenance version has changed; fetch the catalog again.",
	KindRequiresApp:             "This service binds to applications only; choose another service.",
	KindConflict:                "The id is in use with other attributes; use another id, or the attributes it was made with.",
	KindGone:                    "The broker does not have this resource any more.",
	KindNotFound:                "The broker does not know this resource, or the path of its URL is wrong.",
	KindUnauthorized:            "Correct the broker's credentials in the Secret that its auth names.",
	KindVersionUnsupported:      "Set the broker's API version to one that it speaks.",
	KindNotReceived:             "The request did not arrive whole; it is sent again.",
	KindUnavailable:             "Check that the broker runs and that its URL is right.",
	KindUntrusted:               "Set the broker's CA bundle to the CA that signed its certificate.",
	KindTimeout:                 "Check the broker; if it is only slow, raise its timeout.",
	KindMalformed:               "Tell who runs the broker: its answer breaks the Open Service Broker API.",
	KindRedirect:                "Set the broker's URL to where it really is.",
	KindAddressRefused:          "This address is not allowed for brokers; use another, or ask the platform team.",
	KindCanceled:                "The request is sent again after the restart.",
}

// Hint is the next step, as a sentence for whoever Actor names.
func (e *Error) Hint() string {
	if e.Operation == OpCatalog && (e.Kind == KindRejected || e.Kind == KindConflict) {
		return "Check the broker's URL: its catalog was refused."
	}
	if e.Kind == KindUnauthorized && e.StatusCode == 0 {
		return "Give the broker's registration a client certificate that the broker accepts."
	}
	if e.Kind == KindUnavailable && e.StatusCode >= 500 && e.Description != "" {
		return "The broker was reached and failed; who runs it finds the reason in its log."
	}
	return hints[e.Kind]
}
