package charts_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// holder is a finalizer of somebody else's.
const holder = "example.com/hold"

// ofBroker makes an object look as its broker made it.
func ofBroker(obj *unstructured.Unstructured) *unstructured.Unstructured {
	obj.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: "servicecatalog.k8s.io/v1beta1", Kind: "ClusterServiceBroker", Name: "postgres", UID: "1", Controller: ptr.To(true),
	}})
	return obj
}

// offered is a class or a plan.
func offered(kind string) *unstructured.Unstructured {
	spec := map[string]any{"externalName": "small", "externalID": "id-of-small", "description": "Small."}
	switch kind {
	case "ClusterServiceClass":
		spec["clusterServiceBrokerName"], spec["bindable"] = "postgres", true
	case "ServiceClass":
		spec["serviceBrokerName"], spec["bindable"] = "postgres", true
	case "ClusterServicePlan":
		spec["clusterServiceBrokerName"], spec["clusterServiceClassRef"], spec["free"] = "postgres", map[string]any{"name": "db"}, true
	case "ServicePlan":
		spec["serviceBrokerName"], spec["serviceClassRef"], spec["free"] = "postgres", map[string]any{"name": "db"}, true
	}
	obj := object(kind, spec)
	if kind == "ClusterServiceClass" || kind == "ClusterServicePlan" {
		obj.SetNamespace("")
	}
	return obj
}

// catalogKinds are the ones that brokers' catalogs become.
func catalogKinds() []string {
	return []string{"ClusterServiceClass", "ClusterServicePlan", "ServiceClass", "ServicePlan"}
}

// users puts what users put on an object.
func users(obj *unstructured.Unstructured) *unstructured.Unstructured {
	obj.SetLabels(map[string]string{"app": "shop"})
	obj.SetAnnotations(map[string]string{"note": "mine"})
	obj.SetFinalizers([]string{v1beta1.Finalizer, holder})
	return obj
}

// tamper is one change to an object, and how the fence calls it.
type tamper struct {
	change func(*unstructured.Unstructured)
	says   string
}

// setSpec sets a field of the spec.
func setSpec(value any, path ...string) func(*unstructured.Unstructured) {
	return func(obj *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(obj.Object, value, append([]string{"spec"}, path...)...); err != nil {
			panic(err) // a mistake in the row
		}
	}
}

// tampers are changes of metadata that are refused on every kind.
func tampers() map[string]tamper {
	return map[string]tamper{
		"a label of a user's changes":    {func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"app": "other"}) }, "change no labels"},
		"a label goes":                   {func(o *unstructured.Unstructured) { o.SetLabels(nil) }, "change no labels"},
		"a label is added":               {func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"app": "shop", "more": "1"}) }, "change no labels"},
		"an annotation changes":          {func(o *unstructured.Unstructured) { o.SetAnnotations(map[string]string{"note": "ours"}) }, "change no annotations"},
		"an annotation goes":             {func(o *unstructured.Unstructured) { o.SetAnnotations(nil) }, "change no annotations"},
		"a purge is asked for":           {func(o *unstructured.Unstructured) { *o = *annotated(o, v1beta1.AnnotationPurge, "1") }, "change no annotations"},
		"a finalizer of another's goes":  {func(o *unstructured.Unstructured) { o.SetFinalizers([]string{v1beta1.Finalizer}) }, "change one finalizer"},
		"a finalizer of another's comes": {func(o *unstructured.Unstructured) { o.SetFinalizers(append(o.GetFinalizers(), "example.com/more")) }, "change one finalizer"},
		"a live object loses our own":    {func(o *unstructured.Unstructured) { o.SetFinalizers([]string{holder}) }, "finalizer"},
		"an owner is made up":            {func(o *unstructured.Unstructured) { o.SetOwnerReferences([]metav1.OwnerReference{owner("ours")}) }, "change no other metadata"},
		"a change hides behind a finalizer": {func(o *unstructured.Unstructured) {
			o.SetFinalizers([]string{holder, v1beta1.Finalizer})
			o.SetLabels(map[string]string{"app": "other"})
		}, "change no labels"},
	}
}

