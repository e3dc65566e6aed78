//go:build integration

package controllers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// relist has the catalog fetched and waits until it is.
func (w *world) relist() {
	w.Helper()
	was := w.fake.count("GET catalog")
	require.False(w, w.refresh(w.broker))
	value := fmt.Sprint(was)
	w.edit(w.broker, func() { metav1.SetMetaDataAnnotation(&w.broker.ObjectMeta, v1beta1.AnnotationReconcile, value) })
	w.eventually("the catalog is fetched", func() bool {
		return !w.refresh(w.broker) && w.fake.count("GET catalog") > was && w.broker.Status.LastHandledReconcile == value
	})
}

// entries are the classes and plans of the world's broker: "removed" of each.
func (w *world) entries() map[string]bool {
	w.Helper()
	classes, plans := &v1beta1.ClusterServiceClassList{}, &v1beta1.ClusterServicePlanList{}
	of := client.MatchingFields{"spec.clusterServiceBrokerName": w.broker.Name}
	require.NoError(w, w.List(w.Context(), classes, of))
	require.NoError(w, w.List(w.Context(), plans, of))
	all := map[string]bool{}
	for _, c := range classes.Items {
		all[strings.TrimPrefix(c.Spec.ExternalName, w.fake.name+"-")] = c.Status.RemovedFromBrokerCatalog
	}
	for _, p := range plans.Items {
		all[p.Spec.ExternalName] = p.Status.RemovedFromBrokerCatalog
	}
	return all
}

func (w *world) listed() {
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
}

func TestAnUnchangedCatalogCostsOneWrite(t *testing.T) {
	o := newOwn(t)
	w := o.world(t)
	w.fake.set(func() {
		s := &w.fake.catalog.Services[0]
		s.Metadata = osb.RawJSON(`{"b": 1.50, "a": "<&>", "n": null, "deep": {"z": [1e3], "y": {}}}`)
		s.Tags, s.Requires = []string{}, []string{"route_forwarding"}
		s.Plans[0].Schemas = &osb.Schemas{ServiceInstance: &osb.InstanceSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(`{ "type" : "object" }`)}}}
	})
	defer o.run()()
	w.listed()
	assert.EqualValues(t, 1, w.broker.Status.ClassCount)
	assert.EqualValues(t, 2, w.broker.Status.PlanCount)
	w.relist()
	o.written()
	w.relist()
	assert.Equal(t, []string{"PUT /apis/servicecatalog.k8s.io/v1beta1/clusterservicebrokers/" + w.broker.Name + "/status"}, o.written(),
		"that it was fetched, and when, is all")
}

