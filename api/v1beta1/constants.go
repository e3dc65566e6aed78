package v1beta1

// Finalizer is on brokers, instances and bindings while something outside the
// cluster stands for them. It is v0.3's, so that restored objects keep working.
const Finalizer = "kubernetes-incubator/service-catalog"

// AnnotationPrefix is the prefix of every annotation and label of ours.
const AnnotationPrefix = "servicecatalog.k8s.io/"

// Annotations that a user puts on a Pod (or a Pod template). Only
// AnnotationBinding is needed. With several bindings the settings of one are
// given as "<binding>.servicecatalog.k8s.io/<setting>".
const (
	// AnnotationBinding names one ServiceBinding, or several comma-separated.
	AnnotationBinding = AnnotationPrefix + "binding"
	// AnnotationInject chooses "files", "env" or both (the default).
	AnnotationInject = AnnotationPrefix + "inject"
	// AnnotationContainers names the containers that get the credentials.
	AnnotationContainers = AnnotationPrefix + "containers"
	// AnnotationMountPath is the absolute directory of the binding's files.
	AnnotationMountPath = AnnotationPrefix + "mount-path"
	// AnnotationEnvPrefix is the prefix of automatic variables; may be empty.
	AnnotationEnvPrefix = AnnotationPrefix + "env-prefix"
	// AnnotationEnv lists explicit variables: NAME=key or NAME=file:key.
	AnnotationEnv = AnnotationPrefix + "env"
	// AnnotationWhenNotReady is "wait" (scheduling gate, default) or "reject".
	AnnotationWhenNotReady = AnnotationPrefix + "when-not-ready"
	// AnnotationRestartOnRotation says whether the owning workload is rolled
	// after its credentials changed: "true" or "false".
	AnnotationRestartOnRotation = AnnotationPrefix + "restart-on-rotation"
)

// Marks that the webhook and the controllers put on a Pod.
const (
	// AnnotationInjected records, as JSON, what was injected: bindings, Secrets
	// and containers; never a value. Recomputed by the webhook, never trusted.
	AnnotationInjected = AnnotationPrefix + "injected"
	// LabelInjection is InjectionWaiting or InjectionDone.
	LabelInjection = AnnotationPrefix + "injection"
	// InjectionWaiting marks a Pod held back by the scheduling gate.
	InjectionWaiting = "waiting"
	// InjectionDone marks a Pod whose credentials are stored.
	InjectionDone = "done"
	// SchedulingGate keeps a Pod from a node until its credentials are stored.
	SchedulingGate = AnnotationPrefix + "waiting-for-binding"
	// PodConditionCredentials is the Pod condition that says what a gated Pod
	// waits for.
	PodConditionCredentials = AnnotationPrefix + "credentials-stored"
)

// Annotations that a user puts on objects of ours.
const (
	// AnnotationPaused stops all work on an object while it is "true".
	AnnotationPaused = AnnotationPrefix + "paused"
	// AnnotationReconcile makes the controllers act at once; any new value
	// acts once.
	AnnotationReconcile = AnnotationPrefix + "reconcile"
	// AnnotationCheckInterval is how often an instance is compared with what its
	// broker has, as a Go duration of at least a minute. Default is never.
	AnnotationCheckInterval = AnnotationPrefix + "check-interval"
	// AnnotationRotate rotates a binding's credentials; any new value acts once.
	AnnotationRotate = AnnotationPrefix + "rotate"
	// AnnotationPreventDeletion refuses deletion while it is "true".
	AnnotationPreventDeletion = AnnotationPrefix + "prevent-deletion"
	// AnnotationPurge lets an object go without asking its broker. Needs the
	// RBAC verb "purge" on the kind.
	AnnotationPurge = AnnotationPrefix + "purge"
)

// AnnotationCredentialIDs is on a binding and says, beside its status, under which
// ids the broker has credentials of it: that of those in force, of those being made
// and of older ones not yet revoked. The controllers write it before an id is used,
// so that a binding restored without its status revokes what is its own.
const AnnotationCredentialIDs = AnnotationPrefix + "credential-ids"

// Marks on the Secrets of a binding.
const (
	// LabelManaged is on every Secret of ours, so that a watch can be narrow.
	LabelManaged = AnnotationPrefix + "managed"
	// AnnotationBindingID is the OSB binding id whose credentials a Secret holds.
	AnnotationBindingID = AnnotationPrefix + "binding-id"
	// AnnotationBindingName names the ServiceBinding of a Secret.
	AnnotationBindingName = AnnotationPrefix + "binding-name"
	// AnnotationDigestKey is a random key for the digests in the binding's status.
	AnnotationDigestKey = AnnotationPrefix + "digest-key"
)

// Labels on classes and plans, as v0.3 wrote them: the value is the hex
// SHA-224 of the field that the key names.
const (
	LabelExternalID             = AnnotationPrefix + "spec.externalID"
	LabelExternalName           = AnnotationPrefix + "spec.externalName"
	LabelClusterBrokerName      = AnnotationPrefix + "spec.clusterServiceBrokerName"
	LabelBrokerName             = AnnotationPrefix + "spec.serviceBrokerName"
	LabelClusterServiceClassRef = AnnotationPrefix + "spec.clusterServiceClassRef.name"
	LabelServiceClassRef        = AnnotationPrefix + "spec.serviceClassRef.name"
)

// Keys of a broker's auth Secret.
const (
	// BasicAuthUsernameKey holds the user name for HTTP Basic.
	BasicAuthUsernameKey = "username"
	// BasicAuthPasswordKey holds the password for HTTP Basic.
	BasicAuthPasswordKey = "password"
	// BearerTokenKey holds the bearer token, without the word "Bearer".
	BearerTokenKey = "token"
)
