//go:build integration

package controllers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// promise makes the broker answer 202 to some operations.
func (l *lived) promise(a testbroker.Async, ops ...osb.Operation) string {
	l.Helper()
	return l.rule(testbroker.Do{Async: &a}, 0, ops...)
}

func TestWorkInTheBackgroundIsWaitedFor(t *testing.T) {
	l := newLived(t, nil)
	odd := "tf:1/+=&ü {}"
	l.promise(testbroker.Async{Polls: 1, Operation: &odd, Description: "half way"}, osb.OpProvision, osb.OpUpdate, osb.OpDeprovision)
	i := l.instance("orders", "small")
	l.create(i)
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonProvisioning)
	assert.True(t, i.Status.AsyncOpInProgress)
	assert.Equal(t, odd, *i.Status.LastOperation)
	assert.NotNil(t, i.Status.DashboardURL, "it comes with the 202")
	l.edit(i, func() { i.Spec.ClusterServicePlanExternalName = "large" }) // waits for its turn
	l.eventually("the message says how far it is", func() bool {
		return !l.refresh(i) && contains(condition(i.Status.Conditions, v1beta1.ConditionReady).Message, "half way")
	})
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdating)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	assert.Equal(t, l.fake.catalog.Services[0].Plans[1].ID, l.at(i).PlanID)
	assert.False(t, i.Status.AsyncOpInProgress)
	assert.Nil(t, i.Status.LastOperation)
	require.NoError(t, l.Delete(t.Context(), i))
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonDeprovisioning)
	l.eventually("it goes", func() bool { return l.refresh(i) })
	assert.Empty(t, l.b.State().Instances)
	assert.Len(t, l.sent(osb.OpProvision), 1)
	assert.Len(t, l.sent(osb.OpDeprovision), 1)
	l.blameless()
}

func TestAProvisionThatFailsInTheBackgroundIsCleanedUpAfter(t *testing.T) {
	l := newLived(t, nil)
	rule := l.promise(testbroker.Async{Result: testbroker.ResultFailed, Description: "no room"}, osb.OpProvision)
	i := l.instance("orders", "small")
	l.create(i)
	l.eventually("it rests", func() bool {
		return !l.refresh(i) && condition(i.Status.Conditions, v1beta1.ConditionFailed).Type != ""
	})
	assert.Contains(t, condition(i.Status.Conditions, v1beta1.ConditionFailed).Message, "no room")
	assert.Empty(t, l.b.State().Instances, "what was left is removed")
	assert.Len(t, l.sent(osb.OpProvision), 1, "and it is not tried again by itself")
	l.b.Remove(rule)
	l.waitLess(i)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	l.gone(i)
}

func TestADeletionDoesNotWaitForACreate(t *testing.T) {
	l := newLived(t, nil)
	l.promise(testbroker.Async{Result: testbroker.ResultNever}, osb.OpProvision)
	i := l.instance("orders", "small")
	l.create(i)
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonProvisioning)
	l.rule(testbroker.Do{Error: "ConcurrencyError"}, 1, osb.OpDeprovision)
	l.gone(i)
	assert.Len(t, l.sent(osb.OpDeprovision), 2, "it is sent again after a ConcurrencyError")
}

func TestADeletionThatFailsInTheBackgroundIsSentAgain(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing("")
	rule := l.promise(testbroker.Async{Result: testbroker.ResultFailed, Description: "bucket not empty"}, osb.OpDeprovision)
	require.NoError(t, l.Delete(t.Context(), i))
	assert.Contains(t, l.becomes(i, metav1.ConditionUnknown, v1beta1.ReasonDeprovisionCallFailed).Message, "bucket not empty")
	assert.Contains(t, i.Finalizers, v1beta1.Finalizer)
	l.b.Remove(rule)
	l.eventually("it goes", func() bool { return l.refresh(i) })
	assert.Empty(t, l.b.State().Instances)
	l.blameless()
}

func TestAFailedUpdateInTheBackgroundLeavesItReady(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing(`{"size":1}`)
	rule := l.promise(testbroker.Async{Result: testbroker.ResultFailed, Description: "no room"}, osb.OpUpdate)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":2}`) })
	assert.Contains(t, l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdateCallFailed).Message, "no room")
	assert.Empty(t, l.sent(osb.OpDeprovision))
	l.b.Remove(rule)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":1}`) })
	l.settled(i)
	assert.JSONEq(t, `{"size":1}`, string(l.at(i).Parameters))
	l.gone(i)
}

