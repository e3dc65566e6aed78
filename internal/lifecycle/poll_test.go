package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// promised is a journal that the broker works on since a minute.
func promised(a v1beta1.Action, change func(*v1beta1.Operation)) *v1beta1.Operation {
	return journal(a, func(o *v1beta1.Operation) {
		key, deadline := "op", metav1.NewTime(now.Add(59*time.Minute))
		o.IntentTime, o.BrokerOperation, o.PollDeadline = *at(-time.Minute), &key, &deadline
		if change != nil {
			change(o)
		}
	})
}

func TestPollingDecisions(t *testing.T) {
	t.Parallel()
	create := func(f *lifecycle.Facts) { f.Exists, f.Op = false, promised(v1beta1.ActionProvision, nil) }
	for name, tc := range map[string]struct {
		f      func(*lifecycle.Facts)
		action v1beta1.Action
		plan   string
		poll   bool
		wait   time.Duration
		done   bool
	}{
		"a create is asked after":           {f: create, action: v1beta1.ActionProvision, plan: "small", poll: true},
		"a create is asked after in time":   {f: func(f *lifecycle.Facts) { create(f); f.NextPoll = now.Add(time.Second) }, wait: time.Second},
		"after a restart the journal knows": {f: func(f *lifecycle.Facts) { create(f); f.Op.NextAttemptTime = at(time.Minute) }, wait: time.Minute},
		"an edit waits for its turn":        {f: func(f *lifecycle.Facts) { create(f); f.Wish = wish("large") }, action: v1beta1.ActionProvision, plan: "small", poll: true},
		"an update is asked after under the plan before it": {
			f: func(f *lifecycle.Facts) {
				f.Op = promised(v1beta1.ActionUpdate, func(o *v1beta1.Operation) { o.PlanID = "large" })
			},
			action: v1beta1.ActionUpdate, plan: "small", poll: true},
		"a deletion does not wait for a create": {f: func(f *lifecycle.Facts) { create(f); f.Deleting = true }, action: v1beta1.ActionDeprovision, plan: "small"},
		"a deletion does not wait for an update": {
			f: func(f *lifecycle.Facts) {
				f.Op, f.Deleting = promised(v1beta1.ActionUpdate, func(o *v1beta1.Operation) { o.PlanID = "large" }), true
			}, action: v1beta1.ActionDeprovision, plan: "small"},
		"what is to be retained may go on being made": {f: func(f *lifecycle.Facts) { create(f); f.Deleting, f.Retain = true, true }, done: true},
		"a deletion is asked after": {
			f:      func(f *lifecycle.Facts) { f.Deleting, f.Op = true, promised(v1beta1.ActionDeprovision, nil) },
			action: v1beta1.ActionDeprovision, plan: "small", poll: true},
		"a deletion under way does not wait for bindings": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.Op, f.Dependents = true, promised(v1beta1.ActionDeprovision, nil), []string{"b"}
			}, action: v1beta1.ActionDeprovision, plan: "small", poll: true},
		"a mitigation is asked after": {
			f:      func(f *lifecycle.Facts) { f.Exists, f.Op = false, promised(v1beta1.ActionMitigate, nil) },
			action: v1beta1.ActionMitigate, plan: "small", poll: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := lifecycle.Next(standing(tc.f))
			assert.Equal(t, tc.action, d.Action)
			assert.Equal(t, tc.poll, d.Poll)
			assert.Equal(t, tc.wait, d.Wait)
			assert.Equal(t, tc.done, d.Done)
			assert.Equal(t, tc.plan, d.Request.PlanID)
		})
	}
}

