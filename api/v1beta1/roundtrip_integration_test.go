//go:build integration

package v1beta1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// What no schema speaks of, at any depth: nulls, numbers, names that mean something
// elsewhere.
const anything = `{"deep": [[{"null": null, "empty": {}, "list": [], "n": 1.5, "big": 9007199254740993}]], "apiVersion": 7, "metadata": {"name": ["x"]}, "": "", "größe": true}`

const someone = `{username: alice, uid: u-1, groups: [team-a, "system:authenticated"], extra: {"example.com/scopes": [a, b]}}`

const oldConditions = `
  conditions:
  - {type: Ready, status: "False", lastTransitionTime: "2021-04-28T10:00:00Z", reason: ProvisionCallFailed, message: "a message"}
  - {type: Failed, status: "True", lastTransitionTime: "2021-04-28T10:00:00Z", reason: ProvisionCallFailed, message: "another"}`

// samples are objects that together have every field of v0.3, with a value of its
// own: of a union one member in each.
var samples = map[string][]string{
	"ClusterServiceBroker": brokerSamples("namespace: brokers, name: auth"),
	"ServiceBroker":        brokerSamples("name: auth"),
	"ClusterServiceClass":  {classSample("clusterServiceBrokerName: pg")},
	"ServiceClass":         {classSample("serviceBrokerName: pg")},
	"ClusterServicePlan":   {planSample("clusterServiceBrokerName: pg", "clusterServiceClassRef: {name: c1}")},
	"ServicePlan":          {planSample("serviceBrokerName: pg", "serviceClassRef: {name: c1}")},
	"ServiceInstance": {
		instanceSample("clusterServiceClassExternalName", "clusterServicePlanExternalName"),
		instanceSample("clusterServiceClassExternalID", "clusterServicePlanExternalID"),
		instanceSample("clusterServiceClassName", "clusterServicePlanName"),
		instanceSample("serviceClassExternalName", "servicePlanExternalName"),
		instanceSample("serviceClassExternalID", "servicePlanExternalID"),
		instanceSample("serviceClassName", "servicePlanName"),
	},
	"ServiceBinding": {bindingSample},
}

func brokerSamples(secret string) []string {
	status := "\nstatus:" + oldConditions + `
  reconciledGeneration: 3
  operationStartTime: "2021-04-28T10:00:00Z"
  lastCatalogRetrievalTime: "2021-04-28T10:00:01Z"
  lastConditionState: FetchedCatalog`
	return []string{`
spec:
  url: http://pg-broker.brokers.svc.cluster.local/
  caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=
  relistBehavior: Duration
  relistDuration: 15m0s
  relistRequests: 4
  catalogRestrictions:
    serviceClass: ["spec.externalName in (postgresql, redis)"]
    servicePlan: ["spec.free==true", "name!=p1"]
  authInfo: {basic: {secretRef: {` + secret + `}}}` + status, `
spec:
  url: https://pg-broker.example.com:8443/base
  insecureSkipTLSVerify: true
  relistBehavior: Manual
  authInfo: {bearer: {secretRef: {` + secret + `}}}` + status}
}

func classSample(broker string) string {
	return `
spec:
  ` + broker + `
  externalName: postgresql
  externalID: 6c4d1f2a-0000-4000-8000-000000000001
  description: A database
  bindable: true
  bindingRetrievable: true
  planUpdatable: true
  externalMetadata: ` + anything + `
  tags: [sql, relational]
  requires: [syslog_drain]
  defaultProvisionParameters: ` + anything + `
status:
  removedFromBrokerCatalog: true`
}

func planSample(owner, class string) string {
	return `
spec:
  ` + owner + `
  ` + class + `
  externalName: small
  externalID: 6c4d1f2a-0000-4000-8000-000000000002
  description: A small one
  bindable: true
  free: true
  externalMetadata: ` + anything + `
  instanceCreateParameterSchema: ` + anything + `
  instanceUpdateParameterSchema: ` + anything + `
  serviceBindingCreateParameterSchema: ` + anything + `
  defaultProvisionParameters: ` + anything + `
status:
  removedFromBrokerCatalog: true`
}

func instanceSample(class, plan string) string {
	properties := `{clusterServicePlanExternalName: small, clusterServicePlanExternalID: p1, servicePlanExternalName: small, servicePlanExternalID: p1,
    parameters: ` + anything + `, parameterChecksum: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, userInfo: ` + someone + `}`
	return `
spec:
  ` + class + `: postgresql
  ` + plan + `: small
  clusterServiceClassRef: {name: c1}
  clusterServicePlanRef: {name: p1}
  serviceClassRef: {name: c2}
  servicePlanRef: {name: p2}
  parameters: ` + anything + `
  parametersFrom: [{secretKeyRef: {name: orders-parameters, key: parameters.json}}]
  externalID: 0f6c1a52-0000-4000-8000-000000000003
  updateRequests: 2
  userInfo: ` + someone + `
status:` + oldConditions + `
  asyncOpInProgress: true
  orphanMitigationInProgress: true
  lastOperation: task-17
  dashboardURL: https://pg-broker.example.com/dashboard/1
  currentOperation: Provision
  reconciledGeneration: 1
  observedGeneration: 2
  operationStartTime: "2021-04-28T10:00:00Z"
  inProgressProperties: ` + properties + `
  externalProperties: ` + properties + `
  provisionStatus: Provisioned
  deprovisionStatus: Required
  defaultProvisionParameters: ` + anything + `
  lastConditionState: ProvisionCallFailed
  userSpecifiedClassName: ClusterServiceClass/postgresql
  userSpecifiedPlanName: small`
}

