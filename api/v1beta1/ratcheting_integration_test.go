//go:build integration

package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// objectFromBefore breaks many rules at once, and is stored, because there were none
// when it was made.
type objectFromBefore struct {
	object *unstructured.Unstructured
	// refused is part of what its creation would be refused with today.
	refused string
	// edit changes something else in spec, which passes.
	edit map[string]any
	// worse changes what is wrong, which is refused with a sentence.
	worse map[string]any
	says  string
}

// objectsFromBefore returns them anew, so that everybody may change theirs.
func objectsFromBefore() []objectFromBefore {
	broker := `
spec:
  url: https://user:pass@pg-broker.example.com/?x=1
  insecureSkipTLSVerify: true
  caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=
  relistBehavior: Sometimes
  relistDuration: -5m
  relistRequests: -1
  catalogRestrictions: {serviceClass: ["price == 5"], servicePlan: ["price == 5"]}
  authInfo: {basic: {}, bearer: {}}
  osb: {timeout: soon}`
	raise := map[string]any{"relistRequests": int64(1)}
	badURL := map[string]any{"url": "ftp://pg-broker.example.com"}
	return []objectFromBefore{
		{fromBefore("ClusterServiceBroker", broker), "relistBehavior", raise, badURL, "spec.url must be an absolute http or https URL"},
		{fromBefore("ServiceBroker", broker), "relistBehavior", raise, badURL, "spec.url must be an absolute http or https URL"},
		{
			fromBefore("ClusterServicePlan", `{spec: {externalName: "", externalID: p1, clusterServiceBrokerName: "", clusterServiceClassRef: {}}}`),
			"externalName", map[string]any{"description": "now"}, map[string]any{"clusterServiceClassRef": map[string]any{"name": ""}}, "spec.clusterServiceClassRef.name is missing",
		},
		{
			fromBefore("ServiceInstance", `
spec:
  clusterServiceClassExternalName: db
  serviceClassName: db
  clusterServicePlanName: small
  parametersFrom: [{secretKeyRef: {name: "No Name", key: ""}}, {}]`),
			"spec names the class more than once", map[string]any{"deletionPolicy": "Retain", "parameters": map[string]any{"a": "b"}},
			map[string]any{"clusterServicePlanName": "large"}, "spec.clusterServicePlanName goes with spec.clusterServiceClassName",
		},
		{
			fromBefore("ServiceBinding", `
spec:
  instanceRef: {name: "No Name"}
  secretName: Not_A_Name
  secretTransforms: [{}, {addKey: {key: ""}}]
  rotation: {overlap: 1m, maxOverlap: 1s, window: {start: noon, duration: long}}`),
			"spec.instanceRef.name must be the name", map[string]any{"externalID": "7"},
			map[string]any{"secretName": "Nor_This"}, "spec.secretName must be a name that a Secret can have",
		},
	}
}

func fromBefore(kind, text string) *unstructured.Unstructured {
	u, err := decode(text)
	if err != nil {
		panic(err) // a mistake in the text above
	}
	return named(u, kind, "before")
}

// A rule that is new freezes nothing that is old: it can be edited, reported on and
// let go, as long as what is wrong with it stays as it was.
func TestAnObjectFromBeforeARuleStaysEditable(t *testing.T) {
	t.Parallel()
	for _, o := range objectsFromBefore() {
		t.Run(o.object.GetKind(), func(t *testing.T) {
			t.Parallel()
			live := o.object
			require.NoError(t, shared.Get(t.Context(), client.ObjectKeyFromObject(live), live))

			live.SetFinalizers([]string{"kubernetes-incubator/service-catalog"})
			live.SetLabels(map[string]string{"team": "a"})
			require.NoError(t, shared.Update(t.Context(), live), "metadata")

			live.Object["status"] = map[string]any{"lastConditionState": "Ready", "removedFromBrokerCatalog": true}
			require.NoError(t, shared.Status().Update(t.Context(), live), "status")

			change(live, o.edit)
			require.NoError(t, shared.Update(t.Context(), live), "the rest of spec")

			worse := live.DeepCopy()
			change(worse, o.worse)
			err := shared.Update(t.Context(), worse)
			require.Error(t, err)
			assert.Contains(t, err.Error(), o.says)

			require.NoError(t, shared.Delete(t.Context(), live))
			require.NoError(t, shared.Get(t.Context(), client.ObjectKeyFromObject(live), live))
			live.SetFinalizers(nil)
			require.NoError(t, shared.Update(t.Context(), live), "its end")
		})
	}
}

func change(u *unstructured.Unstructured, fields map[string]any) {
	for name, value := range fields {
		u.Object["spec"].(map[string]any)[name] = value
	}
}
