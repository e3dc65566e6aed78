//go:build integration

package controllers_test

import (
	"fmt"
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

// scope is a broker of one kind, and how to see what it offers.
type scope struct {
	broker   client.Object
	spec     *v1beta1.CommonServiceBrokerSpec
	status   *v1beta1.CommonServiceBrokerStatus
	class    string // the property of restrictions
	instance func(name string) *v1beta1.ServiceInstance
	entries  func() map[string]string // external names: "", "removed"
	// objects are the entries themselves.
	objects func() []client.Object
}

func clusterScope(w *world) scope {
	s := scope{broker: w.broker, spec: &w.broker.Spec.CommonServiceBrokerSpec, status: &w.broker.Status.CommonServiceBrokerStatus, class: "spec.clusterServiceClass.name"}
	s.instance = func(name string) *v1beta1.ServiceInstance { return w.instance(name, "small") }
	s.objects = func() (all []client.Object) {
		classes, plans := &v1beta1.ClusterServiceClassList{}, &v1beta1.ClusterServicePlanList{}
		of := client.MatchingFields{"spec.clusterServiceBrokerName": w.broker.Name}
		require.NoError(w, w.List(w.Context(), classes, of))
		require.NoError(w, w.List(w.Context(), plans, of))
		for i := range classes.Items {
			all = append(all, &classes.Items[i])
		}
		for i := range plans.Items {
			all = append(all, &plans.Items[i])
		}
		return all
	}
	s.entries = func() map[string]string { return told(w, s.objects()) }
	return s
}

func namespacedScope(w *world) scope {
	b := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "team", Namespace: w.namespace}}
	b.Spec.URL = w.fake.url
	b.Spec.AuthInfo = &v1beta1.ServiceBrokerAuthInfo{Basic: &v1beta1.SecretReference{SecretRef: &v1beta1.LocalObjectReference{Name: "auth"}}}
	s := scope{broker: b, spec: &b.Spec.CommonServiceBrokerSpec, status: &b.Status.CommonServiceBrokerStatus, class: "spec.serviceClass.name"}
	s.instance = func(name string) *v1beta1.ServiceInstance {
		i := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}}
		i.Spec.ServiceClassExternalName, i.Spec.ServicePlanExternalName = w.fake.name+"-db", "small"
		return i
	}
	s.objects = func() (all []client.Object) {
		classes, plans := &v1beta1.ServiceClassList{}, &v1beta1.ServicePlanList{}
		require.NoError(w, w.List(w.Context(), classes, client.InNamespace(w.namespace)))
		require.NoError(w, w.List(w.Context(), plans, client.InNamespace(w.namespace)))
		for i := range classes.Items {
			all = append(all, &classes.Items[i])
		}
		for i := range plans.Items {
			all = append(all, &plans.Items[i])
		}
		return all
	}
	s.entries = func() map[string]string { return told(w, s.objects()) }
	return s
}

func told(w *world, all []client.Object) map[string]string {
	out := map[string]string{}
	for _, o := range all {
		var name string
		var removed bool
		switch o := o.(type) {
		case *v1beta1.ClusterServiceClass:
			name, removed = o.Spec.ExternalName, o.Status.RemovedFromBrokerCatalog
		case *v1beta1.ServiceClass:
			name, removed = o.Spec.ExternalName, o.Status.RemovedFromBrokerCatalog
		case *v1beta1.ClusterServicePlan:
			name, removed = o.Spec.ExternalName, o.Status.RemovedFromBrokerCatalog
		case *v1beta1.ServicePlan:
			name, removed = o.Spec.ExternalName, o.Status.RemovedFromBrokerCatalog
		}
		name = strings.TrimPrefix(name, w.fake.name+"-")
		out[name] = map[bool]string{true: "removed"}[removed]
	}
	return out
}

// The life of a catalog, for both kinds of brokers alike.
func TestTheCatalogOfEitherKindOfBroker(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(*world) scope{"ClusterServiceBroker": clusterScope, "ServiceBroker": namespacedScope} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := of(w)
			is := func(why string, want map[string]string) {
				t.Helper()
				w.eventually(why, func() bool { return assert.ObjectsAreEqual(want, s.entries()) })
			}
			fetched := func(change func()) {
				t.Helper()
				w.edit(s.broker, change)
				w.eventually("it is fetched again", func() bool { return !w.refresh(s.broker) && s.status.ReconciledGeneration == s.broker.GetGeneration() })
			}
			w.create(s.broker)
			w.becomes(s.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
			is("all is offered", map[string]string{"db": "", "small": "", "large": ""})
			for _, o := range s.objects() {
				require.Len(t, o.GetOwnerReferences(), 1)
				assert.Equal(t, s.broker.GetUID(), o.GetOwnerReferences()[0].UID)
				assert.GreaterOrEqual(t, len(o.GetLabels()), 3)
			}
			i := s.instance("orders")
			w.create(i)
			w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)

			fetched(func() {
				s.spec.CatalogRestrictions = &v1beta1.CatalogRestrictions{ServicePlan: []string{"spec.externalName!=small", s.class + "!=nothing"}}
			})
			is("what is used and out of bounds is marked", map[string]string{"db": "", "small": "removed", "large": ""})
			fetched(func() { s.spec.CatalogRestrictions.ServiceClass = []string{"name=nothing"} })
			is("and what is not used goes", map[string]string{"db": "removed", "small": "removed"})
			late := s.instance("late")
			w.create(late)
			assert.Contains(t, w.becomes(late, metav1.ConditionFalse, v1beta1.ReasonReferencesDeletedServiceClass).Message, "does not offer")
			fetched(func() { s.spec.CatalogRestrictions = nil })
			is("what is back is as it was", map[string]string{"db": "", "small": "", "large": ""})
			w.becomes(late, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)

			require.NoError(t, w.Delete(t.Context(), s.broker))
			message := w.becomes(s.broker, metav1.ConditionFalse, v1beta1.ReasonBrokerInUse).Message
			assert.Contains(t, message, fmt.Sprintf("2 instances still stand on it: %[1]s/late, %[1]s/orders", w.namespace))
			w.vanish(late)
			w.eventually("the message goes along", func() bool {
				return !w.refresh(s.broker) && strings.Contains(condition(s.status.Conditions, v1beta1.ConditionReady).Message, "1 instance still stands")
			})
			w.vanish(i)
			w.eventually("the broker goes", func() bool { return w.refresh(s.broker) })
			assert.Empty(t, s.objects())
			instances, _ := w.fake.held()
			assert.Zero(t, instances)
		})
	}
}

