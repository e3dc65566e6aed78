package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RelistBehavior says when a broker's catalog is fetched again.
// +kubebuilder:validation:Enum="";Duration;Manual
type RelistBehavior string

// The relist behaviours; empty means RelistDuration.
const (
	// RelistBehaviorDuration fetches again after each relistDuration.
	RelistBehaviorDuration RelistBehavior = "Duration"
	// RelistBehaviorManual fetches again only when the spec changes.
	RelistBehaviorManual RelistBehavior = "Manual"
)

// Switch turns an optional behaviour on or off; empty means its default.
// +kubebuilder:validation:Enum="";Enabled;Disabled
type Switch string

// The positions of a Switch.
const (
	Enabled  Switch = "Enabled"
	Disabled Switch = "Disabled"
)

// CommonServiceBrokerSpec is what brokers of both scopes have.
//
// The rules on a whole spec let pass what was as wrong before an update: an old
// object stays editable. A rule on a spec does not repeat in its error what it
// refuses: a URL may hold a password, and a bundle is long.
//
// +kubebuilder:validation:XValidation:fieldPath=`.url`,optionalOldSelf=true,rule=`self.url.matches(r'^(?i:https?)://[^/?#@\s\\:][^/?#@\s\\]*(/[^?#\s]*)?$') && isURL(self.url) || oldSelf.?url.orValue("") == self.url`,message="spec.url must be an absolute http or https URL without user name, query and fragment, such as \"https://broker.example.com\"; put a user name and password into a Secret and name it in spec.authInfo.basic.secretRef."
// +kubebuilder:validation:XValidation:fieldPath=`.insecureSkipTLSVerify`,optionalOldSelf=true,rule=`!(self.?insecureSkipTLSVerify.orValue(false) && self.?caBundle.hasValue() && size(self.caBundle) > 0) || oldSelf.?insecureSkipTLSVerify.orValue(false) && oldSelf.?caBundle.hasValue()`,message="spec.insecureSkipTLSVerify and spec.caBundle exclude each other: keep caBundle to have the broker's certificate verified, or remove it to have the certificate not verified at all."
// +kubebuilder:validation:XValidation:fieldPath=`.caBundle`,optionalOldSelf=true,rule=`!has(self.caBundle) || size(self.caBundle) == 0 || self.caBundle == oldSelf.?caBundle.orValue(b"") || !(self.caBundle >= b"\x30\x80" && self.caBundle < b"\x31") && string(self.caBundle).contains("-----BEGIN CERTIFICATE-----")`,message="spec.caBundle must hold PEM certificates, each from \"-----BEGIN CERTIFICATE-----\" on: convert a DER file with \"openssl x509 -inform der\", and encode the PEM text in base64 once."
type CommonServiceBrokerSpec struct {
	// URL is the base URL of the Open Service Broker, without "/v2": absolute, http
	// or https, with neither user name nor query nor fragment. A trailing slash is
	// ignored. Example: "https://broker.example.com". It may be changed when the
	// broker moves; its instances and bindings move with it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`
	// InsecureSkipTLSVerify set to true leaves the broker's TLS certificate
	// unverified: whoever sits between can read and change everything, credentials
	// included. For trials only; caBundle is the safe way. Excludes caBundle.
	// Default is false.
	// +optional
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify,omitempty"`
	// CABundle holds, base64-encoded, the PEM certificates of the authorities that
	// may vouch for the broker's TLS certificate. They replace those of the system.
	// Default is the system's.
	// +optional
	// +kubebuilder:validation:MaxLength=1048576
	CABundle []byte `json:"caBundle,omitempty"`
	// RelistBehavior says when the catalog is fetched again: "Duration" after each
	// relistDuration, "Manual" only when the spec changes, for example by raising
	// relistRequests. Default is Duration, filled in at creation.
	// +optional
	RelistBehavior RelistBehavior `json:"relistBehavior,omitempty"`
	// RelistDuration is the time between two fetches of the catalog, a Go duration
	// such as "15m" or "1h30m". Unused with relistBehavior Manual. Default is the
	// controllers' --relist-interval (24h).
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s')`,message="spec.relistDuration must be a duration above zero such as \"15m\" or \"1h30m\"; leave the field out for the default of the controllers."
	RelistDuration *metav1.Duration `json:"relistDuration,omitempty"`
	// RelistRequests is a counter: raise it by one to have the catalog fetched now.
	// It never decreases; an update that leaves it out, or says 0, keeps it.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self >= 0`,message="spec.relistRequests is a counter and cannot be below 0: raise it by one to have the catalog fetched, or leave it out."
	// +kubebuilder:validation:XValidation:rule=`self == 0 || self >= oldSelf`,message="spec.relistRequests cannot decrease: raise it by one to have the catalog fetched, or leave it out to keep it as it is."
	RelistRequests int64 `json:"relistRequests,omitempty"`
	// CatalogRestrictions choose which classes and plans of the catalog become
	// objects. Default is all of them. What a new restriction excludes is treated as
	// if the broker offered it no more: what is in use stays usable, new instances of
	// it are refused.
	// +optional
	CatalogRestrictions *CatalogRestrictions `json:"catalogRestrictions,omitempty"`
	// OSB adapts the controllers to what this broker can and cannot do. Most brokers
	// need none of it.
	// +optional
	OSB *OSBSettings `json:"osb,omitempty"`
}

