//go:build integration

package controllers_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// lived is a world whose broker is the test broker, over real HTTP.
type lived struct {
	*world
	b *testbroker.Broker
}

// newLived offers one service with the plans small and large, changed at will, and
// waits until it is listed.
func newLived(t *testing.T, change func(*osb.Service)) *lived {
	t.Helper()
	w := newWorld(t)
	name := "l" + uuid.NewString()[:8]
	yes := true
	plan := func(n string) osb.Plan {
		return osb.Plan{ID: name + "-" + n, Name: n, Description: "a plan", PlanUpdateable: &yes}
	}
	service := osb.Service{
		ID: name + "-db", Name: name + "-db", Description: "a database", Bindable: true, InstancesRetrievable: true, BindingsRetrievable: true,
		Plans: []osb.Plan{plan("small"), plan("large")},
	}
	if change != nil {
		change(&service)
	}
	b, err := testbroker.New(testbroker.Options{Catalog: testbroker.CatalogSpec{Services: []osb.Service{service}}})
	require.NoError(t, err)
	server := httptest.NewServer(b)
	t.Cleanup(func() { b.Close(); server.Close() })
	w.fake.catalog = &osb.Catalog{Services: []osb.Service{service}}
	w.broker.Spec.URL = server.URL
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	return &lived{w, b}
}

// rule adds a rule for some operations.
func (l *lived) rule(do testbroker.Do, times int, ops ...osb.Operation) string {
	l.Helper()
	id, err := l.b.Add(testbroker.Rule{Match: testbroker.Match{Operations: ops}, Times: times, Do: do})
	require.NoError(l, err)
	return id
}

// sent are the requests of an operation, oldest first.
func (l *lived) sent(op osb.Operation) []testbroker.Entry {
	return l.b.Ledger(testbroker.Filter{Operations: []osb.Operation{op}}).Entries
}

// body decodes what a request carried.
func (l *lived) body(e testbroker.Entry) map[string]any {
	l.Helper()
	var out map[string]any
	require.NoError(l, json.Unmarshal(e.Body, &out))
	return out
}

// blameless: the ledger has no complaint of what the platform sent.
func (l *lived) blameless() {
	l.Helper()
	for _, e := range l.b.Ledger(testbroker.Filter{Complaints: true}).Entries {
		assert.Fail(l, "the broker complains", "%s %s: %v", e.Method, e.Path, e.Complaints)
	}
}

// standing makes the instance "orders" with parameters and waits until it is ready.
func (l *lived) standing(parameters string) *v1beta1.ServiceInstance {
	l.Helper()
	i := l.instance("orders", "small")
	if parameters != "" {
		i.Spec.Parameters = &runtime.RawExtension{Raw: []byte(parameters)}
	}
	l.create(i)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	return i
}

// at is what the broker has.
func (l *lived) at(i *v1beta1.ServiceInstance) testbroker.Instance {
	l.Helper()
	got, ok := l.b.Instance(i.Status.ExternalID)
	require.True(l, ok, "the broker has the instance")
	return got
}

// settled waits until the conditions speak of the newest spec and nothing goes on.
func (l *lived) settled(i *v1beta1.ServiceInstance) {
	l.Helper()
	l.eventually("it settles", func() bool {
		return !l.refresh(i) && i.Status.ObservedGeneration == i.Generation && i.Status.Operation == nil &&
			condition(i.Status.Conditions, v1beta1.ConditionReconciling).Type == ""
	})
}

// gone deletes everything and looks whether the broker has nothing left.
func (l *lived) gone(i *v1beta1.ServiceInstance) {
	l.Helper()
	l.vanish(i)
	assert.Empty(l, l.b.State().Instances, "nothing is left at the broker")
	l.blameless()
}

// secret holds text under the key json.
func (l *lived) secret(name, text string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: l.namespace}, Data: map[string][]byte{"json": []byte(text)}}
}

