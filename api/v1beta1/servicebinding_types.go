package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SecretMetadata says what of ours is put beside a broker's credentials.
// +kubebuilder:validation:Enum=None;Type;Full
type SecretMetadata string

// The amounts of metadata in a binding's Secret.
const (
	// SecretMetadataNone adds nothing.
	SecretMetadataNone SecretMetadata = "None"
	// SecretMetadataType adds the keys type and provider; the default.
	SecretMetadataType SecretMetadata = "Type"
	// SecretMetadataFull adds instance, plan and tags too.
	SecretMetadataFull SecretMetadata = "Full"
)

// ServiceBindingSpec is what a user wants of an instance.
type ServiceBindingSpec struct {
	// InstanceRef names the instance, in the same namespace.
	// +optional
	InstanceRef LocalObjectReference `json:"instanceRef"`
	// Parameters are sent to the broker; a JSON object, stored in clear.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
	// ParametersFrom adds parameters from Secrets. A key may be stated once.
	// +optional
	ParametersFrom []ParametersFromSource `json:"parametersFrom,omitempty"`
	// SecretName is the Secret that gets the credentials; default is the
	// binding's name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
	// SecretTransforms change the credentials before they are stored.
	// +optional
	SecretTransforms []SecretTransform `json:"secretTransforms,omitempty"`
	// ExternalID is the OSB binding_id; made for you if empty.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ExternalID string `json:"externalID,omitempty"`
	// ExternalIDOrigin says who made externalID; filled in, not yours to set.
	// +optional
	ExternalIDOrigin ExternalIDOrigin `json:"externalIDOrigin,omitempty"`
	// UserInfo is the user who made the binding; filled in.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
	// Type of the service for programs that look for one, such as
	// "postgresql"; default is the broker's own, else the class's name.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type,omitempty"`
	// Provider of the service; default is the broker's own, else its name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Provider string `json:"provider,omitempty"`
	// SecretMetadata says what is put beside the credentials; default Type.
	// +optional
	SecretMetadata SecretMetadata `json:"secretMetadata,omitempty"`
	// SecretTemplate shapes the Secret.
	// +optional
	SecretTemplate *SecretTemplate `json:"secretTemplate,omitempty"`
	// Rotation renews the credentials by schedule.
	// +optional
	Rotation *RotationPolicy `json:"rotation,omitempty"`
}

// SecretTemplate shapes the Secret of a binding.
type SecretTemplate struct {
	// Labels for the Secret.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations for the Secret.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// StringData maps a key to a Go template over the credentials.
	// +optional
	StringData map[string]string `json:"stringData,omitempty"`
}

// RotationPolicy renews a binding's credentials.
type RotationPolicy struct {
	// Interval between rotations.
	// +optional
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Overlap is how long the old credentials stay valid at the least.
	// +optional
	Overlap *metav1.Duration `json:"overlap,omitempty"`
	// MaxOverlap is when the old credentials are revoked although used.
	// +optional
	MaxOverlap *metav1.Duration `json:"maxOverlap,omitempty"`
	// Window bounds rotations to a time of the day.
	// +optional
	Window *RotationWindow `json:"window,omitempty"`
}

// RotationWindow is a time of the day, in UTC.
type RotationWindow struct {
	// Start of the window as "15:04".
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	Start string `json:"start"`
	// Duration of the window.
	Duration metav1.Duration `json:"duration"`
}

// SecretTransform changes the credentials; exactly one member is set.
type SecretTransform struct {
	// RenameKey moves a value to another key.
	// +optional
	RenameKey *RenameKeyTransform `json:"renameKey,omitempty"`
	// AddKey adds a value.
	// +optional
	AddKey *AddKeyTransform `json:"addKey,omitempty"`
	// AddKeysFrom copies all keys of another Secret.
	// +optional
	AddKeysFrom *AddKeysFromTransform `json:"addKeysFrom,omitempty"`
	// RemoveKey removes a value.
	// +optional
	RemoveKey *RemoveKeyTransform `json:"removeKey,omitempty"`
}

// RenameKeyTransform moves a value to another key.
type RenameKeyTransform struct {
	// From is the key to move; nothing happens if it is missing.
	From string `json:"from"`
	// To is its new name; what was there is overwritten.
	To string `json:"to"`
}

// AddKeyTransform adds a value: of jsonPathExpression, else stringValue, else
// value.
type AddKeyTransform struct {
	// Key to add.
	Key string `json:"key"`
	// Value as bytes.
	// +optional
	// +nullable
	Value []byte `json:"value"`
	// StringValue as text.
	// +optional
	// +nullable
	StringValue *string `json:"stringValue"`
	// JSONPathExpression is evaluated over the credentials, as "{.foo.bar}".
	// +optional
	// +nullable
	JSONPathExpression *string `json:"jsonPathExpression"`
}

