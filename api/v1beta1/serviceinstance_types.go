package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DeletionPolicy says what happens at the broker when an instance's object is
// deleted; empty means the default.
// +kubebuilder:validation:Enum="";Delete;Retain
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

// ServiceInstanceSpec is what a user wants of a broker: something of a class and a
// plan, made with parameters.
type ServiceInstanceSpec struct {
	PlanReference `json:",inline"`
	// ClusterServiceClassRef is what v0.3 resolved the class to. It is accepted, so that
	// exported objects can be restored, and not used: see status.clusterServiceClassRef.
	// +optional
	ClusterServiceClassRef *ClusterObjectReference `json:"clusterServiceClassRef,omitempty"`
	// ClusterServicePlanRef is what v0.3 resolved the plan to. It is accepted, so that
	// exported objects can be restored, and not used: see status.clusterServicePlanRef.
	// +optional
	ClusterServicePlanRef *ClusterObjectReference `json:"clusterServicePlanRef,omitempty"`
	// ServiceClassRef is what v0.3 resolved the class to. It is accepted, so that
	// exported objects can be restored, and not used: see status.serviceClassRef.
	// +optional
	ServiceClassRef *LocalObjectReference `json:"serviceClassRef,omitempty"`
	// ServicePlanRef is what v0.3 resolved the plan to. It is accepted, so that exported
	// objects can be restored, and not used: see status.servicePlanRef.
	// +optional
	ServicePlanRef *LocalObjectReference `json:"servicePlanRef,omitempty"`
	// Parameters are sent to the broker when the instance is provisioned or updated: a
	// JSON object such as {"storageGB": 20}; which ones there are, the broker says (see
	// instanceCreateParameterSchema of the plan). They are stored in clear: put secret
	// ones into a Secret and use parametersFrom. Default is none.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`
	// ParametersFrom adds parameters from Secrets of the namespace. A parameter may be
	// stated once in all, here or in parameters; stated twice, nothing is sent to the
	// broker and a condition says so. Default is none.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	ParametersFrom []ParametersFromSource `json:"parametersFrom,omitempty"`
	// ExternalID is the id of the instance at the broker (OSB instance_id). Left out, a
	// random one is filled in at creation. Setting it takes over what the broker holds
	// under that id, which needs the verb adopt on serviceinstances. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self == "" || oldSelf == "" || self == oldSelf`,message="spec.externalID cannot be changed: it is what the instance is at the broker. Set it back, or leave the field out to keep it; for another id, create another instance."
	ExternalID string `json:"externalID,omitempty"`
	// ExternalIDOrigin says who made externalID: "Generated" here, at random; "Given" by
	// a user; "Derived" from cluster, namespace and name. Only what has a generated id is
	// ever cleaned up at the broker on a guess. Filled in at admission, not yours to set.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self == "" || oldSelf == "" || self == oldSelf`,message="spec.externalIDOrigin is not yours to set: leave the field out to keep it, it says who made spec.externalID."
	ExternalIDOrigin ExternalIDOrigin `json:"externalIDOrigin,omitempty"`
	// UserInfo is the user who last changed the spec; the broker is told. Filled in at
	// admission, not yours to set.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
	// UpdateRequests is a counter: raise it by one to have an update sent to the broker
	// although nothing else in the spec changed, for example after a Secret of
	// parametersFrom did. It never decreases; an update that leaves it out, or says 0,
	// keeps it.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self >= 0`,message="spec.updateRequests is a counter and cannot be below 0: raise it by one to have an update sent, or leave it out."
	// +kubebuilder:validation:XValidation:rule=`self == 0 || self >= oldSelf`,message="spec.updateRequests cannot decrease: raise it by one to have an update sent, or leave it out to keep it as it is."
	UpdateRequests int64 `json:"updateRequests,omitempty"`
	// DeletionPolicy says what happens at the broker when this object is deleted:
	// "Delete" deprovisions the instance there, "Retain" leaves it, with its data.
	// Default is Delete where externalIDOrigin is Generated, else Retain.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ServiceInstance is something that a broker provisioned, or is to provision: a
// database, a queue, an account. ServiceBindings give credentials for it.
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
// +kubebuilder:printcolumn:name="Broker",type=string,priority=1,JSONPath=`.status.brokerRef.name`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.status.externalID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ServiceInstance struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what you want of the broker: something of a class and a plan, made with
	// parameters.
	Spec ServiceInstanceSpec `json:"spec"`
	// Status is what is known of the instance; only the controllers write it.
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
