//go:build integration

package controllers_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestTheThreadThereAndBack(t *testing.T) {
	w := newWorld(t)
	i, b := w.instance("orders", "small"), w.binding()
	// In the wrong order on purpose: order does not matter.
	w.create(b, i)
	w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorInstanceNotReady)
	w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonReferencesNonexistentServiceClass)
	w.create(w.broker)

	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	assert.Equal(t, v1beta1.ExternalIDGenerated, i.Spec.ExternalIDOrigin)
	assert.Nil(t, i.Status.Operation)
	assert.Equal(t, "orders-db", b.Status.Binding.Name)
	assert.Equal(t, "LD_PRELOAD", after(condition(b.Status.Conditions, v1beta1.ConditionKeysLeftOut).Message, "reserved: ", "."))
	assert.Equal(t, "bad key", after(condition(b.Status.Conditions, v1beta1.ConditionKeysLeftOut).Message, "such a key: ", "."))

	files, env := &corev1.Secret{}, &corev1.Secret{}
	require.NoError(t, w.Get(t.Context(), client.ObjectKeyFromObject(b), files))
	require.NoError(t, w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "orders-db-env"}, env))
	assert.Equal(t, map[string]string{
		"username": "u-" + b.Status.ExternalID, "password": "p-" + b.Status.ExternalID, "port": "5432", "nested": `{"a":"b"}`,
		"LD_PRELOAD": "/evil.so", "type": w.fake.catalog.Services[0].Name, "provider": w.broker.Name,
	}, texts(files))
	assert.Equal(t, map[string]string{
		"USERNAME": "u-" + b.Status.ExternalID, "PASSWORD": "p-" + b.Status.ExternalID, "PORT": "5432", "NESTED": `{"a":"b"}`, "BAD_KEY": "x",
	}, texts(env))
	assert.Equal(t, corev1.SecretType("servicebinding.io/"+w.fake.catalog.Services[0].Name), files.Type)

	// The way back: an instance waits for its bindings, a broker for its instances.
	require.NoError(t, w.Delete(t.Context(), w.broker))
	require.NoError(t, w.Delete(t.Context(), i))
	w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonBlockedByBindings)
	assert.Contains(t, w.becomes(w.broker, metav1.ConditionFalse, v1beta1.ReasonBrokerInUse).Message, w.namespace+"/orders")
	require.NoError(t, w.Delete(t.Context(), b))
	for _, o := range []client.Object{b, i, w.broker, files, env} {
		w.eventually("all goes", func() bool { return w.refresh(o) })
	}
	instances, bindings := w.fake.held()
	assert.Zero(t, instances+bindings, "nothing is left at the broker")
	class := &v1beta1.ClusterServiceClassList{}
	require.NoError(t, w.List(t.Context(), class, client.MatchingFields{"spec.clusterServiceBrokerName": w.broker.Name}))
	assert.Empty(t, class.Items)
}

func after(s, from, to string) string {
	for n := 0; n+len(from) <= len(s); n++ {
		if s[n:n+len(from)] == from {
			s = s[n+len(from):]
			break
		}
	}
	for n := range s {
		if s[n:n+len(to)] == to {
			return s[:n]
		}
	}
	return s
}

func texts(s *corev1.Secret) map[string]string {
	m := map[string]string{}
	for k, v := range s.Data {
		m[k] = string(v)
	}
	return m
}

func TestABrokerThatRefusesOurPasswordHealsWithItsSecret(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() { w.fake.password = "other" })
	w.create(w.broker)
	message := w.becomes(w.broker, metav1.ConditionFalse, v1beta1.ReasonErrorFetchingCatalog).Message
	assert.Contains(t, message, "401")
	assert.Contains(t, message, "Secret")
	secret := &corev1.Secret{}
	require.NoError(t, w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "auth"}, secret))
	secret.StringData = map[string]string{"password": "other"}
	began := time.Now()
	require.NoError(t, w.Update(t.Context(), secret))
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	assert.Less(t, time.Since(began), 1500*time.Millisecond, "sooner than the first backoff")
}

func TestABrokerWhoseSecretIsMissingSaysSo(t *testing.T) {
	w := newWorld(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: w.namespace}}
	require.NoError(t, w.Delete(t.Context(), secret))
	w.create(w.broker)
	assert.Contains(t, w.becomes(w.broker, metav1.ConditionFalse, v1beta1.ReasonErrorGettingAuthCredentials).Message, w.namespace+"/auth")
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: w.namespace},
		StringData: map[string]string{"username": "catalog", "password": "right"}})
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
}

