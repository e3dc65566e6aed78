package controllers

import (
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
)

func (i *instance) begin(op *v1beta1.Operation) state {
	s := &i.Status
	s.OperationStartTime, s.AsyncOpInProgress, s.LastOperation = &op.StartTime, false, nil
	switch op.Action {
	case v1beta1.ActionProvision:
		s.CurrentOperation, s.DeprovisionStatus = string(op.Action), v1beta1.DeprovisionStatusRequired
		s.InProgressProperties = i.properties(op)
		s.BrokerRef = ptr.To(i.found.broker.ref())
		return inFlight(op.Action, v1beta1.ReasonProvisionRequestInFlight, "The broker is being asked to provision the instance.")
	case v1beta1.ActionUpdate:
		s.CurrentOperation, s.InProgressProperties = string(op.Action), i.properties(op)
		return state{ready: readyUnless(s.Unusable), reason: v1beta1.ReasonUpdateRequestInFlight, message: "The broker is being asked to update the instance.", working: true}
	case v1beta1.ActionMitigate:
		s.OrphanMitigationInProgress = true
		return inFlight(op.Action, v1beta1.ReasonStartingOrphanMitigation, mitigationMessage(op))
	}
	s.CurrentOperation = string(op.Action)
	return inFlight(op.Action, v1beta1.ReasonDeprovisionRequestInFlight, "The broker is being asked to deprovision the instance.")
}

func readyUnless(unusable bool) metav1.ConditionStatus {
	if unusable {
		return metav1.ConditionFalse
	}
	return metav1.ConditionTrue
}

// properties are what a provision or an update carries, without values of Secrets.
func (i *instance) properties(op *v1beta1.Operation) *v1beta1.ServiceInstanceProperties {
	p := &v1beta1.ServiceInstanceProperties{
		ServiceExternalID: op.ServiceID, ParameterChecksum: op.ParameterChecksum, MaintenanceVersion: op.MaintenanceVersion,
		ContextChecksum: i.contextChecksum(), UpdateRequests: ptr.To(op.UpdateRequests), UserInfo: i.Spec.UserInfo,
	}
	if i.params.Redacted != nil {
		p.Parameters = &runtime.RawExtension{Raw: i.params.Redacted}
	}
	i.setPlan(p, op.PlanID)
	return p
}

// setPlan records a plan by its id, and by its name if it is the one that was found.
func (i *instance) setPlan(p *v1beta1.ServiceInstanceProperties, id string) {
	name := ""
	if i.found.plan.Spec != nil && i.found.plan.Spec.ExternalID == id {
		name = i.found.plan.Spec.ExternalName
	}
	p.ClusterServicePlanExternalName, p.ClusterServicePlanExternalID, p.ServicePlanExternalName, p.ServicePlanExternalID = "", "", "", ""
	if i.Status.ClusterServicePlanRef != nil {
		p.ClusterServicePlanExternalName, p.ClusterServicePlanExternalID = name, id
	} else {
		p.ServicePlanExternalName, p.ServicePlanExternalID = name, id
	}
}

func (i *instance) settle(op *v1beta1.Operation, o lifecycle.Outcome) {
	s := &i.Status
	s.ExternalID, s.CreatedByUs, s.Unusable = o.ExternalID, o.CreatedByUs, o.Unusable
	s.OrphanMitigationInProgress = o.Op != nil && o.Op.Action == v1beta1.ActionMitigate
	i.mirrorPromise(o.Op)
	s.ProvisionStatus, s.DeprovisionStatus = v1beta1.ProvisionStatusNotProvisioned, v1beta1.DeprovisionStatusNotRequired
	if o.MayExist {
		s.DeprovisionStatus = v1beta1.DeprovisionStatusRequired
	}
	if o.Exists {
		s.ProvisionStatus = v1beta1.ProvisionStatusProvisioned
	}
	if o.Op == nil || o.Op.Terminal && (o.Exists || !o.MayExist) {
		s.CurrentOperation, s.OperationStartTime = "", nil
	}
	switch {
	case o.Accepted:
		s.ExternalProperties, s.InProgressProperties, s.ReconciledGeneration = s.InProgressProperties, nil, op.Generation
		apimeta.RemoveStatusCondition(&s.Conditions, v1beta1.ConditionDrifted)
		i.showAdopted(op, o.Adopted)
	case o.Exists && o.Op != nil && o.Op.Terminal:
		s.InProgressProperties = nil
	case !o.MayExist:
		s.ExternalProperties = nil
		if op.Action == v1beta1.ActionDeprovision {
			s.DeprovisionStatus, s.InProgressProperties = v1beta1.DeprovisionStatusSucceeded, nil
		}
	}
}

