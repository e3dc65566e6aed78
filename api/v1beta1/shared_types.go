package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ObjectReference names an object of a cluster-scoped kind, or of a known
// namespace, as LocalObjectReference; and with a namespace where it says so.
type ObjectReference struct {
	// Namespace of the object.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	// +optional
	Name string `json:"name,omitempty"`
}

// LocalObjectReference names an object in the namespace of its holder.
type LocalObjectReference struct {
	// Name of the object.
	// +optional
	Name string `json:"name,omitempty"`
}

// ClusterObjectReference names a cluster-scoped object.
type ClusterObjectReference struct {
	// Name of the object.
	// +optional
	Name string `json:"name,omitempty"`
}

// UserInfo is the user on whose behalf a broker is called.
type UserInfo struct {
	// Username is the user's name.
	// +optional
	Username string `json:"username"`
	// UID is the user's unique id, if the authenticator gave one.
	// +optional
	UID string `json:"uid"`
	// Groups the user is in.
	// +optional
	Groups []string `json:"groups,omitempty"`
	// Extra holds what else the authenticator said.
	// +optional
	Extra map[string]ExtraValue `json:"extra,omitempty"`
}

// ExtraValue is a list of strings; it has a name so that maps of it deep-copy.
type ExtraValue []string

// ParametersFromSource takes parameters from somewhere else.
type ParametersFromSource struct {
	// SecretKeyRef takes them from a key of a Secret in the same namespace; its
	// value must be a JSON object.
	// +optional
	SecretKeyRef *SecretKeyReference `json:"secretKeyRef,omitempty"`
}

// SecretKeyReference names a key of a Secret in the holder's namespace.
type SecretKeyReference struct {
	// Name of the Secret.
	Name string `json:"name"`
	// Key in the Secret.
	Key string `json:"key"`
}

// CommonStatus is what the status of every kind that the controllers work on
// has.
type CommonStatus struct {
	// Conditions say how the object is: Ready, Failed, Reconciling, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration is the generation that the conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// LastConditionState is, for printing, "Ready" or the reason why not.
	// +optional
	LastConditionState string `json:"lastConditionState,omitempty"`
	// LastHandledReconcile is the value of the reconcile annotation that was
	// last acted upon.
	// +optional
	LastHandledReconcile string `json:"lastHandledReconcile,omitempty"`
}

// RawParameters is free-form JSON, an object.
type RawParameters = runtime.RawExtension
