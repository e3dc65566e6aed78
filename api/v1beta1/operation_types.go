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
	// Action is what is asked of the broker: "Provision", "Update", "Deprovision", "Bind",
	// "Unbind", or "Mitigate", which removes what a failed create may have left.
	Action Action `json:"action"`
	// AttemptID names one attempt. An outcome is stored only while the attempt recorded
	// here is its own, so that a late writer cannot win.
	AttemptID string `json:"attemptID"`
	// ExternalID is the OSB instance_id or binding_id that the request carries.
	ExternalID string `json:"externalID"`
	// ServiceID is the OSB service_id that the request carries.
	// +optional
	ServiceID string `json:"serviceID,omitempty"`
	// PlanID is the OSB plan_id that the request carries.
	// +optional
	PlanID string `json:"planID,omitempty"`
	// ParameterChecksum is the checksum of the parameters that the request carries; empty
	// for none.
	// +optional
	ParameterChecksum string `json:"parameterChecksum,omitempty"`
	// MaintenanceVersion is the maintenance_info.version that the request carries.
	// +optional
	MaintenanceVersion string `json:"maintenanceVersion,omitempty"`
	// ContextChecksum is a digest of the context object that the request carries, where
	// the service wants to hear of its changes.
	// +optional
	ContextChecksum string `json:"contextChecksum,omitempty"`
	// UpdateRequests is the spec's counter of that name when the operation was made.
	// +optional
	UpdateRequests int64 `json:"updateRequests,omitempty"`
	// Generation is the metadata.generation of the spec that the operation was made from.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// StartTime is when the operation was first recorded.
	StartTime metav1.Time `json:"startTime"`
	// IntentTime is when the current attempt was recorded, before its request was sent.
	IntentTime metav1.MicroTime `json:"intentTime"`
	// Answered says that the attempt's answer was read. A recorded attempt without it is
	// sent again.
	// +optional
	Answered bool `json:"answered,omitempty"`
	// Failures counts the failed attempts in a row; the wait before the next one grows
	// with it.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// UnreadAttempts counts attempts that may have been carried out although no answer
	// says so: it was never read, or it was an error that leaves this open. While it is
	// above zero a refusal of a repeat proves nothing.
	// +optional
	UnreadAttempts int32 `json:"unreadAttempts,omitempty"`
	// NextAttemptTime is when, after a failure, the broker is asked again at the earliest.
	// +optional
	NextAttemptTime *metav1.MicroTime `json:"nextAttemptTime,omitempty"`
	// RetryToken is a digest of what the attempt depended on (spec, broker, Secrets). When
	// it changes the wait ends at once.
	// +optional
	RetryToken string `json:"retryToken,omitempty"`
	// BrokerOperation is the broker's opaque key for an operation that it works on in the
	// background (a 202 answer); at most 10,000 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=10000
	BrokerOperation *string `json:"brokerOperation,omitempty"`
	// PollDeadline is when an operation in the background counts as failed.
	// +optional
	PollDeadline *metav1.Time `json:"pollDeadline,omitempty"`
	// Reason is the condition reason of the failure that led here; a mitigation carries
	// the reason of the create that it cleans up after.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message is the sentence that goes with the reason in the condition.
	// +optional
	Message string `json:"message,omitempty"`
	// Mitigations counts how often something that may have been left under externalID was
	// removed at the broker. A broker that refuses such an id is asked under another.
	// +optional
	Mitigations int32 `json:"mitigations,omitempty"`
	// Terminal says that a create or an update must not be tried again until what it depends on
	// (retryToken) changes; of a mitigation, that it was the last step of such a create.
	// +optional
	Terminal bool `json:"terminal,omitempty"`
	// Unrepeatable says that the broker asked never to be sent this update again
	// (update_repeatable false); another one may be.
	// +optional
	Unrepeatable bool `json:"unrepeatable,omitempty"`
}
