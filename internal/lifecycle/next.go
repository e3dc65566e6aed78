package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Next decides what to do. The order of the cases is the order of importance:
// deletion, cleaning up, resting on what works, and only then creating.
func Next(f Facts) Decision {
	op := f.Op
	switch {
	case f.Deleting:
		return nextDelete(f)
	case op != nil && op.Action == v1beta1.ActionMitigate:
		if f.Blocked != nil {
			return blocked(f.Blocked)
		}
		return due(f, mitigation(op))
	case f.Exists:
		return nextExisting(f)
	case f.Blocked != nil:
		return blocked(f.Blocked)
	case op != nil && op.Terminal && op.RetryToken == f.Token:
		return Decision{} // refused for good; its condition stands
	case unsure(op) && f.Ours && f.Mitigate && !f.Wish.same(requestOf(op)):
		// An attempt with other values may have gone through: two wishes under
		// one id must not meet.
		return Decision{Action: v1beta1.ActionMitigate, Request: requestOf(op)}
	}
	r := *f.Wish
	r.ExternalID = f.ExternalID
	return due(f, Decision{Action: f.Kind.create(), Request: r})
}

// blocked rests on a problem.
func blocked(p *Problem) Decision {
	return Decision{Problem: p, Wait: p.Recheck}
}

// nextDelete: once a create may have reached the broker its removal is owed,
// whatever state the create is in (OSB 2.17, P104).
func nextDelete(f Facts) Decision {
	switch {
	case !f.MayExist:
		return Decision{Done: true}
	case f.Retain && (f.Exists || !f.Ours):
		return Decision{Done: true, Retained: true}
	case len(f.Dependents) > 0:
		return Decision{Problem: blockedBy(f.Dependents)}
	case f.Blocked != nil:
		return blocked(f.Blocked)
	}
	r := f.Have
	if op := f.Op; op != nil && !f.Exists {
		r = requestOf(op)
	}
	r.ExternalID = f.ExternalID
	return due(f, Decision{Action: f.Kind.remove(), Request: r})
}

// nextExisting rests, or says that a change of the spec is not sent.
func nextExisting(f Facts) Decision {
	if f.Kind == Binding || f.Wish == nil || f.Wish.same(f.Have) {
		return Decision{}
	}
	return Decision{Problem: &Problem{Reason: v1beta1.ReasonUpdateNotSupported, Message: "The instance works as it was provisioned. The spec asks for another plan or other parameters since, and this version sends no updates: put the spec back, or make a new instance."}}
}

// due holds an action back while the wait after a failure lasts. The wait ends
// early when what the attempt depends on has changed.
func due(f Facts, d Decision) Decision {
	op := f.Op
	if op == nil || !op.Answered || op.Action != d.Action || op.NextAttemptTime == nil || op.RetryToken != f.Token {
		return d
	}
	if wait := op.NextAttemptTime.Sub(f.Now); wait > 0 {
		return Decision{Wait: wait}
	}
	return d
}

func mitigation(op *v1beta1.Operation) Decision {
	return Decision{Action: v1beta1.ActionMitigate, Request: requestOf(op)}
}

// unsure says whether attempts of op may have reached the broker without an
// answer that was read.
func unsure(op *v1beta1.Operation) bool {
	return op != nil && (!op.Answered || op.UnreadAttempts > 0)
}

func requestOf(op *v1beta1.Operation) Request {
	return Request{
		ExternalID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID,
		Checksum: op.ParameterChecksum, Generation: op.Generation,
	}
}

func blockedBy(names []string) *Problem {
	const most = 5
	shown := names
	more := ""
	if len(names) > most {
		shown, more = names[:most], fmt.Sprintf(" and %d more", len(names)-most)
	}
	return &Problem{Reason: v1beta1.ReasonBlockedByBindings, Message: fmt.Sprintf(
		"The instance has %d bindings left (%s%s); delete them, and it is deprovisioned by itself.", len(names), strings.Join(shown, ", "), more)}
}

// Intent is the journal entry for d, to be saved before the call. attemptID
// must be new.
func Intent(f Facts, d Decision, attemptID string) *v1beta1.Operation {
	op := &v1beta1.Operation{
		Action: d.Action, AttemptID: attemptID, ExternalID: d.Request.ExternalID,
		ServiceID: d.Request.ServiceID, PlanID: d.Request.PlanID,
		ParameterChecksum: d.Request.Checksum, Generation: d.Request.Generation,
		StartTime: metav1.NewTime(f.Now), IntentTime: metav1.NewMicroTime(f.Now), RetryToken: f.Token,
	}
	was := f.Op
	if was == nil {
		return op
	}
	op.Mitigations = was.Mitigations
	if d.Action == v1beta1.ActionMitigate {
		op.Reason, op.Message, op.Terminal = was.Reason, was.Message, was.Terminal && was.Action == v1beta1.ActionMitigate
	}
	if was.Action != d.Action {
		return op
	}
	op.StartTime, op.Failures, op.UnreadAttempts = was.StartTime, was.Failures, was.UnreadAttempts
	if !was.Answered {
		op.UnreadAttempts++
	}
	return op
}

// NextID is the id that follows on the given number of mitigations, when a
// broker refuses an id that it has seen before (OSB 2.17, pitfall 4).
func NextID(baseID string, mitigations int32) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", baseID, mitigations)).String()
}

const (
	firstBackoff = 2 * time.Second
	maxBackoff   = 5 * time.Minute
)

// Backoff is how long to wait after the given number of failures in a row: 2 s,
// doubling, at most 5 minutes. Up to a fifth is taken off, by seed, so that
// objects that failed together do not return together.
func Backoff(failures int32, seed string) time.Duration {
	d := maxBackoff
	if failures < 9 { // 2 s << 8 is beyond the cap
		d = min(maxBackoff, firstBackoff<<max(0, failures-1))
	}
	h := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", seed, failures))
	return d - time.Duration(h[0])*d/(5*256)
}
