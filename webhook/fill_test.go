package webhook

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gomodules "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// fillCase is an object as it was ("" if it is created), as it is sent, and as it
// is to be stored. The asking user is bob, the id at hand "new-id", and the only
// plan of any class "only".
type fillCase struct{ old, sent, want string }

const (
	bob   = `{"username":"bob","uid":"7","groups":["dev"]}`
	alice = `{"username":"alice","uid":"1"}`
	mark  = `"metadata":{"finalizers":["` + v1beta1.Finalizer + `"]}`
)

func runFill[T, S any](t *testing.T, cases map[string]fillCase, part func(*T) *S, fill func(spec, old *S)) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Object: runtime.RawExtension{Raw: []byte(tc.sent)}}}
			if tc.old != "" {
				req.OldObject.Raw = []byte(tc.old)
			}
			ops, err := fillAs(req, part, fill)
			require.NoError(t, err)
			got := apply(t, tc.sent, ops)
			assert.JSONEq(t, tc.want, got)

			if tc.old == "" {
				return // an id would be taken for a given one, which is why there is one pass
			}
			req.Object.Raw = []byte(got)
			again, err := fillAs(req, part, fill)
			require.NoError(t, err)
			assert.JSONEq(t, got, apply(t, got, again), "a second pass changes nothing")
		})
	}
}

func apply(t *testing.T, doc string, ops []gomodules.Operation) string {
	t.Helper()
	if len(ops) == 0 {
		return doc
	}
	raw, err := json.Marshal(ops)
	require.NoError(t, err)
	p, err := jsonpatch.DecodePatch(raw)
	require.NoError(t, err)
	out, err := p.Apply([]byte(doc))
	require.NoError(t, err)
	return string(out)
}

func TestFillBroker(t *testing.T) {
	t.Parallel()
	runFill(t, map[string]fillCase{
		"a new broker relists by time": {
			sent: `{"metadata":{},"spec":{"url":"u"}}`,
			want: `{` + mark + `,"spec":{"url":"u","relistBehavior":"Duration"}}`},
		"zero values of old clients count as left out": {
			sent: `{"metadata":{"finalizers":null},"spec":{"url":"u","relistBehavior":"","relistRequests":0}}`,
			want: `{` + mark + `,"spec":{"url":"u","relistBehavior":"Duration","relistRequests":0}}`},
		"what an update leaves out stays": {
			old:  `{` + mark + `,"spec":{"url":"u","relistBehavior":"Manual","relistRequests":3}}`,
			sent: `{` + mark + `,"spec":{"url":"v"}}`,
			want: `{` + mark + `,"spec":{"url":"v","relistBehavior":"Manual","relistRequests":3}}`},
		"finalizers of others stay, and so do unknown fields": {
			sent: `{"metadata":{"finalizers":["x/y"]},"spec":{"url":"u","relistBehavior":"Manual","future":{"a":null}}}`,
			want: `{"metadata":{"finalizers":["x/y","` + v1beta1.Finalizer + `"]},"spec":{"url":"u","relistBehavior":"Manual","future":{"a":null}}}`},
		"what the schema will refuse is left to it": {
			sent: `{"metadata":{},"spec":{"url":7}}`, want: `{"metadata":{},"spec":{"url":7}}`},
		"an object on its way out gets no finalizer": {
			old:  `{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["x/y"]},"spec":{"url":"u","relistBehavior":"Manual"}}`,
			sent: `{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["x/y"]},"spec":{"url":"v","relistBehavior":"Manual"}}`,
			want: `{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["x/y"]},"spec":{"url":"v","relistBehavior":"Manual"}}`},
	}, func(b *v1beta1.ServiceBroker) *v1beta1.CommonServiceBrokerSpec {
		return &b.Spec.CommonServiceBrokerSpec
	}, fillBroker)
}

func ask() filling {
	return filling{user: v1beta1.UserInfo{Username: "bob", UID: "7", Groups: []string{"dev"}}, id: "new-id", origin: v1beta1.ExternalIDGenerated, plan: "only"}
}

func TestADerivedIDSaysSo(t *testing.T) {
	t.Parallel()
	derived := ask()
	derived.id, derived.origin = "followed", v1beta1.ExternalIDDerived
	runFill(t, map[string]fillCase{
		"where none is given": {
			sent: `{"metadata":{},"spec":{"instanceRef":{"name":"db"}}}`,
			want: `{` + mark + `,"spec":{"instanceRef":{"name":"db"},"externalID":"followed","externalIDOrigin":"Derived","userInfo":` + bob + `}}`},
		"and not where one is": {
			sent: `{"metadata":{},"spec":{"instanceRef":{"name":"db"},"externalID":"followed","externalIDOrigin":"Derived"}}`,
			want: `{` + mark + `,"spec":{"instanceRef":{"name":"db"},"externalID":"followed","externalIDOrigin":"Given","userInfo":` + bob + `}}`},
	}, func(b *v1beta1.ServiceBinding) *v1beta1.ServiceBindingSpec { return &b.Spec },
		func(s, old *v1beta1.ServiceBindingSpec) { fillBinding(s, old, derived) })
}

