//go:build integration

package api_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// walkthrough returns the manifests that the documentation leads through.
func walkthrough(t *testing.T) []*manifest {
	t.Helper()
	all := load(t, filepath.Join("..", "examples", "walkthrough"))
	all = slices.DeleteFunc(all, func(m *manifest) bool { return m.last().obj.GetKind() == "Namespace" })
	require.Len(t, all, 4)
	for _, m := range all {
		m.needs = []string{"market"}
	}
	return all
}

func TestValidManifestsAreAcceptedAgainAndAgain(t *testing.T) {
	for _, m := range append(load(t, validFolder), walkthrough(t)...) {
		t.Run(m.name, func(t *testing.T) {
			prepare(t, m)
			doc := m.last()
			live := m.create(t)
			doc.obj.SetName(live.GetName()) // where the API server made it
			checkStored(t, m, live)

			m.repeat(t, doc, live)
		})
	}
}

// Without the webhook nothing is filled in, but nothing is refused either of what a
// user may say. Who cleans up has to ask nobody.
func TestValidManifestsAreAcceptedWithoutTheWebhook(t *testing.T) {
	withoutWebhook(t)
	tried := 0
	for _, m := range load(t, validFolder) {
		doc := m.last()
		if claims(doc.obj) {
			continue // only the webhook overwrites such claims; the policies refuse them
		}
		tried++
		t.Run(m.name, func(t *testing.T) {
			if name := doc.obj.GetName(); name != "" {
				doc.obj.SetName(strings.TrimRight(fmt.Sprintf("x-%.251s", name), "-.")) // beside the one of the other test
			}
			made, err := as(t, doc.user()).act(t.Context(), doc, "create", false)
			require.NoError(t, err)
			doc.obj.SetName(made.GetName())
			assert.ElementsMatch(t, doc.obj.GetFinalizers(), made.GetFinalizers())
			m.repeat(t, doc, made)

			user := as(t, colleague(doc.user()))
			patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null, "annotations": null}}`))
			require.NoError(t, user.Patch(t.Context(), made, patch), "finalizers and annotations can be taken off by hand")
			require.NoError(t, user.Delete(t.Context(), made))
			_, err = get(t.Context(), made)
			assert.True(t, apierrors.IsNotFound(err), "%v", err)
		})
	}
	assert.GreaterOrEqual(t, tried, minValid)
}

// The broker is told who asked: whoever last changed what is asked for.
func TestTheUserIsWhoChangedTheSpec(t *testing.T) {
	m := &manifest{needs: []string{"market"}}
	prepare(t, m)
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(`
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ServiceInstance
metadata: {name: of-many-hands, namespace: shop}
spec: {clusterServiceClassExternalName: postgresql, clusterServicePlanExternalName: large}
`), &obj.Object))
	_, err := as(t, "developer").act(t.Context(), document{obj: obj}, "create", false)
	require.NoError(t, err)
	for _, step := range []struct{ what, user, verb, fields, want string }{
		{"a colleague labels it", "developer-2", "patch", `metadata: {labels: {team: shop}}`, "developer"},
		{"a colleague asks for an update", "developer-2", "patch", `spec: {updateRequests: 1}`, "developer-2"},
		{"the controllers keep their books", "controllers", "status", `status: {provisionStatus: Provisioned}`, "developer-2"},
		{"somebody puts another name there", "developer", "patch", `spec: {userInfo: {username: kubernetes-admin}}`, "developer-2"},
		{"somebody takes the name away", "developer", "patch", `spec: {userInfo: null}`, "developer-2"},
		{"somebody asks in another's name", "developer", "patch", `spec: {parameters: {size: 2}, userInfo: {username: developer-2}}`, "developer"},
	} {
		patch := obj.DeepCopy()
		delete(patch.Object, "spec")
		require.NoError(t, yaml.Unmarshal([]byte(step.fields), &patch.Object), step.what)
		patch.SetName(obj.GetName())
		patch.SetNamespace(obj.GetNamespace())
		_, err := as(t, step.user).act(t.Context(), document{obj: patch}, step.verb, false)
		require.NoError(t, err, step.what)
		live, err := get(t.Context(), obj)
		require.NoError(t, err)
		user, _, _ := unstructured.NestedString(live.Object, "spec", "userInfo", "username")
		assert.Equal(t, step.want, user, step.what)
	}
}

// claims reports whether an object says what only admission may say.
func claims(obj *unstructured.Unstructured) bool {
	_, user, _ := unstructured.NestedFieldNoCopy(obj.Object, "spec", "userInfo")
	origin, _, _ := unstructured.NestedString(obj.Object, "spec", "externalIDOrigin")
	return user || origin != "" && origin != string(v1beta1.ExternalIDGiven)
}

// repeat has a colleague replace the live object by its manifest, and then apply it
// under another field manager: nothing may change.
func (m *manifest) repeat(t *testing.T, doc document, live *unstructured.Unstructured) {
	t.Helper()
	for _, verb := range []string{"update", "apply"} {
		user := as(t, colleague(doc.user()))
		_, err := user.act(t.Context(), doc, verb, false)
		require.NoError(t, err, verb)
		for _, warning := range user.warnings() {
			assert.True(t, m.expects(warning), "%s: an unexpected warning: %s", verb, warning)
		}
		after, err := get(t.Context(), doc.obj)
		require.NoError(t, err)
		assert.Equal(t, live.GetUID(), after.GetUID(), verb)
		assert.Equal(t, live.Object["spec"], after.Object["spec"], "%s: the spec drifts", verb)
		assert.Equal(t, live.GetGeneration(), after.GetGeneration(), "%s: the generation drifts", verb)
		assert.ElementsMatch(t, live.GetFinalizers(), after.GetFinalizers(), "%s: finalizers are lost", verb)
	}
}

// create creates the one object of a valid manifest. Trials go before, for as long
// as the webhook may not have seen what the manifest needs, and to create it by
// server-side apply, as GitOps tools do.
func (m *manifest) create(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	user, doc := as(t, m.last().user()), m.last()
	if len(m.needs) > 0 {
		eventually(t, func() bool {
			tried, err := user.act(t.Context(), doc, "create", true)
			return err == nil && len(user.warnings()) == len(m.warns) && len(m.unfilled(tried)) == 0
		})
	}
	if doc.obj.GetName() != "" {
		tried, err := user.act(t.Context(), doc, "apply", true)
		if assert.NoError(t, err, "created by server-side apply") {
			assert.Empty(t, m.unfilled(tried), "not filled in by server-side apply")
		}
		user.warnings()
	}
	made, err := user.act(t.Context(), doc, "create", false)
	require.NoError(t, err)
	warnings := user.warnings()
	assert.Len(t, warnings, len(m.warns), "%q", warnings)
	for _, warning := range warnings {
		assert.True(t, m.expects(warning), "an unexpected warning: %s", warning)
		t.Logf("warned: %s", warning)
	}
	live, err := get(t.Context(), made)
	require.NoError(t, err)
	return live
}

func (m *manifest) expects(warning string) bool {
	return slices.ContainsFunc(m.warns, func(w string) bool { return strings.Contains(warning, w) })
}

// unfilled lists what should have been filled in, and was not.
func (m *manifest) unfilled(obj *unstructured.Unstructured) []string {
	return slices.DeleteFunc(slices.Clone(m.fills), func(fill string) bool {
		path, want, _ := strings.Cut(fill, "=")
		got, _, _ := unstructured.NestedString(obj.Object, strings.Split(path, ".")...)
		return got == want
	})
}

// checkStored looks at the object that a valid manifest became: all that was sent
// is there, and what admission fills in.
func checkStored(t *testing.T, m *manifest, live *unstructured.Unstructured) {
	t.Helper()
	doc := m.last()
	assert.Empty(t, lost("spec", doc.obj.Object["spec"], live.Object["spec"]), "fields are lost or changed")
	assert.Empty(t, m.unfilled(live), "not filled in")
	for _, mark := range doc.obj.GetFinalizers() {
		assert.Contains(t, live.GetFinalizers(), mark, "somebody else's finalizer")
	}
	for key, value := range doc.obj.GetAnnotations() {
		assert.Equal(t, value, live.GetAnnotations()[key], key)
	}
	kind := live.GetKind()
	if strings.HasSuffix(kind, "ServiceBroker") || kind == "ServiceInstance" || kind == "ServiceBinding" {
		assert.Contains(t, live.GetFinalizers(), v1beta1.Finalizer)
	}
	if kind != "ServiceInstance" && kind != "ServiceBinding" {
		return
	}
	given, _, _ := unstructured.NestedString(doc.obj.Object, "spec", "externalID")
	id, _, _ := unstructured.NestedString(live.Object, "spec", "externalID")
	origin, _, _ := unstructured.NestedString(live.Object, "spec", "externalIDOrigin")
	if given == "" {
		assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
		assert.Equal(t, string(v1beta1.ExternalIDGenerated), origin)
	} else {
		assert.Equal(t, given, id)
		assert.Equal(t, string(v1beta1.ExternalIDGiven), origin)
	}
	user, _, _ := unstructured.NestedString(live.Object, "spec", "userInfo", "username")
	assert.Equal(t, doc.user(), user, "the one who applied it")
}

// lost lists the paths at which the stored value is not the one that was sent.
// Zero values may be filled in, and two fields are admission's own.
func lost(path string, sent, stored any) []string {
	if path == "spec.userInfo" || path == "spec.externalIDOrigin" || sent == nil || sent == "" || sent == int64(0) {
		return nil
	}
	switch sent := sent.(type) {
	case map[string]any:
		inner, ok := stored.(map[string]any)
		if !ok {
			return []string{path}
		}
		var all []string
		for key, value := range sent {
			all = append(all, lost(path+"."+key, value, inner[key])...)
		}
		return all
	case []any:
		inner, ok := stored.([]any)
		if !ok || len(inner) != len(sent) {
			return []string{path}
		}
		var all []string
		for i, value := range sent {
			all = append(all, lost(fmt.Sprintf("%s[%d]", path, i), value, inner[i])...)
		}
		return all
	}
	if sent != stored {
		return []string{path}
	}
	return nil
}
