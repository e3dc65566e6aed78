package charts_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const restartedAt = "kubectl.kubernetes.io/restartedAt"

// rollable is a workload with something of everything that could be changed.
func rollable(kind string) *unstructured.Unstructured {
	obj := workload(kind, map[string]string{"note": "mine"}, map[string]string{"note": "ours"})
	obj.SetLabels(map[string]string{"app": "web"})
	return obj
}

// set sets a field.
func set(value any, path ...string) func(*unstructured.Unstructured) {
	return func(obj *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(obj.Object, value, path...); err != nil {
			panic(err) // a mistake in the row
		}
	}
}

func TestFenceLetsTheControllersRollAWorkloadAndNoMore(t *testing.T) {
	c := installPolicies(t)
	template := func(path ...string) []string { return append([]string{"spec", "template"}, path...) }
	for name, change := range map[string]func(*unstructured.Unstructured){
		"another image": func(o *unstructured.Unstructured) {
			containers, _, err := unstructured.NestedSlice(o.Object, template("spec", "containers")...)
			require.NoError(t, err)
			containers[0].(map[string]any)["image"] = "evil"
			set(containers, template("spec", "containers")...)(o)
		},
		"another account":            set("admin", template("spec", "serviceAccountName")...),
		"an annotation of the Pods'": set("theirs", template("metadata", "annotations", "note")...),
		"an annotation more":         set("x", template("metadata", "annotations", "more")...),
		"an annotation less": func(o *unstructured.Unstructured) {
			unstructured.RemoveNestedField(o.Object, template("metadata", "annotations", "note")...)
		},
		"a label of the Pods":       set("x", template("metadata", "labels", "more")...),
		"the pace of roll-outs":     set(int64(7), "spec", "minReadySeconds"),
		"a label":                   func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"app": "other"}) },
		"an annotation":             func(o *unstructured.Unstructured) { o.SetAnnotations(map[string]string{"note": "x"}) },
		"an owner":                  func(o *unstructured.Unstructured) { o.SetOwnerReferences([]metav1.OwnerReference{owner("ours")}) },
		"a finalizer":               func(o *unstructured.Unstructured) { o.SetFinalizers([]string{holder}) },
		"something that is no time": set("$(reboot)", template("metadata", "annotations", restartedAt)...),
		"an image behind the restart": func(o *unstructured.Unstructured) {
			set("2026-11-01T12:00:00Z", template("metadata", "annotations", restartedAt)...)(o)
			set("admin", template("spec", "serviceAccountName")...)(o)
		},
	} {
		for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
			t.Run(kind+": "+name, func(t *testing.T) {
				obj := create(t, c, rollable(kind))
				changed := obj.DeepCopy()
				change(changed)
				for _, account := range []string{controllersUser, webhookUser} {
					err := actAs(t, account).Update(t.Context(), changed.DeepCopy(), client.DryRunAll)
					require.ErrorContains(t, err, "the catalog's own accounts ")
					assert.True(t, refused(err), "%v", err)
				}
				require.NoError(t, actAs(t, someone).Update(t.Context(), changed, client.DryRunAll), "somebody else may")
			})
		}
	}
	ourselves := actAs(t, controllersUser)
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		obj := create(t, c, rollable(kind))
		for _, at := range []string{"2026-11-01T12:00:00Z", "2026-11-02T12:00:00Z"} {
			patch := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{restartedAt: at}}}}}
			require.NoError(t, ourselves.Patch(t.Context(), obj, client.RawPatch(types.MergePatchType, encode(t, patch))), kind)
		}
		require.ErrorContains(t, ourselves.Delete(t.Context(), obj), "make and delete no workloads", kind)
		require.ErrorContains(t, ourselves.Create(t.Context(), rollable(kind)), "make and delete no workloads", kind)
	}
}
