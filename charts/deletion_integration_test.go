package charts_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// annotate sets an annotation of an object, or removes it.
func annotate(t *testing.T, c client.Client, obj client.Object, key string, value any) error {
	t.Helper()
	patch := map[string]any{"metadata": map[string]any{"annotations": map[string]any{key: value}}}
	return c.Patch(t.Context(), obj, client.RawPatch(types.MergePatchType, encode(t, patch)))
}

// protect creates an object that prevents its deletion, and in the end lets it go.
func protect(t *testing.T, c client.Client, obj *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	obj = create(t, c, annotated(obj, v1beta1.AnnotationPreventDeletion, "true"))
	t.Cleanup(func() { assert.NoError(t, client.IgnoreNotFound(letGoOf(t, obj))) })
	return obj
}

// letGoOf takes from an object what keeps it.
func letGoOf(t *testing.T, obj client.Object) error {
	t.Helper()
	return cluster(t).Patch(withoutEnd(t), obj, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"annotations": null, "finalizers": null}}`)))
}

func TestPreventDeletionKeepsWhatStandsAtABroker(t *testing.T) {
	c := installPolicies(t)
	user := userWith(t, c, "keeper", edits())
	everybody := map[string]client.Client{
		"a user": user, "an administrator": c,
		"the garbage collector":    actAs(t, "system:serviceaccount:kube-system:generic-garbage-collector"),
		"the namespace controller": actAs(t, "system:serviceaccount:kube-system:namespace-controller"),
	}
	for kind, resource := range kindsOfBrokers() {
		t.Run(kind, func(t *testing.T) {
			obj := protect(t, user, anObject(kind))
			where := ""
			if obj.GetNamespace() != "" {
				where = " -n default"
			}
			for who, account := range everybody {
				err := account.Delete(t.Context(), obj)
				require.ErrorContains(t, err, `keeps `+kind+` "`+obj.GetName()+`" from being deleted`, who)
				assert.True(t, apierrors.IsForbidden(err), "%s: %v", who, err)
				assert.ErrorContains(t, err, "remove the annotation first: kubectl annotate "+resource+".servicecatalog.k8s.io "+
					obj.GetName()+where+" servicecatalog.k8s.io/prevent-deletion-", who)
			}
			require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
			assert.Nil(t, obj.GetDeletionTimestamp())

			require.NoError(t, annotate(t, user, obj, v1beta1.AnnotationPreventDeletion, nil), "the way out that the message names")
			require.NoError(t, user.Delete(t.Context(), obj))
			require.True(t, apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj)))
		})
	}
}

func TestPreventDeletionHoldsAgainstDeletionOfMany(t *testing.T) {
	c := installPolicies(t)
	user := userWith(t, c, "tidier", edits())
	for kind := range kindsOfBrokers() {
		mark := map[string]string{"sweep": "yes"}
		kept, plain := anObject(kind), anObject(kind)
		kept.SetLabels(mark)
		plain.SetLabels(mark)
		kept = protect(t, user, kept)
		// The two are taken in the order of their names.
		plain.SetGenerateName("")
		plain.SetName("a-" + kept.GetName())
		plain = create(t, user, plain)

		err := user.DeleteAllOf(t.Context(), anObject(kind), client.InNamespace(kept.GetNamespace()), client.MatchingLabels(mark))
		require.ErrorContains(t, err, `keeps `+kind+` "`+kept.GetName()+`" from being deleted`)
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(kept), kept), kind)
		assert.Nil(t, kept.GetDeletionTimestamp(), kind)
		assert.True(t, apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(plain), plain)), kind)

		require.NoError(t, annotate(t, user, kept, v1beta1.AnnotationPreventDeletion, nil))
		require.NoError(t, user.DeleteAllOf(t.Context(), anObject(kind), client.InNamespace(kept.GetNamespace()), client.MatchingLabels(mark)), kind)
		assert.True(t, apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(kept), kept)), kind)
	}
}

func TestDeletionIsNotPreventedWithoutNeed(t *testing.T) {
	c := installPolicies(t)
	user := userWith(t, c, "deleter", edits())
	for kind := range kindsOfBrokers() {
		require.NoError(t, user.Delete(t.Context(), create(t, user, anObject(kind))), kind)
		for _, value := range []string{"", "false", "yes"} {
			obj := create(t, user, annotated(anObject(kind), v1beta1.AnnotationPreventDeletion, value))
			require.NoError(t, user.Delete(t.Context(), obj), "%s: %q", kind, value)
		}
		// What is deleted already can be asked for again; it goes when its finalizer does.
		leaving := anObject(kind)
		leaving.SetFinalizers([]string{v1beta1.Finalizer})
		leaving = create(t, user, leaving)
		require.NoError(t, user.Delete(t.Context(), leaving), kind)
		require.NoError(t, annotate(t, user, leaving, v1beta1.AnnotationPreventDeletion, "true"), kind)
		require.NoError(t, user.Delete(t.Context(), leaving), kind)
		require.NoError(t, user.Patch(t.Context(), leaving, client.RawPatch(types.JSONPatchType,
			[]byte(`[{"op": "remove", "path": "/metadata/finalizers"}]`))), "no process of ours is needed: %s", kind)
		require.True(t, apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(leaving), leaving)), kind)
	}
}

func TestPurgeNeedsTheVerb(t *testing.T) {
	c := installPolicies(t)
	var all []string
	for _, resource := range kindsOfBrokers() {
		all = append(all, resource)
	}
	editor := userWith(t, c, "editor", edits())
	purger := userWith(t, c, "purger", edits(), rule([]string{"purge"}, all))
	for kind, resource := range kindsOfBrokers() {
		t.Run(kind, func(t *testing.T) {
			refusedTo := func(err error) {
				t.Helper()
				require.ErrorContains(t, err, "needs the verb purge on "+resource+".servicecatalog.k8s.io")
				assert.ErrorContains(t, err, "delete the object without the annotation, or ask the platform team for the verb")
				assert.True(t, apierrors.IsForbidden(err), "%v", err)
			}
			refusedTo(editor.Create(t.Context(), annotated(anObject(kind), v1beta1.AnnotationPurge, "true")))
			require.NoError(t, purger.Create(t.Context(), annotated(anObject(kind), v1beta1.AnnotationPurge, "true"), client.DryRunAll))
			require.NoError(t, editor.Create(t.Context(), annotated(anObject(kind), v1beta1.AnnotationPurge, ""), client.DryRunAll), "nothing is asked for")

			obj := create(t, editor, anObject(kind))
			refusedTo(annotate(t, editor, obj, v1beta1.AnnotationPurge, "true"))
			refusedTo(annotate(t, editor, obj, v1beta1.AnnotationPurge, "false"))
			require.NoError(t, annotate(t, purger, obj, v1beta1.AnnotationPurge, "1"))
			refusedTo(annotate(t, editor, obj, v1beta1.AnnotationPurge, "2"))
			require.NoError(t, annotate(t, editor, obj, "note", "seen"), "what stands there is no hindrance")
			require.NoError(t, annotate(t, editor, obj, v1beta1.AnnotationPurge, nil), "everybody may take it back")
			refusedTo(annotate(t, editor, obj, v1beta1.AnnotationPurge, "1"))

			// Of use when it is asked for: on an object that will not go.
			obj.SetFinalizers([]string{v1beta1.Finalizer})
			require.NoError(t, editor.Update(t.Context(), obj))
			require.NoError(t, editor.Delete(t.Context(), obj))
			refusedTo(annotate(t, editor, obj, v1beta1.AnnotationPurge, "true"))
			require.NoError(t, annotate(t, purger, obj, v1beta1.AnnotationPurge, "true"))
			require.NoError(t, letGoOf(t, obj))
		})
	}
}

func TestTheVerbPurgeIsGivenByKindAndName(t *testing.T) {
	c := installPolicies(t)
	named := rule([]string{"purge"}, []string{"serviceinstances"})
	named.ResourceNames = []string{"this-one"}
	user := userWith(t, c, "purger-of-one", edits(), named)
	instance := func(kind, name string) *unstructured.Unstructured {
		obj := annotated(anObject(kind), v1beta1.AnnotationPurge, "true")
		obj.SetGenerateName("")
		obj.SetName(name)
		return obj
	}
	require.NoError(t, user.Create(t.Context(), instance("ServiceInstance", "this-one"), client.DryRunAll))
	require.ErrorContains(t, user.Create(t.Context(), instance("ServiceInstance", "another"), client.DryRunAll), "needs the verb purge")
	require.ErrorContains(t, user.Create(t.Context(), instance("ServiceBinding", "this-one"), client.DryRunAll), "needs the verb purge")
	require.ErrorContains(t, user.Create(t.Context(), instance("ServiceBroker", "this-one"), client.DryRunAll), "needs the verb purge")
}