func parameters(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

func TestAnUpdateSendsOnlyWhatChanged(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing(`{"size":1,"color":"red"}`)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":2,"color":"red"}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	l.edit(i, func() { i.Spec.ClusterServicePlanExternalName = "large" })
	l.eventually("the plan changes", func() bool { return len(l.sent(osb.OpUpdate)) == 2 })
	l.settled(i)
	l.edit(i, func() { i.Spec.Parameters = nil })
	l.eventually("the parameters are cleared", func() bool { return len(l.sent(osb.OpUpdate)) == 3 })
	l.settled(i)
	l.edit(i, func() { i.Spec.DeletionPolicy = v1beta1.DeletionPolicyDelete })
	l.settled(i)

	patches := l.sent(osb.OpUpdate)
	require.Len(t, patches, 3, "what is no matter of the broker's is not sent")
	service := l.fake.catalog.Services[0]
	first, second, third := l.body(patches[0]), l.body(patches[1]), l.body(patches[2])
	assert.Equal(t, map[string]any{"size": 2.0, "color": "red"}, first["parameters"])
	assert.NotContains(t, first, "plan_id")
	assert.Equal(t, service.Plans[0].ID, first["previous_values"].(map[string]any)["plan_id"])
	assert.Equal(t, service.Plans[1].ID, second["plan_id"])
	assert.NotContains(t, second, "parameters", "what did not change is not replayed")
	assert.Equal(t, service.Plans[0].ID, second["previous_values"].(map[string]any)["plan_id"], "the plan in force before")
	assert.Equal(t, map[string]any{}, third["parameters"], "cleared parameters are sent as none")
	for _, body := range []map[string]any{first, second, third} {
		assert.Equal(t, "orders", body["context"].(map[string]any)["instance_name"])
	}
	assert.Equal(t, service.Plans[1].ID, i.Status.ExternalProperties.ClusterServicePlanExternalID)
	assert.True(t, patches[0].AcceptsIncomplete)
	l.gone(i)
}

func TestASecretThatChangesIsAnUpdate(t *testing.T) {
	l := newLived(t, nil)
	secret := l.secret("p", `{"password":"one"}`)
	l.create(secret)
	i := l.instance("orders", "small")
	i.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "p", Key: "json"}}}
	l.create(i)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.JSONEq(t, `{"password":"<redacted>"}`, string(i.Status.ExternalProperties.Parameters.Raw))
	l.edit(secret, func() { secret.Data["json"] = []byte(`{"password":"two"}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	assert.JSONEq(t, `{"password":"two"}`, string(l.at(i).Parameters))
	l.edit(secret, func() { secret.Data["json"] = []byte(` {"password": "two"}`) })
	l.edit(secret, func() { secret.Data["other"] = []byte(`x`) })
	l.edit(i, func() { i.Annotations = map[string]string{v1beta1.AnnotationReconcile: "1"} })
	l.eventually("the instance was looked at", func() bool { return !l.refresh(i) && i.Status.LastHandledReconcile == "1" })
	assert.Len(t, l.sent(osb.OpUpdate), 1, "a Secret that says the same is no update")
	raw, err := json.Marshal(i)
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "two", "no value of a Secret is shown")
	assert.Empty(t, secret.Finalizers)
	l.gone(i)
}

func TestARefusedUpdateLeavesItReadyAndHeals(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing(`{"size":1}`)
	rule := l.rule(testbroker.Do{Status: 400, Description: "size must be odd"}, 0, osb.OpUpdate)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":2}`) })
	message := l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdateCallFailed).Message
	assert.Contains(t, message, "The instance works as before.")
	assert.Contains(t, message, "size must be odd")
	assert.Equal(t, metav1.ConditionTrue, condition(i.Status.Conditions, v1beta1.ConditionFailed).Status)
	b := l.binding()
	l.create(b)
	l.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)

	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":1}`) })
	l.settled(i)
	assert.Equal(t, metav1.ConditionTrue, condition(i.Status.Conditions, v1beta1.ConditionReady).Status)
	assert.Empty(t, condition(i.Status.Conditions, v1beta1.ConditionFailed).Type)
	assert.Len(t, l.sent(osb.OpUpdate), 1, "taking it back needs no call")
	l.b.Remove(rule)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":3}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	l.vanish(b)
	l.gone(i)
}

func TestALostUpdateThatIsTakenBackIsTakenBackAtTheBroker(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing(`{"size":1}`)
	rule := l.rule(testbroker.Do{Effect: testbroker.EffectBefore, Status: 500}, 0, osb.OpUpdate)
	l.edit(i, func() { i.Spec.Parameters, i.Spec.ClusterServicePlanExternalName = parameters(`{"size":2}`), "large" })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdateCallFailed)
	assert.Equal(t, metav1.ConditionTrue, condition(i.Status.Conditions, v1beta1.ConditionReconciling).Status)
	l.b.Remove(rule)
	l.edit(i, func() { i.Spec.Parameters, i.Spec.ClusterServicePlanExternalName = parameters(`{"size":1}`), "small" })
	l.settled(i)
	got := l.at(i)
	assert.Equal(t, l.fake.catalog.Services[0].Plans[0].ID, got.PlanID)
	assert.JSONEq(t, `{"size":1}`, string(got.Parameters))
	assert.Empty(t, l.sent(osb.OpDeprovision), "an update is never cleaned up after")
	l.vanish(i)
}

func TestABrokerDecidesWhatCanBeUsedAndRepeated(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing(`{"size":1}`)
	no := false
	rule := l.rule(testbroker.Do{Status: 500, InstanceUsable: &no, UpdateRepeatable: &no}, 0, osb.OpUpdate)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":2}`) })
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonUpdateCallFailed)
	assert.True(t, i.Status.Unusable)
	b := l.binding()
	l.create(b)
	assert.Contains(t, l.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorInstanceNotReady).Message, "cannot be used")
	l.b.Remove(rule)
	l.edit(i, func() { i.Annotations = map[string]string{v1beta1.AnnotationReconcile: "1"} })
	l.eventually("it was looked at", func() bool { return !l.refresh(i) && i.Status.LastHandledReconcile == "1" })
	assert.Len(t, l.sent(osb.OpUpdate), 1, "the same update is not repeated")
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":3}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	l.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	l.vanish(b)
	l.gone(i)
}

