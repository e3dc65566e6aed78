// Package v1beta1 holds the API of the service catalog: the eight kinds of
// servicecatalog.k8s.io/v1beta1 with every field that the retired Kubernetes
// Service Catalog v0.3 had, and the optional fields that were added since.
//
// It also holds, as documented constants, every name that users and other
// programs meet: condition types and reasons, annotations, labels, finalizer
// and scheduling gate; and the few functions that turn one name into another
// (EffectiveSecretName, EnvSecretName, EnvName).
//
// It refuses to do anything else: no client, no defaulting at run time, no
// decision. Fields of v0.3 keep their names and meaning for good; later
// versions of this package add optional fields only.
//
// Start reading at serviceinstance_types.go and operation_types.go.
//
// +kubebuilder:object:generate=true
// +groupName=servicecatalog.k8s.io
package v1beta1
