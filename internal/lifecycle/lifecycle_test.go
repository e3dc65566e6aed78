package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const id = "4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468"

func wish(plan string) *lifecycle.Request {
	return &lifecycle.Request{ServiceID: "svc", PlanID: plan, Generation: 1}
}

// journal is an open operation on the plan small.
func journal(a v1beta1.Action, change func(*v1beta1.Operation)) *v1beta1.Operation {
	op := &v1beta1.Operation{
		Action: a, AttemptID: "a1", ExternalID: id, ServiceID: "svc", PlanID: "small",
		Generation: 1, Answered: true, RetryToken: "t",
	}
	if change != nil {
		change(op)
	}
	return op
}

func at(d time.Duration) *metav1.MicroTime {
	t := metav1.NewMicroTime(now.Add(d))
	return &t
}

// facts are those of an instance of ours whose broker is well.
func facts(change func(*lifecycle.Facts)) lifecycle.Facts {
	f := lifecycle.Facts{
		Now: now, Ours: true, Mitigate: true, ExternalID: id, BaseID: id, Wish: wish("small"), Token: "t",
	}
	if change != nil {
		change(&f)
	}
	return f
}

func TestNextOfAnInstance(t *testing.T) {
	t.Parallel()
	const provision, update, deprovision, mitigate = v1beta1.ActionProvision, v1beta1.ActionUpdate, v1beta1.ActionDeprovision, v1beta1.ActionMitigate
	failedOnce := journal(provision, func(o *v1beta1.Operation) { o.Failures, o.NextAttemptTime = 1, at(time.Second) })
	for name, tc := range map[string]struct {
		f      func(*lifecycle.Facts)
		action v1beta1.Action
		wait   time.Duration
		done   bool
		reason string
	}{
		"a new instance is provisioned": {action: provision},
		"one that cannot be resolved rests and says why": {
			f: func(f *lifecycle.Facts) {
				f.Wish, f.Blocked = nil, &lifecycle.Problem{Reason: v1beta1.ReasonReferencesNonexistentServicePlan}
			}, reason: v1beta1.ReasonReferencesNonexistentServicePlan},
		"one that works rests": {f: func(f *lifecycle.Facts) { f.Exists, f.MayExist, f.Have = true, true, *wish("small") }},
		"one that works says why what the spec asks for cannot be sent": {
			f: func(f *lifecycle.Facts) {
				f.Exists, f.MayExist, f.Have, f.Wish = true, true, *wish("small"), nil
				f.Blocked = &lifecycle.Problem{Reason: v1beta1.ReasonErrorWithParameters}
			}, reason: v1beta1.ReasonErrorWithParameters},
		"a changed plan of one that works is an update": {
			f: func(f *lifecycle.Facts) { f.Exists, f.MayExist, f.Have = true, true, *wish("large") }, action: update},
		"a failed attempt waits": {f: func(f *lifecycle.Facts) { f.Op = failedOnce }, wait: time.Second},
		"a failed attempt whose wait is over is made again": {
			f: func(f *lifecycle.Facts) { f.Op, f.Now = failedOnce, now.Add(time.Second) }, action: provision},
		"a repaired cause ends the wait": {f: func(f *lifecycle.Facts) { f.Op, f.Token = failedOnce, "mended" }, action: provision},
		"a refusal rests": {
			f: func(f *lifecycle.Facts) {
				f.Op = journal(provision, func(o *v1beta1.Operation) { o.Terminal = true })
			}},
		"a changed spec ends a refusal": {
			f: func(f *lifecycle.Facts) {
				f.Op, f.Token = journal(provision, func(o *v1beta1.Operation) { o.Terminal = true }), "changed"
			}, action: provision},
		"an intent without an answer is sent again": {
			f: func(f *lifecycle.Facts) {
				f.Op = journal(provision, func(o *v1beta1.Operation) { o.Answered = false })
			}, action: provision},
		"an unsure attempt with other values is removed first": {
			f: func(f *lifecycle.Facts) {
				f.Op, f.Wish = journal(provision, func(o *v1beta1.Operation) { o.Answered = false }), wish("large")
			}, action: mitigate},
		"an unsure attempt under a given id is never removed": {
			f: func(f *lifecycle.Facts) {
				f.Op, f.Wish, f.Ours = journal(provision, func(o *v1beta1.Operation) { o.Answered = false }), wish("large"), false
			}, action: provision},
		"a mitigation goes on, also when the class vanished": {
			f: func(f *lifecycle.Facts) {
				f.Op, f.MayExist, f.Wish = journal(mitigate, nil), true, nil
			}, action: mitigate},
		"a mitigation waits while its broker cannot be reached": {
			f: func(f *lifecycle.Facts) {
				f.Op, f.MayExist, f.Blocked = journal(mitigate, nil), true, &lifecycle.Problem{Reason: v1beta1.ReasonReferencesNonexistentBroker}
			}, reason: v1beta1.ReasonReferencesNonexistentBroker},
		"a mitigation that failed waits": {
			f: func(f *lifecycle.Facts) {
				f.Op = journal(mitigate, func(o *v1beta1.Operation) { o.NextAttemptTime = at(time.Minute) })
			}, wait: time.Minute},

		"deleting what was never asked for is done at once": {f: func(f *lifecycle.Facts) { f.Deleting = true }, done: true},
		"deleting what works deprovisions it": {
			f: func(f *lifecycle.Facts) { f.Deleting, f.Exists, f.MayExist, f.Have = true, true, true, *wish("small") }, action: deprovision},
		"deleting waits for bindings and names them": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.Exists, f.MayExist, f.Dependents = true, true, true, []string{"orders-db"}
			}, reason: v1beta1.ReasonBlockedByBindings},
		"deleting during a create does not wait for it": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.MayExist, f.Op = true, true, journal(provision, func(o *v1beta1.Operation) { o.Answered = false })
			}, action: deprovision},
		"deleting during a mitigation is the same request": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.MayExist, f.Op = true, true, journal(mitigate, func(o *v1beta1.Operation) { o.NextAttemptTime = at(time.Hour) })
			}, action: deprovision},
		"deleting needs no class once something was sent": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.Exists, f.MayExist, f.Have, f.Wish = true, true, true, *wish("small"), nil
			}, action: deprovision},
		"deleting waits while its broker cannot be reached": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.Exists, f.MayExist, f.Blocked = true, true, true, &lifecycle.Problem{Reason: v1beta1.ReasonReferencesNonexistentBroker}
			}, reason: v1beta1.ReasonReferencesNonexistentBroker},
		"a failed deletion waits": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.Exists, f.MayExist, f.Op = true, true, true, journal(deprovision, func(o *v1beta1.Operation) { o.NextAttemptTime = at(time.Minute) })
			}, wait: time.Minute},
		"what is to be retained stays": {
			f: func(f *lifecycle.Facts) { f.Deleting, f.Exists, f.MayExist, f.Retain = true, true, true, true }, done: true},
		"retaining a given id keeps even what is unsure": {
			f: func(f *lifecycle.Facts) { f.Deleting, f.MayExist, f.Retain, f.Ours = true, true, true, false }, done: true},
		"retaining does not keep the rest of a failed create of ours": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.MayExist, f.Retain, f.Op = true, true, true, journal(mitigate, nil)
			}, action: deprovision},
		"retaining does not wait for bindings": {
			f: func(f *lifecycle.Facts) {
				f.Deleting, f.Exists, f.MayExist, f.Retain, f.Dependents = true, true, true, true, nil
			}, done: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := lifecycle.Next(facts(tc.f))
			assert.Equal(t, tc.action, d.Action)
			assert.Equal(t, tc.wait, d.Wait)
			assert.Equal(t, tc.done, d.Done)
			if tc.reason == "" {
				assert.Nil(t, d.Problem)
			} else if assert.NotNil(t, d.Problem) {
				assert.Equal(t, tc.reason, d.Problem.Reason)
			}
			if d.Action != "" {
				assert.Equal(t, id, d.Request.ExternalID)
				assert.NotEmpty(t, d.Request.ServiceID)
				assert.NotEmpty(t, d.Request.PlanID)
			}
		})
	}
}

