//go:build integration

package controllers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// catalogAnswer has the broker answer the next fetches with a text.
func (w *world) catalogAnswer(text string) {
	w.fake.set(func() {
		w.fake.fault = func(_ string, _ http.HandlerFunc, rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(strings.ReplaceAll(text, "NAME", w.fake.name)))
		}
	})
}

// What cannot be read of a catalog was not removed by the broker.
func TestHalfACatalogRemovesNothing(t *testing.T) {
	w := newWorld(t)
	w.listed()
	require.Len(t, w.entries(), 3)
	for name, answer := range map[string]string{
		"a plan that is a number":   `{"services":[{"id":"NAME-db","name":"NAME-db","description":"d","bindable":true,"plans":[{"id":"NAME-small","name":"small","description":"d"},{"id":"NAME-large","name":7,"description":"d"}]}]}`,
		"a class without plans":     `{"services":[{"id":"NAME-db","name":"NAME-db","description":"d","bindable":true,"plans":[]}]}`,
		"a class that is a text":    `{"services":["NAME-db"]}`,
		"a class without an id":     `{"services":[{"name":"NAME-db","description":"d","bindable":true,"plans":[{"id":"NAME-small","name":"small","description":"d"}]}]}`,
		"plans that are no list":    `{"services":[{"id":"NAME-db","name":"NAME-db","description":"d","bindable":true,"plans":{"id":"NAME-small"}}]}`,
		"a plan without an id":      `{"services":[{"id":"NAME-db","name":"NAME-db","description":"d","bindable":true,"plans":[{"name":"small","description":"d"},{"name":"large","description":"d"}]}]}`,
		"a page that says OK":       "<!doctype html><title>OK</title>",
		"an object in another list": `{"services":{"id":"NAME-db"}}`,
	} {
		w.catalogAnswer(answer)
		w.relist()
		assert.Equal(t, map[string]bool{"db": false, "small": false, "large": false}, w.entries(), name)
	}
}

