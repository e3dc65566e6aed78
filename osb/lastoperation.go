package osb

import "time"

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