func TestBindingsActUnderTheirOwnNames(t *testing.T) {
	t.Parallel()
	f := facts(func(f *lifecycle.Facts) { f.Kind = lifecycle.Binding })
	assert.Equal(t, v1beta1.ActionBind, lifecycle.Next(f).Action)
	f.Deleting, f.Exists, f.MayExist, f.Have = true, true, true, *wish("small")
	assert.Equal(t, v1beta1.ActionUnbind, lifecycle.Next(f).Action)
}

// failure makes an answer of the given class to a provision.
func failure(k osb.Kind, change func(*osb.Error)) error {
	e := &osb.Error{Operation: osb.OpProvision, Kind: k}
	if change != nil {
		change(e)
	}
	return e
}

func TestAbsorbAProvision(t *testing.T) {
	t.Parallel()
	unread := func(o *v1beta1.Operation) { o.UnreadAttempts = 1 }
	given := func(f *lifecycle.Facts) { f.Ours = false }
	lost := func(e *osb.Error) { e.Lost, e.OrphanMitigation = true, true }
	mitigated := func(e *osb.Error) { e.StatusCode, e.OrphanMitigation = 500, true }
	for name, tc := range map[string]struct {
		f                       func(*lifecycle.Facts)
		op                      func(*v1beta1.Operation)
		r                       lifecycle.Reply
		exists, may, ours, fail bool
		next                    v1beta1.Action
		reason                  string
		newID                   bool
	}{
		"201 is success and makes the id ours": {f: given, exists: true, may: true, ours: true, reason: v1beta1.ReasonProvisionedSuccessfully},
		"200 under a given id is an adoption, not ours": {
			f: given, r: lifecycle.Reply{Existed: true}, exists: true, may: true, reason: v1beta1.ReasonProvisionedSuccessfully},
		"400 is refused, and nothing is owed": {
			r: lifecycle.Reply{Err: failure(osb.KindRejected, nil)}, next: v1beta1.ActionProvision, fail: true, reason: v1beta1.ReasonBrokerReturnedFailure},
		"400 to the repeat of a lost attempt is cleaned up after first": {
			op: unread, r: lifecycle.Reply{Err: failure(osb.KindRejected, nil)}, may: true, ours: true, next: v1beta1.ActionMitigate, reason: v1beta1.ReasonStartingOrphanMitigation},
		"400 to the repeat under a given id leaves what may be there": {
			f: given, op: unread, r: lifecycle.Reply{Err: failure(osb.KindRejected, nil)}, may: true, next: v1beta1.ActionProvision, fail: true, reason: v1beta1.ReasonBrokerReturnedFailure},
		"500 is cleaned up after": {
			r: lifecycle.Reply{Err: failure(osb.KindUnavailable, mitigated)}, may: true, ours: true, next: v1beta1.ActionMitigate, reason: v1beta1.ReasonStartingOrphanMitigation},
		"500 under a given id is only tried again": {
			f: given, r: lifecycle.Reply{Err: failure(osb.KindUnavailable, mitigated)}, may: true, next: v1beta1.ActionProvision, reason: v1beta1.ReasonProvisionCallFailed},
		"500 where the broker's switch is off is only tried again": {
			f: func(f *lifecycle.Facts) { f.Mitigate = false }, r: lifecycle.Reply{Err: failure(osb.KindUnavailable, mitigated)},
			may: true, ours: true, next: v1beta1.ActionProvision, reason: v1beta1.ReasonProvisionCallFailed},
		"a timeout is cleaned up after": {
			r: lifecycle.Reply{Err: failure(osb.KindTimeout, lost)}, may: true, ours: true, next: v1beta1.ActionMitigate, reason: v1beta1.ReasonStartingOrphanMitigation},
		"a refused connection is tried again and owes nothing": {
			r: lifecycle.Reply{Err: failure(osb.KindUnavailable, nil)}, next: v1beta1.ActionProvision, reason: v1beta1.ReasonErrorCallingProvision},
		"401 is tried again and owes nothing": {
			r: lifecycle.Reply{Err: failure(osb.KindUnauthorized, func(e *osb.Error) { e.StatusCode = 401 })}, next: v1beta1.ActionProvision, reason: v1beta1.ReasonProvisionCallFailed},
		"ConcurrencyError never mitigates": {
			r: lifecycle.Reply{Err: failure(osb.KindBusy, func(e *osb.Error) { e.StatusCode = 422 })}, next: v1beta1.ActionProvision, reason: v1beta1.ReasonProvisionRequestInFlight},
		"ConcurrencyError to a repeat still owes the removal": {
			op: unread, r: lifecycle.Reply{Err: failure(osb.KindBusy, func(e *osb.Error) { e.StatusCode = 422 })}, may: true, ours: true, next: v1beta1.ActionProvision, reason: v1beta1.ReasonProvisionRequestInFlight},
		"409 under a fresh id is foreign and never touched": {
			r: lifecycle.Reply{Err: failure(osb.KindConflict, nil)}, next: v1beta1.ActionProvision, fail: true, reason: v1beta1.ReasonBrokerReturnedFailure},
		"409 under a fresh id is foreign even if it looks alike": {
			r:    lifecycle.Reply{Err: failure(osb.KindConflict, nil), Found: &lifecycle.Found{ServiceID: "svc", PlanID: "small"}},
			next: v1beta1.ActionProvision, fail: true, reason: v1beta1.ReasonBrokerReturnedFailure},
		"409 to a repeat is our own if a look shows it": {
			op: unread, r: lifecycle.Reply{Err: failure(osb.KindConflict, nil), Found: &lifecycle.Found{ServiceID: "svc", PlanID: "small"}},
			exists: true, may: true, ours: true, reason: v1beta1.ReasonProvisionedSuccessfully},
		"409 to a repeat is cleaned up after if no look is possible": {
			op: unread, r: lifecycle.Reply{Err: failure(osb.KindConflict, nil)}, may: true, ours: true, next: v1beta1.ActionMitigate, reason: v1beta1.ReasonStartingOrphanMitigation},
		"409 to a given id is adopted if it is what was asked for": {
			f: given, r: lifecycle.Reply{Err: failure(osb.KindConflict, nil), Found: &lifecycle.Found{ServiceID: "svc", PlanID: "small"}},
			exists: true, may: true, reason: v1beta1.ReasonProvisionedSuccessfully},
		"409 to a given id with another plan is adopted as it is": {
			f: given, r: lifecycle.Reply{Err: failure(osb.KindConflict, nil), Found: &lifecycle.Found{PlanID: "large"}},
			exists: true, may: true, reason: v1beta1.ReasonProvisionedSuccessfully},
		"409 to a given id of another service is refused": {
			f: given, r: lifecycle.Reply{Err: failure(osb.KindConflict, nil), Found: &lifecycle.Found{ServiceID: "other"}},
			next: v1beta1.ActionProvision, fail: true, reason: v1beta1.ReasonBrokerReturnedFailure},
		"409 to a given id where a look is not possible is refused": {
			f: given, r: lifecycle.Reply{Err: failure(osb.KindConflict, nil)},
			next: v1beta1.ActionProvision, fail: true, reason: v1beta1.ReasonBrokerReturnedFailure},
		"409 after a mitigation goes on under another id": {
			op: func(o *v1beta1.Operation) { o.Mitigations = 1 }, r: lifecycle.Reply{Err: failure(osb.KindConflict, nil)},
			next: v1beta1.ActionProvision, reason: v1beta1.ReasonBrokerReturnedFailure, newID: true},
		"202 without being asked is undone, also under a given id": {
			f: given, r: lifecycle.Reply{Async: true}, may: true, ours: true, next: v1beta1.ActionMitigate, reason: v1beta1.ReasonStartingOrphanMitigation},
		"credentials that cannot be stored are given back": {
			r: lifecycle.Reply{StoreErr: errors.New("quota")}, may: true, ours: true, next: v1beta1.ActionMitigate, reason: v1beta1.ReasonStartingOrphanMitigation},
		"credentials of a foreign binding are not given back": {
			f: given, r: lifecycle.Reply{Existed: true, StoreErr: errors.New("quota")}, may: true, next: v1beta1.ActionProvision, reason: v1beta1.ReasonErrorInjectingBindResult},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(tc.f)
			op := journal(v1beta1.ActionProvision, tc.op)
			op.Answered = false
			o := lifecycle.Absorb(f, op, tc.r)
			assert.Equal(t, tc.exists, o.Exists, "exists")
			assert.Equal(t, tc.may, o.MayExist, "may exist")
			assert.Equal(t, tc.ours, o.CreatedByUs, "created by us")
			assert.Equal(t, tc.fail, o.Failed, "failed")
			assert.Equal(t, tc.reason, o.Reason)
			assert.NotEmpty(t, o.Message)
			assert.NotEqual(t, tc.newID, o.ExternalID == id)
			if tc.next == "" {
				assert.Nil(t, o.Op, "nothing is open")
				return
			}
			require.NotNil(t, o.Op)
			assert.Equal(t, tc.next, o.Op.Action)
			assert.True(t, o.Op.Answered)
			assert.Equal(t, o.ExternalID, o.Op.ExternalID)
		})
	}
}

