package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RotationPolicy renews a binding's credentials. It may be changed at any time; what
// has been made stays as it is.
//
// +kubebuilder:validation:XValidation:fieldPath=`.maxOverlap`,rule=`!has(self.overlap) || !self.overlap.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || !has(self.maxOverlap) || !self.maxOverlap.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || duration(self.maxOverlap) >= duration(self.overlap)`,message="spec.rotation.maxOverlap must not be shorter than spec.rotation.overlap: it is when the old credentials are revoked although they are still used."
// +kubebuilder:validation:XValidation:fieldPath=`.interval`,rule=`!has(self.overlap) || !self.overlap.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || !has(self.interval) || !self.interval.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || duration(self.interval) > duration(self.overlap)`,message="spec.rotation.interval must be longer than spec.rotation.overlap: else the next rotation would come before the old credentials are revoked."
type RotationPolicy struct {
	// Interval between two rotations, a Go duration such as "720h" (30 days). Default is
	// that only the annotation servicecatalog.k8s.io/rotate rotates.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s')`,message="spec.rotation.interval must be a duration above zero such as \"720h\"; leave the field out to rotate by annotation only."
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Overlap is for how long, at the least, the old credentials stay valid beside the
	// new ones, so that every Pod can change over; a Go duration of at least "10m".
	// Default is "10m".
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) >= duration('10m')`,message="spec.rotation.overlap must be a duration of at least 10 minutes such as \"1h\"; leave the field out for the default of 10 minutes."
	Overlap *metav1.Duration `json:"overlap,omitempty"`
	// MaxOverlap is after how long the old credentials are revoked although a container
	// still uses them; a Go duration such as "48h", not shorter than overlap. Default is
	// that they are kept until nobody uses them, or they expire.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s')`,message="spec.rotation.maxOverlap must be a duration above zero such as \"48h\"; leave the field out to wait until nobody uses the old credentials."
	MaxOverlap *metav1.Duration `json:"maxOverlap,omitempty"`
	// Window bounds the beginning of rotations to a time of the day. Default is any time.
	// +optional
	Window *RotationWindow `json:"window,omitempty"`
}

// RotationWindow is a time of the day, in UTC.
type RotationWindow struct {
	// Start of the window, in UTC, as hours and minutes: "02:30".
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([01][0-9]|2[0-3]):[0-5][0-9]$')`,message="spec.rotation.window.start must be a time of the day in UTC: write hours and minutes with two digits each, such as \"02:30\"."
	Start string `json:"start"`
	// Duration of the window from its start, a Go duration such as "2h", at most a day.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s') && duration(self) <= duration('24h')`,message="spec.rotation.window.duration must be a duration above zero and of at most 24 hours, such as \"2h\"."
	Duration metav1.Duration `json:"duration"`
}

// RotationStatus says when credentials were renewed, and when they will be.
type RotationStatus struct {
	// LastTime is when the credentials in force were stored.
	// +optional
	LastTime *metav1.Time `json:"lastTime,omitempty"`
	// NextTime is when they are to be renewed; absent if that is by annotation only.
	// +optional
	NextTime *metav1.Time `json:"nextTime,omitempty"`
	// Cause of nextTime: "Interval" for the policy's, "Expiry" for what the broker said
	// with the credentials (OSB 2.17, expires_at and renew_before).
	// +optional
	Cause string `json:"cause,omitempty"`
	// Generation counts the credentials that the binding had: 0 for the first.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// RetryTime is when a rotation that the broker refused is tried again.
	// +optional
	RetryTime *metav1.Time `json:"retryTime,omitempty"`
	// Handled is the value of the annotation servicecatalog.k8s.io/rotate that was last
	// acted on.
	// +optional
	Handled string `json:"handled,omitempty"`
	// ExpiresAt is when the broker ends the credentials in force by itself.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// RenewBefore is until when the broker wants them renewed.
	// +optional
	RenewBefore *metav1.Time `json:"renewBefore,omitempty"`
	// Predecessors are older credentials that still are valid at the broker, the oldest
	// first.
	// +optional
	Predecessors []Predecessor `json:"predecessors,omitempty"`
}

// Predecessor is a binding at the broker that was replaced and is not revoked yet.
type Predecessor struct {
	// ExternalID is its id at the broker (OSB binding_id).
	ExternalID string `json:"externalID"`
	// ReplacedAt is when the Secret got the successor's credentials.
	ReplacedAt metav1.Time `json:"replacedAt"`
	// RevokeAfter is when it may be revoked at the earliest: the end of the overlap.
	RevokeAfter metav1.Time `json:"revokeAfter"`
	// ExpiresAt is when the broker ends it by itself.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}
