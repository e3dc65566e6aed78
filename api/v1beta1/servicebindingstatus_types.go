package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// UnbindStatus says whether an unbind is owed to the broker. It is Required
// from before the first bind call on.
type UnbindStatus string

// The unbind statuses.
const (
	UnbindStatusNotRequired UnbindStatus = "NotRequired"
	UnbindStatusRequired    UnbindStatus = "Required"
	UnbindStatusSucceeded   UnbindStatus = "Succeeded"
	UnbindStatusFailed      UnbindStatus = "Failed"
)

// ServiceBindingProperties are the values that an operation carries, or that
// the broker is known to have. Values from Secrets are redacted.
type ServiceBindingProperties struct {
	// Parameters as they were sent; values from Secrets read "<redacted>".
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
	// ParameterChecksum is the SHA-256, in hex, of all parameters as JSON with sorted
	// keys, those from Secrets included; empty for none.
	// +optional
	ParameterChecksum string `json:"parameterChecksum,omitempty"`
	// UserInfo is the user who caused the operation, as the broker was told.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
	// InstanceExternalID is the id of the instance at the broker (OSB instance_id), so
	// that the binding can be undone when its instance's object is gone.
	// +optional
	InstanceExternalID string `json:"instanceExternalID,omitempty"`
	// ServiceExternalID is the id of the service at the broker (OSB service_id).
	// +optional
	ServiceExternalID string `json:"serviceExternalID,omitempty"`
	// PlanExternalID is the id of the plan at the broker (OSB plan_id).
	// +optional
	PlanExternalID string `json:"planExternalID,omitempty"`
}

// ServiceBindingStatus is what is known of a binding; only the controllers write it.
type ServiceBindingStatus struct {
	CommonStatus `json:",inline"`
	// AsyncOpInProgress says that the broker works on the binding in the background and
	// is asked from time to time how it is getting on.
	// +optional
	AsyncOpInProgress bool `json:"asyncOpInProgress,omitempty"`
	// LastOperation is the broker's key for the operation that it works on, sent back to
	// it when it is asked how it is getting on.
	// +optional
	LastOperation *string `json:"lastOperation,omitempty"`
	// CurrentOperation is what is being done: "Bind" or "Unbind"; empty for nothing.
	// +optional
	CurrentOperation string `json:"currentOperation,omitempty"`
	// ReconciledGeneration is the metadata.generation of the spec that the broker last
	// accepted. Kept for programs that know v0.3; use the conditions and
	// observedGeneration instead.
	// +optional
	ReconciledGeneration int64 `json:"reconciledGeneration,omitempty"`
	// OperationStartTime is when the current operation began.
	// +optional
	OperationStartTime *metav1.Time `json:"operationStartTime,omitempty"`
	// InProgressProperties are parameters and user of the current operation, and the ids
	// that it names.
	// +optional
	InProgressProperties *ServiceBindingProperties `json:"inProgressProperties,omitempty"`
	// ExternalProperties are parameters, user and ids that the broker is known to have.
	// +optional
	ExternalProperties *ServiceBindingProperties `json:"externalProperties,omitempty"`
	// OrphanMitigationInProgress says that what a failed bind may have left at the broker
	// is being removed there.
	// +optional
	OrphanMitigationInProgress bool `json:"orphanMitigationInProgress,omitempty"`
	// UnbindStatus says whether the broker is owed an unbind: "NotRequired", "Required"
	// (from before the first bind call on), "Succeeded" or "Failed".
	// +optional
	UnbindStatus UnbindStatus `json:"unbindStatus,omitempty"`

	// Operation is the journal of the operation under way: what is asked of the broker is
	// recorded here before the call, so that no crash can lose it.
	// +optional
	Operation *Operation `json:"operation,omitempty"`
	// ExternalID is the id of the binding at the broker (OSB binding_id) in force; every
	// call uses it. After a rotation it is that of the new credentials.
	// +optional
	ExternalID string `json:"externalID,omitempty"`
	// ExternalIDOrigin says who made externalID, as it was when the id was first used. It
	// decides what may be removed at the broker; what the spec says later does not.
	// +optional
	ExternalIDOrigin ExternalIDOrigin `json:"externalIDOrigin,omitempty"`
	// CreatedByUs says that this very object saw the broker accept the creation of
	// externalID (201 or 202), so that cleaning it up touches nothing foreign.
	// +optional
	CreatedByUs bool `json:"createdByUs,omitempty"`
	// Binding names the Secret with the credentials; it is set once they are stored. With
	// it the object is a Provisioned Service of servicebinding.io.
	// +optional
	Binding *LocalObjectReference `json:"binding,omitempty"`
	// EnvSecretName names the Secret with the same values under names fit for environment
	// variables.
	// +optional
	EnvSecretName string `json:"envSecretName,omitempty"`
	// BrokerRef names the broker that has the binding, and its kind.
	// +optional
	BrokerRef *BrokerReference `json:"brokerRef,omitempty"`
	// Rotation says when the credentials were renewed, when they will be, and which old
	// ones are still valid.
	// +optional
	Rotation *RotationStatus `json:"rotation,omitempty"`
	// Secrets are the versions of the binding's Secrets as they were written last, by
	// which an edit from outside is noticed and undone.
	// +optional
	// +listType=map
	// +listMapKey=name
	Secrets []StoredSecret `json:"secrets,omitempty"`
	// SecretSources are the versions of the Secrets that addKeysFrom copied keys from.
	// +optional
	SecretSources []SecretSource `json:"secretSources,omitempty"`
	// Endpoints are the network addresses that an application needs to use the service,
	// as the broker listed them (OSB endpoints); empty if it listed none.
	// +optional
	Endpoints []ServiceEndpoint `json:"endpoints,omitempty"`
}

// StoredSecret is one version of a Secret.
type StoredSecret struct {
	// Name of the Secret: <secretName> or <secretName>-env.
	Name string `json:"name"`
	// ResourceVersion that the Secret had when it was last known to be right.
	ResourceVersion string `json:"resourceVersion"`
	// Digest of what the Secret holds, by a random key that is kept on the Secret alone,
	// so that it tells nothing to whoever cannot read the Secret.
	// +optional
	Digest string `json:"digest,omitempty"`
}

// SecretSource is one version of a Secret that keys were copied from.
type SecretSource struct {
	// Namespace that the Secret is in, which may be another than the binding's.
	Namespace string `json:"namespace"`
	// Name of the Secret that addKeysFrom names.
	Name string `json:"name"`
	// ResourceVersion of the Secret when its keys were copied.
	ResourceVersion string `json:"resourceVersion"`
}

// ServiceEndpoint is a network address of a service.
type ServiceEndpoint struct {
	// Host is a name or an IP address.
	Host string `json:"host"`
	// Ports are single ones or ranges, such as "443" and "9000-9010".
	// +optional
	Ports []string `json:"ports,omitempty"`
	// Protocol is "tcp", "udp" or "all".
	// +optional
	Protocol string `json:"protocol,omitempty"`
}