// The mark may come to the controllers later than the news that nobody uses it.
func TestAnEntryThatIsMarkedLateGoesToo(t *testing.T) {
	w := newWorld(t)
	w.listed()
	w.eventually("the large plan is marked, and goes", func() bool {
		plan := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-large"}}
		if w.refresh(plan) {
			return true
		}
		if !plan.Status.RemovedFromBrokerCatalog {
			plan.Status.RemovedFromBrokerCatalog = true
			require.NoError(t, client.IgnoreNotFound(w.Status().Update(t.Context(), plan)))
		}
		return false
	})
	assert.Equal(t, 1, w.fake.count("GET catalog"))
}

// Instances of a purged broker remember it, and find it again.
func TestABrokerThatIsRegisteredAnewHasItsInstances(t *testing.T) {
	w := newWorld(t)
	w.listed()
	i := w.instance("orders", "small")
	w.create(i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	again := w.broker.DeepCopy()
	require.NoError(t, w.Delete(t.Context(), w.broker))
	w.edit(w.broker, func() { metav1.SetMetaDataAnnotation(&w.broker.ObjectMeta, v1beta1.AnnotationPurge, "true") })
	w.eventually("it goes", func() bool { return w.refresh(w.broker) && len(w.entries()) == 0 })
	require.False(t, w.refresh(i))
	assert.Equal(t, w.broker.Name, i.Status.BrokerRef.Name)
	require.NoError(t, w.Delete(t.Context(), i))
	assert.Contains(t, w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonReferencesNonexistentBroker).Message, w.broker.Name)

	w.broker = &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: again.Name}, Spec: again.Spec}
	w.listed()
	w.eventually("the instance goes, at the broker too", func() bool { return w.refresh(i) })
	instances, _ := w.fake.held()
	assert.Zero(t, instances)
}

// An operator's presets go through changes of the catalog, and a plan of one's own
// may be of a broker's class.
func TestDefaultsAndOwnPlansSurviveChangesOfTheCatalog(t *testing.T) {
	w := newWorld(t)
	w.listed()
	class := &v1beta1.ClusterServiceClass{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-db"}}
	plan := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-small"}}
	defaults := &runtime.RawExtension{Raw: []byte(`{"size":3}`)}
	w.edit(class, func() {
		class.Spec.DefaultProvisionParameters = defaults
		metav1.SetMetaDataAnnotation(&class.ObjectMeta, "team", "shop")
	})
	w.edit(plan, func() { plan.Spec.DefaultProvisionParameters = defaults })
	own := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-own"}, Spec: *plan.Spec.DeepCopy()}
	own.Spec.ExternalName = "own"
	w.create(own)

	no := false
	w.fake.set(func() {
		c := testCatalog(w.fake.name)
		s := &c.Services[0]
		s.Description, s.Tags, s.Requires, s.Metadata, s.PlanUpdateable = "new", []string{"a"}, []string{"volume_mount"}, osb.RawJSON(`{"a":[1]}`), true
		s.Plans[0].Name, s.Plans[0].Description, s.Plans[0].Free, s.Plans[0].Bindable = "tiny", "new", &no, &no
		w.fake.catalog = c
	})
	w.relist()
	for _, o := range []client.Object{class, plan, own} {
		require.False(t, w.refresh(o))
	}
	assert.Equal(t, "new", class.Spec.Description)
	assert.JSONEq(t, `{"a":[1]}`, string(class.Spec.ExternalMetadata.Raw))
	assert.True(t, class.Spec.PlanUpdatable)
	assert.Equal(t, "shop", class.Annotations["team"])
	assert.JSONEq(t, `{"size":3}`, string(class.Spec.DefaultProvisionParameters.Raw))
	assert.Equal(t, "tiny", plan.Spec.ExternalName)
	assert.False(t, plan.Spec.Free || *plan.Spec.Bindable)
	assert.JSONEq(t, `{"size":3}`, string(plan.Spec.DefaultProvisionParameters.Raw))
	assert.Equal(t, "own", own.Spec.ExternalName)
	assert.Equal(t, "a plan", own.Spec.Description, "it is nobody's but its maker's")

	i := w.instance("orders", "own")
	w.create(i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.fake.set(func() { w.fake.catalog = &osb.Catalog{Services: []osb.Service{}} })
	w.relist()
	w.vanish(i)
	w.eventually("what was the broker's goes", func() bool { return len(w.entries()) == 1 })
	assert.False(t, w.refresh(own), "and what was not stays")
}
