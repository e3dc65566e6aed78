package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// CommonServicePlanSpec is what plans of both scopes have. The catalog
// controllers keep it as the broker says, but for defaultProvisionParameters.
type CommonServicePlanSpec struct {
	// ExternalName is the name of the plan in the broker's catalog, such as "small".
	// It is unique within its class only. Users name the plan by it; a broker may
	// change it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	ExternalName string `json:"externalName"`
	// ExternalID is the id of the plan in the broker's catalog (OSB plan_id). It never
	// changes; the name of this object is made from it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,message="spec.externalID cannot be changed: it is what the plan is at the broker. Set it back; a plan with another id is another object."
	ExternalID string `json:"externalID"`
	// Description says in a sentence what the plan gives, in the broker's words.
	// +optional
	Description string `json:"description"`
	// Bindable says, where it is set, whether instances of the plan can be bound.
	// Default is what the class says.
	// +optional
	Bindable *bool `json:"bindable,omitempty"`
	// Free says that the plan costs nothing. A broker that does not say counts as
	// free of charge (OSB 2.17).
	// +optional
	Free bool `json:"free"`
	// PlanUpdatable says, where it is set, whether an instance of the plan can be
	// moved to another plan. Default is what the class says.
	// +optional
	PlanUpdatable *bool `json:"planUpdatable,omitempty"`
	// BindingRotatable says that credentials of the plan can be renewed through a
	// successor of the binding (OSB 2.17 §Binding Rotation). Default is false.
	// +optional
	BindingRotatable bool `json:"bindingRotatable,omitempty"`
	// MaximumPollingDuration is after how many seconds an operation that the broker
	// carries out in the background counts as failed. Default is the controllers' own
	// limit.
	// +optional
	MaximumPollingDuration *int64 `json:"maximumPollingDuration,omitempty"`
	// MaintenanceInfo is the version of what the plan gives; a broker raises it when
	// instances can be upgraded.
	// +optional
	MaintenanceInfo *MaintenanceInfo `json:"maintenanceInfo,omitempty"`
	// ExternalMetadata is what the broker says of the plan for people and user
	// interfaces, such as bullets and costs: any JSON object, kept as it came.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	ExternalMetadata *runtime.RawExtension `json:"externalMetadata,omitempty"`
	// InstanceCreateParameterSchema is the JSON Schema (draft 4 or later) of the
	// parameters with which an instance is provisioned. Default is that anything goes.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	InstanceCreateParameterSchema *runtime.RawExtension `json:"instanceCreateParameterSchema,omitempty"`
	// InstanceUpdateParameterSchema is the JSON Schema (draft 4 or later) of the
	// parameters with which an instance is updated. Default is that anything goes.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	InstanceUpdateParameterSchema *runtime.RawExtension `json:"instanceUpdateParameterSchema,omitempty"`
	// ServiceBindingCreateParameterSchema is the JSON Schema (draft 4 or later) of the
	// parameters with which a binding is made. Default is that anything goes.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	ServiceBindingCreateParameterSchema *runtime.RawExtension `json:"serviceBindingCreateParameterSchema,omitempty"`
	// DefaultProvisionParameters are parameters for instances that do not set them,
	// a JSON object; they go before those of the class. An operator sets them here by
	// hand; the catalog's next fetch keeps them.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
}

// MaintenanceInfo is a version of what a plan gives (OSB 2.17).
type MaintenanceInfo struct {
	// Version of what the broker maintains, in three numbers such as "2.1.1".
	Version string `json:"version"`
	// Description says what the version brings, in the broker's words.
	// +optional
	Description string `json:"description,omitempty"`
}

