package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// CommonServicePlanSpec is what plans of both scopes have. The catalog
// controllers keep it as the broker says, but for defaultProvisionParameters.
type CommonServicePlanSpec struct {
	// ExternalName is the OSB plan's name.
	// +kubebuilder:validation:MinLength=1
	ExternalName string `json:"externalName"`
	// ExternalID is the OSB plan's id.
	// +kubebuilder:validation:MinLength=1
	ExternalID string `json:"externalID"`
	// Description of the plan.
	// +optional
	Description string `json:"description"`
	// Bindable, if set, overrides the class's.
	// +optional
	Bindable *bool `json:"bindable,omitempty"`
	// Free says that the plan costs nothing.
	// +optional
	Free bool `json:"free"`
	// PlanUpdatable, if set, overrides the class's.
	// +optional
	PlanUpdatable *bool `json:"planUpdatable,omitempty"`
	// BindingRotatable says that a binding can be rotated through a successor
	// (OSB 2.17 §Binding Rotation).
	// +optional
	BindingRotatable bool `json:"bindingRotatable,omitempty"`
	// MaximumPollingDuration bounds an asynchronous operation, in seconds.
	// +optional
	MaximumPollingDuration *int64 `json:"maximumPollingDuration,omitempty"`
	// MaintenanceInfo is the version of the plan's offering.
	// +optional
	MaintenanceInfo *MaintenanceInfo `json:"maintenanceInfo,omitempty"`
	// ExternalMetadata is the broker's free-form metadata.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	ExternalMetadata *runtime.RawExtension `json:"externalMetadata,omitempty"`
	// InstanceCreateParameterSchema is the JSON Schema of provision parameters.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	InstanceCreateParameterSchema *runtime.RawExtension `json:"instanceCreateParameterSchema,omitempty"`
	// InstanceUpdateParameterSchema is the JSON Schema of update parameters.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	InstanceUpdateParameterSchema *runtime.RawExtension `json:"instanceUpdateParameterSchema,omitempty"`
	// ServiceBindingCreateParameterSchema is the JSON Schema of bind parameters.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	ServiceBindingCreateParameterSchema *runtime.RawExtension `json:"serviceBindingCreateParameterSchema,omitempty"`
	// DefaultProvisionParameters are set by an operator; a relist keeps them.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
}

// MaintenanceInfo is a version of a plan's offering (OSB 2.17).
type MaintenanceInfo struct {
	// Version is a semantic version.
	Version string `json:"version"`
	// Description of what the version brings.
	// +optional
	Description string `json:"description,omitempty"`
}

// ClusterServicePlanSpec describes a plan of a ClusterServiceClass.
type ClusterServicePlanSpec struct {
	CommonServicePlanSpec `json:",inline"`
	// ClusterServiceBrokerName is the broker that offers the plan.
	ClusterServiceBrokerName string `json:"clusterServiceBrokerName"`
	// ClusterServiceClassRef names the plan's class.
	ClusterServiceClassRef ClusterObjectReference `json:"clusterServiceClassRef"`
}

// ServicePlanSpec describes a plan of a ServiceClass.
type ServicePlanSpec struct {
	CommonServicePlanSpec `json:",inline"`
	// ServiceBrokerName is the broker that offers the plan.
	ServiceBrokerName string `json:"serviceBrokerName"`
	// ServiceClassRef names the plan's class.
	ServiceClassRef LocalObjectReference `json:"serviceClassRef"`
}

// CommonServicePlanStatus is what became of a plan.
type CommonServicePlanStatus struct {
	// RemovedFromBrokerCatalog says that the broker does not offer the plan any
	// more; existing instances stay usable, new ones are refused.
	// +optional
	RemovedFromBrokerCatalog bool `json:"removedFromBrokerCatalog"`
}

// ClusterServicePlanStatus is what became of a ClusterServicePlan.
type ClusterServicePlanStatus struct {
	CommonServicePlanStatus `json:",inline"`
}

// ServicePlanStatus is what became of a ServicePlan.
type ServicePlanStatus struct {
	CommonServicePlanStatus `json:",inline"`
}

// ClusterServicePlan is a plan of a ClusterServiceClass.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=svcat;all,shortName=csp
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServiceClassRef.name`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.clusterServiceClassRef.name`
// +kubebuilder:printcolumn:name="Free",type=boolean,JSONPath=`.spec.free`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ClusterServicePlan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ClusterServicePlanSpec `json:"spec,omitempty"`
	// +optional
	Status ClusterServicePlanStatus `json:"status,omitempty"`
}

// ClusterServicePlanList is a list of ClusterServicePlans.
//
// +kubebuilder:object:root=true
type ClusterServicePlanList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServicePlan `json:"items"`
}

// ServicePlan is a plan of a ServiceClass.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=svcat;all,shortName=svcplan
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:selectablefield:JSONPath=`.spec.serviceClassRef.name`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.serviceClassRef.name`
// +kubebuilder:printcolumn:name="Free",type=boolean,JSONPath=`.spec.free`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ServicePlan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ServicePlanSpec `json:"spec,omitempty"`
	// +optional
	Status ServicePlanStatus `json:"status,omitempty"`
}

// ServicePlanList is a list of ServicePlans.
//
// +kubebuilder:object:root=true
type ServicePlanList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServicePlan `json:"items"`
}
