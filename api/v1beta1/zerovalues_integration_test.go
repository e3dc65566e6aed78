//go:build integration

package v1beta1_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What old Go clients write for a field that nobody set, where they do not leave it
// out, and nulls where a list or a pointer was nil.
var zeroValues = map[string]string{
	"ClusterServiceBroker": `
metadata: {creationTimestamp: null}
spec: {url: "http://pg", relistBehavior: "", relistRequests: 0}
status: {conditions: null, reconciledGeneration: 0, lastConditionState: ""}`,
	"ServiceBroker": `
metadata: {creationTimestamp: null}
spec: {url: "http://pg", authInfo: null, caBundle: null, relistBehavior: "", relistDuration: null, relistRequests: 0}
status: {conditions: [], reconciledGeneration: 0, operationStartTime: null, lastCatalogRetrievalTime: null, lastConditionState: ""}`,
	"ClusterServiceClass": `
metadata: {creationTimestamp: null}
spec: {clusterServiceBrokerName: pg, externalName: db, externalID: c1, description: "", bindable: false, bindingRetrievable: false, planUpdatable: false, externalMetadata: null, tags: null}
status: {removedFromBrokerCatalog: false}`,
	"ServiceClass": `
metadata: {creationTimestamp: null}
spec: {serviceBrokerName: pg, externalName: db, externalID: c1, description: "", bindable: false, bindingRetrievable: false, planUpdatable: false, requires: []}
status: {removedFromBrokerCatalog: false}`,
	"ClusterServicePlan": `
metadata: {creationTimestamp: null}
spec: {clusterServiceBrokerName: pg, externalName: small, externalID: p1, description: "", free: false, bindable: null, clusterServiceClassRef: {name: c1}}
status: {removedFromBrokerCatalog: false}`,
	"ServicePlan": `
metadata: {creationTimestamp: null}
spec: {serviceBrokerName: pg, externalName: small, externalID: p1, description: "", free: false, instanceCreateParameterSchema: null, serviceClassRef: {name: c1}}
status: {removedFromBrokerCatalog: false}`,
	"ServiceInstance": `
metadata: {creationTimestamp: null}
spec: {clusterServiceClassExternalName: db, externalID: "", updateRequests: 0, parameters: null, userInfo: {username: alice, uid: ""}}
status: {conditions: null, asyncOpInProgress: false, orphanMitigationInProgress: false, reconciledGeneration: 0, observedGeneration: 0,
  provisionStatus: "", deprovisionStatus: "", lastConditionState: "", userSpecifiedPlanName: "", userSpecifiedClassName: "",
  externalProperties: {clusterServicePlanExternalName: "", clusterServicePlanExternalID: "", parameters: null, userInfo: {username: "", uid: ""}}}`,
	"ServiceBinding": `
metadata: {creationTimestamp: null}
spec: {instanceRef: {name: orders}, externalID: "", secretTransforms: [{addKey: {key: a, value: null, stringValue: b, jsonPathExpression: null}}, {removeKey: {key: c}}]}
status: {conditions: null, asyncOpInProgress: false, reconciledGeneration: 0, orphanMitigationInProgress: false, unbindStatus: "", lastConditionState: ""}`,
}

func TestZeroValuesOfOldClientsAreAccepted(t *testing.T) {
	t.Parallel()
	strict := client.WithFieldValidation(shared.Client, metav1.FieldValidationStrict)
	for kind, text := range zeroValues {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			sample := parse(t, kind, "zero-values", text)
			obj := sample.DeepCopy()
			require.NoError(t, strict.Create(t.Context(), obj))
			obj.Object["status"] = sample.Object["status"]
			require.NoError(t, strict.Status().Update(t.Context(), obj))
			throughTheTypes(t, obj)

			again := sample.DeepCopy()
			again.SetResourceVersion(obj.GetResourceVersion())
			require.NoError(t, strict.Update(t.Context(), again), "the same once more")

			// Server-side apply, as by Flux, does not take nulls out before it looks.
			applied := sample.DeepCopy()
			delete(applied.Object, "status")
			applied.Object["metadata"] = map[string]any{"name": "zero-values-applied", "namespace": sample.GetNamespace()}
			for name, value := range applied.Object["spec"].(map[string]any) {
				if value == nil && !isFreeForm(name) {
					delete(applied.Object["spec"].(map[string]any), name) // no Go client wrote these
				}
			}
			require.NoError(t, strict.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("flux")))
		})
	}
}

// v0.3 had no schema, so that a template which left "field:" with nothing behind it
// passed. It means that the field is not set.
func TestANullIsAFieldThatIsNotSet(t *testing.T) {
	t.Parallel()
	required := []string{
		"url", "externalName", "externalID", "clusterServiceBrokerName", "serviceBrokerName", "clusterServiceClassRef", "serviceClassRef",
		"clusterServiceClassExternalName", "instanceRef",
	}
	for kind, c := range crds(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			obj := parse(t, kind, "nulls", zeroValues[kind])
			kept := maps.Clone(obj.Object["spec"].(map[string]any))
			maps.DeleteFunc(kept, func(name string, _ any) bool {
				return !slices.Contains(required, name) || name == "externalID" && kept[name] == ""
			})
			spec, status := maps.Clone(kept), map[string]any{}
			for name := range c.schema().Properties["spec"].Properties {
				if kept[name] == nil {
					spec[name] = nil
				}
			}
			for name := range c.schema().Properties["status"].Properties {
				status[name] = nil
			}
			obj.Object["spec"] = spec
			require.NoError(t, shared.Create(t.Context(), obj))
			obj.Object["status"] = status
			require.NoError(t, shared.Status().Update(t.Context(), obj))
			got := named(&unstructured.Unstructured{}, kind, "nulls")
			require.NoError(t, shared.Get(t.Context(), client.ObjectKeyFromObject(got), got))
			assert.Equal(t, kept, withoutNulls(got.Object["spec"]))
			assert.Empty(t, withoutNulls(got.Object["status"]))
		})
	}
}

// withoutNulls is an object without the fields that hold a null: where the Go types
// write one, the schema lets it stay, so that server-side apply takes it too.
func withoutNulls(object any) map[string]any {
	fields, _ := object.(map[string]any)
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	return fields
}
