//go:build integration

package controllers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

func TestAVanishedInstanceIsReportedAndNotMadeAgain(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing("")
	l.waitLess(i)
	l.eventually("it is compared", func() bool { return len(l.sent(osb.OpGetInstance)) == 1 })
	require.True(t, l.b.Forget(i.Status.ExternalID, ""))
	page := l.rule(testbroker.Do{Status: 404, Body: testbroker.BodyHTML}, 0, osb.OpGetInstance)
	l.waitLess(i)
	l.eventually("a router's 404 is heard", func() bool { return len(l.sent(osb.OpGetInstance)) == 2 })
	l.b.Remove(page)
	require.False(t, l.refresh(i))
	assert.Empty(t, condition(i.Status.Conditions, v1beta1.ConditionDrifted).Type, "and proves nothing")
	l.waitLess(i)
	l.eventually("it is reported", func() bool {
		return !l.refresh(i) && condition(i.Status.Conditions, v1beta1.ConditionDrifted).Reason == v1beta1.ReasonNotFoundAtBroker
	})
	assert.Len(t, l.sent(osb.OpProvision), 1, "it is not made again")
	l.vanish(i)
	l.blameless()
}

func TestAServiceThatCannotBeAskedIsNot(t *testing.T) {
	l := newLived(t, func(s *osb.Service) { s.InstancesRetrievable = false })
	i := l.standing("")
	l.waitLess(i)
	l.eventually("it was looked at", func() bool {
		return !l.refresh(i) && i.Status.LastHandledReconcile == i.Annotations[v1beta1.AnnotationReconcile]
	})
	assert.Equal(t, metav1.ConditionTrue, condition(i.Status.Conditions, v1beta1.ConditionReady).Status)
	l.gone(i)
	assert.Empty(t, l.sent(osb.OpGetInstance))
}