func TestAFailedFetchLeavesTheCatalogAsItWas(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"an error":           func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusInternalServerError) },
		"no login":           func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusUnauthorized) },
		"not found":          func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusNotFound) },
		"nothing":            func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusOK) },
		"a page":             func(rw http.ResponseWriter) { _, _ = rw.Write([]byte("<html>welcome</html>")) },
		"half of it":         func(rw http.ResponseWriter) { _, _ = rw.Write([]byte(`{"services":[{"id":"x"`)) },
		"something else":     func(rw http.ResponseWriter) { _, _ = rw.Write([]byte(`{"error":"busy"}`)) },
		"no list":            func(rw http.ResponseWriter) { _, _ = rw.Write([]byte(`{"services":null}`)) },
		"a connection reset": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"faulty entries alone": func(rw http.ResponseWriter) {
			_, _ = rw.Write([]byte(`{"services":[{"id":"x","name":"","description":"d","bindable":true,"plans":[]}]}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.listed()
			before := w.entries()
			require.Len(t, before, 3)
			w.fake.set(func() {
				w.fake.fault = func(_ string, _ http.HandlerFunc, rw http.ResponseWriter, _ *http.Request) { answer(rw) }
			})
			w.relist()
			if name == "faulty entries alone" {
				// The broker did say that it offers nothing else.
				assert.NotEmpty(t, condition(w.broker.Status.Conditions, v1beta1.ConditionEntriesSkipped).Message)
				return
			}
			assert.Equal(t, metav1.ConditionFalse, condition(w.broker.Status.Conditions, v1beta1.ConditionReady).Status)
			assert.Equal(t, before, w.entries())
			w.fake.set(func() { w.fake.fault = nil })
			w.relist()
			assert.Equal(t, before, w.entries())
		})
	}
}

func TestFaultyEntriesAreLeftOutAndSaidAndTheRestIsOffered(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		good := w.fake.catalog.Services[0]
		twin := good
		twin.Name = w.fake.name + "-twin" // the same ids once more
		nameless := testCatalog(w.fake.name + "n").Services[0]
		nameless.Name = ""
		long := testCatalog(w.fake.name + "l").Services[0]
		long.Name = strings.Repeat("x", 300)
		w.fake.catalog.Services = append(w.fake.catalog.Services, twin, nameless, long)
	})
	w.listed()
	all := w.entries()
	assert.Contains(t, all, "db")
	assert.Contains(t, all, "small")
	skipped := condition(w.broker.Status.Conditions, v1beta1.ConditionEntriesSkipped)
	assert.Equal(t, metav1.ConditionTrue, skipped.Status)
	assert.Contains(t, skipped.Message, "All else is offered")
	assert.GreaterOrEqual(t, len(w.broker.Status.SkippedEntries), 3)
	t.Log(skipped.Message)

	w.fake.set(func() { w.fake.catalog = testCatalog(w.fake.name) })
	w.relist()
	assert.Empty(t, condition(w.broker.Status.Conditions, v1beta1.ConditionEntriesSkipped).Type)
	assert.Empty(t, w.broker.Status.SkippedEntries)
	assert.Len(t, w.entries(), 3)
}

func TestIDsOfAnotherBrokerAreLeftOutUntilItGoes(t *testing.T) {
	w := newWorld(t)
	w.listed()
	second := w.world(t)
	second.fake.set(func() {
		second.fake.catalog = testCatalog(w.fake.name)
		second.fake.catalog.Services = append(second.fake.catalog.Services, testCatalog(second.fake.name).Services...)
	})
	second.listed()
	assert.Contains(t, condition(second.broker.Status.Conditions, v1beta1.ConditionEntriesSkipped).Message, "its id is that of an entry of broker \""+w.broker.Name)
	assert.Len(t, second.entries(), 3, "its own are offered")
	assert.Len(t, w.entries(), 3, "and those of the first are left alone")
	w.vanish(w.broker)
	second.eventually("they are taken over, without a relist by the clock", func() bool {
		return !second.refresh(second.broker) && condition(second.broker.Status.Conditions, v1beta1.ConditionEntriesSkipped).Type == ""
	})
	assert.EqualValues(t, 2, second.broker.Status.ClassCount)
}

func TestWhatIsOfferedNoMoreStaysWhileItIsUsed(t *testing.T) {
	w := newWorld(t)
	w.listed()
	i, b := w.instance("orders", "small"), w.binding()
	w.create(i, b)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	whole, late := w.fake.catalog, w.instance("late", "small")
	w.fake.set(func() { w.fake.catalog = &osb.Catalog{Services: []osb.Service{}} })
	w.relist()
	w.eventually("what is used is marked, and the rest goes", func() bool {
		all := w.entries()
		return len(all) == 2 && all["db"] && all["small"]
	})
	w.create(late)
	assert.Contains(t, w.becomes(late, metav1.ConditionFalse, v1beta1.ReasonReferencesDeletedServiceClass).Message, "does not offer")
	w.vanish(late)

	w.fake.set(func() { w.fake.catalog = whole })
	w.relist()
	w.eventually("what came back is unmarked", func() bool {
		all := w.entries()
		return len(all) == 3 && !all["db"] && !all["small"]
	})
	w.fake.set(func() { w.fake.catalog = &osb.Catalog{Services: []osb.Service{}} })
	w.relist()
	fetched := w.fake.count("GET catalog")
	w.vanish(b, i)
	w.eventually("with its last use it goes", func() bool { return len(w.entries()) == 0 })
	assert.Equal(t, fetched, w.fake.count("GET catalog"), "without another fetch")
	instances, bindings := w.fake.held()
	assert.Zero(t, instances+bindings)
}

func TestAPurgedBrokerLetsGo(t *testing.T) {
	w := newWorld(t)
	w.listed()
	i := w.instance("orders", "small")
	w.create(i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	require.NoError(t, w.Delete(t.Context(), w.broker))
	assert.Contains(t, w.becomes(w.broker, metav1.ConditionFalse, v1beta1.ReasonBrokerInUse).Message, w.namespace+"/orders")
	w.edit(w.broker, func() { metav1.SetMetaDataAnnotation(&w.broker.ObjectMeta, v1beta1.AnnotationPurge, "true") })
	w.eventually("it goes", func() bool { return w.refresh(w.broker) })
	assert.Empty(t, w.entries())
	require.False(t, w.refresh(i), "the instance stays")
	instances, _ := w.fake.held()
	assert.Equal(t, 1, instances, "and so does what it stands for")
}

func TestClassesAndPlansThatAUserMadeAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.listed()
	name := w.fake.name + "-preset"
	class := &v1beta1.ClusterServiceClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	class.Spec.ClusterServiceBrokerName, class.Spec.ExternalName, class.Spec.ExternalID = w.broker.Name, name, w.fake.name+"-db"
	class.Spec.Description, class.Spec.Bindable = "with defaults", true
	plan := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: name}}
	plan.Spec.ClusterServiceBrokerName, plan.Spec.ExternalName, plan.Spec.ExternalID = w.broker.Name, "preset", w.fake.name+"-small"
	plan.Spec.Description, plan.Spec.ClusterServiceClassRef.Name = "small, as we like it", name
	plan.Spec.DefaultProvisionParameters = &runtime.RawExtension{Raw: []byte(`{"a":1}`)}
	w.create(class, plan)
	w.relist()
	for _, o := range []client.Object{class, plan} {
		require.False(t, w.refresh(o))
		assert.Empty(t, o.GetOwnerReferences())
	}
	i := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: w.namespace}}
	i.Spec.ClusterServiceClassExternalName, i.Spec.ClusterServicePlanExternalName = name, "preset"
	w.create(i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.vanish(i, w.broker)
	require.False(t, w.refresh(class), "the broker did not make it, and does not take it along")
	w.vanish(plan, class)
}

func TestASecretOfADashboardIsStoredNowhere(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		w.fake.fault = func(_ string, _ http.HandlerFunc, rw http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(rw, `{"services":[{"id":"%[1]s-x","name":"%[1]s-x","description":"d","bindable":true,"instances_retrievable":true,"allow_context_updates":true,
				"dashboard_client":{"id":"c","secret":"hidden-secret","redirect_uri":"https://x"},
				"plans":[{"id":"%[1]s-p","name":"p","description":"d","plan_updateable":true,"binding_rotatable":true,"maximum_polling_duration":60,
				"maintenance_info":{"version":"1.0.0+a"}}]}]}`, w.fake.name)
		}
	})
	w.listed()
	class, plan := &v1beta1.ClusterServiceClass{}, &v1beta1.ClusterServicePlan{}
	require.NoError(t, w.Get(t.Context(), client.ObjectKey{Name: w.fake.name + "-x"}, class))
	require.NoError(t, w.Get(t.Context(), client.ObjectKey{Name: w.fake.name + "-p"}, plan))
	assert.NotContains(t, fmt.Sprintf("%+v", class), "hidden-secret")
	assert.True(t, class.Spec.InstancesRetrievable && class.Spec.AllowContextUpdates)
	assert.True(t, *plan.Spec.PlanUpdatable && plan.Spec.BindingRotatable && plan.Spec.Free)
	assert.EqualValues(t, 60, *plan.Spec.MaximumPollingDuration)
	assert.Equal(t, "1.0.0+a", plan.Spec.MaintenanceInfo.Version)
}