func TestACallCutShortHasNoOutcome(t *testing.T) {
	t.Parallel()
	op := journal(v1beta1.ActionProvision, nil)
	assert.True(t, lifecycle.Absorb(facts(nil), op, lifecycle.Reply{Err: failure(osb.KindCanceled, nil)}).None)
}

func TestAbsorbAMitigation(t *testing.T) {
	t.Parallel()
	op := func(change func(*v1beta1.Operation)) *v1beta1.Operation {
		o := journal(v1beta1.ActionMitigate, change)
		o.Answered, o.Reason, o.Message, o.Failures = false, v1beta1.ReasonProvisionCallFailed, "It failed.", 1
		return o
	}
	t.Run("success leads back to the create, later, under the same id", func(t *testing.T) {
		t.Parallel()
		o := lifecycle.Absorb(facts(nil), op(nil), lifecycle.Reply{})
		assert.False(t, o.MayExist)
		assert.Equal(t, id, o.ExternalID)
		assert.Equal(t, v1beta1.ActionProvision, o.Op.Action)
		assert.EqualValues(t, 1, o.Op.Mitigations)
		assert.Positive(t, o.Wait)
		assert.Equal(t, "It failed.", o.Message, "the cause stays to be seen")
		f := facts(func(f *lifecycle.Facts) { f.Op = o.Op })
		assert.Equal(t, o.Wait, lifecycle.Next(f).Wait)
	})
	t.Run("success after a refusal rests", func(t *testing.T) {
		t.Parallel()
		o := lifecycle.Absorb(facts(nil), op(func(o *v1beta1.Operation) { o.Terminal = true }), lifecycle.Reply{})
		assert.True(t, o.Failed)
		assert.False(t, o.MayExist)
		assert.Empty(t, lifecycle.Next(facts(func(f *lifecycle.Facts) { f.Op = o.Op })).Action)
	})
	t.Run("failure is tried again and goes on being owed", func(t *testing.T) {
		t.Parallel()
		o := lifecycle.Absorb(facts(nil), op(nil), lifecycle.Reply{Err: failure(osb.KindUnavailable, nil)})
		assert.True(t, o.MayExist)
		assert.Equal(t, v1beta1.ActionMitigate, o.Op.Action)
		assert.Positive(t, o.Wait)
		assert.Contains(t, o.Message, "It failed.")
		assert.Contains(t, o.Message, "failed too")
	})
}

