package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Action is what the controllers ask of a broker.
// +kubebuilder:validation:Enum=Provision;Update;Deprovision;Bind;Unbind;Mitigate
type Action string

// The actions. Mitigate removes at the broker what a create may have left
// there (OSB 2.17 §Orphan Mitigation).
const (
	ActionProvision   Action = "Provision"
	ActionUpdate      Action = "Update"
	ActionDeprovision Action = "Deprovision"
	ActionBind        Action = "Bind"
	ActionUnbind      Action = "Unbind"
	ActionMitigate    Action = "Mitigate"
)

// Operation is the journal of one broker operation: what was about to be asked
// is recorded here before the call, and taken away or amended after the answer.
// An operation found here by a process that did not start it is sent again
// with the same values (OSB brokers answer repeats alike).
type Operation struct {
	// Action is what is asked of the broker.
	Action Action `json:"action"`
	// AttemptID names one attempt. An outcome is stored only while the attempt
	// recorded here is its own, so that a late writer cannot win.
	AttemptID string `json:"attemptID"`
	// ExternalID is the OSB instance_id or binding_id the request carries.
	ExternalID string `json:"externalID"`
	// ServiceID is the OSB service_id the request carries.
	// +optional
	ServiceID string `json:"serviceID,omitempty"`
	// PlanID is the OSB plan_id the request carries.
	// +optional
	PlanID string `json:"planID,omitempty"`
	// ParameterChecksum is the checksum of the parameters the request carries.
	// +optional
	ParameterChecksum string `json:"parameterChecksum,omitempty"`
	// Generation is the generation of the spec the operation was made from.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// StartTime is when the operation was first recorded.
	StartTime metav1.Time `json:"startTime"`
	// IntentTime is when the current attempt was recorded.
	IntentTime metav1.MicroTime `json:"intentTime"`
	// Answered says that the attempt's answer was read. A recorded attempt
	// without it is sent again.
	// +optional
	Answered bool `json:"answered,omitempty"`
	// Failures counts failed attempts in a row; the wait before the next one
	// grows with it.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// UnreadAttempts counts attempts that may have been carried out although no
	// answer says so: it was never read, or it was an error that leaves this
	// open. While it is above zero a refusal of a repeat proves nothing.
	// +optional
	UnreadAttempts int32 `json:"unreadAttempts,omitempty"`
	// NextAttemptTime is the earliest time of the next attempt.
	// +optional
	NextAttemptTime *metav1.MicroTime `json:"nextAttemptTime,omitempty"`
	// RetryToken is a digest of what the attempt depended on (spec, broker,
	// Secrets). When it changes the wait ends at once.
	// +optional
	RetryToken string `json:"retryToken,omitempty"`
	// BrokerOperation is the broker's opaque operation key of a 202 answer.
	// +optional
	// +kubebuilder:validation:MaxLength=10000
	BrokerOperation *string `json:"brokerOperation,omitempty"`
	// PollDeadline is when an asynchronous operation counts as failed.
	// +optional
	PollDeadline *metav1.Time `json:"pollDeadline,omitempty"`
	// Reason is the condition reason of the failure that led here; a
	// mitigation carries the reason of the create it cleans up after.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message is the sentence to Reason.
	// +optional
	Message string `json:"message,omitempty"`
	// Mitigations counts how often something that may have been left under
	// ExternalID was removed at the broker. A broker that refuses such an id is
	// asked under another.
	// +optional
	Mitigations int32 `json:"mitigations,omitempty"`
	// Terminal says that the create must not be tried again until what it
	// depends on (RetryToken) changes; of a mitigation, that it was the last
	// step of such a create.
	// +optional
	Terminal bool `json:"terminal,omitempty"`
}
