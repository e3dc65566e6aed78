//go:build integration

package controllers_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// foreign makes an instance at the broker, as another cluster would have.
func (l *lived) foreign(plan int) string {
	l.Helper()
	server := httptest.NewServer(l.b)
	defer server.Close()
	c, err := osb.NewClient(osb.Config{URL: server.URL})
	require.NoError(l, err)
	defer c.Close()
	id, service := uuid.NewString(), l.fake.catalog.Services[0]
	_, err = c.Provision(l.Context(), &osb.ProvisionRequest{
		InstanceID: id, ServiceID: service.ID, PlanID: service.Plans[plan].ID, OrganizationGUID: "another-cluster", SpaceGUID: "another-namespace",
		Parameters: osb.RawJSON(`{"size":7}`), Context: osb.RawJSON(`{"platform":"kubernetes","namespace":"n","clusterid":"another-cluster","instance_name":"orders"}`),
	})
	require.NoError(l, err)
	return id
}

// given is the instance "orders" with an id that its user gave: so are restored
// objects, which have no status.
func (l *lived) given(id string, origin v1beta1.ExternalIDOrigin) *v1beta1.ServiceInstance {
	i := l.instance("orders", "small")
	i.Spec.ExternalID, i.Spec.ExternalIDOrigin = id, origin
	return i
}

func TestAGivenIDIsTakenOverAsItIs(t *testing.T) {
	for name, tc := range map[string]struct {
		plan    int
		service func(*osb.Service)
		reason  string
	}{
		"the same plan":         {reason: v1beta1.ReasonAdopted},
		"another plan":          {plan: 1, reason: v1beta1.ReasonAdoptedPlanDiffers},
		"a broker without GETs": {service: func(s *osb.Service) { s.InstancesRetrievable = false }, reason: v1beta1.ReasonAdopted},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLived(t, tc.service)
			id := l.foreign(tc.plan)
			i := l.given(id, v1beta1.ExternalIDGiven)
			l.create(i)
			l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
			adopted := condition(i.Status.Conditions, v1beta1.ConditionAdopted)
			assert.Equal(t, tc.reason, adopted.Reason)
			assert.Contains(t, adopted.Message, "raise spec.updateRequests")
			assert.Equal(t, l.at(i).PlanID, l.fake.catalog.Services[0].Plans[tc.plan].ID, "it is as it was")
			assert.Empty(t, l.sent(osb.OpUpdate), "nothing is changed unasked")
			b := l.binding()
			l.create(b)
			l.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)

			l.edit(i, func() { i.Spec.UpdateRequests++ })
			l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
			assert.Empty(t, condition(i.Status.Conditions, v1beta1.ConditionAdopted).Type)
			assert.Equal(t, l.at(i).PlanID, l.fake.catalog.Services[0].Plans[0].ID)
			l.vanish(b, i)
			assert.Empty(t, l.sent(osb.OpDeprovision), "what was taken over stays when the object goes")
			assert.Len(t, l.b.State().Instances, 1)
			l.blameless()
		})
	}
}

func TestTheFirstUpdateOfWhatWasAdoptedStatesAll(t *testing.T) {
	l := newLived(t, nil)
	i := l.given(l.foreign(0), v1beta1.ExternalIDGiven)
	i.Spec.Parameters = parameters(`{"size":1}`)
	l.create(i)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.JSONEq(t, `{"size":7}`, string(l.at(i).Parameters), "it is as it was")
	l.edit(i, func() { i.Spec.ClusterServicePlanExternalName = "large" })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	assert.JSONEq(t, `{"size":1}`, string(l.at(i).Parameters), "what its parameters were is not known, so they are stated")
	l.vanish(i)
}

// Whatever goes wrong with the first call for an id that we did not make, nothing
// under it is ever deleted.
func TestNoDeleteIsEverSentForAnIDOfAnother(t *testing.T) {
	for fault, do := range map[string]testbroker.Do{
		"timeout":              {Hang: true},
		"timeout, carried out": {Effect: testbroker.EffectBefore, Hang: true},
		"500":                  {Status: 500},
		"500, carried out":     {Effect: testbroker.EffectBefore, Status: 500},
		"409":                  {Status: 409},
		"400":                  {Status: 400},
		"a cut answer":         {Effect: testbroker.EffectBefore, Cut: testbroker.CutMidway},
		"a page":               {Body: testbroker.BodyHTML, Effect: testbroker.EffectNone},
		"a malformed 201":      {Status: 201, Body: testbroker.BodyMalformed},
		"a ConcurrencyError":   {Error: "ConcurrencyError"},
	} {
		for _, origin := range []v1beta1.ExternalIDOrigin{v1beta1.ExternalIDGiven, v1beta1.ExternalIDDerived} {
			for _, there := range []bool{true, false} {
				name := fault + ", " + string(origin)
				if there {
					name += ", it is there"
				}
				t.Run(name, func(t *testing.T) {
					l := newLived(t, nil)
					id := uuid.NewString()
					if there {
						id = l.foreign(0)
					}
					rule := l.rule(do, 0, osb.OpProvision)
					i := l.given(id, origin)
					l.create(i)
					l.eventually("it was answered", func() bool {
						op := i.Status.Operation
						return !l.refresh(i) && (op != nil && op.Answered || i.Status.ProvisionStatus == v1beta1.ProvisionStatusProvisioned)
					})
					if op := i.Status.Operation; op != nil {
						assert.Equal(t, v1beta1.ActionProvision, op.Action, "nothing is to be cleaned up")
					}
					l.b.Remove(rule)
					l.waitLess(i)
					l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
					l.vanish(i)
					assert.Empty(t, l.sent(osb.OpDeprovision))
					assert.Len(t, l.b.State().Instances, 1, "it stays, as the default for such ids says")
				})
			}
		}
	}
}