func TestFillInstance(t *testing.T) {
	t.Parallel()
	const class = `"clusterServiceClassExternalName":"pg"`
	const named = class + `,"clusterServicePlanExternalName":"small"`
	const stored = `{` + mark + `,"spec":{` + named + `,"externalID":"id","externalIDOrigin":"Generated","userInfo":` + alice + `,"updateRequests":2}}`
	runFill(t, map[string]fillCase{
		"a new instance gets an id, its origin and its user": {
			sent: `{"metadata":{},"spec":{` + named + `}}`,
			want: `{` + mark + `,"spec":{` + named + `,"externalID":"new-id","externalIDOrigin":"Generated","userInfo":` + bob + `}}`},
		"an id that was sent was given, whatever else was sent": {
			sent: `{"metadata":{},"spec":{` + named + `,"externalID":"mine","externalIDOrigin":"Generated","userInfo":` + alice + `}}`,
			want: `{` + mark + `,"spec":{` + named + `,"externalID":"mine","externalIDOrigin":"Given","userInfo":` + bob + `}}`},
		"the only plan is filled in, in the class's style": {
			sent: `{"metadata":{},"spec":{"serviceClassName":"k8s","externalID":"x"}}`,
			want: `{` + mark + `,"spec":{"serviceClassName":"k8s","servicePlanName":"only","externalID":"x","externalIDOrigin":"Given","userInfo":` + bob + `}}`},
		"without a class nothing is guessed": {
			sent: `{"metadata":{}}`,
			want: `{` + mark + `,"spec":{"externalID":"new-id","externalIDOrigin":"Generated","userInfo":` + bob + `}}`},
		"replacing it by its manifest changes nothing": {
			old: stored, sent: `{` + mark + `,"spec":{` + named + `}}`, want: stored},
		"so do zero values of old clients": {
			old: stored, sent: `{` + mark + `,"spec":{` + named + `,"externalID":"","updateRequests":0}}`, want: stored},
		"a forged user and origin are put right": {
			old: stored, sent: `{` + mark + `,"spec":{` + named + `,"externalID":"id","externalIDOrigin":"Given","userInfo":` + bob + `}}`, want: stored},
		"another wish is of the user who has it": {
			old: stored, sent: `{` + mark + `,"spec":{` + class + `,"clusterServicePlanExternalName":"large","userInfo":` + alice + `}}`,
			want: `{` + mark + `,"spec":{` + class + `,"clusterServicePlanExternalName":"large","externalID":"id","externalIDOrigin":"Generated","userInfo":` + bob + `,"updateRequests":2}}`},
		"a raised counter is another wish": {
			old: stored, sent: `{` + mark + `,"spec":{` + named + `,"updateRequests":3}}`,
			want: `{` + mark + `,"spec":{` + named + `,"externalID":"id","externalIDOrigin":"Generated","userInfo":` + bob + `,"updateRequests":3}}`},
		"an update that names no plan keeps the plan": {
			old: stored, sent: `{` + mark + `,"spec":{` + class + `}}`, want: stored},
		"another id is left for the CRD to refuse": {
			old: stored, sent: `{` + mark + `,"spec":{` + named + `,"externalID":"other"}}`,
			want: `{` + mark + `,"spec":{` + named + `,"externalID":"other","externalIDOrigin":"Generated","userInfo":` + bob + `,"updateRequests":2}}`},
		"an id for an object without one was given": {
			old:  `{` + mark + `,"spec":{` + named + `}}`,
			sent: `{` + mark + `,"spec":{` + named + `,"externalID":"mine","externalIDOrigin":"Generated"}}`,
			want: `{` + mark + `,"spec":{` + named + `,"externalID":"mine","externalIDOrigin":"Given","userInfo":` + bob + `}}`},
		"a user that nobody recorded is not invented": {
			old:  `{` + mark + `,"spec":{` + named + `,"externalID":"id"}}`,
			sent: `{` + mark + `,"spec":{` + named + `,"userInfo":` + alice + `}}`,
			want: `{` + mark + `,"spec":{` + named + `,"externalID":"id"}}`},
	}, func(i *v1beta1.ServiceInstance) *v1beta1.ServiceInstanceSpec { return &i.Spec },
		func(s, old *v1beta1.ServiceInstanceSpec) { fillInstance(s, old, ask()) })
}

func TestFillBinding(t *testing.T) {
	t.Parallel()
	const ref = `"instanceRef":{"name":"db"}`
	const transforms = `,"secretTransforms":[{"addKey":{"key":"a","value":null,"stringValue":"x","jsonPathExpression":null}}]`
	const stored = `{` + mark + `,"spec":{` + ref + transforms + `,"externalID":"id","externalIDOrigin":"Generated","userInfo":` + alice + `}}`
	runFill(t, map[string]fillCase{
		"a new binding gets an id, its origin and its user, and no Secret name": {
			sent: `{"metadata":{},"spec":{` + ref + `}}`,
			want: `{` + mark + `,"spec":{` + ref + `,"externalID":"new-id","externalIDOrigin":"Generated","userInfo":` + bob + `}}`},
		"an id that was sent was given": {
			sent: `{"metadata":{},"spec":{` + ref + `,"externalID":"mine"}}`,
			want: `{` + mark + `,"spec":{` + ref + `,"externalID":"mine","externalIDOrigin":"Given","userInfo":` + bob + `}}`},
		"replacing it by its manifest changes nothing": {
			old: stored, sent: `{` + mark + `,"spec":{` + ref + transforms + `}}`, want: stored},
	}, func(b *v1beta1.ServiceBinding) *v1beta1.ServiceBindingSpec { return &b.Spec },
		func(s, old *v1beta1.ServiceBindingSpec) { fillBinding(s, old, ask()) })
}
