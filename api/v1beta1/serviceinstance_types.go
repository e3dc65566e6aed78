package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DeletionPolicy says what happens at the broker when an instance's object is
// deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

// The deletion policies.
const (
	// DeletionPolicyDelete deprovisions. It is the default for instances whose
	// id we made.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyRetain leaves the instance at the broker. It is the default
	// for instances whose id was given or derived.
	DeletionPolicyRetain DeletionPolicy = "Retain"
)

// ExternalIDOrigin says who made an object's id.
// +kubebuilder:validation:Enum="";Generated;Given;Derived
type ExternalIDOrigin string

// The origins of an id; empty means Given.
const (
	// ExternalIDGenerated: we made the id, at random, for this very object.
	ExternalIDGenerated ExternalIDOrigin = "Generated"
	// ExternalIDGiven: the user gave the id.
	ExternalIDGiven ExternalIDOrigin = "Given"
	// ExternalIDDerived: the id follows from cluster, namespace and name.
	ExternalIDDerived ExternalIDOrigin = "Derived"
)

// PlanReference chooses a class and a plan: one scope, one naming style. The
// plan may be left out where the class has exactly one.
type PlanReference struct {
	// ClusterServiceClassExternalName is the OSB service's name.
	// +optional
	ClusterServiceClassExternalName string `json:"clusterServiceClassExternalName,omitempty"`
	// ClusterServicePlanExternalName is the OSB plan's name.
	// +optional
	ClusterServicePlanExternalName string `json:"clusterServicePlanExternalName,omitempty"`
	// ClusterServiceClassExternalID is the OSB service's id.
	// +optional
	ClusterServiceClassExternalID string `json:"clusterServiceClassExternalID,omitempty"`
	// ClusterServicePlanExternalID is the OSB plan's id.
	// +optional
	ClusterServicePlanExternalID string `json:"clusterServicePlanExternalID,omitempty"`
	// ClusterServiceClassName is the name of the ClusterServiceClass.
	// +optional
	ClusterServiceClassName string `json:"clusterServiceClassName,omitempty"`
	// ClusterServicePlanName is the name of the ClusterServicePlan.
	// +optional
	ClusterServicePlanName string `json:"clusterServicePlanName,omitempty"`
	// ServiceClassExternalName is the OSB service's name.
	// +optional
	ServiceClassExternalName string `json:"serviceClassExternalName,omitempty"`
	// ServicePlanExternalName is the OSB plan's name.
	// +optional
	ServicePlanExternalName string `json:"servicePlanExternalName,omitempty"`
	// ServiceClassExternalID is the OSB service's id.
	// +optional
	ServiceClassExternalID string `json:"serviceClassExternalID,omitempty"`
	// ServicePlanExternalID is the OSB plan's id.
	// +optional
	ServicePlanExternalID string `json:"servicePlanExternalID,omitempty"`
	// ServiceClassName is the name of the ServiceClass.
	// +optional
	ServiceClassName string `json:"serviceClassName,omitempty"`
	// ServicePlanName is the name of the ServicePlan.
	// +optional
	ServicePlanName string `json:"servicePlanName,omitempty"`
}

