package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/rotation"
)

// predecessor is a binding at the broker whose credentials were replaced.
type predecessor struct {
	*binding
	old *v1beta1.Predecessor
}

// predecessor finds one by its id.
func (b *binding) predecessor(id string) *v1beta1.Predecessor {
	if r := b.Status.Rotation; r != nil {
		for n := range r.Predecessors {
			if r.Predecessors[n].ExternalID == id {
				return &r.Predecessors[n]
			}
		}
	}
	return nil
}

// revocable is the first predecessor that may be revoked now; else after is when to
// look again. Who keeps one from it is named in a condition.
func (b *binding) revocable(ctx context.Context) (t target, after time.Duration, err error) {
	r := b.Status.Rotation
	if r == nil || len(r.Predecessors) == 0 {
		b.note(v1beta1.ConditionOldCredentialInUse, "", "")
		return nil, 0, nil
	}
	now, policy := b.r.Clock.Now(), rotation.PolicyOf(b.Spec.Rotation)
	var pods *corev1.PodList
	var users []string
	for n := range r.Predecessors {
		old := &r.Predecessors[n]
		var having []string
		v := rotation.Revoke(policy, *old, true, now)
		if v.Look || v.InUse || v.Revoke {
			if pods == nil {
				if pods, err = b.pods(ctx); err != nil {
					return nil, 0, err
				}
			}
			having = envUsers(pods.Items, b.Name, old.ReplacedAt.Time)
			v = rotation.Revoke(policy, *old, len(having) > 0, now)
		}
		if v.Forced && !b.warned(having, now) {
			v = rotation.Verdict{InUse: true, Wait: rotation.Recheck}
		}
		if v.Revoke {
			// An outcome that was lost may have left them in a Secret.
			stored, err := b.stores(ctx, old.ExternalID)
			if err != nil {
				return nil, 0, err
			}
			if stored {
				after = soonest(after, rotation.Recheck)
				continue
			}
			if v.Forced {
				b.r.tell(b.ServiceBinding, v1beta1.ActionUnbind, &lifecycle.Event{Warning: true, Reason: v1beta1.ReasonOldCredentialInUse,
					Note: "Old credentials are revoked although they are used, because spec.rotation.maxOverlap is over: " + listed(having) + "."})
			}
			return &predecessor{binding: b, old: old}, 0, nil
		}
		users, after = append(users, having...), soonest(after, v.Wait)
	}
	b.noteUsers(users)
	return nil, after, nil
}

// warned says whether the condition has named those who are about to be cut off, for
// long enough to be read.
func (b *binding) warned(pods []string, now time.Time) bool {
	c := apimeta.FindStatusCondition(b.Status.Conditions, v1beta1.ConditionOldCredentialInUse)
	if c == nil || c.Status != metav1.ConditionTrue || now.Sub(c.LastTransitionTime.Time) < rotation.Notice {
		return false
	}
	named := strings.FieldsFunc(c.Message, func(r rune) bool { return r == ' ' || r == ',' })
	if len(pods) > mostListed {
		pods = pods[:mostListed]
	}
	for n := range pods {
		if !slices.ContainsFunc(named, func(word string) bool { return strings.TrimSuffix(word, ".") == pods[n] }) {
			return slices.Contains(named, "more") // one of those that the list has no room for
		}
	}
	return true
}

// pods are those of the namespace that have credentials, read live.
func (b *binding) pods(ctx context.Context) (*corev1.PodList, error) {
	pods := &corev1.PodList{}
	if err := b.r.Live.List(ctx, pods, client.InNamespace(b.Namespace), client.MatchingLabels{v1beta1.LabelInjection: v1beta1.InjectionDone}); err != nil {
		return nil, fmt.Errorf("look for users of old credentials: %w", err)
	}
	return pods, nil
}

// noteUsers names those who have old credentials in their environment.
func (b *binding) noteUsers(pods []string) {
	slices.Sort(pods)
	pods = slices.Compact(pods)
	message := ""
	if len(pods) > 0 {
		message = fmt.Sprintf("Containers have old credentials in their environment: Pods %s. Restart them; then the old credentials are revoked by themselves, when the overlap is over.", listed(pods))
		if o := rotation.PolicyOf(b.Spec.Rotation).MaxOverlap; o > 0 {
			message += fmt.Sprintf(" They are revoked in any case %s after they were replaced (spec.rotation.maxOverlap).", o)
		}
	}
	b.note(v1beta1.ConditionOldCredentialInUse, v1beta1.ReasonOldCredentialInUse, message)
}

func (p *predecessor) observe(ctx context.Context) (lifecycle.Facts, error) {
	op := p.Status.Operation
	f := lifecycle.Facts{
		Kind: lifecycle.Binding, Now: p.r.Clock.Now(), Deleting: true, Exists: true, MayExist: true, Ours: true, Mitigate: true,
		ExternalID: p.old.ExternalID, BaseID: p.old.ExternalID, Op: op, Background: true, PollLimit: p.r.MaxPolling,
		NextPoll: p.r.polls.after(p.UID, op), Have: p.have(),
	}
	problem, err := p.observeRemoval(ctx, &f)
	f.Blocked = problem
	return f, err
}

func (p *predecessor) begin(op *v1beta1.Operation) state {
	working, since := p.Status.CurrentOperation, p.Status.OperationStartTime
	st := p.binding.begin(op)
	p.Status.CurrentOperation, p.Status.OperationStartTime = working, since
	return p.shown(st)
}

func (p *predecessor) shown(st state) state {
	return p.shownBeside(st, " Old ones are being revoked.")
}

func (p *predecessor) call(ctx context.Context, op *v1beta1.Operation) lifecycle.Reply {
	return p.unbind(ctx, op)
}

func (p *predecessor) settle(op *v1beta1.Operation, o lifecycle.Outcome) {
	if o.MayExist {
		if p.DeletionTimestamp.IsZero() && o.Op != nil && o.Op.Failures > 0 {
			p.note(v1beta1.ConditionOldCredentialNotRevoked, o.Reason, o.Message)
		}
		return
	}
	r := p.Status.Rotation
	r.Predecessors = slices.DeleteFunc(r.Predecessors, func(old v1beta1.Predecessor) bool { return old.ExternalID == op.ExternalID })
	p.note(v1beta1.ConditionOldCredentialNotRevoked, "", "")
	if len(r.Predecessors) == 0 {
		p.note(v1beta1.ConditionOldCredentialInUse, "", "")
	}
	p.Status.Operation = nil
}

func (p *predecessor) rest(f lifecycle.Facts, problem *lifecycle.Problem) *state {
	if problem == nil {
		return nil
	}
	if !p.DeletionTimestamp.IsZero() {
		return p.binding.rest(f, problem)
	}
	p.note(v1beta1.ConditionOldCredentialNotRevoked, problem.Reason, problem.Message)
	st := p.shown(state{ready: metav1.ConditionTrue})
	return &st
}

// release is not the predecessor's: the Secrets are the binding's.
func (p *predecessor) release(context.Context) error { return nil }