func TestAnotherTenantsIDIsNeverCalled(t *testing.T) {
	l := newLived(t, nil)
	mine := l.standing("")
	theirs := l.given(mine.Spec.ExternalID, v1beta1.ExternalIDGiven)
	theirs.Name = "theirs"
	calls := len(l.b.Ledger(testbroker.Filter{InstanceID: mine.Spec.ExternalID}).Entries)
	l.create(theirs)
	l.becomes(theirs, metav1.ConditionFalse, v1beta1.ReasonIDInUse)
	l.vanish(theirs)
	assert.Len(t, l.b.Ledger(testbroker.Filter{InstanceID: mine.Spec.ExternalID}).Entries, calls)
	l.gone(mine)
}

func TestHeldWorkRestsAndGoesOn(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing(`{"size":1}`)
	l.edit(i, func() {
		i.Annotations = map[string]string{v1beta1.AnnotationPaused: "true"}
		i.Spec.Parameters = parameters(`{"size":2}`)
	})
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonPaused)
	fresh := l.instance("fresh", "small")
	fresh.Annotations = map[string]string{v1beta1.AnnotationPaused: "true"}
	l.create(fresh)
	l.becomes(fresh, metav1.ConditionFalse, v1beta1.ReasonPaused)
	assert.Empty(t, l.sent(osb.OpUpdate))
	assert.Len(t, l.sent(osb.OpProvision), 1)
	require.NoError(t, l.Delete(t.Context(), fresh))
	l.eventually("held, it says so", func() bool {
		return !l.refresh(fresh) && contains(condition(fresh.Status.Conditions, v1beta1.ConditionReady).Message, "held")
	})
	l.edit(fresh, func() { fresh.Annotations = nil })
	l.eventually("it goes", func() bool { return l.refresh(fresh) })
	l.edit(i, func() { i.Annotations = nil })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	l.gone(i)
}

func TestPurgeNeedsNoBroker(t *testing.T) {
	l := newLived(t, nil)
	i, b := l.standing(""), l.binding()
	l.create(b)
	l.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	l.rule(testbroker.Do{Status: 500}, 0, osb.OpDeprovision, osb.OpUnbind)
	require.NoError(t, l.Delete(t.Context(), i))
	require.NoError(t, l.Delete(t.Context(), b))
	l.becomes(b, metav1.ConditionUnknown, v1beta1.ReasonUnbindCallFailed)
	l.edit(i, func() { i.Annotations = map[string]string{v1beta1.AnnotationPurge: "true"} })
	l.eventually("the instance goes although a binding is left", func() bool { return l.refresh(i) })
	l.edit(b, func() { b.Annotations = map[string]string{v1beta1.AnnotationPurge: "true"} })
	l.eventually("the binding goes", func() bool { return l.refresh(b) })
	assert.Len(t, l.b.State().Instances, 1, "the broker was not asked")
}

func TestADeletedNamespaceEndsByItselfOrSaysHow(t *testing.T) {
	l := newLived(t, nil)
	i, b := l.standing(""), l.binding()
	l.create(b)
	l.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	// All at once, and the credentials of the broker first.
	auth := l.secret("auth", "")
	require.NoError(t, l.Delete(t.Context(), auth))
	require.NoError(t, l.Delete(t.Context(), l.broker))
	require.NoError(t, l.Delete(t.Context(), i))
	require.NoError(t, l.Delete(t.Context(), b))
	l.eventually("the binding goes", func() bool { return l.refresh(b) })
	l.eventually("the instance goes", func() bool { return l.refresh(i) })
	l.eventually("the broker goes", func() bool { return l.refresh(l.broker) })
	assert.Empty(t, l.b.State().Instances)
}