// ClusterServicePlanSpec describes a plan of a ClusterServiceClass, as the broker's
// catalog does.
type ClusterServicePlanSpec struct {
	CommonServicePlanSpec `json:",inline"`
	// ClusterServiceBrokerName is the name of the ClusterServiceBroker that offers the
	// plan. It never changes.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,message="spec.clusterServiceBrokerName cannot be changed: a plan stays with the broker that offers it. Set it back; the other broker's catalog makes a plan of its own."
	ClusterServiceBrokerName string `json:"clusterServiceBrokerName"`
	// ClusterServiceClassRef names the ClusterServiceClass that the plan is of. It
	// never changes.
	// +kubebuilder:validation:XValidation:rule=`self.?name.orValue("") != ""`,message="spec.clusterServiceClassRef.name is missing: name the ClusterServiceClass that the plan is of."
	// +kubebuilder:validation:XValidation:rule=`(has(self.name) ? self.name : "") == (has(oldSelf.name) ? oldSelf.name : "")`,message="spec.clusterServiceClassRef cannot be changed: a plan stays with its class. Set it back; a plan of another class is another object."
	ClusterServiceClassRef ClusterObjectReference `json:"clusterServiceClassRef"`
}

// ServicePlanSpec describes a plan of a ServiceClass, as the broker's catalog does.
type ServicePlanSpec struct {
	CommonServicePlanSpec `json:",inline"`
	// ServiceBrokerName is the name of the ServiceBroker, in the same namespace, that
	// offers the plan. It never changes.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,message="spec.serviceBrokerName cannot be changed: a plan stays with the broker that offers it. Set it back; the other broker's catalog makes a plan of its own."
	ServiceBrokerName string `json:"serviceBrokerName"`
	// ServiceClassRef names the ServiceClass, in the same namespace, that the plan is
	// of. It never changes.
	// +kubebuilder:validation:XValidation:rule=`self.?name.orValue("") != ""`,message="spec.serviceClassRef.name is missing: name the ServiceClass, in the same namespace, that the plan is of."
	// +kubebuilder:validation:XValidation:rule=`(has(self.name) ? self.name : "") == (has(oldSelf.name) ? oldSelf.name : "")`,message="spec.serviceClassRef cannot be changed: a plan stays with its class. Set it back; a plan of another class is another object."
	ServiceClassRef LocalObjectReference `json:"serviceClassRef"`
}

// CommonServicePlanStatus is what became of a plan.
type CommonServicePlanStatus struct {
	// RemovedFromBrokerCatalog says that the broker offers the plan no more, while
	// instances of it still exist: they stay usable, new ones are refused. Set by the
	// controllers.
	// +optional
	RemovedFromBrokerCatalog bool `json:"removedFromBrokerCatalog"`
}

// ClusterServicePlanStatus is what became of a ClusterServicePlan; only the
// controllers write it.
type ClusterServicePlanStatus struct {
	CommonServicePlanStatus `json:",inline"`
}

// ServicePlanStatus is what became of a ServicePlan; only the controllers write it.
type ServicePlanStatus struct {
	CommonServicePlanStatus `json:",inline"`
}

// ClusterServicePlan is a plan of a ClusterServiceClass: a size, a price, a set of
// features. The controllers make it from the broker's catalog and keep it so.
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
// +kubebuilder:selectablefield:JSONPath=`.spec.free`
// +kubebuilder:selectablefield:JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.clusterServiceClassRef.name`
// +kubebuilder:printcolumn:name="Free",type=boolean,JSONPath=`.spec.free`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.spec.externalID`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ClusterServicePlan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec describes the plan as the broker's catalog does.
	Spec ClusterServicePlanSpec `json:"spec"`
	// Status says what became of the plan; only the controllers write it.
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

// ServicePlan is a plan of a ServiceClass: a size, a price, a set of features. The
// controllers make it from the broker's catalog and keep it so.
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
// +kubebuilder:selectablefield:JSONPath=`.spec.free`
// +kubebuilder:selectablefield:JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.serviceClassRef.name`
// +kubebuilder:printcolumn:name="Free",type=boolean,JSONPath=`.spec.free`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.spec.externalID`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ServicePlan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec describes the plan as the broker's catalog does.
	Spec ServicePlanSpec `json:"spec"`
	// Status says what became of the plan; only the controllers write it.
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