// CatalogRestrictions filter a catalog by terms in the grammar of label selectors
// ("==", "=", "!=", "in (a, b)", "notin (a, b)"; a name alone holds always). All
// terms of a list must hold; values are compared exactly, as text.
type CatalogRestrictions struct {
	// ServiceClass holds terms over the properties name (of the Kubernetes object),
	// spec.externalName and spec.externalID of a class. Example:
	// "spec.externalName in (postgresql, redis)". A class none of whose plans is left
	// is left out too.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=4096
	// +kubebuilder:validation:items:XValidation:rule=`self.matches(r'^\s*(name|spec\.external(Name|ID))(\s*(==?|!=)\s*([^\W_]([-\w.]*[^\W_])?)?|\s+(not)?in\s*\(\s*([^\W_]([-\w.]*[^\W_])?\s*)?(,\s*([^\W_]([-\w.]*[^\W_])?\s*)?)*\))?\s*(,\s*(name|spec\.external(Name|ID))(\s*(==?|!=)\s*([^\W_]([-\w.]*[^\W_])?)?|\s+(not)?in\s*\(\s*([^\W_]([-\w.]*[^\W_])?\s*)?(,\s*([^\W_]([-\w.]*[^\W_])?\s*)?)*\))?\s*)*$') && !self.matches(r'[-\w.]{64}')`,message="spec.catalogRestrictions.serviceClass holds terms such as \"spec.externalName in (postgresql, redis)\" over the properties name, spec.externalName and spec.externalID, with the operators ==, !=, in and notin and values that are legal label values: correct this term."
	ServiceClass []string `json:"serviceClass,omitempty"`
	// ServicePlan holds terms over the properties name (of the Kubernetes object),
	// spec.externalName, spec.externalID, spec.free ("true" or "false") of a plan, and
	// the object name of its class: spec.clusterServiceClass.name for a
	// ClusterServiceBroker, spec.serviceClass.name for a ServiceBroker. Example:
	// "spec.free=true".
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=4096
	ServicePlan []string `json:"servicePlan,omitempty"`
}

// OSBSettings adapt the protocol to one broker.
type OSBSettings struct {
	// APIVersion is the version of the Open Service Broker API to announce to the
	// broker in X-Broker-API-Version, such as "2.14". Default is "2.17".
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule=`self == "" || self.matches(r'^2\.[0-9]+$')`,message="spec.osb.apiVersion must be a version 2.x of the Open Service Broker API such as \"2.14\"; leave it out for \"2.17\"."
	APIVersion string `json:"apiVersion,omitempty"`
	// Timeout of one request to the broker, from connecting to the last byte of the
	// answer; a Go duration such as "90s". Default is the controllers' --osb-timeout
	// (60s).
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s')`,message="spec.osb.timeout must be a duration above zero such as \"90s\"; leave the field out for the default of the controllers."
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// OriginatingIdentity says whether the broker is told, in
	// X-Broker-API-Originating-Identity, which user acts. "Disabled" is for brokers
	// behind a proxy that refuses long headers. Default is Enabled.
	// +optional
	OriginatingIdentity Switch `json:"originatingIdentity,omitempty"`
	// OrphanMitigation says whether what a failed create may have left at the broker
	// is removed there. "Disabled" is for brokers that cannot take it; what is left
	// is then yours to remove. Default is Enabled.
	// +optional
	OrphanMitigation Switch `json:"orphanMitigation,omitempty"`
	// MaxConcurrent limits how many requests run at this broker at the same time: 1 to
	// 1000. Default is the controllers' --broker-concurrency (10).
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self >= 1 && self <= 1000`,message="spec.osb.maxConcurrent must be from 1 to 1000; leave the field out for the default of the controllers."
	MaxConcurrent *int32 `json:"maxConcurrent,omitempty"`
	// MaxRequestsPerSecond limits how many requests to this broker begin in a second: 1
	// to 1000. Default is the controllers' --broker-rate (50).
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self >= 1 && self <= 1000`,message="spec.osb.maxRequestsPerSecond must be from 1 to 1000; leave the field out for the default of the controllers."
	MaxRequestsPerSecond *int32 `json:"maxRequestsPerSecond,omitempty"`
}

