package v1beta1

// PlanReference chooses a class and a plan: in one scope (cluster or namespace) and
// one naming style (external name, external id, Kubernetes name). The class never
// changes; the plan may, and may be left out where the class has exactly one.
//
// What never changes is checked at creation only, so that an object from before
// these rules stays editable; so does one whose plan is as it was.
//
// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule=`oldSelf.hasValue() || [self.?clusterServiceClassExternalName, self.?clusterServiceClassExternalID, self.?clusterServiceClassName, self.?serviceClassExternalName, self.?serviceClassExternalID, self.?serviceClassName].exists(f, f.orValue("") != "")`,message="spec names no class: set spec.clusterServiceClassExternalName to one that \"kubectl get clusterserviceclasses\" lists, or spec.serviceClassExternalName to one of this namespace."
// +kubebuilder:validation:XValidation:optionalOldSelf=true,rule=`oldSelf.hasValue() || [self.?clusterServiceClassExternalName, self.?clusterServiceClassExternalID, self.?clusterServiceClassName, self.?serviceClassExternalName, self.?serviceClassExternalID, self.?serviceClassName].filter(f, f.orValue("") != "").size() <= 1`,message="spec names the class more than once: keep one of clusterServiceClassExternalName, clusterServiceClassExternalID, clusterServiceClassName, serviceClassExternalName, serviceClassExternalID and serviceClassName."
// +kubebuilder:validation:XValidation:fieldPath=`.clusterServicePlanExternalName`,optionalOldSelf=true,rule=`self.?clusterServicePlanExternalName.orValue("") == "" || self.?clusterServiceClassExternalName.orValue("") != "" || self.clusterServicePlanExternalName == oldSelf.?clusterServicePlanExternalName.orValue("")`,message="spec.clusterServicePlanExternalName goes with spec.clusterServiceClassExternalName: name the plan in the same scope and style as the class."
// +kubebuilder:validation:XValidation:fieldPath=`.clusterServicePlanExternalID`,optionalOldSelf=true,rule=`self.?clusterServicePlanExternalID.orValue("") == "" || self.?clusterServiceClassExternalID.orValue("") != "" || self.clusterServicePlanExternalID == oldSelf.?clusterServicePlanExternalID.orValue("")`,message="spec.clusterServicePlanExternalID goes with spec.clusterServiceClassExternalID: name the plan in the same scope and style as the class."
// +kubebuilder:validation:XValidation:fieldPath=`.clusterServicePlanName`,optionalOldSelf=true,rule=`self.?clusterServicePlanName.orValue("") == "" || self.?clusterServiceClassName.orValue("") != "" || self.clusterServicePlanName == oldSelf.?clusterServicePlanName.orValue("")`,message="spec.clusterServicePlanName goes with spec.clusterServiceClassName: name the plan in the same scope and style as the class."
// +kubebuilder:validation:XValidation:fieldPath=`.servicePlanExternalName`,optionalOldSelf=true,rule=`self.?servicePlanExternalName.orValue("") == "" || self.?serviceClassExternalName.orValue("") != "" || self.servicePlanExternalName == oldSelf.?servicePlanExternalName.orValue("")`,message="spec.servicePlanExternalName goes with spec.serviceClassExternalName: name the plan in the same scope and style as the class."
// +kubebuilder:validation:XValidation:fieldPath=`.servicePlanExternalID`,optionalOldSelf=true,rule=`self.?servicePlanExternalID.orValue("") == "" || self.?serviceClassExternalID.orValue("") != "" || self.servicePlanExternalID == oldSelf.?servicePlanExternalID.orValue("")`,message="spec.servicePlanExternalID goes with spec.serviceClassExternalID: name the plan in the same scope and style as the class."
// +kubebuilder:validation:XValidation:fieldPath=`.servicePlanName`,optionalOldSelf=true,rule=`self.?servicePlanName.orValue("") == "" || self.?serviceClassName.orValue("") != "" || self.servicePlanName == oldSelf.?servicePlanName.orValue("")`,message="spec.servicePlanName goes with spec.serviceClassName: name the plan in the same scope and style as the class."
// +kubebuilder:validation:XValidation:fieldPath=`.clusterServiceClassExternalName`,rule=`(has(self.clusterServiceClassExternalName) ? self.clusterServiceClassExternalName : "") == (has(oldSelf.clusterServiceClassExternalName) ? oldSelf.clusterServiceClassExternalName : "")`,message="spec.clusterServiceClassExternalName cannot be changed: an instance stays with its class. Set it back; for another class, create another instance."
// +kubebuilder:validation:XValidation:fieldPath=`.clusterServiceClassExternalID`,rule=`(has(self.clusterServiceClassExternalID) ? self.clusterServiceClassExternalID : "") == (has(oldSelf.clusterServiceClassExternalID) ? oldSelf.clusterServiceClassExternalID : "")`,message="spec.clusterServiceClassExternalID cannot be changed: an instance stays with its class. Set it back; for another class, create another instance."
// +kubebuilder:validation:XValidation:fieldPath=`.clusterServiceClassName`,rule=`(has(self.clusterServiceClassName) ? self.clusterServiceClassName : "") == (has(oldSelf.clusterServiceClassName) ? oldSelf.clusterServiceClassName : "")`,message="spec.clusterServiceClassName cannot be changed: an instance stays with its class. Set it back; for another class, create another instance."
// +kubebuilder:validation:XValidation:fieldPath=`.serviceClassExternalName`,rule=`(has(self.serviceClassExternalName) ? self.serviceClassExternalName : "") == (has(oldSelf.serviceClassExternalName) ? oldSelf.serviceClassExternalName : "")`,message="spec.serviceClassExternalName cannot be changed: an instance stays with its class. Set it back; for another class, create another instance."
// +kubebuilder:validation:XValidation:fieldPath=`.serviceClassExternalID`,rule=`(has(self.serviceClassExternalID) ? self.serviceClassExternalID : "") == (has(oldSelf.serviceClassExternalID) ? oldSelf.serviceClassExternalID : "")`,message="spec.serviceClassExternalID cannot be changed: an instance stays with its class. Set it back; for another class, create another instance."
// +kubebuilder:validation:XValidation:fieldPath=`.serviceClassName`,rule=`(has(self.serviceClassName) ? self.serviceClassName : "") == (has(oldSelf.serviceClassName) ? oldSelf.serviceClassName : "")`,message="spec.serviceClassName cannot be changed: an instance stays with its class. Set it back; for another class, create another instance."
type PlanReference struct {
	// ClusterServiceClassExternalName chooses a ClusterServiceClass by the name that
	// the service has at its broker (spec.externalName of the class), such as
	// "postgresql". Exactly one of the six class fields is set. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ClusterServiceClassExternalName string `json:"clusterServiceClassExternalName,omitempty"`
	// ClusterServicePlanExternalName chooses a plan of that class by the name that the
	// plan has at its broker, such as "small". Default is the class's only plan. It may
	// be changed to another plan where class and plan allow it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ClusterServicePlanExternalName string `json:"clusterServicePlanExternalName,omitempty"`
	// ClusterServiceClassExternalID chooses a ClusterServiceClass by the id that the
	// service has at its broker (spec.externalID of the class). Exactly one of the six
	// class fields is set. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ClusterServiceClassExternalID string `json:"clusterServiceClassExternalID,omitempty"`
	// ClusterServicePlanExternalID chooses a plan of that class by the id that the plan
	// has at its broker. Default is the class's only plan. It may be changed to another
	// plan where class and plan allow it.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ClusterServicePlanExternalID string `json:"clusterServicePlanExternalID,omitempty"`
	// ClusterServiceClassName chooses a ClusterServiceClass by its Kubernetes name
	// (metadata.name). Exactly one of the six class fields is set. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ClusterServiceClassName string `json:"clusterServiceClassName,omitempty"`
	// ClusterServicePlanName chooses a plan of that class by the Kubernetes name
	// (metadata.name) of the ClusterServicePlan. Default is the class's only plan. It
	// may be changed to another plan where class and plan allow it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ClusterServicePlanName string `json:"clusterServicePlanName,omitempty"`
	// ServiceClassExternalName chooses a ServiceClass of this namespace by the name
	// that the service has at its broker (spec.externalName of the class). Exactly one
	// of the six class fields is set. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ServiceClassExternalName string `json:"serviceClassExternalName,omitempty"`
	// ServicePlanExternalName chooses a plan of that ServiceClass by the name that the
	// plan has at its broker. Default is the class's only plan. It may be changed to
	// another plan where class and plan allow it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ServicePlanExternalName string `json:"servicePlanExternalName,omitempty"`
	// ServiceClassExternalID chooses a ServiceClass of this namespace by the id that
	// the service has at its broker (spec.externalID of the class). Exactly one of the
	// six class fields is set. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ServiceClassExternalID string `json:"serviceClassExternalID,omitempty"`
	// ServicePlanExternalID chooses a plan of that ServiceClass by the id that the plan
	// has at its broker. Default is the class's only plan. It may be changed to another
	// plan where class and plan allow it.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ServicePlanExternalID string `json:"servicePlanExternalID,omitempty"`
	// ServiceClassName chooses a ServiceClass of this namespace by its Kubernetes name
	// (metadata.name). Exactly one of the six class fields is set. It never changes.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceClassName string `json:"serviceClassName,omitempty"`
	// ServicePlanName chooses a plan of that ServiceClass by the Kubernetes name
	// (metadata.name) of the ServicePlan. Default is the class's only plan. It may be
	// changed to another plan where class and plan allow it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServicePlanName string `json:"servicePlanName,omitempty"`
}
