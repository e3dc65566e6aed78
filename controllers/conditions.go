package controllers

import (
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// maxMessage bounds a condition's message, in bytes.
const maxMessage = 1024

// state is what the conditions of an object are to show.
type state struct {
	ready           metav1.ConditionStatus
	reason, message string
	// failed: the wish was refused; a user must act.
	failed bool
	// working: something is going on by itself; shown unless failed.
	working bool
	// mitigating: what a failed create may have left is being removed.
	mitigating bool
}

// show writes s into the conditions of an object: Ready always, and the others
// where they are true.
func show(c *v1beta1.CommonStatus, generation int64, now time.Time, s state) {
	message := cutMessage(s.message)
	set := func(kind string, status metav1.ConditionStatus) {
		apimeta.SetStatusCondition(&c.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: s.reason, Message: message,
			ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	set(v1beta1.ConditionReady, s.ready)
	for _, more := range []struct {
		kind string
		on   bool
	}{
		{v1beta1.ConditionFailed, s.failed},
		{v1beta1.ConditionStalled, s.failed},
		{v1beta1.ConditionReconciling, s.working && !s.failed},
		{v1beta1.ConditionOrphanMitigation, s.mitigating},
	} {
		if more.on {
			set(more.kind, metav1.ConditionTrue)
		} else {
			apimeta.RemoveStatusCondition(&c.Conditions, more.kind)
		}
	}
	c.ObservedGeneration = generation
	c.LastConditionState = s.reason
	if s.ready == metav1.ConditionTrue {
		c.LastConditionState = v1beta1.ConditionReady
	}
}

// cutMessage is a message of a length that can be read.
func cutMessage(m string) string {
	if len(m) > maxMessage {
		return strings.ToValidUTF8(m[:maxMessage-3], "") + "..."
	}
	return m
}