// AddKeysFromTransform copies all keys of another Secret.
type AddKeysFromTransform struct {
	// SecretRef names the Secret and its namespace.
	SecretRef *ObjectReference `json:"secretRef,omitempty"`
}

// RemoveKeyTransform removes a value.
type RemoveKeyTransform struct {
	// Key to remove.
	Key string `json:"key"`
}

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
	// Parameters, with values from Secrets redacted.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
	// ParameterChecksum is the hex SHA-256 of the parameters as JSON; empty
	// for none.
	// +optional
	ParameterChecksum string `json:"parameterChecksum,omitempty"`
	// UserInfo is the user who caused the operation.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
	// InstanceExternalID is the OSB instance_id, so that the binding can be
	// undone when its instance's object is gone.
	// +optional
	InstanceExternalID string `json:"instanceExternalID,omitempty"`
	// ServiceExternalID is the OSB service_id.
	// +optional
	ServiceExternalID string `json:"serviceExternalID,omitempty"`
	// PlanExternalID is the OSB plan_id.
	// +optional
	PlanExternalID string `json:"planExternalID,omitempty"`
}

// ServiceBindingStatus is what is known of a binding.
type ServiceBindingStatus struct {
	CommonStatus `json:",inline"`
	// AsyncOpInProgress says that the broker is polled for an outcome.
	// +optional
	AsyncOpInProgress bool `json:"asyncOpInProgress,omitempty"`
	// LastOperation is the broker's operation key.
	// +optional
	LastOperation *string `json:"lastOperation,omitempty"`
	// CurrentOperation is Bind, Unbind or empty.
	// +optional
	CurrentOperation string `json:"currentOperation,omitempty"`
	// ReconciledGeneration is the generation that the broker last accepted.
	// +optional
	ReconciledGeneration int64 `json:"reconciledGeneration,omitempty"`
	// OperationStartTime is when the current operation began.
	// +optional
	OperationStartTime *metav1.Time `json:"operationStartTime,omitempty"`
	// InProgressProperties are what the current operation carries.
	// +optional
	InProgressProperties *ServiceBindingProperties `json:"inProgressProperties,omitempty"`
	// ExternalProperties are what the broker is known to have.
	// +optional
	ExternalProperties *ServiceBindingProperties `json:"externalProperties,omitempty"`
	// OrphanMitigationInProgress says that what a failed bind may have left is
	// being removed.
	// +optional
	OrphanMitigationInProgress bool `json:"orphanMitigationInProgress,omitempty"`
	// UnbindStatus says whether an unbind is owed.
	// +optional
	UnbindStatus UnbindStatus `json:"unbindStatus,omitempty"`

	// Operation is the journal of the operation under way.
	// +optional
	Operation *Operation `json:"operation,omitempty"`
	// ExternalID is the OSB binding_id in force; every call uses it.
	// +optional
	ExternalID string `json:"externalID,omitempty"`
	// ExternalIDOrigin says who made ExternalID, as it was when the id was first
	// used. It decides what may be removed at the broker; what spec says later
	// does not.
	// +optional
	ExternalIDOrigin ExternalIDOrigin `json:"externalIDOrigin,omitempty"`
	// CreatedByUs says that this very object saw the broker accept the creation
	// of ExternalID (201 or 202).
	// +optional
	CreatedByUs bool `json:"createdByUs,omitempty"`
	// Binding names the Secret with the stored credentials; it is set when
	// they are stored. With it the binding is a Provisioned Service of
	// servicebinding.io.
	// +optional
	Binding *LocalObjectReference `json:"binding,omitempty"`
	// EnvSecretName names the Secret with the same values under names fit for
	// environment variables.
	// +optional
	EnvSecretName string `json:"envSecretName,omitempty"`
	// BrokerRef names the broker that has the binding, and its kind.
	// +optional
	BrokerRef *BrokerReference `json:"brokerRef,omitempty"`
}

// ServiceBinding gives credentials for an instance and keeps them in a Secret.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=svcat;all,shortName=svcbind
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:labels="servicebinding.io/provisioned-service=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.instanceRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.secretName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:printcolumn:name="Service-Instance",type=string,JSONPath=`.spec.instanceRef.name`
// +kubebuilder:printcolumn:name="Secret-Name",type=string,JSONPath=`.status.binding.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.status.externalID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ServiceBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ServiceBindingSpec `json:"spec,omitempty"`
	// +optional
	Status ServiceBindingStatus `json:"status,omitempty"`
}

// ServiceBindingList is a list of ServiceBindings.
//
// +kubebuilder:object:root=true
type ServiceBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceBinding `json:"items"`
}
