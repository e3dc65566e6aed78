package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CommonServiceBrokerStatus is what the controllers found at a broker.
type CommonServiceBrokerStatus struct {
	CommonStatus `json:",inline"`
	// ReconciledGeneration is the metadata.generation of the spec with which the
	// catalog was last fetched. Set by the controllers.
	// +optional
	ReconciledGeneration int64 `json:"reconciledGeneration,omitempty"`
	// OperationStartTime is when the current run of failed fetches began; empty while
	// fetching works. Set by the controllers.
	// +optional
	OperationStartTime *metav1.Time `json:"operationStartTime,omitempty"`
	// LastCatalogRetrievalTime is when the catalog was last fetched with success; the
	// next fetch follows one relistDuration later. Set by the controllers.
	// +optional
	LastCatalogRetrievalTime *metav1.Time `json:"lastCatalogRetrievalTime,omitempty"`
	// CatalogETag is the entity tag that the broker gave with its catalog; with it
	// the broker can answer "not modified" to the next fetch. Set by the controllers.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	CatalogETag string `json:"catalogETag,omitempty"`
	// ClassCount is how many classes the broker offers, after its restrictions. Set by
	// the controllers.
	// +optional
	ClassCount int64 `json:"classCount,omitempty"`
	// PlanCount is how many plans they have. Set by the controllers.
	// +optional
	PlanCount int64 `json:"planCount,omitempty"`
	// SkippedCount is how many faults were found in entries of the catalog. Set by the
	// controllers.
	// +optional
	SkippedCount int64 `json:"skippedCount,omitempty"`
	// SkippedEntries are the first 50 of these, with what is wrong. All other entries are
	// offered. Set by the controllers.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	SkippedEntries []SkippedEntry `json:"skippedEntries,omitempty"`
	// NextAttemptTime is, after a failed fetch, the earliest time of the next one.
	// Set by the controllers.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`
	// RetryToken is a digest of what the last fetch depended on (spec and Secret).
	// When it changes, the catalog is fetched at once. Set by the controllers.
	// +optional
	RetryToken string `json:"retryToken,omitempty"`
	// Failures counts the failed fetches since the last one that worked; the wait
	// before the next grows with it. Set by the controllers.
	// +optional
	Failures int32 `json:"failures,omitempty"`
}

// SkippedEntry is a class or a plan of a broker's catalog that is at fault. Most
// are left out for it.
type SkippedEntry struct {
	// Name that the object of the class or plan has, or would have.
	// +optional
	Name string `json:"name,omitempty"`
	// ExternalName of the class or plan at the broker.
	// +optional
	ExternalName string `json:"externalName,omitempty"`
	// ServiceID is the id of the service at the broker (OSB service_id), where it is known.
	// +optional
	ServiceID string `json:"serviceID,omitempty"`
	// PlanID is the id of the plan at the broker (OSB plan_id), of a plan.
	// +optional
	PlanID string `json:"planID,omitempty"`
	// TakenBy names the broker whose class or plan has the name of this one's object.
	// As soon as that object is gone, the catalog is fetched again.
	// +optional
	TakenBy string `json:"takenBy,omitempty"`
	// Reason says what is wrong with the entry.
	Reason string `json:"reason"`
}

// ClusterServiceBrokerStatus is what the controllers found at a
// ClusterServiceBroker; nobody else writes it.
type ClusterServiceBrokerStatus struct {
	CommonServiceBrokerStatus `json:",inline"`
}

// ServiceBrokerStatus is what the controllers found at a ServiceBroker; nobody
// else writes it.
type ServiceBrokerStatus struct {
	CommonServiceBrokerStatus `json:",inline"`
}

// ClusterServiceBroker registers an Open Service Broker for the whole cluster: its
// catalog becomes ClusterServiceClasses and ClusterServicePlans, of which every
// namespace can have instances.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=svcat;all,shortName=csb
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.url`
// +kubebuilder:selectablefield:JSONPath=`.spec.relistBehavior`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Last-Fetch",type=date,priority=1,JSONPath=`.status.lastCatalogRetrievalTime`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClusterServiceBroker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what a platform team says of the broker: where it is, how to trust it
	// and how to be trusted.
	Spec ClusterServiceBrokerSpec `json:"spec"`
	// Status is what the controllers found at the broker; nobody else writes it.
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

// ServiceBroker registers an Open Service Broker for one namespace: its catalog
// becomes ServiceClasses and ServicePlans there, of which only that namespace can
// have instances.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=svcat;all,shortName=svcbroker
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.url`
// +kubebuilder:selectablefield:JSONPath=`.spec.relistBehavior`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Last-Fetch",type=date,priority=1,JSONPath=`.status.lastCatalogRetrievalTime`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ServiceBroker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what an application team says of the broker: where it is, how to trust
	// it and how to be trusted.
	Spec ServiceBrokerSpec `json:"spec"`
	// Status is what the controllers found at the broker; nobody else writes it.
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
