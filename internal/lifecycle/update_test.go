package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// standing are the facts of an instance that works on the plan small.
func standing(change func(*lifecycle.Facts)) lifecycle.Facts {
	return facts(func(f *lifecycle.Facts) {
		f.Exists, f.MayExist, f.Have, f.Background, f.PollLimit = true, true, *wish("small"), true, time.Hour
		if change != nil {
			change(f)
		}
	})
}

func TestNextOfAnInstanceThatWorks(t *testing.T) {
	t.Parallel()
	large := func(change func(*v1beta1.Operation)) *v1beta1.Operation {
		return journal(v1beta1.ActionUpdate, func(o *v1beta1.Operation) {
			o.PlanID = "large"
			if change != nil {
				change(o)
			}
		})
	}
	refused := func(o *v1beta1.Operation) { o.Terminal, o.Reason, o.Message = true, "Refused", "No." }
	for name, tc := range map[string]struct {
		f      func(*lifecycle.Facts)
		action v1beta1.Action
		clear  bool
		wait   time.Duration
		reason string
	}{
		"nothing was asked for":            {},
		"other parameters are an update":   {f: func(f *lifecycle.Facts) { f.Wish.Checksum = "a" }, action: v1beta1.ActionUpdate},
		"a newer maintenance is an update": {f: func(f *lifecycle.Facts) { f.Wish.Maintenance = "2.0.0" }, action: v1beta1.ActionUpdate},
		"another context is an update":     {f: func(f *lifecycle.Facts) { f.Wish.Context = "c" }, action: v1beta1.ActionUpdate},
		"a raised counter is an update":    {f: func(f *lifecycle.Facts) { f.Wish.Updates = 1 }, action: v1beta1.ActionUpdate},
		"an update without answer is asked": {f: func(f *lifecycle.Facts) {
			f.Wish, f.Op = wish("large"), large(func(o *v1beta1.Operation) { o.Answered = false })
		}, action: v1beta1.ActionUpdate},
		"an update without answer that was taken back is taken back at the broker too": {
			f: func(f *lifecycle.Facts) { f.Op = large(func(o *v1beta1.Operation) { o.Answered = false }) }, action: v1beta1.ActionUpdate},
		"a refusal rests and goes on being shown": {f: func(f *lifecycle.Facts) { f.Wish, f.Op = wish("large"), large(refused) }, reason: "Refused"},
		"a refusal that was taken back needs no call": {
			f: func(f *lifecycle.Facts) { f.Op, f.Token = large(refused), "edited" }, clear: true},
		"a refusal after an answer was lost is taken back at the broker": {
			f: func(f *lifecycle.Facts) {
				f.Op, f.Token = large(func(o *v1beta1.Operation) { refused(o); o.UnreadAttempts = 1 }), "edited"
			}, action: v1beta1.ActionUpdate},
		"a refusal ends with another wish": {
			f: func(f *lifecycle.Facts) { f.Wish, f.Op, f.Token = wish("huge"), large(refused), "edited" }, action: v1beta1.ActionUpdate},
		"an update that must not be repeated is not, whatever else changes": {
			f: func(f *lifecycle.Facts) {
				f.Wish, f.Op, f.Token = wish("large"), large(func(o *v1beta1.Operation) { refused(o); o.Unrepeatable = true }), "edited"
			}, reason: "Refused"},
		"another update follows on one that must not be repeated": {
			f: func(f *lifecycle.Facts) {
				f.Wish, f.Op, f.Token = wish("huge"), large(func(o *v1beta1.Operation) { refused(o); o.Unrepeatable = true }), "edited"
			}, action: v1beta1.ActionUpdate},
		"a failed update waits": {
			f: func(f *lifecycle.Facts) {
				f.Wish, f.Op = wish("large"), large(func(o *v1beta1.Operation) { o.NextAttemptTime = at(time.Minute) })
			},
			wait: time.Minute},
		"what cannot be sent is said": {
			f:      func(f *lifecycle.Facts) { f.Blocked = &lifecycle.Problem{Reason: v1beta1.ReasonErrorWithParameters} },
			reason: v1beta1.ReasonErrorWithParameters},
		"held work rests": {f: func(f *lifecycle.Facts) { f.Paused, f.Wish = true, wish("large") }, reason: v1beta1.ReasonPaused},
		"held work rests, deletion too": {
			f: func(f *lifecycle.Facts) { f.Paused, f.Deleting = true, true }, reason: v1beta1.ReasonPaused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := lifecycle.Next(standing(tc.f))
			assert.Equal(t, tc.action, d.Action)
			assert.Equal(t, tc.clear, d.Clear)
			assert.Equal(t, tc.wait, d.Wait)
			if tc.reason == "" {
				assert.Nil(t, d.Problem)
			} else if assert.NotNil(t, d.Problem) {
				assert.Equal(t, tc.reason, d.Problem.Reason)
			}
		})
	}
}

