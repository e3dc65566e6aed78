package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RelistBehavior says when a broker's catalog is fetched again.
// +kubebuilder:validation:Enum="";Duration;Manual
type RelistBehavior string

// The relist behaviours; empty means RelistDuration.
const (
	// RelistBehaviorDuration fetches again after each relistDuration.
	RelistBehaviorDuration RelistBehavior = "Duration"
	// RelistBehaviorManual fetches again only when the spec changes.
	RelistBehaviorManual RelistBehavior = "Manual"
)

// Switch turns an optional behaviour on or off.
// +kubebuilder:validation:Enum=Enabled;Disabled
type Switch string

// The positions of a Switch.
const (
	Enabled  Switch = "Enabled"
	Disabled Switch = "Disabled"
)

// CommonServiceBrokerSpec is what brokers of both scopes have.
type CommonServiceBrokerSpec struct {
	// URL is the base URL of the Open Service Broker, without "/v2".
	// +kubebuilder:validation:MinLength=1
	URL string `json:"url"`
	// InsecureSkipTLSVerify leaves the broker's certificate unchecked. It
	// excludes caBundle.
	// +optional
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify,omitempty"`
	// CABundle holds PEM certificates that replace the system's roots.
	// +optional
	CABundle []byte `json:"caBundle,omitempty"`
	// RelistBehavior is Duration (default) or Manual.
	// +optional
	RelistBehavior RelistBehavior `json:"relistBehavior,omitempty"`
	// RelistDuration is the interval between fetches of the catalog, such as
	// "15m". Unset means the controllers' own.
	// +optional
	RelistDuration *metav1.Duration `json:"relistDuration,omitempty"`
	// RelistRequests makes the controllers fetch the catalog when it is raised.
	// +optional
	RelistRequests int64 `json:"relistRequests,omitempty"`
	// CatalogRestrictions choose which classes and plans are offered.
	// +optional
	CatalogRestrictions *CatalogRestrictions `json:"catalogRestrictions,omitempty"`
	// OSB adapts the controllers to this broker.
	// +optional
	OSB *OSBSettings `json:"osb,omitempty"`
}

// CatalogRestrictions filter a catalog by label-selector terms over properties
// such as spec.externalName; all terms must hold.
type CatalogRestrictions struct {
	// ServiceClass terms, over name, spec.externalName and spec.externalID.
	// +optional
	ServiceClass []string `json:"serviceClass,omitempty"`
	// ServicePlan terms, over name, spec.externalName, spec.externalID,
	// spec.free and the class's name.
	// +optional
	ServicePlan []string `json:"servicePlan,omitempty"`
}

// OSBSettings adapt the protocol to one broker.
type OSBSettings struct {
	// APIVersion is the OSB version to announce, such as "2.14"; default "2.17".
	// +optional
	// +kubebuilder:validation:Pattern=`^2\.[0-9]+$`
	APIVersion string `json:"apiVersion,omitempty"`
	// Timeout of one request; default is the controllers' (60s).
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// OriginatingIdentity says whether the acting user is told; default Enabled.
	// +optional
	OriginatingIdentity Switch `json:"originatingIdentity,omitempty"`
	// OrphanMitigation says whether what a failed create may have left is
	// removed at the broker; default Enabled.
	// +optional
	OrphanMitigation Switch `json:"orphanMitigation,omitempty"`
	// MaxConcurrent limits how many requests run at the broker at once.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxConcurrent *int32 `json:"maxConcurrent,omitempty"`
}

// ClusterServiceBrokerSpec is what a platform team says of a cluster-wide broker.
type ClusterServiceBrokerSpec struct {
	CommonServiceBrokerSpec `json:",inline"`
	// AuthInfo says how requests are authenticated; unset means not at all.
	// +optional
	AuthInfo *ClusterServiceBrokerAuthInfo `json:"authInfo,omitempty"`
	// ClientCertificate names a Secret of type kubernetes.io/tls with the
	// certificate to show the broker.
	// +optional
	ClientCertificate *ClusterSecretReference `json:"clientCertificate,omitempty"`
}