// A conflict is no fault of the broker's, and no news for its users.
func TestAnEditWhileACatalogIsTakenOverIsKept(t *testing.T) {
	w := newWorld(t)
	w.listed()
	class := &v1beta1.ClusterServiceClass{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-db"}}
	w.fake.set(func() {
		c := testCatalog(w.fake.name)
		c.Services[0].Description = "a better database"
		w.fake.catalog = c
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "GET catalog" {
				// An operator is at work, so closely that the controllers' cache cannot know.
				next(rw, r)
				_ = http.NewResponseController(rw).Flush()
				edit := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"team":"shop","at":"%d"}},"spec":{"defaultProvisionParameters":{"size":3}}}`, time.Now().UnixNano()))
				assert.NoError(t, w.Patch(r.Context(), class.DeepCopy(), edit))
				return
			}
			next(rw, r)
		}
	})
	before := condition(w.broker.Status.Conditions, v1beta1.ConditionReady)
	for range 5 {
		w.fake.set(func() { w.fake.catalog.Services[0].Description += "!" })
		w.relist()
	}
	require.False(t, w.refresh(class))
	assert.Equal(t, "a better database!!!!!", class.Spec.Description)
	assert.JSONEq(t, `{"size":3}`, string(class.Spec.DefaultProvisionParameters.Raw))
	assert.Equal(t, "shop", class.Labels["team"])
	after := condition(w.broker.Status.Conditions, v1beta1.ConditionReady)
	assert.Equal(t, before.LastTransitionTime, after.LastTransitionTime, "it was Ready all the time")
}

// What the API server does not take is said, and hinders nothing else.
func TestAnEntryThatIsTooLargeIsLeftOut(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		huge := testCatalog(w.fake.name + "-huge").Services[0]
		huge.Metadata = osb.RawJSON(`{"imageUrl":"data:image/png;base64,` + strings.Repeat("A", 2_000_000) + `"}`)
		w.fake.catalog.Services = append([]osb.Service{huge}, w.fake.catalog.Services...)
	})
	w.listed()
	all := w.entries()
	assert.Contains(t, all, "db")
	assert.NotContains(t, all, "huge-db")
	require.NotEmpty(t, w.broker.Status.SkippedEntries)
	assert.Contains(t, w.broker.Status.SkippedEntries[0].Reason, "KiB")
}

func TestManyIDsOfAnotherBrokerAreOfferedWhenItGoes(t *testing.T) {
	const many = 70 // more than the status names
	w := newWorld(t)
	w.fake.set(func() {
		w.fake.catalog = &osb.Catalog{}
		for n := range many {
			w.fake.catalog.Services = append(w.fake.catalog.Services, testCatalog(fmt.Sprintf("%s-%d", w.fake.name, n)).Services...)
		}
	})
	w.listed()
	second := w.world(t)
	second.fake.set(func() { second.fake.catalog = w.fake.catalog })
	second.listed()
	assert.EqualValues(t, many, second.broker.Status.SkippedCount, "a class is said once, with its plans")
	assert.Len(t, second.broker.Status.SkippedEntries, 50)
	assert.Equal(t, w.broker.Name, second.broker.Status.SkippedEntries[0].TakenBy)
	assert.Empty(t, second.entries(), "no plan of a class that is another's")
	w.vanish(w.broker)
	second.eventually("all are offered", func() bool {
		return !second.refresh(second.broker) && second.broker.Status.SkippedCount == 0
	})
	classes := &v1beta1.ClusterServiceClassList{}
	require.NoError(t, second.List(t.Context(), classes, client.MatchingFields{"spec.clusterServiceBrokerName": second.broker.Name}))
	assert.Len(t, classes.Items, many)
}

// A plan stays with its class, so one that moved is made anew when nobody uses it.
func TestAPlanThatMovesToAnotherClass(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		w.fake.catalog.Services = append(w.fake.catalog.Services, testCatalog(w.fake.name+"-2").Services...)
	})
	i := w.instance("orders", "small")
	w.create(w.broker, i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.fake.set(func() {
		c := *w.fake.catalog
		one, two := c.Services[0], c.Services[1]
		two.Plans = append([]osb.Plan{one.Plans[0], one.Plans[1]}, two.Plans...)
		two.Plans[0].Name, two.Plans[1].Name = "moved-small", "moved-large"
		one.Plans = []osb.Plan{{ID: w.fake.name + "-new", Name: "new", Description: "d"}}
		w.fake.catalog = &osb.Catalog{Services: []osb.Service{one, two}}
	})
	w.relist()
	large := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-large"}}
	w.eventually("the plan that nobody uses is in its new class", func() bool {
		return !w.refresh(large) && large.Spec.ClusterServiceClassRef.Name == w.fake.name+"-2-db"
	})
	small := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-small"}}
	require.False(t, w.refresh(small))
	assert.True(t, small.Status.RemovedFromBrokerCatalog)
	assert.Contains(t, condition(w.broker.Status.Conditions, v1beta1.ConditionEntriesSkipped).Message, "it was a plan of class")
	w.vanish(i)
	w.eventually("the other follows with its last instance", func() bool {
		return !w.refresh(small) && small.Spec.ClusterServiceClassRef.Name == w.fake.name+"-2-db" && !small.Status.RemovedFromBrokerCatalog
	})
	w.eventually("and nothing is said any more", func() bool { return !w.refresh(w.broker) && w.broker.Status.SkippedCount == 0 })
}

// Objects of an old cluster come without owner, or with one that is gone; what they
// say is theirs. Their broker takes over what it offers.
func TestClassesOfAnOldClusterAreTakenOver(t *testing.T) {
	w := newWorld(t)
	gone := metav1.OwnerReference{APIVersion: v1beta1.GroupVersion.String(), Kind: "ClusterServiceBroker", Name: w.broker.Name, UID: types.UID("11111111-2222-3333-4444-555555555555"), Controller: new(true)}
	class := &v1beta1.ClusterServiceClass{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-db", Labels: map[string]string{"servicecatalog.k8s.io/spec.externalID": "old"}}}
	class.Spec.ClusterServiceBrokerName, class.Spec.ExternalName, class.Spec.ExternalID, class.Spec.Description = w.broker.Name, "old-name", w.fake.name+"-db", "old"
	class.Spec.DefaultProvisionParameters = &runtime.RawExtension{Raw: []byte(`{"size":3}`)}
	plan := func(name string) *v1beta1.ClusterServicePlan {
		p := &v1beta1.ClusterServicePlan{ObjectMeta: metav1.ObjectMeta{Name: w.fake.name + "-" + name, OwnerReferences: []metav1.OwnerReference{gone}}}
		p.Spec.ClusterServiceBrokerName, p.Spec.ExternalName, p.Spec.ExternalID, p.Spec.Description = w.broker.Name, name, w.fake.name+"-"+name, "old"
		p.Spec.ClusterServiceClassRef.Name = class.Name
		return p
	}
	small, retired := plan("small"), plan("retired")
	w.create(class, small, retired)
	w.listed()
	for _, o := range []client.Object{class, small} {
		require.False(t, w.refresh(o))
		require.Len(t, o.GetOwnerReferences(), 1)
		assert.Equal(t, w.broker.UID, o.GetOwnerReferences()[0].UID)
	}
	assert.Equal(t, w.fake.name+"-db", class.Spec.ExternalName)
	assert.JSONEq(t, `{"size":3}`, string(class.Spec.DefaultProvisionParameters.Raw))
	assert.NotEqual(t, "old", class.Labels["servicecatalog.k8s.io/spec.externalID"])
	assert.True(t, w.refresh(retired), "what was its and is offered no more goes")
	assert.Zero(t, w.broker.Status.SkippedCount)
	w.vanish(w.broker)
	assert.True(t, w.refresh(class) && w.refresh(small), "they are its own in every way")
}
