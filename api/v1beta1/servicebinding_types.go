package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ServiceBindingSpec is what a user wants of an instance: credentials, and how they
// are to be kept. It stays as it was created, but for rotation, and for what admission
// fills in. What means the same counts as the same: an empty value and none, "60m" and "1h".
//
// CEL compares free-form JSON by the names on one side alone, so the rule overlooks a
// parameter at the top that is only renamed. Nothing is sent then either: parameters
// are for the making of credentials.
//
// +kubebuilder:validation:XValidation:fieldPath=`.instanceRef`,optionalOldSelf=true,rule=`oldSelf.hasValue() || self.?instanceRef.?name.orValue("") != "" && !format.dns1123Subdomain().validate(self.instanceRef.name).hasValue()`,message="spec.instanceRef.name must be the name of a ServiceInstance of this namespace: small letters, digits, \"-\" and \".\", at most 253 characters."
// +kubebuilder:validation:XValidation:fieldPath=`.instanceRef`,rule=`has(self.instanceRef) == has(oldSelf.instanceRef) && (!has(self.instanceRef) || self.instanceRef == oldSelf.instanceRef)`,message="spec.instanceRef cannot be changed: a binding stays with its instance. Set it back; for another instance, create another binding."
// +kubebuilder:validation:XValidation:fieldPath=`.parameters`,rule=`has(self.parameters) == has(oldSelf.parameters) && (!has(self.parameters) || self.parameters == oldSelf.parameters)`,message="spec.parameters cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.parametersFrom`,rule=`(has(self.parametersFrom) ? self.parametersFrom : []) == (has(oldSelf.parametersFrom) ? oldSelf.parametersFrom : [])`,message="spec.parametersFrom cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.secretName`,rule=`(has(self.secretName) ? self.secretName : "") == (has(oldSelf.secretName) ? oldSelf.secretName : "")`,message="spec.secretName cannot be changed: the spec of a binding stays as it was created. Set it back; for another name, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.secretTransforms`,rule=`(has(self.secretTransforms) ? self.secretTransforms : []).map(t, [dyn(t.?renameKey), dyn(t.?addKey.?key), dyn(t.?addKey.?value), dyn(t.?addKey.?stringValue), dyn(t.?addKey.?jsonPathExpression), dyn(t.?addKeysFrom), dyn(t.?removeKey)]) == (has(oldSelf.secretTransforms) ? oldSelf.secretTransforms : []).map(t, [dyn(t.?renameKey), dyn(t.?addKey.?key), dyn(t.?addKey.?value), dyn(t.?addKey.?stringValue), dyn(t.?addKey.?jsonPathExpression), dyn(t.?addKeysFrom), dyn(t.?removeKey)])`,message="spec.secretTransforms cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.type`,rule=`(has(self.type) ? self.type : "") == (has(oldSelf.type) ? oldSelf.type : "")`,message="spec.type cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.provider`,rule=`(has(self.provider) ? self.provider : "") == (has(oldSelf.provider) ? oldSelf.provider : "")`,message="spec.provider cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.secretMetadata`,rule=`(has(self.secretMetadata) ? self.secretMetadata : "") == (has(oldSelf.secretMetadata) ? oldSelf.secretMetadata : "")`,message="spec.secretMetadata cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.secretTemplate`,rule=`has(self.secretTemplate) == has(oldSelf.secretTemplate) && (!has(self.secretTemplate) || self.secretTemplate == oldSelf.secretTemplate)`,message="spec.secretTemplate cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
type ServiceBindingSpec struct {
	// InstanceRef names the ServiceInstance, in the same namespace, that the credentials
	// are for. It may be created later.
	// +optional
	InstanceRef LocalObjectReference `json:"instanceRef"`
	// Parameters are sent to the broker when the credentials are made: a JSON object such
	// as {"role": "reader"}; which ones there are, the broker says (see
	// serviceBindingCreateParameterSchema of the plan). They are stored in clear: put
	// secret ones into a Secret and use parametersFrom. Default is none.
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
	// SecretName is the name of the Secret that is made for the credentials; beside it
	// one called <secretName>-env holds them under names fit for environment variables. A
	// Secret of that name which is not of this binding is never written over. Default is
	// the name of the binding.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self == "" || !format.dns1123Subdomain().validate(self).hasValue()`,message="spec.secretName must be a name that a Secret can have: small letters, digits, \"-\" and \".\", at most 253 characters; leave it out to use the name of the binding."
	SecretName string `json:"secretName,omitempty"`
	// SecretTransforms change the credentials before they are stored, one after the
	// other. Default is none: the Secret holds what the broker gave.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	SecretTransforms []SecretTransform `json:"secretTransforms,omitempty"`
	// ExternalID is the id of the binding at the broker (OSB binding_id). Left out, a
	// random one is filled in at creation. Setting it takes over what the broker holds
	// under that id, which needs the verb adopt on servicebindings. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self == "" || oldSelf == "" || self == oldSelf`,message="spec.externalID cannot be changed: it is what the binding is at the broker. Set it back, or leave the field out to keep it; for another id, create another binding."
	ExternalID string `json:"externalID,omitempty"`
	// ExternalIDOrigin says who made externalID: "Generated" here, at random; "Given" by
	// a user; "Derived" from cluster, namespace and name. Only what has a generated id is
	// ever cleaned up at the broker on a guess. Filled in at admission, not yours to set.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self == "" || oldSelf == "" || self == oldSelf`,message="spec.externalIDOrigin is not yours to set: leave the field out to keep it, it says who made spec.externalID."
	ExternalIDOrigin ExternalIDOrigin `json:"externalIDOrigin,omitempty"`
	// UserInfo is the user who made the binding; the broker is told. Filled in at
	// admission, not yours to set.
	// +optional
	UserInfo *UserInfo `json:"userInfo,omitempty"`
	// Type of the service, for programs that look for one by it, such as "postgresql"; it
	// becomes the key "type" of the Secret. Default is what the broker says, else the
	// external name of the class.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type,omitempty"`
	// Provider of the service, for programs that tell several of a type apart; it becomes
	// the key "provider" of the Secret. Default is what the broker says, else the name of
	// the broker.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Provider string `json:"provider,omitempty"`
	// SecretMetadata says what is put into the Secret beside the credentials: "None";
	// "Type", the keys type and provider; "Full", also instance, plan and tags. What the
	// broker gave under such a key stays. Default is Type.
	// +optional
	SecretMetadata SecretMetadata `json:"secretMetadata,omitempty"`
	// SecretTemplate shapes the Secret: labels, annotations and keys of its own. Default
	// is a Secret with what the broker gave.
	// +optional
	SecretTemplate *SecretTemplate `json:"secretTemplate,omitempty"`
	// Rotation renews the credentials by schedule: new ones are made, and the old ones
	// revoked when nobody uses them any more. Default is that they stay.
	// +optional
	Rotation *RotationPolicy `json:"rotation,omitempty"`
}

// ServiceBinding has a broker give credentials for a ServiceInstance and keeps them in
// a Secret, from where Pods get them.
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
// +kubebuilder:selectablefield:JSONPath=`.status.binding.name`
// +kubebuilder:printcolumn:name="Service-Instance",type=string,JSONPath=`.spec.instanceRef.name`
// +kubebuilder:printcolumn:name="Secret-Name",type=string,JSONPath=`.status.binding.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Broker",type=string,priority=1,JSONPath=`.status.brokerRef.name`
// +kubebuilder:printcolumn:name="External-ID",type=string,priority=1,JSONPath=`.status.externalID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ServiceBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what you want of an instance: credentials, and how they are to be kept. It
	// stays as it was created, but for what admission fills in.
	Spec ServiceBindingSpec `json:"spec"`
	// Status is what is known of the binding; only the controllers write it.
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
