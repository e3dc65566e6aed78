package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of all eight kinds.
const GroupName = "servicecatalog.k8s.io"

// GroupVersion is the only served and stored version of the group.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1beta1"}

// AddToScheme registers the eight kinds and their lists with a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&ClusterServiceBroker{}, &ClusterServiceBrokerList{},
		&ServiceBroker{}, &ServiceBrokerList{},
		&ClusterServiceClass{}, &ClusterServiceClassList{},
		&ServiceClass{}, &ServiceClassList{},
		&ClusterServicePlan{}, &ClusterServicePlanList{},
		&ServicePlan{}, &ServicePlanList{},
		&ServiceInstance{}, &ServiceInstanceList{},
		&ServiceBinding{}, &ServiceBindingList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
