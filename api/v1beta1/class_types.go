package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// CommonServiceClassSpec is what classes of both scopes have. The catalog
// controllers keep it as the broker says, but for defaultProvisionParameters.
type CommonServiceClassSpec struct {
	// ExternalName is the name of the service in the broker's catalog, such as
	// "postgresql". Users name the class by it; a broker may change it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	ExternalName string `json:"externalName"`
	// ExternalID is the id of the service in the broker's catalog (OSB service_id). It
	// never changes; the name of this object is made from it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,message="spec.externalID cannot be changed: it is what the class is at the broker. Set it back; a service with another id is another class."
	ExternalID string `json:"externalID"`
	// Description says in a sentence what the service is, in the broker's words.
	// +optional
	Description string `json:"description"`
	// Bindable says whether instances of the class can be bound, that is, give
	// credentials. A plan may say otherwise. Default is false.
	// +optional
	Bindable bool `json:"bindable"`
	// BindingRetrievable says whether the broker can be asked for the credentials of a
	// binding again (OSB bindings_retrievable). Default is false.
	// +optional
	BindingRetrievable bool `json:"bindingRetrievable,omitempty"`
	// InstancesRetrievable says whether the broker can be asked what it holds of an
	// instance (OSB instances_retrievable). Default is false.
	// +optional
	InstancesRetrievable bool `json:"instancesRetrievable,omitempty"`
	// PlanUpdatable says whether an instance of the class can be moved to another
	// plan. A plan may say otherwise. Default is false.
	// +optional
	PlanUpdatable bool `json:"planUpdatable"`
	// AllowContextUpdates says whether the broker wants to be told when the context of
	// an instance, such as the name of its cluster, changes. Default is false.
	// +optional
	AllowContextUpdates bool `json:"allowContextUpdates,omitempty"`
	// ExternalMetadata is what the broker says of the service for people and user
	// interfaces, such as displayName or documentationUrl: any JSON object, kept as it
	// came.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	ExternalMetadata *runtime.RawExtension `json:"externalMetadata,omitempty"`
	// Tags are the broker's keywords for the service, such as "postgresql" and
	// "relational".
	// +optional
	Tags []string `json:"tags,omitempty"`
	// Requires lists what the service asks of a platform, such as "syslog_drain".
	// Informational: Kubernetes grants none of it.
	// +optional
	Requires []string `json:"requires,omitempty"`
	// DefaultProvisionParameters are parameters for instances that do not set them,
	// a JSON object. An operator sets them here by hand; the catalog's next fetch
	// keeps them.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	DefaultProvisionParameters *runtime.RawExtension `json:"defaultProvisionParameters,omitempty"`
}

// ClusterServiceClassSpec describes a service of a ClusterServiceBroker, as its
// catalog does.
type ClusterServiceClassSpec struct {
	CommonServiceClassSpec `json:",inline"`
	// ClusterServiceBrokerName is the name of the ClusterServiceBroker that offers the
	// class. It never changes.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,message="spec.clusterServiceBrokerName cannot be changed: a class stays with the broker that offers it. Set it back; the other broker's catalog makes a class of its own."
	ClusterServiceBrokerName string `json:"clusterServiceBrokerName"`
}

// ServiceClassSpec describes a service of a ServiceBroker, as its catalog does.
type ServiceClassSpec struct {
	CommonServiceClassSpec `json:",inline"`
	// ServiceBrokerName is the name of the ServiceBroker, in the same namespace, that
	// offers the class. It never changes.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,message="spec.serviceBrokerName cannot be changed: a class stays with the broker that offers it. Set it back; the other broker's catalog makes a class of its own."
	ServiceBrokerName string `json:"serviceBrokerName"`
}

// CommonServiceClassStatus is what became of a class.
type CommonServiceClassStatus struct {
	// RemovedFromBrokerCatalog says that the broker offers the class no more, while
	// instances of it still exist: they stay usable, new ones are refused. Set by the
	// controllers.
	// +optional
	RemovedFromBrokerCatalog bool `json:"removedFromBrokerCatalog"`
}

// ClusterServiceClassStatus is what became of a ClusterServiceClass; only the
// controllers write it.
type ClusterServiceClassStatus struct {
	CommonServiceClassStatus `json:",inline"`
}

// ServiceClassStatus is what became of a ServiceClass; only the controllers write
// it.
type ServiceClassStatus struct {
	CommonServiceClassStatus `json:",inline"`
}

// ClusterServiceClass is a service that a ClusterServiceBroker offers in every
// namespace. The controllers make it from the broker's catalog and keep it so.
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
// +kubebuilder:selectablefield:JSONPath=`.spec.bindable`
// +kubebuilder:selectablefield:JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.clusterServiceBrokerName`
// +kubebuilder:printcolumn:name="Bindable",type=boolean,JSONPath=`.spec.bindable`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.spec.externalID`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ClusterServiceClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec describes the service as the broker's catalog does.
	Spec ClusterServiceClassSpec `json:"spec"`
	// Status says what became of the class; only the controllers write it.
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

// ServiceClass is a service that a ServiceBroker offers in its own namespace. The
// controllers make it from the broker's catalog and keep it so.
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
// +kubebuilder:selectablefield:JSONPath=`.spec.bindable`
// +kubebuilder:selectablefield:JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="External-Name",type=string,JSONPath=`.spec.externalName`
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.serviceBrokerName`
// +kubebuilder:printcolumn:name="Bindable",type=boolean,JSONPath=`.spec.bindable`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.spec.externalID`
// +kubebuilder:printcolumn:name="Removed",type=boolean,priority=1,JSONPath=`.status.removedFromBrokerCatalog`
// +kubebuilder:printcolumn:name="Description",type=string,priority=1,JSONPath=`.spec.description`
type ServiceClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec describes the service as the broker's catalog does.
	Spec ServiceClassSpec `json:"spec"`
	// Status says what became of the class; only the controllers write it.
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
