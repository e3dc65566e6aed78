package controllers

import (
	"fmt"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// offerMaintenance says in a condition that the plan is at another maintenance
// version than the instance (OSB 2.17, P84). An upgrade may interrupt, so it waits
// until a user asks for it.
func (i *instance) offerMaintenance() {
	offered, had := i.found.maintenance(), i.Status.ExternalProperties.MaintenanceVersion
	if offered == "" || offered == had {
		apimeta.RemoveStatusCondition(&i.Status.Conditions, v1beta1.ConditionMaintenanceAvailable)
		return
	}
	message := fmt.Sprintf("The plan is at maintenance version %q, and this instance is at %q. Raise spec.updateRequests by one when it may be upgraded", offered, had)
	if d := i.found.plan.Spec.MaintenanceInfo.Description; d != "" {
		message += "; its operator says: " + d
	}
	message += "."
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	apimeta.SetStatusCondition(&i.Status.Conditions, metav1.Condition{
		Type: v1beta1.ConditionMaintenanceAvailable, Status: metav1.ConditionTrue, Reason: v1beta1.ReasonMaintenanceAvailable, Message: message,
		ObservedGeneration: i.Generation, LastTransitionTime: metav1.NewTime(i.r.Clock.Now()),
	})
}

// planKeys name the plan that an instance was resolved to.
func planKeys(i *v1beta1.ServiceInstance) []string {
	if r := i.Status.ClusterServicePlanRef; r != nil {
		return []string{"cluster/" + r.Name}
	}
	if r := i.Status.ServicePlanRef; r != nil {
		return []string{"namespace/" + r.Name}
	}
	return nil
}

// keyOfPlan is the planKeys of a plan's instances.
func keyOfPlan(o client.Object) []string {
	if o.GetNamespace() == "" {
		return []string{"cluster/" + o.GetName()}
	}
	return []string{"namespace/" + o.GetName()}
}

// onMaintenance is for those who offer upgrades: only a changed version is news.
func onMaintenance() builder.WatchesOption {
	version := func(o client.Object) string {
		var info *v1beta1.MaintenanceInfo
		switch p := o.(type) {
		case *v1beta1.ClusterServicePlan:
			info = p.Spec.MaintenanceInfo
		case *v1beta1.ServicePlan:
			info = p.Spec.MaintenanceInfo
		}
		if info == nil {
			return ""
		}
		return info.Version
	}
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return version(e.ObjectOld) != version(e.ObjectNew) },
	})
}
