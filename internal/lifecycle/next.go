package lifecycle

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Next decides what to do. The order of the cases is the order of importance:
// what the user forbids, deletion, cleaning up, what the broker works on, resting
// on what works, and only then creating. An edit during an operation waits until
// that has ended.
func Next(f Facts) Decision {
	op := f.Op
	switch {
	case f.Deleting && f.Purge:
		return Decision{Done: true, Purged: f.MayExist}
	case f.Paused:
		return blocked(paused(f))
	case f.Deleting:
		return nextDelete(f)
	case op != nil && op.Action == v1beta1.ActionMitigate:
		return nextMitigation(f)
	case working(op):
		return poll(f)
	case f.Exists:
		return nextExisting(f)
	}
	return nextMissing(f)
}

// nextMissing creates what is not there yet.
func nextMissing(f Facts) Decision {
	op := f.Op
	switch {
	case f.Blocked != nil:
		return blocked(f.Blocked)
	case op != nil && op.Terminal && op.RetryToken == f.Token:
		return refusal(op)
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

// refusal rests on what the broker refused; it goes on being shown.
func refusal(op *v1beta1.Operation) Decision {
	if op.Reason == "" {
		return Decision{} // its condition stands
	}
	return Decision{Problem: &Problem{Reason: op.Reason, Message: op.Message, Final: true}}
}

// nextDelete: once a create may have reached the broker its removal is owed,
// whatever state the create is in (OSB 2.17, P104).
func nextDelete(f Facts) Decision {
	op := f.Op
	switch {
	case !f.MayExist:
		return Decision{Done: true}
	case f.Retain && (f.Exists || !f.Ours || creating(f)):
		return Decision{Done: true, Retained: true}
	case f.Blocked != nil && len(f.Dependents) == 0:
		return blocked(f.Blocked)
	case working(op) && op.Action == f.Kind.remove():
		return poll(f)
	case len(f.Dependents) > 0:
		return Decision{Problem: blockedBy(f.Dependents)}
	}
	r := f.Have
	if op != nil && !f.Exists {
		r = requestOf(op)
	}
	r.ExternalID = f.ExternalID
	return due(f, Decision{Action: f.Kind.remove(), Request: r})
}

// creating says that the broker accepted a create and works on it.
func creating(f Facts) bool {
	return working(f.Op) && f.Op.Action == f.Kind.create()
}

func nextMitigation(f Facts) Decision {
	switch {
	case f.Blocked != nil:
		return blocked(f.Blocked)
	case working(f.Op):
		return poll(f)
	}
	return due(f, Decision{Action: v1beta1.ActionMitigate, Request: requestOf(f.Op)})
}

// nextExisting rests, or brings what exists to what the spec asks for now.
func nextExisting(f Facts) Decision {
	op := f.Op
	updating := op != nil && op.Action == v1beta1.ActionUpdate
	switch {
	case f.Kind == Binding:
		return Decision{}
	case f.Blocked != nil:
		return blocked(f.Blocked)
	case f.Wish == nil:
		return Decision{}
	case f.Wish.settledBy(f.Have) && (!updating || !unsure(op)):
		return Decision{Clear: updating} // a refused update that was taken back is settled too
	case updating && op.Terminal && op.RetryToken == f.Token, updating && op.Unrepeatable && f.Wish.settledBy(requestOf(op)):
		return refusal(op)
	}
	r := *f.Wish
	r.ExternalID = f.ExternalID
	return due(f, Decision{Action: v1beta1.ActionUpdate, Request: r})
}

// working says that the broker has promised to carry the operation out in the
// background.
func working(op *v1beta1.Operation) bool {
	return op != nil && op.Answered && op.BrokerOperation != nil
}

// poll asks how an operation is getting on, when it is time.
func poll(f Facts) Decision {
	if f.Blocked != nil {
		return blocked(f.Blocked)
	}
	op := f.Op
	at := f.NextPoll
	if at.IsZero() && op.NextAttemptTime != nil {
		at = op.NextAttemptTime.Time
	}
	if wait := at.Sub(f.Now); !at.IsZero() && wait > 0 {
		return Decision{Wait: wait}
	}
	r := requestOf(op)
	if op.Action == v1beta1.ActionUpdate {
		r.PlanID = f.Have.PlanID // the one before the update (OSB 2.17, P43)
	}
	return Decision{Action: op.Action, Request: r, Poll: true}
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

// unsure says whether attempts of op may have reached the broker without an
// answer that was read.
func unsure(op *v1beta1.Operation) bool {
	return op != nil && (!op.Answered || op.UnreadAttempts > 0)
}

func requestOf(op *v1beta1.Operation) Request {
	return Request{
		ExternalID: op.ExternalID, ServiceID: op.ServiceID, PlanID: op.PlanID, Checksum: op.ParameterChecksum,
		Maintenance: op.MaintenanceVersion, Context: op.ContextChecksum, Updates: op.UpdateRequests, Generation: op.Generation,
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
	r := d.Request
	op := &v1beta1.Operation{
		Action: d.Action, AttemptID: attemptID, ExternalID: r.ExternalID, ServiceID: r.ServiceID, PlanID: r.PlanID,
		ParameterChecksum: r.Checksum, MaintenanceVersion: r.Maintenance, ContextChecksum: r.Context, UpdateRequests: r.Updates,
		Generation: r.Generation, StartTime: metav1.NewTime(f.Now), IntentTime: metav1.NewMicroTime(f.Now), RetryToken: f.Token,
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
