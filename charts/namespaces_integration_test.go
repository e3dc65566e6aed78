package charts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// conditionOf returns the message of a namespace's condition that is true.
func conditionOf(space *corev1.Namespace, kind corev1.NamespaceConditionType) string {
	for _, condition := range space.Status.Conditions {
		if condition.Type == kind && condition.Status == corev1.ConditionTrue {
			return condition.Message
		}
	}
	return ""
}

// With no process of ours: a namespace tells what keeps it, and a user without any
// special right ends it.
func TestNamespacesEndWithoutAnyProcessOfOurs(t *testing.T) {
	c := installPolicies(t)
	startKubernetes(t)
	user := userWith(t, c, "owner-of-space", edits())
	space := create(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "ending-"}})
	made := map[string]*unstructured.Unstructured{}
	for _, kind := range []string{"ServiceBroker", "ServiceInstance", "ServiceBinding"} {
		obj := annotated(anObject(kind), v1beta1.AnnotationPreventDeletion, "true")
		obj.SetNamespace(space.Name)
		obj.SetFinalizers([]string{v1beta1.Finalizer})
		made[kind] = create(t, user, obj)
	}
	says := func(kind corev1.NamespaceConditionType, words ...string) {
		t.Helper()
		told := ""
		require.Eventually(t, func() bool {
			require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(space), space))
			told = conditionOf(space, kind)
			for _, word := range words {
				if !strings.Contains(told, word) {
					return false
				}
			}
			return true
		}, time.Minute, 50*time.Millisecond, "%s: %s", kind, told)
	}
	require.NoError(t, c.Delete(t.Context(), space))
	says(corev1.NamespaceDeletionContentFailure, "prevent-deletion keeps ", "remove the annotation first: kubectl annotate ", " -n "+space.Name+" ")
	for kind, obj := range made {
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
		assert.Nil(t, obj.GetDeletionTimestamp(), kind)
		require.NoError(t, annotate(t, user, obj, v1beta1.AnnotationPreventDeletion, nil))
	}
	says(corev1.NamespaceFinalizersRemaining, v1beta1.Finalizer+" in 3 resource instances")
	for _, obj := range made {
		require.NoError(t, user.Patch(t.Context(), obj, client.RawPatch(types.JSONPatchType, []byte(`[{"op": "remove", "path": "/metadata/finalizers"}]`))))
	}
	goes(t, c, space)
}

// What Kubernetes itself finds wrong with a policy stands in the policy's status.
func TestPoliciesPassTheTypeCheck(t *testing.T) {
	c := installPolicies(t)
	startKubernetes(t)
	list := &admissionregistrationv1.ValidatingAdmissionPolicyList{}
	require.Eventually(t, func() bool {
		require.NoError(t, c.List(t.Context(), list))
		for _, policy := range list.Items {
			if policy.Status.ObservedGeneration != policy.Generation || policy.Status.TypeChecking == nil {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond, "the policies are not checked")
	seen := 0
	for _, policy := range list.Items {
		if strings.HasPrefix(policy.Name, release+"-") {
			seen++
			assert.Empty(t, policy.Status.TypeChecking.ExpressionWarnings, policy.Name)
		}
	}
	assert.Equal(t, 9, seen)
}