// mirrorPromise shows v0.3's fields of work in the background.
func (i *instance) mirrorPromise(op *v1beta1.Operation) {
	s := &i.Status
	s.AsyncOpInProgress, s.LastOperation = op != nil && op.BrokerOperation != nil, nil
	if s.AsyncOpInProgress && *op.BrokerOperation != "" {
		s.LastOperation = op.BrokerOperation
	}
}

// showAdopted says what was taken over, until an update has brought it to what the
// spec says.
func (i *instance) showAdopted(op *v1beta1.Operation, found *lifecycle.Found) {
	s := &i.Status
	if found == nil {
		apimeta.RemoveStatusCondition(&s.Conditions, v1beta1.ConditionAdopted)
		return
	}
	p := s.ExternalProperties
	p.ParameterChecksum, p.Parameters, p.MaintenanceVersion, p.ContextChecksum = unknownChecksum, nil, "", ""
	reason, what := v1beta1.ReasonAdopted, "Whether its parameters are those of the spec is not known."
	switch {
	case found.PlanID == "":
		what = "Whether its plan and parameters are those of the spec is not known: the broker cannot be asked."
	case found.PlanID != op.PlanID:
		i.setPlan(p, found.PlanID)
		reason, what = v1beta1.ReasonAdoptedPlanDiffers, fmt.Sprintf("Its plan is %q, not the one of the spec.", found.PlanID)
	}
	apimeta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: v1beta1.ConditionAdopted, Status: metav1.ConditionTrue, Reason: reason, ObservedGeneration: i.Generation, LastTransitionTime: metav1.NewTime(i.r.Clock.Now()),
		Message: "The broker had this instance already, and it was taken over as it is. " + what + " Nothing was changed there; raise spec.updateRequests by one to have it brought to what the spec says.",
	})
}

// rest is how the instance is while nothing is asked of the broker. What works goes
// on being ready, whatever stands in the way of a change.
func (i *instance) rest(f lifecycle.Facts, p *lifecycle.Problem) *state {
	status := metav1.ConditionFalse
	if f.Exists {
		status = readyUnless(f.Unusable)
	}
	switch {
	case p == nil && f.Exists && !f.Deleting && i.Status.Operation == nil:
		i.caughtUp(f)
		return i.idle(status)
	case p == nil:
		return nil
	case p.Idle:
		if f.Deleting {
			status = metav1.ConditionFalse
		}
		return &state{ready: status, reason: p.Reason, message: p.Message}
	case f.Exists && !f.Deleting:
		return &state{ready: status, reason: p.Reason, message: p.Message, failed: p.Final || userMustAct(p.Reason), working: !p.Final}
	}
	return &state{
		ready: metav1.ConditionFalse, reason: p.Reason, message: p.Message, failed: (p.Final || userMustAct(p.Reason)) && !f.Deleting, working: true,
		mitigating: f.Op != nil && f.Op.Action == v1beta1.ActionMitigate,
	}
}

// idle is the state of an instance of which nothing is asked.
func (i *instance) idle(status metav1.ConditionStatus) *state {
	if status != metav1.ConditionTrue {
		return &state{ready: status, reason: v1beta1.ReasonUpdateCallFailed,
			message: "The broker says that the instance cannot be used since an update or a deletion failed. Change the spec, or raise spec.updateRequests by one to have it updated again; or make a new instance."}
	}
	if readyOf(&i.Status.CommonStatus).Reason == v1beta1.ReasonUpdatedSuccessfully {
		return &state{ready: status, reason: v1beta1.ReasonUpdatedSuccessfully, message: lifecycle.Updated}
	}
	return &state{ready: status, reason: v1beta1.ReasonProvisionedSuccessfully, message: lifecycle.Provisioned}
}

// caughtUp records that the broker has all that the spec asks for, and of what was
// not recorded before, that it is as the spec says.
func (i *instance) caughtUp(f lifecycle.Facts) {
	s := &i.Status
	s.ReconciledGeneration, s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = i.Generation, "", nil, nil
	p := s.ExternalProperties
	if p == nil {
		return
	}
	if p.ServiceExternalID == "" {
		p.ServiceExternalID = f.Have.ServiceID
	}
	if p.UpdateRequests == nil {
		p.UpdateRequests = ptr.To(i.Spec.UpdateRequests)
	}
	i.offerMaintenance()
	if p.ContextChecksum == "" && p.ParameterChecksum != unknownChecksum {
		p.ContextChecksum = i.contextChecksum()
	}
}