// ClusterServiceBrokerSpec is what a platform team says of a broker whose catalog
// is offered in every namespace: where it is, how to trust it and how to be
// trusted.
//
// +kubebuilder:validation:XValidation:fieldPath=`.catalogRestrictions.servicePlan`,optionalOldSelf=true,rule=`!has(self.catalogRestrictions) || !has(self.catalogRestrictions.servicePlan) || self.catalogRestrictions.servicePlan.all(t, t.matches(r'^\s*(name|spec\.(external(Name|ID)|free|clusterServiceClass\.name))(\s*(==?|!=)\s*([^\W_]([-\w.]*[^\W_])?)?|\s+(not)?in\s*\(\s*([^\W_]([-\w.]*[^\W_])?\s*)?(,\s*([^\W_]([-\w.]*[^\W_])?\s*)?)*\))?\s*(,\s*(name|spec\.(external(Name|ID)|free|clusterServiceClass\.name))(\s*(==?|!=)\s*([^\W_]([-\w.]*[^\W_])?)?|\s+(not)?in\s*\(\s*([^\W_]([-\w.]*[^\W_])?\s*)?(,\s*([^\W_]([-\w.]*[^\W_])?\s*)?)*\))?\s*)*$') && !t.matches(r'[-\w.]{64}')) || self.catalogRestrictions.servicePlan == oldSelf.?catalogRestrictions.?servicePlan.orValue([])`,message="spec.catalogRestrictions.servicePlan holds terms such as \"spec.externalName in (small, large)\" over the properties name, spec.externalName, spec.externalID, spec.free and spec.clusterServiceClass.name, with the operators ==, !=, in and notin and values that are legal label values: correct the term that is not such a one."
type ClusterServiceBrokerSpec struct {
	CommonServiceBrokerSpec `json:",inline"`
	// AuthInfo says how requests to the broker are authenticated: by basic or by
	// bearer, not both. Default is no authentication. Naming a Secret needs the right
	// to read it.
	// +optional
	AuthInfo *ClusterServiceBrokerAuthInfo `json:"authInfo,omitempty"`
	// ClientCertificate names a Secret of type kubernetes.io/tls, with the keys
	// tls.crt and tls.key, that is presented to brokers which ask for a client
	// certificate (mutual TLS). It goes with any authInfo. Default is none.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self.?secretRef.?name.orValue("") != "" && self.?secretRef.?namespace.orValue("") != ""`,message="spec.clientCertificate.secretRef needs both name and namespace: name the Secret of type kubernetes.io/tls that holds the certificate."
	ClientCertificate *ClusterSecretReference `json:"clientCertificate,omitempty"`
}

// ClusterSecretReference holds a reference to a Secret of any namespace.
type ClusterSecretReference struct {
	// SecretRef names the Secret and its namespace; both are needed.
	// +optional
	SecretRef *ObjectReference `json:"secretRef,omitempty"`
}

// SecretReference holds a reference to a Secret of the broker's namespace.
type SecretReference struct {
	// SecretRef names the Secret; it is in the namespace of the broker.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self.?name.orValue("") == "" || !format.dns1123Subdomain().validate(self.name).hasValue()`,message="secretRef.name must be the name of a Secret: small letters, digits, \"-\" and \".\", at most 253 characters."
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
}