func TestAPlanThatCannotBeChangedSaysSo(t *testing.T) {
	l := newLived(t, func(s *osb.Service) {
		for n := range s.Plans {
			s.Plans[n].PlanUpdateable = nil
		}
	})
	i := l.standing(`{"size":1}`)
	l.edit(i, func() { i.Spec.ClusterServicePlanExternalName = "large" })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonPlanNotUpdatable)
	l.edit(i, func() { i.Spec.ClusterServicePlanExternalName, i.Spec.Parameters = "small", parameters(`{"size":2}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	require.Len(t, l.sent(osb.OpUpdate), 1, "parameters may change all the same")
	l.gone(i)
}

func TestAnUpdateWaitsForItsPlan(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing("")
	l.edit(i, func() { i.Spec.ClusterServicePlanExternalName = "huge" })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonReferencesNonexistentServicePlan)
	service := l.fake.catalog.Services[0]
	service.Plans = append(service.Plans, osb.Plan{ID: service.ID + "-huge", Name: "huge", Description: "a plan"})
	require.NoError(t, l.b.SetCatalog(testbroker.CatalogSpec{Services: []osb.Service{service}}))
	l.edit(l.broker, func() { l.broker.Spec.RelistRequests++ })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	assert.Equal(t, service.ID+"-huge", l.at(i).PlanID)
	l.gone(i)
}

func TestMaintenanceIsUpgradedOnRequest(t *testing.T) {
	l := newLived(t, func(s *osb.Service) { s.Plans[0].MaintenanceInfo = &osb.MaintenanceInfo{Version: "1.0.0+a"} })
	i := l.standing("")
	assert.Equal(t, "1.0.0+a", l.at(i).MaintenanceVersion)
	// The broker is upgraded, and the catalog here is not yet.
	service := l.fake.catalog.Services[0]
	service.Plans[0].MaintenanceInfo = &osb.MaintenanceInfo{Version: "2.0.0"}
	require.NoError(t, l.b.SetCatalog(testbroker.CatalogSpec{Services: []osb.Service{service}}))
	listed := len(l.sent(osb.OpCatalog))
	assert.Empty(t, condition(i.Status.Conditions, v1beta1.ConditionMaintenanceAvailable).Type)
	l.edit(i, func() { i.Spec.UpdateRequests++ })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	assert.Equal(t, "2.0.0", l.at(i).MaintenanceVersion, "the conflict made the catalog be fetched again")
	assert.Equal(t, "2.0.0", i.Status.ExternalProperties.MaintenanceVersion)
	assert.Greater(t, len(l.sent(osb.OpCatalog)), listed)
	last := l.sent(osb.OpUpdate)
	previous := l.body(last[len(last)-1])["previous_values"].(map[string]any)
	assert.Equal(t, map[string]any{"version": "1.0.0+a"}, previous["maintenance_info"])

	service.Plans[0].MaintenanceInfo = &osb.MaintenanceInfo{Version: "3.0.0", Description: "restarts"}
	require.NoError(t, l.b.SetCatalog(testbroker.CatalogSpec{Services: []osb.Service{service}}))
	updates := len(l.sent(osb.OpUpdate))
	l.edit(l.broker, func() { l.broker.Spec.RelistRequests++ })
	l.eventually("the upgrade is offered", func() bool {
		return !l.refresh(i) && contains(condition(i.Status.Conditions, v1beta1.ConditionMaintenanceAvailable).Message, "restarts")
	})
	l.edit(i, func() { i.Spec.UpdateRequests++ })
	l.eventually("it is taken", func() bool {
		return !l.refresh(i) && condition(i.Status.Conditions, v1beta1.ConditionMaintenanceAvailable).Type == ""
	})
	assert.Equal(t, "3.0.0", l.at(i).MaintenanceVersion)
	assert.Len(t, l.sent(osb.OpUpdate), updates+1, "and only when the user says so")
	l.gone(i)
}

// waitLess makes a wait end at once, as a user can.
func (l *lived) waitLess(i *v1beta1.ServiceInstance) {
	l.edit(i, func() { i.Annotations = map[string]string{v1beta1.AnnotationReconcile: time.Now().String()} })
}

func keyOf(o client.Object) client.ObjectKey { return client.ObjectKeyFromObject(o) }

// fieldsOf select the classes or plans of a broker.
func fieldsOf(broker string) client.ListOption {
	return client.MatchingFields{"spec.clusterServiceBrokerName": broker}
}
