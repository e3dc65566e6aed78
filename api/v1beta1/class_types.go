package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// CommonServiceClassSpec is what classes of both scopes have. The catalog
// controllers keep it as the broker says, but for defaultProvisionParameters.
type CommonServiceClassSpec struct {
	// ExternalName is the OSB service's name.
	// +kubebuilder:validation:MinLength=1
	ExternalName string `json:"externalName"`
	// ExternalID is the OSB service's id.
	// +kubebuilder:validation:MinLength=1
	ExternalID string `json:"externalID"`
	// Description of the service.
	// +optional
	Description string `json:"description"`
	// Bindable says whether instances can be bound; a plan may say otherwise.
	// +optional
	Bindable bool `json:"bindable"`
	// BindingRetrievable says whether the broker answers GET for bindings.
	// +optional
	BindingRetrievable bool `json:"bindingRetrievable,omitempty"`
	// InstancesRetrievable says whether the broker answers GET for instances.
	// +optional
	InstancesRetrievable bool `json:"instancesRetrievable,omitempty"`
	// PlanUpdatable says whether an instance's plan can be changed; a plan may
	// say otherwise.
	// +optional
	PlanUpdatable bool `json:"planUpdatable"`
	// AllowContextUpdates says whether the broker takes updates of the context.
	// +optional
	AllowContextUpdates bool `json:"allowContextUpdates,omitempty"`
	// ExternalMetadata is the broker's free-form metadata.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	ExternalMetadata *runtime.RawExtension `json:"externalMetadata,omitempty"`
	// Tags of the service.
	// +optional
	Tags []string `json:"tags,omitempty"`
	// Requires lists what the service asks of a platform, such as syslog_drain.
	// +optional
	Requires []string `json:"requires,omitempty"`
	// DefaultProvisionParameters are set by an operator; a relist keeps them.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
}

// ClusterServiceClassSpec describes a service of a ClusterServiceBroker.
type ClusterServiceClassSpec struct {
	CommonServiceClassSpec `json:",inline"`
	// ClusterServiceBrokerName is the broker that offers the class.
	ClusterServiceBrokerName string `json:"clusterServiceBrokerName"`
}

// ServiceClassSpec describes a service of a ServiceBroker.
type ServiceClassSpec struct {
	CommonServiceClassSpec `json:",inline"`
	// ServiceBrokerName is the broker that offers the class.
	ServiceBrokerName string `json:"serviceBrokerName"`
}

// CommonServiceClassStatus is what became of a class.
type CommonServiceClassStatus struct {
	// RemovedFromBrokerCatalog says that the broker does not offer the class
	// any more; existing instances stay usable, new ones are refused.
	// +optional
	RemovedFromBrokerCatalog bool `json:"removedFromBrokerCatalog"`
}

// ClusterServiceClassStatus is what became of a ClusterServiceClass.
type ClusterServiceClassStatus struct {
	CommonServiceClassStatus `json:",inline"`
}

// ServiceClassStatus is what became of a ServiceClass.
type ServiceClassStatus struct {
	CommonServiceClassStatus `json:",inline"`
}

// ClusterServiceClass is a service that a ClusterServiceBroker offers in every namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=svcat;all,shortName=csc
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:printcolumn:name="Bindable",type=boolean,JSONPath=`.spec.bindable`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ClusterServiceClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ClusterServiceClassSpec `json:"spec,omitempty"`
	// +optional
	Status ClusterServiceClassStatus `json:"status,omitempty"`
}

// ClusterServiceClassList is a list of ClusterServiceClasses.
//
// +kubebuilder:object:root=true
type ClusterServiceClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServiceClass `json:"items"`
}

// ServiceClass is a service that a ServiceBroker offers in its namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=svcat;all,shortName=svcclass
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, the retired Service Catalog's group continued on CRDs"
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:selectablefield:JSONPath=`.spec.externalName`
// +kubebuilder:selectablefield:JSONPath=`.spec.externalID`
// +kubebuilder:selectablefield:JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:printcolumn:name="Bindable",type=boolean,JSONPath=`.spec.bindable`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ServiceClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ServiceClassSpec `json:"spec,omitempty"`
	// +optional
	Status ServiceClassStatus `json:"status,omitempty"`
}

// ServiceClassList is a list of ServiceClasses.
//
// +kubebuilder:object:root=true
type ServiceClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceClass `json:"items"`
}
