package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

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
	// ClusterServicePlanExternalName is the name of the plan at the broker, of a
	// ClusterServicePlan.
	// +optional
	ClusterServicePlanExternalName string `json:"clusterServicePlanExternalName,omitempty"`
	// ClusterServicePlanExternalID is the id of the plan at the broker (OSB plan_id), of
	// a ClusterServicePlan.
	// +optional
	ClusterServicePlanExternalID string `json:"clusterServicePlanExternalID,omitempty"`
	// ServicePlanExternalName is the name of the plan at the broker, of a ServicePlan.
	// +optional
	ServicePlanExternalName string `json:"servicePlanExternalName,omitempty"`
	// ServicePlanExternalID is the id of the plan at the broker (OSB plan_id), of a
	// ServicePlan.
	// +optional
	ServicePlanExternalID string `json:"servicePlanExternalID,omitempty"`
	// ServiceExternalID is the id of the service at the broker (OSB service_id), so that
	// the instance can be deprovisioned when its class is gone.
	// +optional
	ServiceExternalID string `json:"serviceExternalID,omitempty"`
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
	// MaintenanceVersion is the maintenance_info.version of the plan that the instance
	// was provisioned with or last upgraded to.
	// +optional
	MaintenanceVersion string `json:"maintenanceVersion,omitempty"`
	// ContextChecksum is a digest of the context object (namespace, name, annotations)
	// as the broker was last told it, where the service wants to hear of its changes.
	// +optional
	ContextChecksum string `json:"contextChecksum,omitempty"`
	// UpdateRequests is the spec's counter of that name as it was last acted upon.
	// +optional
	UpdateRequests *int64 `json:"updateRequests,omitempty"`
}

// ServiceInstanceStatus is what is known of an instance; only the controllers write
// it.
type ServiceInstanceStatus struct {
	CommonStatus `json:",inline"`
	// AsyncOpInProgress says that the broker works on the instance in the background and
	// is asked from time to time how it is getting on.
	// +optional
	AsyncOpInProgress bool `json:"asyncOpInProgress,omitempty"`
	// OrphanMitigationInProgress says that what a failed provision may have left at the
	// broker is being removed there.
	// +optional
	OrphanMitigationInProgress bool `json:"orphanMitigationInProgress,omitempty"`
	// LastOperation is the broker's key for the operation that it works on, sent back to
	// it when it is asked how it is getting on.
	// +optional
	LastOperation *string `json:"lastOperation,omitempty"`
	// DashboardURL is a page of the broker on which people can look at the instance and
	// manage it.
	// +optional
	DashboardURL *string `json:"dashboardURL,omitempty"`
	// CurrentOperation is what is being done: "Provision", "Update" or "Deprovision";
	// empty for nothing.
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
	// InProgressProperties are plan, parameters and user of the current operation.
	// +optional
	InProgressProperties *ServiceInstanceProperties `json:"inProgressProperties,omitempty"`
	// ExternalProperties are plan, parameters and user that the broker is known to have:
	// those of the last operation that it accepted.
	// +optional
	ExternalProperties *ServiceInstanceProperties `json:"externalProperties,omitempty"`
	// ProvisionStatus says whether the broker has the instance: "Provisioned" or
	// "NotProvisioned"; empty before the first outcome.
	// +optional
	ProvisionStatus ProvisionStatus `json:"provisionStatus,omitempty"`
	// DeprovisionStatus says whether the broker is owed a deprovision: "NotRequired",
	// "Required" (from before the first provision call on), "Succeeded" or "Failed".
	// +optional
	DeprovisionStatus DeprovisionStatus `json:"deprovisionStatus,omitempty"`
	// Unusable says that the broker declared the instance unusable after a failed update
	// or deprovision (instance_usable false): nothing new is bound to it until an update
	// succeeds.
	// +optional
	Unusable bool `json:"unusable,omitempty"`
	// DefaultProvisionParameters are the defaults of plan and class that were applied
	// when the instance was provisioned.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
	// UserSpecifiedClassName is, for printing, the class as the user named it, with its
	// kind, such as "ClusterServiceClass/postgresql".
	// +optional
	UserSpecifiedClassName string `json:"userSpecifiedClassName,omitempty"`
	// UserSpecifiedPlanName is, for printing, the plan as the user named it, or the one
	// that was chosen by default.
	// +optional
	UserSpecifiedPlanName string `json:"userSpecifiedPlanName,omitempty"`

	// Operation is the journal of the operation under way: what is asked of the broker is
	// recorded here before the call, so that no crash can lose it.
	// +optional
	Operation *Operation `json:"operation,omitempty"`
	// ExternalID is the id of the instance at the broker (OSB instance_id) that every
	// call uses. It differs from spec.externalID after the broker refused that id once
	// what had been left under it was removed.
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
	// ClusterServiceClassRef is the ClusterServiceClass that the spec was resolved to.
	// +optional
	ClusterServiceClassRef *ClusterObjectReference `json:"clusterServiceClassRef,omitempty"`
	// ClusterServicePlanRef is the ClusterServicePlan that the spec was resolved to.
	// +optional
	ClusterServicePlanRef *ClusterObjectReference `json:"clusterServicePlanRef,omitempty"`
	// ServiceClassRef is the ServiceClass, in the same namespace, that the spec was
	// resolved to.
	// +optional
	ServiceClassRef *LocalObjectReference `json:"serviceClassRef,omitempty"`
	// ServicePlanRef is the ServicePlan, in the same namespace, that the spec was
	// resolved to.
	// +optional
	ServicePlanRef *LocalObjectReference `json:"servicePlanRef,omitempty"`
	// BrokerRef names the broker that has the instance, and its kind.
	// +optional
	BrokerRef *BrokerReference `json:"brokerRef,omitempty"`
}

// BrokerReference names a broker and its kind.
type BrokerReference struct {
	// Kind of the broker: "ClusterServiceBroker" or "ServiceBroker".
	Kind string `json:"kind"`
	// Name of the broker; a ServiceBroker is in the same namespace.
	Name string `json:"name"`
}
