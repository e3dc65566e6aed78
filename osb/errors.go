package osb

import (
	"errors"
	"time"
)

// Operation names a call of the API. Its value is fit for a metric label.
type Operation string

// The calls of OSB 2.17. A poll is OpLastOperation whatever it waits for.
const (
	OpCatalog       Operation = "catalog"
	OpProvision     Operation = "provision"
	OpGetInstance   Operation = "get_instance"
	OpUpdate        Operation = "update"
	OpDeprovision   Operation = "deprovision"
	OpBind          Operation = "bind"
	OpGetBinding    Operation = "get_binding"
	OpUnbind        Operation = "unbind"
	OpLastOperation Operation = "last_operation"
)

// Kind is what went wrong with a call, decided once, in Classify. Its value is
// fit for a metric label.
type Kind string

const (
	// KindInvalid means that the request was never sent because it cannot be
	// right: an id is missing, a body is too large.
	KindInvalid Kind = "Invalid"
	// KindRejected is a 4xx that no other kind names: the broker refuses this request as it is.
	KindRejected Kind = "Rejected"
	// KindBusy is 422 ConcurrencyError or 429: wait, then send the same again (P110).
	KindBusy Kind = "Busy"
	// KindAsyncRequired is 422 AsyncRequired: send again with AcceptsIncomplete (P40).
	KindAsyncRequired Kind = "AsyncRequired"
	// KindMaintenanceInfoConflict is the 422 of that name: fetch the catalog again (P63).
	KindMaintenanceInfoConflict Kind = "MaintenanceInfoConflict"
	// KindRequiresApp is 422 RequiresApp: the broker binds only to an app_guid (P91).
	KindRequiresApp Kind = "RequiresApp"
	// KindConflict is 409: the id exists with other attributes.
	KindConflict Kind = "Conflict"
	// KindGone is 410, said by the broker itself, where it is not simply success.
	KindGone Kind = "Gone"
	// KindNotFound is 404, said by the broker itself.
	KindNotFound Kind = "NotFound"
	// KindUnauthorized is 401 or 403, or without a status a client certificate
	// that was refused: the broker does not take our credentials.
	KindUnauthorized Kind = "Unauthorized"
	// KindVersionUnsupported is 412: the broker does not speak the API version that was sent.
	KindVersionUnsupported Kind = "VersionUnsupported"
	// KindNotReceived is 408: the request did not arrive whole; send it again.
	KindNotReceived Kind = "NotReceived"
	// KindUnavailable is a 5xx, a failed DNS lookup or connection, or an answer
	// that came from something in front of the broker.
	KindUnavailable Kind = "Unavailable"
	// KindUntrusted means that the broker's certificate does not verify.
	KindUntrusted Kind = "Untrusted"
	// KindTimeout means that no answer came in time.
	KindTimeout Kind = "Timeout"
	// KindMalformed is an answer outside the spec: unreadable, too large, or with a status that the call does not know.
	KindMalformed Kind = "Malformed"
	// KindRedirect is a 3xx; redirects are never followed, for they would carry credentials elsewhere.
	KindRedirect Kind = "Redirect"
	// KindAddressRefused means that the broker's address is forbidden: always, or by Config.DialGuard.
	KindAddressRefused Kind = "AddressRefused"
	// KindCanceled means that the caller's context ended first.
	KindCanceled Kind = "Canceled"
)

// Actor is whose move it is after an error.
type Actor string

const (
	// ActorNobody means that waiting and trying again is all there is to do.
	ActorNobody Actor = "Nobody"
	// ActorUser is who wrote the request: other parameters or another plan are needed.
	ActorUser Actor = "User"
	// ActorPlatformTeam is who registered the broker: URL, credentials, CA, API version.
	ActorPlatformTeam Actor = "PlatformTeam"
	// ActorBroker is who runs the broker: it is down, or answers outside the spec.
	ActorBroker Actor = "Broker"
)

// Error is the one error type of Client's calls. Its text names no URL, no
// header and no credential.
type Error struct {
	Operation Operation
	Kind      Kind
	// StatusCode is 0 when no status line was read.
	StatusCode int
	// Word is the broker's machine-readable error code (P12), cleaned.
	Word string
	// Description is the broker's own sentence: at most 1 KiB, no control
	// characters, empty unless the body was JSON (P11).
	Description string
	// RetryAfter is how long the broker asks to wait; zero if it does not say.
	RetryAfter time.Duration
	// InstanceUsable and UpdateRepeatable are set by the broker on a failed
	// update or deprovision; nil means true (P88, P89).
	InstanceUsable   *bool
	UpdateRepeatable *bool
	// OrphanMitigation is the spec's table (P120 to P142): the resource may exist
	// although the call failed and should be deleted.
	OrphanMitigation bool
	// Lost is true if the request may have reached the broker and the broker's
	// answer was not read. False for a failed dial: then nothing was sent.
	Lost bool
	// RequestID is the X-Broker-API-Request-Identity that was sent (P7).
	RequestID string
	// Err is the cause, where there is one beside the answer.
	Err error
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns the *Error in err's chain, or nil.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// IsKind says whether err is an *Error of kind k.
func IsKind(err error, k Kind) bool {
	e := AsError(err)
	return e != nil && e.Kind == k
}
