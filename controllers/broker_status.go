package controllers

import (
	"errors"
	"fmt"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

func (r *BrokerReconciler) isLeftAlone(b broker) bool {
	open, _ := r.Calls.pause(b)
	return open
}

// showCircuit says in a condition whether the broker is left alone. It is there
// and True, or absent.
func (r *BrokerReconciler) showCircuit(b broker) {
	open, asked := r.Calls.pause(b)
	if !open {
		apimeta.RemoveStatusCondition(&b.status.Conditions, v1beta1.ConditionCircuitOpen)
		return
	}
	c := metav1.Condition{
		Type: v1beta1.ConditionCircuitOpen, Status: metav1.ConditionTrue, ObservedGeneration: b.GetGeneration(),
		LastTransitionTime: metav1.NewTime(r.Clock.Now()), Reason: v1beta1.ReasonBrokerNotResponding,
		Message: fmt.Sprintf("%d requests in a row were not answered. One at a time is sent until one is; then all that waits goes on by itself. Look whether the broker runs and can be reached.", circuitThreshold),
	}
	if asked {
		c.Reason, c.Message = v1beta1.ReasonBrokerThrottles, "The broker has asked not to be called for a while (429, or 503 with Retry-After); all that waits goes on by itself after it. If this stays so, its operator may raise its limits, or spec.osb.maxRequestsPerSecond be set to what it takes."
	}
	apimeta.SetStatusCondition(&b.status.Conditions, c)
}

// showSkipped says how much is offered, and what is at fault.
func (r *BrokerReconciler) showSkipped(b broker, o offer, skipped []v1beta1.SkippedEntry) {
	s := b.status
	s.ClassCount, s.PlanCount, s.SkippedCount = int64(len(o.Classes)), int64(len(o.Plans)), int64(len(skipped))
	s.SkippedEntries = skipped[:min(maxSkipped, len(skipped)):min(maxSkipped, len(skipped))]
	if len(skipped) == 0 {
		s.SkippedEntries = nil
		apimeta.RemoveStatusCondition(&s.Conditions, v1beta1.ConditionEntriesSkipped)
		return
	}
	apimeta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: v1beta1.ConditionEntriesSkipped, Status: metav1.ConditionTrue, Reason: v1beta1.ReasonFaultyEntries,
		Message: cutMessage(skippedMessage(skipped)), ObservedGeneration: b.GetGeneration(), LastTransitionTime: metav1.NewTime(r.Clock.Now()),
	})
}

// fetchFailure is reason and sentence of a failed fetch.
func fetchFailure(err error) (reason, message string) {
	if s := authSentence(err); s != "" {
		return v1beta1.ReasonErrorGettingAuthCredentials, s
	}
	var spec specError
	if errors.As(err, &spec) {
		return v1beta1.ReasonErrorSyncingCatalog, fmt.Sprintf("The catalog is not fetched: %s. What was offered before stays; correct the broker's spec.", spec.error)
	}
	var sync syncError
	if errors.As(err, &sync) {
		return v1beta1.ReasonErrorSyncingCatalog, fmt.Sprintf("The catalog was fetched, but not all of it could be taken over: %s. It is tried again by itself, and at once when the broker's spec changes.", sync.error)
	}
	hint := ""
	if e := osb.AsError(err); e != nil {
		hint = " " + e.Hint()
	}
	return v1beta1.ReasonErrorFetchingCatalog, fmt.Sprintf("%s.%s It is tried again by itself, and at once when the broker's spec or Secret changes.", capital(err.Error()), hint)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func readyMessage(c *v1beta1.CommonStatus) string {
	for i := range c.Conditions {
		if c.Conditions[i].Type == v1beta1.ConditionReady {
			return c.Conditions[i].Message
		}
	}
	return ""
}