func TestPurgeLetsGoWithoutTheBroker(t *testing.T) {
	t.Parallel()
	purge := func(change func(*lifecycle.Facts)) lifecycle.Decision {
		return lifecycle.Next(standing(func(f *lifecycle.Facts) {
			f.Deleting, f.Purge = true, true
			change(f)
		}))
	}
	for name, change := range map[string]func(*lifecycle.Facts){
		"although its broker is gone":        func(f *lifecycle.Facts) { f.Blocked = &lifecycle.Problem{} },
		"although bindings are left":         func(f *lifecycle.Facts) { f.Dependents = []string{"orders-db"} },
		"although work on it is held":        func(f *lifecycle.Facts) { f.Paused = true },
		"although a deletion is under way":   func(f *lifecycle.Facts) { f.Op = journal(v1beta1.ActionDeprovision, nil) },
		"although a mitigation is under way": func(f *lifecycle.Facts) { f.Op = journal(v1beta1.ActionMitigate, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := purge(change)
			assert.True(t, d.Done)
			assert.True(t, d.Purged)
		})
	}
	t.Run("but not while it lives", func(t *testing.T) {
		t.Parallel()
		assert.False(t, purge(func(f *lifecycle.Facts) { f.Deleting = false }).Done)
	})
}

func TestAbsorbAnUpdate(t *testing.T) {
	t.Parallel()
	no := false
	rejected := func(change func(*osb.Error)) lifecycle.Reply {
		return lifecycle.Reply{Err: failure(osb.KindRejected, func(e *osb.Error) {
			e.Operation, e.StatusCode = osb.OpUpdate, 400
			if change != nil {
				change(e)
			}
		})}
	}
	for name, tc := range map[string]struct {
		r                                      lifecycle.Reply
		accepted, failed, unusable, unrepeated bool
		open                                   bool
		unread                                 int32
		ready                                  metav1.ConditionStatus
		reason                                 string
	}{
		"200 is taken": {accepted: true, ready: metav1.ConditionTrue, reason: v1beta1.ReasonUpdatedSuccessfully},
		"202 goes on in the background": {
			r: lifecycle.Reply{Async: true, Operation: "op"}, open: true, ready: metav1.ConditionTrue, reason: v1beta1.ReasonUpdating},
		"400 leaves it ready": {r: rejected(nil), open: true, failed: true, ready: metav1.ConditionTrue, reason: v1beta1.ReasonUpdateCallFailed},
		"400 that makes it unusable": {
			r: rejected(func(e *osb.Error) { e.InstanceUsable = &no }), open: true, failed: true, unusable: true, ready: metav1.ConditionFalse,
			reason: v1beta1.ReasonUpdateCallFailed},
		"400 that must not be repeated": {
			r: rejected(func(e *osb.Error) { e.UpdateRepeatable = &no }), open: true, failed: true, unrepeated: true, ready: metav1.ConditionTrue,
			reason: v1beta1.ReasonUpdateCallFailed},
		"500 is tried again, and what the broker has is not known": {
			r:    lifecycle.Reply{Err: failure(osb.KindUnavailable, func(e *osb.Error) { e.Operation, e.StatusCode = osb.OpUpdate, 500 })},
			open: true, unread: 1, ready: metav1.ConditionTrue, reason: v1beta1.ReasonUpdateCallFailed},
		"500 that must not be repeated is not": {
			r: lifecycle.Reply{Err: failure(osb.KindUnavailable, func(e *osb.Error) {
				e.Operation, e.StatusCode, e.UpdateRepeatable = osb.OpUpdate, 500, &no
			})},
			open: true, unread: 1, failed: true, unrepeated: true, ready: metav1.ConditionTrue, reason: v1beta1.ReasonUpdateCallFailed},
		"a timeout is tried again, and what the broker has is not known": {
			r:    lifecycle.Reply{Err: failure(osb.KindTimeout, func(e *osb.Error) { e.Operation, e.Lost = osb.OpUpdate, true })},
			open: true, unread: 1, ready: metav1.ConditionTrue, reason: v1beta1.ReasonErrorCallingUpdate},
		"a refused connection is tried again": {
			r:    lifecycle.Reply{Err: failure(osb.KindUnavailable, func(e *osb.Error) { e.Operation = osb.OpUpdate })},
			open: true, ready: metav1.ConditionTrue, reason: v1beta1.ReasonErrorCallingUpdate},
		"ConcurrencyError waits and is no error": {
			r:    lifecycle.Reply{Err: failure(osb.KindBusy, func(e *osb.Error) { e.Operation, e.StatusCode = osb.OpUpdate, 422 })},
			open: true, ready: metav1.ConditionTrue, reason: v1beta1.ReasonUpdateRequestInFlight},
		"MaintenanceInfoConflict is tried again": {
			r:    lifecycle.Reply{Err: failure(osb.KindMaintenanceInfoConflict, func(e *osb.Error) { e.Operation, e.StatusCode = osb.OpUpdate, 422 })},
			open: true, ready: metav1.ConditionTrue, reason: v1beta1.ReasonUpdateCallFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := journal(v1beta1.ActionUpdate, func(o *v1beta1.Operation) { o.Answered, o.PlanID = false, "large" })
			o := lifecycle.Absorb(standing(func(f *lifecycle.Facts) { f.Wish = wish("large") }), op, tc.r)
			assert.True(t, o.Exists)
			assert.True(t, o.MayExist)
			assert.Equal(t, tc.accepted, o.Accepted)
			assert.Equal(t, tc.failed, o.Failed)
			assert.Equal(t, tc.unusable, o.Unusable)
			assert.Equal(t, tc.ready, o.Ready)
			assert.Equal(t, tc.reason, o.Reason)
			assert.Equal(t, tc.open, o.Op != nil)
			assert.Equal(t, tc.open && !tc.failed, o.Working)
			assert.Equal(t, osb.IsKind(tc.r.Err, osb.KindMaintenanceInfoConflict), o.Relist)
			if o.Op != nil {
				assert.NotEqual(t, v1beta1.ActionMitigate, o.Op.Action, "an update is never cleaned up after")
				assert.Equal(t, tc.unread, o.Op.UnreadAttempts)
				assert.Equal(t, tc.unrepeated, o.Op.Unrepeatable)
			}
		})
	}
}