func TestAbsorbADeprovision(t *testing.T) {
	t.Parallel()
	f := facts(func(f *lifecycle.Facts) { f.Deleting, f.Exists, f.MayExist = true, true, true })
	o := lifecycle.Absorb(f, journal(v1beta1.ActionDeprovision, nil), lifecycle.Reply{})
	assert.False(t, o.MayExist)
	assert.Nil(t, o.Op)

	for name, r := range map[string]lifecycle.Reply{
		"a refusal is tried again for ever":    {Err: failure(osb.KindRejected, nil)},
		"a 404 is no proof":                    {Err: failure(osb.KindNotFound, nil)},
		"an outage is tried again":             {Err: failure(osb.KindUnavailable, nil)},
		"an answer of going on is asked again": {Async: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := lifecycle.Absorb(f, journal(v1beta1.ActionDeprovision, nil), r)
			assert.True(t, o.MayExist)
			assert.True(t, o.Exists)
			assert.Equal(t, metav1.ConditionUnknown, o.Ready)
			assert.Positive(t, o.Wait)
			assert.Equal(t, v1beta1.ActionDeprovision, o.Op.Action)
		})
	}
}

func TestIntentCountsWhatWasNeverRead(t *testing.T) {
	t.Parallel()
	f := facts(nil)
	first := lifecycle.Intent(f, lifecycle.Next(f), "a1")
	assert.False(t, first.Answered)
	assert.Zero(t, first.UnreadAttempts)
	f.Op = first
	second := lifecycle.Intent(f, lifecycle.Next(f), "a2")
	assert.EqualValues(t, 1, second.UnreadAttempts)
	assert.Equal(t, "a2", second.AttemptID)
	assert.Equal(t, first.StartTime, second.StartTime)
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failures := int32(1); failures < 60; failures++ {
		d := lifecycle.Backoff(failures, id)
		assert.LessOrEqual(t, d, 5*time.Minute)
		assert.GreaterOrEqual(t, d, 1600*time.Millisecond)
		if failures > 8 {
			assert.GreaterOrEqual(t, d, 4*time.Minute, "it stays at the cap")
		}
	}
	assert.NotEqual(t, lifecycle.Backoff(9, id), lifecycle.Backoff(9, "other"), "objects are spread")
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	o := lifecycle.Absorb(facts(nil), journal(v1beta1.ActionProvision, nil),
		lifecycle.Reply{Err: failure(osb.KindBusy, func(e *osb.Error) { e.StatusCode, e.RetryAfter = 429, time.Minute })})
	assert.Equal(t, time.Minute, o.Wait)
}
