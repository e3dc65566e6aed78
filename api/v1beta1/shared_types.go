package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ObjectReference names a Secret and its namespace.
type ObjectReference struct {
	// Namespace that the Secret is in. Not left out: there is no default.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self == "" || !format.dns1123Label().validate(self).hasValue()`,message="secretRef.namespace must be the name of a namespace: small letters, digits and \"-\", at most 63 characters."
	Namespace string `json:"namespace,omitempty"`
	// Name of the Secret in that namespace. It may be created later.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self == "" || !format.dns1123Subdomain().validate(self).hasValue()`,message="secretRef.name must be the name of a Secret: small letters, digits, \"-\" and \".\", at most 253 characters."
	Name string `json:"name,omitempty"`
}

// LocalObjectReference names an object in the namespace of its holder.
type LocalObjectReference struct {
	// Name of the object, which is in the same namespace as the one that names it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// ClusterObjectReference names a cluster-scoped object.
type ClusterObjectReference struct {
	// Name of the object, which is in no namespace.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// UserInfo is the user on whose behalf a broker is called. It is captured at
// admission and sent to the broker as originating identity.
type UserInfo struct {
	// Username that the API server knows the user by, such as "alice@example.com" or
	// "system:serviceaccount:shop:deployer".
	// +optional
	Username string `json:"username"`
	// UID of the user, if the authenticator gave one; else empty.
	// +optional
	UID string `json:"uid"`
	// Groups that the user was in at the time.
	// +optional
	Groups []string `json:"groups,omitempty"`
	// Extra holds what else the authenticator said of the user: lists of values by
	// key.
	// +optional
	Extra map[string]ExtraValue `json:"extra,omitempty"`
}

// ExtraValue is a list of strings; it has a name so that maps of it deep-copy.
type ExtraValue []string

// ParametersFromSource takes parameters from somewhere else: a Secret.
// +kubebuilder:validation:XValidation:rule=`has(self.secretKeyRef) && self.secretKeyRef.name != "" && self.secretKeyRef.key != ""`,message="Each entry of spec.parametersFrom needs secretKeyRef.name and secretKeyRef.key: name a Secret of this namespace, and its key that holds a JSON object."
type ParametersFromSource struct {
	// SecretKeyRef names a key of a Secret in the same namespace, whose value is a
	// JSON object such as {"password": "…"}. Each of its members becomes a parameter.
	// Naming a Secret needs the right to read it.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`
}

// SecretKeyReference names a key of a Secret in the holder's namespace.
type SecretKeyReference struct {
	// Name of the Secret, in the same namespace. It may be created later.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self == "" || !format.dns1123Subdomain().validate(self).hasValue()`,message="secretKeyRef.name must be the name of a Secret: small letters, digits, \"-\" and \".\", at most 253 characters."
	Name string `json:"name"`
	// Key in the Secret's data whose value is to be used.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[-._a-zA-Z0-9]*$')`,message="secretKeyRef.key must be a key that a Secret can have: letters, digits, \"-\", \"_\" and \".\", at most 253 characters."
	Key string `json:"key"`
}

// CommonStatus is what the status of every kind that the controllers work on
// has.
type CommonStatus struct {
	// Conditions say how the object is, each with the generation it speaks of. Always
	// there: Ready. There while true: Reconciling (work goes on by itself), Stalled
	// and Failed (somebody must act first), and what the kind adds. The message says
	// what is wrong, whose move it is and the next step. Set by the controllers.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration is the metadata.generation that the conditions speak of;
	// while it is lower than that of the object, they are about an older spec. Set by
	// the controllers.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// LastConditionState is, for printing, "Ready" or the reason why not. Programs
	// read the conditions instead. Set by the controllers.
	// +optional
	LastConditionState string `json:"lastConditionState,omitempty"`
	// LastHandledReconcile is the value of the annotation
	// servicecatalog.k8s.io/reconcile that was last acted upon. Set by the
	// controllers.
	// +optional
	LastHandledReconcile string `json:"lastHandledReconcile,omitempty"`
}

// RawParameters is free-form JSON, an object.
type RawParameters = runtime.RawExtension