func TestAnUpdateStatesWhatChanged(t *testing.T) {
	t.Parallel()
	have := lifecycle.Request{PlanID: "small", Checksum: "a", Maintenance: "1.0.0"}
	update := func(change func(*v1beta1.Operation)) *v1beta1.Operation {
		return journal(v1beta1.ActionUpdate, func(o *v1beta1.Operation) {
			o.ParameterChecksum, o.MaintenanceVersion = "a", "1.0.0"
			change(o)
		})
	}
	for name, tc := range map[string]struct {
		op   func(*v1beta1.Operation)
		want lifecycle.Change
	}{
		"a plan":                       {func(o *v1beta1.Operation) { o.PlanID = "large" }, lifecycle.Change{Plan: true}},
		"parameters":                   {func(o *v1beta1.Operation) { o.ParameterChecksum = "b" }, lifecycle.Change{Parameters: true}},
		"parameters that were cleared": {func(o *v1beta1.Operation) { o.ParameterChecksum = "" }, lifecycle.Change{Parameters: true}},
		"maintenance":                  {func(o *v1beta1.Operation) { o.MaintenanceVersion = "2.0.0" }, lifecycle.Change{Maintenance: true}},
		"the context alone":            {func(o *v1beta1.Operation) { o.ContextChecksum = "c" }, lifecycle.Change{}},
		"all if a user asks for it":    {func(o *v1beta1.Operation) { o.UpdateRequests = 1 }, lifecycle.Change{Parameters: true, Maintenance: true}},
		"all after a lost answer":      {func(o *v1beta1.Operation) { o.UnreadAttempts = 1 }, lifecycle.Change{Plan: true, Parameters: true, Maintenance: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, lifecycle.ChangeOf(have, update(tc.op)))
		})
	}
}