// ClusterSecretReference holds a reference to a Secret of any namespace.
type ClusterSecretReference struct {
	// SecretRef names the Secret and its namespace.
	SecretRef *ObjectReference `json:"secretRef,omitempty"`
}

// SecretReference holds a reference to a Secret of the broker's namespace.
type SecretReference struct {
	// SecretRef names the Secret.
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
}

// ClusterServiceBrokerAuthInfo is a union: exactly one member is set.
type ClusterServiceBrokerAuthInfo struct {
	// Basic is HTTP Basic with the Secret's keys username and password.
	// +optional
	Basic *ClusterSecretReference `json:"basic,omitempty"`
	// Bearer is a bearer token from the Secret's key token.
	// +optional
	Bearer *ClusterSecretReference `json:"bearer,omitempty"`
}

// ServiceBrokerSpec is what an application team says of a broker of its own.
type ServiceBrokerSpec struct {
	CommonServiceBrokerSpec `json:",inline"`
	// AuthInfo says how requests are authenticated; unset means not at all.
	// +optional
	AuthInfo *ServiceBrokerAuthInfo `json:"authInfo,omitempty"`
	// ClientCertificate names a Secret of type kubernetes.io/tls with the
	// certificate to show the broker.
	// +optional
	ClientCertificate *SecretReference `json:"clientCertificate,omitempty"`
}

// ServiceBrokerAuthInfo is a union: exactly one member is set.
type ServiceBrokerAuthInfo struct {
	// Basic is HTTP Basic with the Secret's keys username and password.
	// +optional
	Basic *SecretReference `json:"basic,omitempty"`
	// Bearer is a bearer token from the Secret's key token.
	// +optional
	Bearer *SecretReference `json:"bearer,omitempty"`
}

// CommonServiceBrokerStatus is what the controllers found at a broker.
type CommonServiceBrokerStatus struct {
	CommonStatus `json:",inline"`
	// ReconciledGeneration is the generation whose catalog was last fetched.
	// +optional
	ReconciledGeneration int64 `json:"reconciledGeneration,omitempty"`
	// OperationStartTime is when the current run of failed fetches began.
	// +optional
	OperationStartTime *metav1.Time `json:"operationStartTime,omitempty"`
	// LastCatalogRetrievalTime is when the catalog was last fetched.
	// +optional
	LastCatalogRetrievalTime *metav1.Time `json:"lastCatalogRetrievalTime,omitempty"`
	// CatalogETag is the entity tag the broker gave with its catalog.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	CatalogETag string `json:"catalogETag,omitempty"`
	// NextAttemptTime is the earliest time of the next fetch after a failure.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`
	// RetryToken is a digest of what the last fetch depended on (spec and
	// Secret). When it changes, the catalog is fetched at once.
	// +optional
	RetryToken string `json:"retryToken,omitempty"`
	// Failures counts failed fetches in a row.
	// +optional
	Failures int32 `json:"failures,omitempty"`
}

// ClusterServiceBrokerStatus is what was found at a ClusterServiceBroker.
type ClusterServiceBrokerStatus struct {
	CommonServiceBrokerStatus `json:",inline"`
}

// ServiceBrokerStatus is what was found at a ServiceBroker.
type ServiceBrokerStatus struct {
	CommonServiceBrokerStatus `json:",inline"`
}

// ClusterServiceBroker is an Open Service Broker whose catalog is offered in
// every namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=svcat;all,shortName=csb
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClusterServiceBroker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ClusterServiceBrokerSpec `json:"spec,omitempty"`
	// +optional
	Status ClusterServiceBrokerStatus `json:"status,omitempty"`
}

// ClusterServiceBrokerList is a list of ClusterServiceBrokers.
//
// +kubebuilder:object:root=true
type ClusterServiceBrokerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServiceBroker `json:"items"`
}

// ServiceBroker is an Open Service Broker whose catalog is offered in its own
// namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=svcat;all,shortName=svcbroker
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ServiceBroker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ServiceBrokerSpec `json:"spec,omitempty"`
	// +optional
	Status ServiceBrokerStatus `json:"status,omitempty"`
}

// ServiceBrokerList is a list of ServiceBrokers.
//
// +kubebuilder:object:root=true
type ServiceBrokerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceBroker `json:"items"`
}