// ClusterServiceBrokerAuthInfo is a union: exactly one member is set.
// +kubebuilder:validation:XValidation:rule=`has(self.basic) != has(self.bearer)`,message="spec.authInfo needs exactly one of basic and bearer: name one Secret, or remove spec.authInfo if the broker asks for no authentication."
type ClusterServiceBrokerAuthInfo struct {
	// Basic authenticates with HTTP Basic: the Secret holds the user name under the
	// key "username" and the password under "password".
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self.?secretRef.?name.orValue("") != "" && self.?secretRef.?namespace.orValue("") != ""`,message="spec.authInfo.basic.secretRef needs both name and namespace: name the Secret with the keys username and password."
	Basic *ClusterSecretReference `json:"basic,omitempty"`
	// Bearer authenticates with a bearer token: the Secret holds it under the key
	// "token", without the word Bearer.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self.?secretRef.?name.orValue("") != "" && self.?secretRef.?namespace.orValue("") != ""`,message="spec.authInfo.bearer.secretRef needs both name and namespace: name the Secret with the key token."
	Bearer *ClusterSecretReference `json:"bearer,omitempty"`
}

// ServiceBrokerSpec is what an application team says of a broker whose catalog is
// offered in the broker's own namespace only: where it is, how to trust it and how
// to be trusted.
//
// +kubebuilder:validation:XValidation:fieldPath=`.catalogRestrictions.servicePlan`,optionalOldSelf=true,rule=`!has(self.catalogRestrictions) || !has(self.catalogRestrictions.servicePlan) || self.catalogRestrictions.servicePlan.all(t, t.matches(r'^\s*(name|spec\.(external(Name|ID)|free|serviceClass\.name))(\s*(==?|!=)\s*([^\W_]([-\w.]*[^\W_])?)?|\s+(not)?in\s*\(\s*([^\W_]([-\w.]*[^\W_])?\s*)?(,\s*([^\W_]([-\w.]*[^\W_])?\s*)?)*\))?\s*(,\s*(name|spec\.(external(Name|ID)|free|serviceClass\.name))(\s*(==?|!=)\s*([^\W_]([-\w.]*[^\W_])?)?|\s+(not)?in\s*\(\s*([^\W_]([-\w.]*[^\W_])?\s*)?(,\s*([^\W_]([-\w.]*[^\W_])?\s*)?)*\))?\s*)*$') && !t.matches(r'[-\w.]{64}')) || self.catalogRestrictions.servicePlan == oldSelf.?catalogRestrictions.?servicePlan.orValue([])`,message="spec.catalogRestrictions.servicePlan holds terms such as \"spec.externalName in (small, large)\" over the properties name, spec.externalName, spec.externalID, spec.free and spec.serviceClass.name, with the operators ==, !=, in and notin and values that are legal label values: correct the term that is not such a one."
type ServiceBrokerSpec struct {
	CommonServiceBrokerSpec `json:",inline"`
	// AuthInfo says how requests to the broker are authenticated: by basic or by
	// bearer, not both. Default is no authentication. Naming a Secret needs the right
	// to read it.
	// +optional
	AuthInfo *ServiceBrokerAuthInfo `json:"authInfo,omitempty"`
	// ClientCertificate names a Secret of type kubernetes.io/tls, with the keys
	// tls.crt and tls.key, that is presented to brokers which ask for a client
	// certificate (mutual TLS). It goes with any authInfo. Default is none.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self.?secretRef.?name.orValue("") != ""`,message="spec.clientCertificate.secretRef.name is missing: name the Secret of type kubernetes.io/tls, in the broker's namespace, that holds the certificate."
	ClientCertificate *SecretReference `json:"clientCertificate,omitempty"`
}

// ServiceBrokerAuthInfo is a union: exactly one member is set.
// +kubebuilder:validation:XValidation:rule=`has(self.basic) != has(self.bearer)`,message="spec.authInfo needs exactly one of basic and bearer: name one Secret, or remove spec.authInfo if the broker asks for no authentication."
type ServiceBrokerAuthInfo struct {
	// Basic authenticates with HTTP Basic: the Secret holds the user name under the
	// key "username" and the password under "password".
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self.?secretRef.?name.orValue("") != ""`,message="spec.authInfo.basic.secretRef.name is missing: name the Secret, in the broker's namespace, with the keys username and password."
	Basic *SecretReference `json:"basic,omitempty"`
	// Bearer authenticates with a bearer token: the Secret holds it under the key
	// "token", without the word Bearer.
	// +optional
	// +kubebuilder:validation:XValidation:rule=`self.?secretRef.?name.orValue("") != ""`,message="spec.authInfo.bearer.secretRef.name is missing: name the Secret, in the broker's namespace, with the key token."
	Bearer *SecretReference `json:"bearer,omitempty"`
}
