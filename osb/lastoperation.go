package osb

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// State is how far an asynchronous operation has come (P44).
type State string

// The three states that the spec knows; any other is an invalid answer (P46).
const (
	StateInProgress State = "in progress"
	StateSucceeded  State = "succeeded"
	StateFailed     State = "failed"
)

// LastOperationRequest polls an asynchronous operation of an instance, or of a
// binding if BindingID is set.
type LastOperationRequest struct {
	// Polled is the operation whose end is awaited. It decides what 410 means:
	// success for a delete, an invalid answer for anything else (P45).
	Polled     Operation
	InstanceID string
	BindingID  string
	// ServiceID and PlanID should always be sent (P43); during a plan change
	// PlanID is the plan before it.
	ServiceID string
	PlanID    string
	// Operation is the string of the 202 answer; empty is not sent (P42).
	Operation string
	Identity  *Identity
}

// LastOperationResponse is the answer to one poll.
type LastOperationResponse struct {
	// Gone is true if a delete was polled and the broker said 410; State is then succeeded.
	Gone bool `json:"-"`
	// RetryAfter is how long to wait before the next poll; zero if the broker did not say (P47).
	RetryAfter time.Duration `json:"-"`

	State            State  `json:"state"`
	Description      string `json:"description,omitempty"`
	InstanceUsable   *bool  `json:"instance_usable,omitempty"`
	UpdateRepeatable *bool  `json:"update_repeatable,omitempty"`
}

// MaxOperationLength is how many characters the operation string of a 202 may
// have (P42). It is opaque: kept whole, and sent back as it came.
const MaxOperationLength = 10000

// promise is an answer that may be a 202.
type promise interface{ operation() string }

func (r *ProvisionResponse) operation() string   { return r.Operation }
func (r *UpdateResponse) operation() string      { return r.Operation }
func (r *DeprovisionResponse) operation() string { return r.Operation }
func (r *BindResponse) operation() string        { return r.Operation }
func (r *UnbindResponse) operation() string      { return r.Operation }

// checkPromise refuses a 202 whose operation no poll could carry.
func checkPromise(out any) error {
	p, ok := out.(promise)
	if ok && utf8.RuneCountInString(p.operation()) > MaxOperationLength {
		return fmt.Errorf("operation is longer than %d characters", MaxOperationLength)
	}
	return nil
}