func TestAbsorbAPoll(t *testing.T) {
	t.Parallel()
	const (
		provision, update, deprovision, mitigate = v1beta1.ActionProvision, v1beta1.ActionUpdate, v1beta1.ActionDeprovision, v1beta1.ActionMitigate
		yes, no                                  = metav1.ConditionTrue, metav1.ConditionFalse
	)
	bad := false
	late := func(o *v1beta1.Operation) { d := metav1.NewTime(now); o.PollDeadline = &d }
	down := lifecycle.Progress{Err: failure(osb.KindUnavailable, func(e *osb.Error) { e.StatusCode = 503 })}
	working := lifecycle.Progress{State: osb.StateInProgress}
	for name, tc := range map[string]struct {
		action   v1beta1.Action
		op       func(*v1beta1.Operation)
		f        func(*lifecycle.Facts)
		p        lifecycle.Progress
		next     v1beta1.Action // of the journal; empty if it is closed
		going    bool           // the work goes on
		accepted bool
		failed   bool
		ready    metav1.ConditionStatus
		reason   string
		says     string
	}{
		"a create in progress": {action: provision, p: working, next: provision, going: true, ready: no, reason: v1beta1.ReasonProvisioning},
		"a create that says how far it is": {
			action: provision, p: lifecycle.Progress{State: osb.StateInProgress, Description: "20 %"}, next: provision, going: true, ready: no,
			reason: v1beta1.ReasonProvisioning, says: "20 %"},
		"a create that succeeded": {action: provision, p: lifecycle.Progress{State: osb.StateSucceeded}, accepted: true, ready: yes, reason: v1beta1.ReasonProvisionedSuccessfully},
		"a create that failed is cleaned up after, and rests": {
			action: provision, p: lifecycle.Progress{State: osb.StateFailed, Description: "no room"}, next: mitigate, ready: no,
			reason: v1beta1.ReasonStartingOrphanMitigation, says: "no room"},
		"a create that failed where the broker's switch is off": {
			action: provision, f: func(f *lifecycle.Facts) { f.Mitigate = false }, p: lifecycle.Progress{State: osb.StateFailed}, next: provision, failed: true,
			ready: no, reason: v1beta1.ReasonProvisionCallFailed},
		"a create goes on through 503": {action: provision, p: down, next: provision, going: true, ready: no, reason: v1beta1.ReasonProvisioning, says: "503"},
		"a create goes on through 410": {
			action: provision, p: lifecycle.Progress{Err: failure(osb.KindGone, func(e *osb.Error) { e.StatusCode = 410 })}, next: provision, going: true,
			ready: no, reason: v1beta1.ReasonProvisioning},
		"a create goes on through 404": {
			action: provision, p: lifecycle.Progress{Err: failure(osb.KindNotFound, nil)}, next: provision, going: true, ready: no, reason: v1beta1.ReasonProvisioning},
		"a create that takes too long is cleaned up after": {
			action: provision, op: late, p: working, next: mitigate, ready: no, reason: v1beta1.ReasonStartingOrphanMitigation, says: "has not finished within 1m0s"},
		"a create that fails to tell too long is cleaned up after": {
			action: provision, op: late, p: down, next: mitigate, ready: no, reason: v1beta1.ReasonStartingOrphanMitigation},
		"an update in progress leaves it ready": {action: update, p: working, next: update, going: true, ready: yes, reason: v1beta1.ReasonUpdating},
		"an update that succeeded":              {action: update, p: lifecycle.Progress{State: osb.StateSucceeded}, accepted: true, ready: yes, reason: v1beta1.ReasonUpdatedSuccessfully},
		"an update that failed leaves it ready": {
			action: update, p: lifecycle.Progress{State: osb.StateFailed, Description: "no room"}, next: update, failed: true, ready: yes,
			reason: v1beta1.ReasonUpdateCallFailed, says: "no room"},
		"an update that failed and broke it": {
			action: update, p: lifecycle.Progress{State: osb.StateFailed, InstanceUsable: &bad}, next: update, failed: true, ready: no, reason: v1beta1.ReasonUpdateCallFailed},
		"an update that takes too long failed": {action: update, op: late, p: working, next: update, failed: true, ready: yes, reason: v1beta1.ReasonPollingTimedOut},
		"a deletion in progress":               {action: deprovision, p: working, next: deprovision, going: true, ready: no, reason: v1beta1.ReasonDeprovisioning},
		"a deletion that succeeded":            {action: deprovision, p: lifecycle.Progress{State: osb.StateSucceeded}, ready: no, reason: v1beta1.ReasonDeprovisionedSuccessfully},
		"a deletion that failed is sent again": {
			action: deprovision, p: lifecycle.Progress{State: osb.StateFailed, Description: "not empty"}, next: deprovision, ready: metav1.ConditionUnknown,
			reason: v1beta1.ReasonDeprovisionCallFailed, says: "not empty"},
		"a deletion that takes too long is sent again": {
			action: deprovision, op: late, p: working, next: deprovision, ready: metav1.ConditionUnknown, reason: v1beta1.ReasonDeprovisionCallFailed},
		"a deletion that the broker does not know is sent again": {
			action: deprovision, p: lifecycle.Progress{Err: failure(osb.KindNotFound, nil)}, next: deprovision, ready: metav1.ConditionUnknown,
			reason: v1beta1.ReasonDeprovisionCallFailed},
		"a deletion goes on through 400": {
			action: deprovision, p: lifecycle.Progress{Err: failure(osb.KindRejected, func(e *osb.Error) { e.StatusCode = 400 })}, next: deprovision, going: true,
			ready: no, reason: v1beta1.ReasonDeprovisioning},
		"a mitigation that succeeded leads back to the create": {
			action: mitigate, p: lifecycle.Progress{State: osb.StateSucceeded}, next: provision, ready: no, reason: v1beta1.ReasonOrphanMitigationSuccessful},
		"a mitigation that failed is sent again": {
			action: mitigate, p: lifecycle.Progress{State: osb.StateFailed}, next: mitigate, ready: no, reason: v1beta1.ReasonStartingOrphanMitigation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := standing(func(f *lifecycle.Facts) {
				f.Exists, f.Deleting = tc.action == update || tc.action == deprovision, tc.action == deprovision
				if tc.f != nil {
					tc.f(f)
				}
			})
			o := lifecycle.AbsorbPoll(f, promised(tc.action, tc.op), tc.p)
			assert.Equal(t, tc.accepted, o.Accepted)
			assert.Equal(t, tc.failed, o.Failed)
			assert.Equal(t, tc.ready, o.Ready)
			assert.Equal(t, tc.reason, o.Reason)
			assert.Contains(t, o.Message, tc.says)
			if tc.next == "" {
				assert.Nil(t, o.Op)
				return
			}
			require.NotNil(t, o.Op)
			assert.Equal(t, tc.next, o.Op.Action)
			assert.Equal(t, tc.going, o.Op.BrokerOperation != nil)
			assert.True(t, o.Op.Answered)
			if tc.going {
				assert.Equal(t, promised(tc.action, tc.op), o.Op, "the journal is not touched")
				assert.Positive(t, o.Wait)
			}
		})
	}
}