func TestABrokerThatAnswersGarbageSaysSo(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		w.fake.fault = func(_ string, _ http.HandlerFunc, rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte("<html>welcome</html>"))
		}
	})
	w.create(w.broker)
	message := w.becomes(w.broker, metav1.ConditionFalse, v1beta1.ReasonErrorFetchingCatalog).Message
	assert.NotContains(t, message, "welcome", "a page of something else is not for a condition")
	w.fake.set(func() { w.fake.fault = nil })
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
}

func TestAnUnknownPlanIsNamedAndHealsWithTheSpec(t *testing.T) {
	w := newWorld(t)
	w.create(w.broker)
	i := w.instance("orders", "huge")
	w.create(i)
	w.eventually("the plans are named as soon as all are there", func() bool {
		ready := condition(i.Status.Conditions, v1beta1.ConditionReady)
		return !w.refresh(i) && ready.Reason == v1beta1.ReasonReferencesNonexistentServicePlan && contains(ready.Message, "choose one of: large, small.")
	})
	assert.Equal(t, metav1.ConditionTrue, condition(i.Status.Conditions, v1beta1.ConditionStalled).Status)
	w.edit(i, func() { i.Spec.ClusterServicePlanExternalName = "small" })
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Empty(t, condition(i.Status.Conditions, v1beta1.ConditionStalled).Type)
}

func TestALostAnswerLeavesExactlyOneInstance(t *testing.T) {
	w := newWorld(t)
	failures := 2
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			w.fake.mu.Lock()
			fail := op == "PUT instance" && failures > 0
			if fail {
				failures--
			}
			w.fake.mu.Unlock()
			if fail { // the broker does it, and the answer is lost
				next(httpDiscard{http.Header{}}, r)
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			next(rw, r)
		}
	})
	i := w.instance("orders", "small")
	w.create(w.broker, i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	instances, _ := w.fake.held()
	assert.Equal(t, 1, instances)
	assert.Equal(t, 3, w.fake.count("PUT instance"))
	assert.Equal(t, 2, w.fake.count("DELETE instance"), "each lost attempt was removed before the next")
	w.vanish(i)
	instances, _ = w.fake.held()
	assert.Zero(t, instances)
}

type httpDiscard struct{ header http.Header }

func (d httpDiscard) Header() http.Header         { return d.header }
func (d httpDiscard) Write(p []byte) (int, error) { return len(p), nil }
func (d httpDiscard) WriteHeader(int)             {}

func TestAnUnchangedRelistWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	versions := func() map[string]string {
		out := map[string]string{}
		classes, plans := &v1beta1.ClusterServiceClassList{}, &v1beta1.ClusterServicePlanList{}
		require.NoError(t, w.List(t.Context(), classes, client.MatchingFields{"spec.clusterServiceBrokerName": w.broker.Name}))
		require.NoError(t, w.List(t.Context(), plans, client.MatchingFields{"spec.clusterServiceBrokerName": w.broker.Name}))
		for _, c := range classes.Items {
			out[c.Name] = c.ResourceVersion
		}
		for _, p := range plans.Items {
			out[p.Name] = p.ResourceVersion
		}
		return out
	}
	before := versions()
	require.Len(t, before, 3)
	w.edit(w.broker, func() { w.broker.Spec.RelistRequests++ })
	w.eventually("the catalog is fetched again", func() bool {
		return w.fake.count("GET catalog") == 2 && !w.refresh(w.broker) && w.broker.Status.ReconciledGeneration == w.broker.Generation
	})
	assert.Equal(t, before, versions())
}

func TestAVanishedPlanIsKeptWhileItIsUsed(t *testing.T) {
	w := newWorld(t)
	i := w.instance("orders", "small")
	w.create(w.broker, i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.fake.set(func() {
		c := testCatalog(w.fake.name)
		c.Services[0].Plans = c.Services[0].Plans[1:]
		w.fake.catalog = c
	})
	w.edit(w.broker, func() { w.broker.Spec.RelistRequests++ })
	plan := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: i.Status.ClusterServicePlanRef.Name}}
	w.eventually("the plan is marked", func() bool { return !w.refresh(plan) && plan.Status.RemovedFromBrokerCatalog })
	other := w.instance("other", "small")
	w.create(other)
	w.becomes(other, metav1.ConditionFalse, v1beta1.ReasonReferencesDeletedServicePlan)
	w.vanish(other, i)
	instances, _ := w.fake.held()
	assert.Zero(t, instances)
}

