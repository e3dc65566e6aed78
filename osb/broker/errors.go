package broker

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Error is an answer other than success. A Broker returns one, or wraps one,
// to choose the code; errors.Is finds the Err… it was made from.
type Error struct {
	// Status is the HTTP code, 400 to 599. 4xx promises that nothing changed (B6).
	Status int
	// Word is the machine-readable code of the error body (P12), often empty.
	Word string
	// Description is shown to the user. It must hold no secret.
	Description string
	// InstanceUsable and UpdateRepeatable are sent only for a failed update or
	// deprovision (B5); nil leaves them out, which means true.
	InstanceUsable   *bool
	UpdateRepeatable *bool
	// RetryAfter asks the platform to wait this long; zero leaves it out.
	RetryAfter time.Duration

	base *Error
}

// The answers that the spec has a code or a word for.
var (
	// ErrConflict is 409: the id exists with other attributes (B12, B17).
	ErrConflict = &Error{Status: http.StatusConflict, Description: "the id is in use with other attributes"}
	// ErrGone is 410: what should be deleted, or was polled while being deleted, does not exist (B19, B21).
	ErrGone = &Error{Status: http.StatusGone, Description: "it does not exist"}
	// ErrNotFound is 404: a fetch or poll of what does not exist (B21, B22).
	ErrNotFound = &Error{Status: http.StatusNotFound, Description: "it does not exist"}
	// ErrConcurrency is 422 ConcurrencyError: another request for this resource is at work (B25).
	ErrConcurrency = &Error{Status: http.StatusUnprocessableEntity, Word: "ConcurrencyError", Description: "another operation on this resource is in progress"}
	// ErrAsyncRequired is 422 AsyncRequired: the request lacks accepts_incomplete=true (B11).
	ErrAsyncRequired = &Error{Status: http.StatusUnprocessableEntity, Word: "AsyncRequired", Description: "this works only asynchronously; send accepts_incomplete=true"}
	// ErrRequiresApp is 422 RequiresApp: a bind needs an app_guid (B17).
	ErrRequiresApp = &Error{Status: http.StatusUnprocessableEntity, Word: "RequiresApp", Description: "this service binds to applications only; send app_guid"}
	// ErrMaintenanceInfoConflict is the 422 of that name (B14). The kit itself sends it where it can tell.
	ErrMaintenanceInfoConflict = &Error{Status: http.StatusUnprocessableEntity, Word: "MaintenanceInfoConflict", Description: "maintenance_info.version is not that of the catalog"}
)

// BadRequest is 400: the request is invalid, for the reason given to the user.
func BadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Description: fmt.Sprintf(format, args...)}
}

// Unprocessable is 422 without a word: the request is valid but refused, such
// as a change that is not supported or a quota that is used up (B16, B26).
func Unprocessable(format string, args ...any) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Description: fmt.Sprintf(format, args...)}
}

// Error is the description, with the word before it.
func (e *Error) Error() string {
	if e.Word != "" {
		return e.Word + ": " + e.Description
	}
	return e.Description
}

// Unwrap returns the error that Describe was called on.
func (e *Error) Unwrap() error {
	if e.base == nil {
		return nil
	}
	return e.base
}

// Describe is a copy of e with a description of its own for the user.
func (e *Error) Describe(format string, args ...any) *Error {
	c := *e
	c.base, c.Description = e, fmt.Sprintf(format, args...)
	return &c
}

// errUnauthorized and its like are the kit's own answers.
var (
	errUnauthorized = &Error{Status: http.StatusUnauthorized, Description: "authentication failed"}
	errNoRoute      = &Error{Status: http.StatusNotFound, Description: "there is no such path"}
	errNoMethod     = &Error{Status: http.StatusMethodNotAllowed, Description: "the path does not know this method"}
	errTooLarge     = &Error{Status: http.StatusRequestEntityTooLarge, Description: "the request body is too large"}
	errInternal     = &Error{Status: http.StatusInternalServerError, Description: "internal error of the broker; its log says more"}
)

// answerFor turns what a Broker returned into what the platform is told. Text
// of foreign errors stays here: it may name hosts or hold secrets.
func answerFor(err error) *Error {
	var e *Error
	if errors.As(err, &e) && e.Status >= 400 && e.Status < 600 {
		return e
	}
	return errInternal
}
