package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RotationPolicy renews a binding's credentials.
//
// +kubebuilder:validation:XValidation:rule=`has(self.interval) == has(oldSelf.interval) && has(self.overlap) == has(oldSelf.overlap) && has(self.maxOverlap) == has(oldSelf.maxOverlap) && has(self.window) == has(oldSelf.window)`,message="spec.rotation cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
// +kubebuilder:validation:XValidation:fieldPath=`.maxOverlap`,rule=`!has(self.overlap) || !self.overlap.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || !has(self.maxOverlap) || !self.maxOverlap.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || duration(self.maxOverlap) >= duration(self.overlap)`,message="spec.rotation.maxOverlap must not be shorter than spec.rotation.overlap: it is when the old credentials are revoked although they are still used."
// +kubebuilder:validation:XValidation:fieldPath=`.interval`,rule=`!has(self.overlap) || !self.overlap.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || !has(self.interval) || !self.interval.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') || duration(self.interval) > duration(self.overlap)`,message="spec.rotation.interval must be longer than spec.rotation.overlap: else the next rotation would come before the old credentials are revoked."
type RotationPolicy struct {
	// Interval between two rotations, a Go duration such as "720h" (30 days). Default is
	// that only the annotation servicecatalog.k8s.io/rotate rotates.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s')`,message="spec.rotation.interval must be a duration above zero such as \"720h\"; leave the field out to rotate by annotation only."
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf || self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && oldSelf.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) == duration(oldSelf)`,message="spec.rotation.interval cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Overlap is for how long, at the least, the old credentials stay valid beside the
	// new ones, so that every Pod can change over; a Go duration of at least "10m".
	// Default is "10m".
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) >= duration('10m')`,message="spec.rotation.overlap must be a duration of at least 10 minutes such as \"1h\"; leave the field out for the default of 10 minutes."
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf || self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && oldSelf.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) == duration(oldSelf)`,message="spec.rotation.overlap cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
	Overlap *metav1.Duration `json:"overlap,omitempty"`
	// MaxOverlap is after how long the old credentials are revoked although a container
	// still uses them; a Go duration such as "48h", not shorter than overlap. Default is
	// that they are kept until nobody uses them, or they expire.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s')`,message="spec.rotation.maxOverlap must be a duration above zero such as \"48h\"; leave the field out to wait until nobody uses the old credentials."
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf || self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && oldSelf.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) == duration(oldSelf)`,message="spec.rotation.maxOverlap cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
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
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,message="spec.rotation.window.start cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
	Start string `json:"start"`
	// Duration of the window from its start, a Go duration such as "2h", at most a day.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) > duration('0s') && duration(self) <= duration('24h')`,message="spec.rotation.window.duration must be a duration above zero and of at most 24 hours, such as \"2h\"."
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf || self.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && oldSelf.matches(r'^\+?(([0-9]{1,5}(\.[0-9]{0,9})?|\.[0-9]{1,9})h|([0-9]{1,7}(\.[0-9]{0,9})?|\.[0-9]{1,9})m|([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})(s|ms|us|\x{b5}s|\x{3bc}s|ns)){1,6}$') && duration(self) == duration(oldSelf)`,message="spec.rotation.window.duration cannot be changed: the spec of a binding stays as it was created. Set it back; for another value, delete the binding and create it anew."
	Duration metav1.Duration `json:"duration"`
}