// ServiceInstanceSpec is what a user wants of a broker.
type ServiceInstanceSpec struct {
	PlanReference `json:",inline"`
	// ClusterServiceClassRef is accepted in restored objects; the resolved
	// class stands in status.
	// +optional
	ClusterServiceClassRef *ClusterObjectReference `json:"clusterServiceClassRef,omitempty"`
	// ClusterServicePlanRef is accepted in restored objects.
	// +optional
	ClusterServicePlanRef *ClusterObjectReference `json:"clusterServicePlanRef,omitempty"`
	// ServiceClassRef is accepted in restored objects.
	// +optional
	ServiceClassRef *LocalObjectReference `json:"serviceClassRef,omitempty"`
	// ServicePlanRef is accepted in restored objects.
	// +optional
	ServicePlanRef *LocalObjectReference `json:"servicePlanRef,omitempty"`
	// Parameters are sent to the broker; a JSON object, stored in clear.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
	// ParametersFrom adds parameters from Secrets. A key may be stated once.
	// +optional
	ParametersFrom []ParametersFromSource `json:"parametersFrom,omitempty"`
	// ExternalID is the OSB instance_id; made for you if empty.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ExternalID string `json:"externalID,omitempty"`
	// ExternalIDOrigin says who made externalID; filled in, not yours to set.
	// +optional
	ExternalIDOrigin ExternalIDOrigin `json:"externalIDOrigin,omitempty"`
	// UserInfo is the user who last changed the spec; filled in.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
	// UpdateRequests forces an update when it is raised.
	// +optional
	UpdateRequests int64 `json:"updateRequests,omitempty"`
	// DeletionPolicy says whether deleting the object deprovisions; default
	// Delete for an id that we made, else Retain.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ProvisionStatus says whether the broker has the instance.
type ProvisionStatus string

// The provision statuses; empty before the first outcome.
const (
	ProvisionStatusProvisioned    ProvisionStatus = "Provisioned"
	ProvisionStatusNotProvisioned ProvisionStatus = "NotProvisioned"
)

// DeprovisionStatus says whether a deprovision is owed to the broker. It is
// Required from before the first provision call on.
type DeprovisionStatus string

// The deprovision statuses.
const (
	DeprovisionStatusNotRequired DeprovisionStatus = "NotRequired"
	DeprovisionStatusRequired    DeprovisionStatus = "Required"
	DeprovisionStatusSucceeded   DeprovisionStatus = "Succeeded"
	DeprovisionStatusFailed      DeprovisionStatus = "Failed"
)

// ServiceInstanceProperties are the values that an operation carries, or that
// the broker is known to have. Values from Secrets are redacted.
type ServiceInstanceProperties struct {
	// ClusterServicePlanExternalName is the plan's name, cluster scope.
	// +optional
	ClusterServicePlanExternalName string `json:"clusterServicePlanExternalName,omitempty"`
	// ClusterServicePlanExternalID is the plan's id, cluster scope.
	// +optional
	ClusterServicePlanExternalID string `json:"clusterServicePlanExternalID,omitempty"`
	// ServicePlanExternalName is the plan's name, namespaced.
	// +optional
	ServicePlanExternalName string `json:"servicePlanExternalName,omitempty"`
	// ServicePlanExternalID is the plan's id, namespaced.
	// +optional
	ServicePlanExternalID string `json:"servicePlanExternalID,omitempty"`
	// ServiceExternalID is the OSB service_id, so that the instance can be
	// deprovisioned when its class is gone.
	// +optional
	ServiceExternalID string `json:"serviceExternalID,omitempty"`
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
}

// ServiceInstanceStatus is what is known of an instance.
type ServiceInstanceStatus struct {
	CommonStatus `json:",inline"`
	// AsyncOpInProgress says that the broker is polled for an outcome.
	// +optional
	AsyncOpInProgress bool `json:"asyncOpInProgress,omitempty"`
	// OrphanMitigationInProgress says that what a failed provision may have
	// left is being removed.
	// +optional
	OrphanMitigationInProgress bool `json:"orphanMitigationInProgress,omitempty"`
	// LastOperation is the broker's operation key.
	// +optional
	LastOperation *string `json:"lastOperation,omitempty"`
	// DashboardURL is a page of the broker for this instance.
	// +optional
	DashboardURL *string `json:"dashboardURL,omitempty"`
	// CurrentOperation is Provision, Update, Deprovision or empty.
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
	InProgressProperties *ServiceInstanceProperties `json:"inProgressProperties,omitempty"`
	// ExternalProperties are what the broker is known to have.
	// +optional
	ExternalProperties *ServiceInstanceProperties `json:"externalProperties,omitempty"`
	// ProvisionStatus says whether the broker has the instance.
	// +optional
	ProvisionStatus ProvisionStatus `json:"provisionStatus,omitempty"`
	// DeprovisionStatus says whether a deprovision is owed.
	// +optional
	DeprovisionStatus DeprovisionStatus `json:"deprovisionStatus,omitempty"`
	// DefaultProvisionParameters are the defaults that were applied.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
	// UserSpecifiedClassName is the class as the user gave it, with its kind.
	// +optional
	UserSpecifiedClassName string `json:"userSpecifiedClassName,omitempty"`
	// UserSpecifiedPlanName is the plan as the user gave it.
	// +optional
	UserSpecifiedPlanName string `json:"userSpecifiedPlanName,omitempty"`

	// Operation is the journal of the operation under way.
	// +optional
	Operation *Operation `json:"operation,omitempty"`
	// ExternalID is the OSB instance_id in force; every call uses it.
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
	// ClusterServiceClassRef is the resolved class.
	// +optional
	ClusterServiceClassRef *ClusterObjectReference `json:"clusterServiceClassRef,omitempty"`
	// ClusterServicePlanRef is the resolved plan.
	// +optional
	ClusterServicePlanRef *ClusterObjectReference `json:"clusterServicePlanRef,omitempty"`
	// ServiceClassRef is the resolved class.
	// +optional
	ServiceClassRef *LocalObjectReference `json:"serviceClassRef,omitempty"`
	// ServicePlanRef is the resolved plan.
	// +optional
	ServicePlanRef *LocalObjectReference `json:"servicePlanRef,omitempty"`
	// BrokerRef names the broker that has the instance, and its kind.
	// +optional
	BrokerRef *BrokerReference `json:"brokerRef,omitempty"`
}

// BrokerReference names a broker and its kind.
type BrokerReference struct {
	// Kind is ClusterServiceBroker or ServiceBroker.
	Kind string `json:"kind"`
	// Name of the broker; a ServiceBroker is in the holder's namespace.
	Name string `json:"name"`
}

// ServiceInstance is something that a broker provisioned, or is to provision.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=svcat;all,shortName=svcinst
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServiceClassExternalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServicePlanExternalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.serviceClassExternalName`
// +kubebuilder:selectablefield:JSONPath=`.status.clusterServiceClassRef.name`
// +kubebuilder:selectablefield:JSONPath=`.status.clusterServicePlanRef.name`
// +kubebuilder:selectablefield:JSONPath=`.status.serviceClassRef.name`
// +kubebuilder:selectablefield:JSONPath=`.status.servicePlanRef.name`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.status.userSpecifiedClassName`
// +kubebuilder:printcolumn:name="Plan",type=string,JSONPath=`.status.userSpecifiedPlanName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.status.externalID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ServiceInstance struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ServiceInstanceSpec `json:"spec,omitempty"`
	// +optional
	Status ServiceInstanceStatus `json:"status,omitempty"`
}

// ServiceInstanceList is a list of ServiceInstances.
//
// +kubebuilder:object:root=true
type ServiceInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceInstance `json:"items"`
}