func TestARefusedRequestRestsUntilTheSpecChanges(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "PUT instance" {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusBadRequest)
				_, _ = rw.Write([]byte(`{"description":"size must be even"}`))
				return
			}
			next(rw, r)
		}
	})
	i := w.instance("orders", "small")
	w.create(w.broker, i)
	assert.Contains(t, w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonBrokerReturnedFailure).Message, "size must be even")
	assert.Equal(t, metav1.ConditionTrue, condition(i.Status.Conditions, v1beta1.ConditionFailed).Status)
	assert.Equal(t, 1, w.fake.count("PUT instance"))
	w.fake.set(func() { w.fake.fault = nil })
	w.edit(i, func() { i.Spec.ClusterServicePlanExternalName = "large" })
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.vanish(i)
	assert.Equal(t, 1, w.fake.count("DELETE instance"))
}

func TestDeletingARefusedInstanceAsksNothing(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "PUT instance" {
				rw.WriteHeader(http.StatusBadRequest)
				return
			}
			next(rw, r)
		}
	})
	i := w.instance("orders", "small")
	w.create(w.broker, i)
	w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonBrokerReturnedFailure)
	w.vanish(i)
	assert.Zero(t, w.fake.count("DELETE instance"))
}

func TestAGivenIDIsRetainedUnlessTheUserSaysDelete(t *testing.T) {
	w := newWorld(t)
	keep, drop := w.instance("keep", "small"), w.instance("drop", "small")
	keep.Spec.ExternalID, drop.Spec.ExternalID = "keep-"+w.namespace, "drop-"+w.namespace
	drop.Spec.DeletionPolicy = v1beta1.DeletionPolicyDelete
	w.create(w.broker, keep, drop)
	w.becomes(keep, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.becomes(drop, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.vanish(keep, drop)
	w.fake.set(func() {
		assert.Contains(t, w.fake.instances, "keep-"+w.namespace)
		assert.NotContains(t, w.fake.instances, "drop-"+w.namespace)
	})
}

func TestABrokerThatIsDownHealsWithItsSpec(t *testing.T) {
	w := newWorld(t)
	w.broker.Spec.URL = "http://127.0.0.1:1"
	w.create(w.broker)
	message := w.becomes(w.broker, metav1.ConditionFalse, v1beta1.ReasonErrorFetchingCatalog).Message
	assert.Contains(t, message, "cannot be reached")
	assert.Contains(t, message, "Check that the broker runs and that its URL is right.")
	w.edit(w.broker, func() { w.broker.Spec.URL = w.fake.url })
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
}

func TestAnInstanceResumesWhenItsBrokersSecretIsMended(t *testing.T) {
	w := newWorld(t)
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	w.fake.set(func() { w.fake.password = "other" })
	i := w.instance("orders", "small")
	w.create(i)
	assert.Contains(t, w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonProvisionCallFailed).Message, "401")
	w.eventually("the wait has grown", func() bool { return w.fake.count("PUT instance") >= 3 })
	secret := &corev1.Secret{}
	require.NoError(t, w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "auth"}, secret))
	secret.StringData = map[string]string{"password": "other"}
	began := time.Now()
	require.NoError(t, w.Update(t.Context(), secret))
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Less(t, time.Since(began), 4*time.Second, "sooner than the backoff of 8 s")
	assert.Zero(t, w.fake.count("DELETE instance"), "a refused login leaves nothing to clean up")
}

func TestAGivenIDDoesNotBecomeOursByLeavingTheSpec(t *testing.T) {
	w := newWorld(t)
	foreign := "foreign-" + w.namespace
	w.fake.set(func() { w.fake.instances[foreign] = w.fake.catalog.Services[0].Plans[0].ID })
	i := w.instance("orders", "small")
	i.Spec.ExternalID = foreign
	w.create(w.broker, i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.edit(i, func() { i.Spec.ExternalID, i.Spec.ExternalIDOrigin = "", "" })
	w.eventually("the id comes back", func() bool { return !w.refresh(i) && i.Spec.ExternalID == foreign })
	assert.NotEqual(t, v1beta1.ExternalIDGenerated, i.Spec.ExternalIDOrigin)
	w.vanish(i)
	assert.Zero(t, w.fake.count("DELETE instance"), "what somebody else made is not deprovisioned")
}