const bindingSample = `
spec:
  instanceRef: {name: orders}
  parameters: ` + anything + `
  parametersFrom: [{secretKeyRef: {name: orders-parameters, key: parameters.json}}]
  secretName: orders-db
  externalID: 0f6c1a52-0000-4000-8000-000000000004
  userInfo: ` + someone + `
  secretTransforms:
  - renameKey: {from: uri, to: DATABASE_URL}
  - addKey: {key: motto, value: aGVsbG8=}
  - addKey: {key: mode, stringValue: strict}
  - addKey: {key: host, jsonPathExpression: "{.server.host}"}
  - addKeysFrom: {secretRef: {namespace: default, name: more}}
  - removeKey: {key: admin}
status:` + oldConditions + `
  asyncOpInProgress: true
  lastOperation: task-18
  currentOperation: Bind
  reconciledGeneration: 1
  operationStartTime: "2021-04-28T10:00:00Z"
  inProgressProperties: {parameters: ` + anything + `, parameterChecksum: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, userInfo: ` + someone + `}
  externalProperties: {parameters: ` + anything + `, parameterChecksum: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, userInfo: ` + someone + `}
  orphanMitigationInProgress: true
  unbindStatus: Required
  lastConditionState: ServiceBindingReturnedFailure`

func TestEveryFieldOfV03SurvivesTheRoundTrip(t *testing.T) {
	t.Parallel()
	for kind, texts := range samples {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			for i, text := range texts {
				sample := parse(t, kind, fmt.Sprintf("round-trip-%d", i), text)
				want := leaves(sample.Object)
				stored := roundTrip(t, sample)
				typed := throughTheTypes(t, stored)
				got, gotTyped := leaves(stored.Object), leaves(typed)
				for path, value := range want {
					seen[path] = true
					assert.Equal(t, value, got[path], "%s %s does not survive the API server", kind, path)
					assert.Equal(t, value, gotTyped[path], "%s %s does not survive the Go types", kind, path)
				}
			}
			assert.ElementsMatch(t, fieldsOfV03[kind], slices.Collect(maps.Keys(seen)), "the samples have what the table lists")
		})
	}
}

// roundTrip stores an object, spec and status, and reads it back.
func roundTrip(t *testing.T, sample *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	status := sample.Object["status"]
	obj := sample.DeepCopy()
	require.NoError(t, shared.Create(t.Context(), obj))
	obj.Object["status"] = status
	require.NoError(t, shared.Status().Update(t.Context(), obj))
	got := named(&unstructured.Unstructured{}, sample.GetKind(), sample.GetName())
	require.NoError(t, shared.Get(t.Context(), client.ObjectKeyFromObject(sample), got))
	return got
}

// throughTheTypes decodes an object into its Go type, which must know each field,
// and encodes it again: what a typed client's update does.
func throughTheTypes(t *testing.T, obj *unstructured.Unstructured) map[string]any {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, v1beta1.AddToScheme(scheme))
	typed, err := scheme.New(obj.GroupVersionKind())
	require.NoError(t, err)
	raw, err := json.Marshal(obj.Object)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(typed))
	raw, err = json.Marshal(typed)
	require.NoError(t, err)
	again := &unstructured.Unstructured{}
	require.NoError(t, again.UnmarshalJSON(raw))
	return again.Object
}

// leaves returns the values in spec and status by path as the table writes it; the
// values of lists and maps in their order. A null is none, but in free-form JSON.
func leaves(obj map[string]any) map[string][]any {
	out := map[string][]any{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		fields, isMap := value.(map[string]any)
		entries, isList := value.([]any)
		switch {
		case isFreeForm(path), value != nil && !isMap && !isList:
			out[path] = append(out[path], value)
		case isList:
			for _, entry := range entries {
				walk(path+"[]", entry)
			}
		case strings.HasSuffix(path, ".extra"):
			for _, key := range slices.Sorted(maps.Keys(fields)) {
				walk(path+"{}", fields[key])
			}
		default:
			for _, name := range slices.Sorted(maps.Keys(fields)) {
				walk(path+"."+name, fields[name])
			}
		}
	}
	walk("spec", obj["spec"])
	walk("status", obj["status"])
	return out
}