func TestWorkThatIsNeverDoneCountsAsFailed(t *testing.T) {
	l := newLived(t, func(s *osb.Service) {
		seconds := int64(2)
		s.Plans[0].MaximumPollingDuration = &seconds
	})
	rule := l.promise(testbroker.Async{Result: testbroker.ResultNever}, osb.OpProvision)
	i := l.instance("orders", "small")
	l.create(i)
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonProvisioning)
	l.b.Remove(rule)
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonPollingTimedOut)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Len(t, l.sent(osb.OpDeprovision), 1, "what may come of it was removed first")
	l.gone(i)
}

func TestOddPollAnswersEndNothing(t *testing.T) {
	for name, do := range map[string]testbroker.Do{
		"400":            {Status: 400},
		"404":            {Status: 404},
		"410":            {Status: 410},
		"500":            {Status: 500},
		"a page":         {Body: testbroker.BodyHTML},
		"an empty body":  {Body: testbroker.BodyEmpty},
		"another state":  {Body: testbroker.BodyRaw, Raw: `{"state":"done"}`},
		"a reset":        {Cut: testbroker.CutReset},
		"retry later":    {Status: 429, RetryAfter: "1"},
		"odd retryAfter": {Status: 503, RetryAfter: "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLived(t, nil)
			l.promise(testbroker.Async{}, osb.OpProvision)
			l.rule(do, 2, osb.OpLastOperation)
			i := l.instance("orders", "small")
			l.create(i)
			l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
			assert.Len(t, l.sent(osb.OpProvision), 1)
			assert.Empty(t, l.sent(osb.OpDeprovision))
			assert.Len(t, l.sent(osb.OpLastOperation), 3)
			l.gone(i)
		})
	}
}

func TestPollsWriteNothingAndAreFewerWithTime(t *testing.T) {
	l := newLived(t, nil)
	l.promise(testbroker.Async{Result: testbroker.ResultNever}, osb.OpProvision)
	i := l.instance("orders", "small")
	l.create(i)
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonProvisioning)
	before := i.ResourceVersion
	l.eventually("it is polled", func() bool { return len(l.sent(osb.OpLastOperation)) >= 3 })
	require.False(t, l.refresh(i))
	assert.Equal(t, before, i.ResourceVersion, "a poll that brings nothing new costs no write")
	l.eventually("it is polled on, whatever happens to the object", func() bool {
		l.edit(i, func() { i.Labels = map[string]string{"n": time.Now().Format("150405.000000000")} })
		return len(l.sent(osb.OpLastOperation)) >= 6
	})
	polls := l.sent(osb.OpLastOperation)
	for n := 1; n < len(polls); n++ {
		assert.GreaterOrEqual(t, polls[n].Time.Sub(polls[n-1].Time), 750*time.Millisecond)
	}
	l.gone(i)
}

// Only the broker's own word, that it is gone or does not know it, ends a deletion.
func TestOddDeleteAnswersEndNothing(t *testing.T) {
	for name, do := range map[string]testbroker.Do{
		"a page with 404":  {Status: 404, Body: testbroker.BodyHTML},
		"a page with 410":  {Status: 410, Body: testbroker.BodyHTML},
		"a router's 404":   {Status: 404, Header: map[string]string{"X-Cf-RouterError": "unknown_route"}},
		"a broker's 404":   {Status: 404},
		"400":              {Status: 400, Description: "bucket not empty"},
		"401":              {Status: 401},
		"500":              {Status: 500},
		"503 with a date":  {Status: 503, RetryAfter: "Mon, 02 Jan 2006 15:04:05 GMT"},
		"429 with garbage": {Status: 429, RetryAfter: "later"},
		"204":              {Status: 204, Effect: testbroker.EffectNone},
		"a reset":          {Cut: testbroker.CutReset},
		"an empty 202":     {Status: 202, Body: testbroker.BodyEmpty, Effect: testbroker.EffectNone},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLived(t, nil)
			i := l.standing("")
			rule := l.rule(do, 0, osb.OpDeprovision)
			require.NoError(t, l.Delete(t.Context(), i))
			l.eventually("it was answered", func() bool {
				return !l.refresh(i) && i.Status.Operation != nil && i.Status.Operation.Failures > 0
			})
			assert.Contains(t, i.Finalizers, v1beta1.Finalizer)
			assert.NotEmpty(t, condition(i.Status.Conditions, v1beta1.ConditionReady).Message)
			assert.Len(t, l.b.State().Instances, 1)
			l.b.Remove(rule)
			l.waitLess(i)
			l.eventually("it goes", func() bool { return l.refresh(i) })
			assert.Empty(t, l.b.State().Instances)
			l.blameless()
		})
	}
}