func TestAPromiseIsKeptInTheJournal(t *testing.T) {
	t.Parallel()
	for _, a := range []v1beta1.Action{v1beta1.ActionProvision, v1beta1.ActionUpdate, v1beta1.ActionDeprovision, v1beta1.ActionMitigate} {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			f := standing(func(f *lifecycle.Facts) { f.Ours = false })
			o := lifecycle.Absorb(f, journal(a, func(o *v1beta1.Operation) { o.Answered = false }), lifecycle.Reply{Async: true, Operation: "tf:1/+="})
			require.NotNil(t, o.Op)
			assert.Equal(t, a, o.Op.Action)
			assert.Equal(t, "tf:1/+=", *o.Op.BrokerOperation)
			assert.Equal(t, now.Add(time.Hour), o.Op.PollDeadline.Time)
			assert.Equal(t, a == v1beta1.ActionProvision, o.CreatedByUs, "a 202 to a create makes the id ours")
			assert.True(t, o.Working)
		})
	}
}

func TestPollWait(t *testing.T) {
	t.Parallel()
	for elapsed, most := range map[time.Duration]time.Duration{
		0: time.Second, 3 * time.Second: time.Second, 40 * time.Second: 10 * time.Second, time.Hour: 2 * time.Minute, 100 * time.Hour: 2 * time.Minute,
	} {
		d := lifecycle.PollWait(elapsed, 0, "a")
		assert.LessOrEqual(t, d, most)
		assert.GreaterOrEqual(t, d, most*4/5)
	}
	assert.Equal(t, 7*time.Minute, lifecycle.PollWait(time.Second, 7*time.Minute, "a"), "the broker's own wish holds")
}
