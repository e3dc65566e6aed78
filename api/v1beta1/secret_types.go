package v1beta1

// SecretMetadata says what of ours is put beside a broker's credentials; empty means
// the default.
// +kubebuilder:validation:Enum="";None;Type;Full
type SecretMetadata string

// The amounts of metadata in a binding's Secret.
const (
	// SecretMetadataNone adds nothing.
	SecretMetadataNone SecretMetadata = "None"
	// SecretMetadataType adds the keys type and provider; the default.
	SecretMetadataType SecretMetadata = "Type"
	// SecretMetadataFull adds instance, plan and tags too.
	SecretMetadataFull SecretMetadata = "Full"
)

// SecretTemplate shapes the Secret of a binding.
//
// Labels, annotations and stringData are Go templates. They see .type, .provider,
// .binding (name, namespace, id) and .instance (name, namespace, id, class, plan,
// tags); stringData also sees the credentials, as they are after secretTransforms, as
// .credentials and each by its name where that is not taken. A key that is missing
// stops the binding with a condition. Numbers are text there, and null is nothing.
//
// The functions are and, or, not, eq, ne, lt, le, gt, ge, len, index, slice, print,
// println, printf (without widths), b64enc, b64dec, quote, squote, upper, lower, trim,
// trimPrefix, trimSuffix, hasPrefix, hasSuffix, contains, replace, split, join, default,
// required, hasKey, keys, toJson, fromJson, toString, urlquery and urlpath.
// +kubebuilder:validation:XValidation:rule=`!has(self.type) || !(self.type in ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"])`,fieldPath=`.type`,message="spec.secretTemplate.type cannot be one by which Kubernetes puts tokens into a Secret; leave it out or use another."
// +kubebuilder:validation:XValidation:rule=`!has(self.jsonKey) || !has(self.vcapServicesKey) || self.jsonKey != self.vcapServicesKey`,fieldPath=`.vcapServicesKey`,message="spec.secretTemplate.jsonKey and vcapServicesKey cannot be the same key; choose another for one of them."
type SecretTemplate struct {
	// Type of the Secret, such as "kubernetes.io/basic-auth". It is set when the Secret
	// is created. Default is "servicebinding.io/" and the type of the service.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type,omitempty"`
	// Labels for the Secret, beside those that it has anyway.
	// +optional
	// +kubebuilder:validation:MaxProperties=100
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations for the Secret, beside those that it has anyway.
	// +optional
	// +kubebuilder:validation:MaxProperties=100
	Annotations map[string]string `json:"annotations,omitempty"`
	// StringData maps a key of the Secret to a Go template over the credentials, such as
	// {"url": "postgres://{{ .host }}:{{ .port }}"}. What the credentials have under that
	// key is overwritten.
	// +optional
	// +kubebuilder:validation:MaxProperties=100
	StringData map[string]string `json:"stringData,omitempty"`
	// JSONKey is a key that is to hold all credentials as one JSON object, such as
	// "credentials.json"; the credentials have no keys of their own then. Default is a
	// key for each credential.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	JSONKey string `json:"jsonKey,omitempty"`
	// VCAPServicesKey is a key that is to hold what Cloud Foundry puts into
	// VCAP_SERVICES, with this binding in it, beside all other keys; mostly
	// "VCAP_SERVICES". Default is none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	VCAPServicesKey string `json:"vcapServicesKey,omitempty"`
}

// SecretTransform changes the credentials; exactly one member is set.
// +kubebuilder:validation:XValidation:rule=`[has(self.renameKey), has(self.addKey), has(self.addKeysFrom), has(self.removeKey)].filter(set, set).size() == 1`,message="Each entry of spec.secretTransforms needs exactly one of renameKey, addKey, addKeysFrom and removeKey: make an entry of its own for each, in the order in which they are to be applied."
type SecretTransform struct {
	// RenameKey moves a value to another key, for example {"from": "uri", "to":
	// "DATABASE_URL"}.
	// +optional
	RenameKey *RenameKeyTransform `json:"renameKey,omitempty"`
	// AddKey adds a key with a fixed value, or with one that is composed from the
	// credentials.
	// +optional
	AddKey *AddKeyTransform `json:"addKey,omitempty"`
	// AddKeysFrom copies all keys of another Secret; what is there already is
	// overwritten. Naming a Secret needs the right to read it.
	// +optional
	AddKeysFrom *AddKeysFromTransform `json:"addKeysFrom,omitempty"`
	// RemoveKey removes a key and its value, so that it reaches neither Secret nor Pod.
	// +optional
	RemoveKey *RemoveKeyTransform `json:"removeKey,omitempty"`
}

// RenameKeyTransform moves a value to another key.
// +kubebuilder:validation:XValidation:rule=`self.from != "" && self.to != ""`,message="renameKey needs from and to: name the key that the broker gives and the key that you want."
type RenameKeyTransform struct {
	// From is the key to move; nothing happens if the credentials do not have it.
	// +kubebuilder:validation:MaxLength=1024
	From string `json:"from"`
	// To is the new key; a value that was there is overwritten.
	// +kubebuilder:validation:MaxLength=1024
	To string `json:"to"`
}

// AddKeyTransform adds a key: with the value of jsonPathExpression, else stringValue,
// else value.
// +kubebuilder:validation:XValidation:rule=`self.key != ""`,message="addKey.key is empty: name the key to add."
// +kubebuilder:validation:XValidation:rule=`has(self.value) || has(self.stringValue) || has(self.jsonPathExpression)`,message="addKey needs one of stringValue, jsonPathExpression and value: state what the key is to hold."
type AddKeyTransform struct {
	// Key to add; a value that was there is overwritten.
	// +kubebuilder:validation:MaxLength=1024
	Key string `json:"key"`
	// Value is what the key holds, as bytes encoded in base64. Used if there is neither
	// stringValue nor jsonPathExpression.
	// +optional
	// +nullable
	// +kubebuilder:validation:MaxLength=1048576
	Value []byte `json:"value"`
	// StringValue is what the key holds, as text. Used if there is no
	// jsonPathExpression.
	// +optional
	// +nullable
	// +kubebuilder:validation:MaxLength=1048576
	StringValue *string `json:"stringValue"`
	// JSONPathExpression composes the value from the credentials, as they are at this
	// step, in the syntax of kubectl's JSONPath, such as
	// "{.host}:{.port}". An expression that does not fit stops the binding with a
	// condition.
	// +optional
	// +nullable
	// +kubebuilder:validation:MaxLength=65536
	JSONPathExpression *string `json:"jsonPathExpression"`
}

// AddKeysFromTransform copies all keys of another Secret.
// +kubebuilder:validation:XValidation:rule=`self.?secretRef.?name.orValue("") != "" && self.?secretRef.?namespace.orValue("") != ""`,message="addKeysFrom.secretRef needs both name and namespace: name the Secret whose keys are to be copied."
type AddKeysFromTransform struct {
	// SecretRef names the Secret and its namespace; both are needed.
	// +optional
	SecretRef *ObjectReference `json:"secretRef,omitempty"`
}

// RemoveKeyTransform removes a value.
// +kubebuilder:validation:XValidation:rule=`self.key != ""`,message="removeKey.key is empty: name the key to remove."
type RemoveKeyTransform struct {
	// Key to remove; nothing happens if the credentials do not have it.
	// +kubebuilder:validation:MaxLength=1024
	Key string `json:"key"`
}