func TestFenceKeepsOurAccountsFromWhatUsersWrote(t *testing.T) {
	c := installPolicies(t)
	const spec = "change nothing in a spec"
	rows := map[string]map[string]tamper{
		"ClusterServiceBroker": {"an address changes": {setSpec("https://evil.example.com", "url"), spec},
			"a certificate is trusted": {setSpec(true, "insecureSkipTLSVerify"), spec}},
		"ServiceBroker": {"an address changes": {setSpec("https://evil.example.com", "url"), spec},
			"a login goes elsewhere": {setSpec("auth", "authInfo", "basic", "secretRef", "name"), spec}},
		"ServiceInstance": {"parameters come": {setSpec(int64(1), "parameters", "size"), spec},
			"a user is made up":     {setSpec("boss", "userInfo", "username"), spec},
			"an update is asked":    {setSpec(int64(1), "updateRequests"), spec},
			"a policy is made up":   {setSpec("Delete", "deletionPolicy"), spec},
			"an id is called ours":  {setSpec("Generated", "externalIDOrigin"), spec},
			"a plan is a bit large": {setSpec("large", "clusterServicePlanExternalName"), spec}},
		"ServiceBinding": {"an id is called ours": {setSpec("Generated", "externalIDOrigin"), spec}},
	}
	for _, kind := range slices.Concat([]string{"ClusterServiceBroker", "ServiceBroker", "ServiceInstance", "ServiceBinding"}, catalogKinds()) {
		made := func() *unstructured.Unstructured {
			if slices.Contains(catalogKinds(), kind) {
				return users(ofBroker(offered(kind)))
			}
			obj := users(anObject(kind))
			if kind == "ServiceInstance" || kind == "ServiceBinding" {
				setSpec("one", "externalID")(obj)
			}
			return obj
		}
		for _, more := range []map[string]tamper{tampers(), rows[kind]} {
			for name, tc := range more {
				t.Run(kind+": "+name, func(t *testing.T) {
					obj := create(t, c, made())
					t.Cleanup(func() { assert.NoError(t, client.IgnoreNotFound(letGoOf(t, obj))) })
					changed := obj.DeepCopy()
					tc.change(changed)
					// The policy on identity holds the webhook's account too, and may come first.
					err := actAs(t, webhookUser).Update(t.Context(), changed.DeepCopy(), client.DryRunAll)
					require.True(t, refused(err), "%v", err)
					err = actAs(t, controllersUser).Update(t.Context(), changed.DeepCopy(), client.DryRunAll)
					require.ErrorContains(t, err, "the catalog's own accounts ")
					require.ErrorContains(t, err, tc.says)
					assert.True(t, refused(err), "%v", err)
					if tc.says != spec || kind != "ServiceInstance" && kind != "ServiceBinding" { // those have other guards
						require.NoError(t, actAs(t, someone).Update(t.Context(), changed, client.DryRunAll), "somebody else may, so the fence is what stopped us")
					}
				})
			}
		}
	}
}

func TestFenceKeepsOurAccountsFromDeletingWhatUsersMade(t *testing.T) {
	c := installPolicies(t)
	const says = "the catalog's own accounts delete only classes and plans that a broker owns"
	for _, account := range []string{controllersUser, webhookUser} {
		ourselves := actAs(t, account)
		for kind := range kindsOfBrokers() {
			obj := create(t, c, ofBroker(anObject(kind)))
			require.ErrorContains(t, ourselves.Delete(t.Context(), obj), says, kind)
		}
		for _, kind := range catalogKinds() {
			obj := create(t, c, offered(kind))
			require.ErrorContains(t, ourselves.Delete(t.Context(), obj), says, "%s without an owner", kind)
			require.ErrorContains(t, ourselves.DeleteAllOf(t.Context(), offered(kind), client.InNamespace(obj.GetNamespace())), says, kind)
			obj.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "1", Controller: ptr.To(true)}})
			require.NoError(t, c.Update(t.Context(), obj))
			require.ErrorContains(t, ourselves.Delete(t.Context(), obj), says, "%s of another owner", kind)
		}
	}
}

// What the controllers write, as they write it; thread_integration_test.go lets the
// real ones do it.
func TestFenceLetsTheControllersKeepOurKinds(t *testing.T) {
	c := installPolicies(t)
	ourselves := actAs(t, controllersUser)
	for kind := range kindsOfBrokers() {
		obj := anObject(kind)
		obj.SetAnnotations(map[string]string{"note": "mine"})
		obj.SetFinalizers([]string{holder})
		obj = create(t, c, obj)
		t.Cleanup(func() { assert.NoError(t, client.IgnoreNotFound(letGoOf(t, obj))) })
		patch := map[string]any{"metadata": map[string]any{"finalizers": []string{holder, v1beta1.Finalizer}}}
		if kind == "ServiceInstance" || kind == "ServiceBinding" {
			patch["spec"] = map[string]any{"externalID": anID, "externalIDOrigin": "Generated"}
		}
		merge := func(patch map[string]any) error {
			return ourselves.Patch(t.Context(), obj, client.RawPatch(types.MergePatchType, encode(t, patch)))
		}
		require.NoError(t, merge(patch), kind)
		ids := map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1beta1.AnnotationCredentialIDs: "{}"}}}
		if kind == "ServiceBinding" {
			require.NoError(t, merge(ids))
		} else {
			require.ErrorContains(t, merge(ids), "change no annotations but", kind)
		}
		require.NoError(t, c.Delete(t.Context(), obj), kind)
		require.NoError(t, merge(map[string]any{"metadata": map[string]any{"finalizers": []string{holder}}}), kind)
	}
	for _, kind := range catalogKinds() {
		obj := offered(kind)
		obj.SetLabels(map[string]string{v1beta1.LabelExternalID: "one"})
		obj = create(t, ourselves, ofBroker(obj))
		require.NoError(t, annotate(t, c, obj, "note", "mine"), kind)
		setSpec("A small one.", "description")(obj)
		obj.SetLabels(map[string]string{v1beta1.LabelExternalID: "two", v1beta1.LabelExternalName: "one"})
		require.NoError(t, ourselves.Update(t.Context(), obj), kind)
		require.NoError(t, ourselves.Delete(t.Context(), obj), kind)
	}
}
