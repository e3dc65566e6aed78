package charts_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// someone is a user like any other.
const someone = "someone"

// object is one of ours, untyped so that what is not there is not sent.
func object(kind string, spec map[string]any) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": kind,
		"metadata": map[string]any{"generateName": "some-"}, "spec": maps.Clone(spec),
	}}
	if kind != "ClusterServiceBroker" {
		obj.SetNamespace("default")
	}
	return obj
}

// idHolder is an instance or a binding, with more in its spec.
func idHolder(kind string, more map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"clusterServiceClassExternalName": "postgresql", "clusterServicePlanExternalName": "small"}
	if kind == "ServiceBinding" {
		spec = map[string]any{"instanceRef": map[string]any{"name": "orders"}}
	}
	maps.Copy(spec, more)
	return object(kind, spec)
}

// anObject is a good one of a kind that brokers stand behind.
func anObject(kind string) *unstructured.Unstructured {
	if kind == "ServiceInstance" || kind == "ServiceBinding" {
		return idHolder(kind, nil)
	}
	return object(kind, map[string]any{"url": "https://broker.example.com"})
}

// annotated returns the object with an annotation of ours.
func annotated(obj *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	obj = obj.DeepCopy()
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	obj.SetAnnotations(annotations)
	return obj
}

// kindsOfBrokers are those that something at a broker stands for.
func kindsOfBrokers() map[string]string {
	return map[string]string{
		"ClusterServiceBroker": "clusterservicebrokers", "ServiceBroker": "servicebrokers",
		"ServiceInstance": "serviceinstances", "ServiceBinding": "servicebindings",
	}
}

// installPolicies installs the release without the webhook that fills in our kinds,
// which nobody serves here: the policies hold by themselves.
func installPolicies(t *testing.T) client.Client {
	t.Helper()
	c := install(t)
	withoutWebhooks(t, c)
	untilPoliciesAct(t, c)
	return c
}

// withoutWebhooks takes the webhook configurations for our kinds away, until the
// next installation, and waits until the API server asks nobody.
func withoutWebhooks(t *testing.T, c client.Client) {
	t.Helper()
	for _, config := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release + "-defaults"}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release + "-validate"}},
	} {
		require.NoError(t, client.IgnoreNotFound(c.Delete(t.Context(), config)))
	}
	require.EventuallyWithT(t, func(t2 *assert.CollectT) {
		assert.NoError(t2, c.Create(t.Context(), anObject("ServiceBinding"), client.DryRunAll))
	}, time.Minute, 50*time.Millisecond, "the API server still asks a webhook")
}

// untilPoliciesAct waits until the API server acts by all policies that there are,
// which takes it a moment. It reads them in order, so it is told one more and has
// read the others when that one acts.
func untilPoliciesAct(t *testing.T, c client.Client) {
	t.Helper()
	last := create(t, c, &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "last-"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: "object.metadata.name != 'last'"}},
		},
	})
	create(t, c, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "last-"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: last.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	})
	probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "last"}}
	require.Eventually(t, func() bool { return refused(c.Create(t.Context(), probe.DeepCopy(), client.DryRunAll)) },
		time.Minute, 50*time.Millisecond, "the policies do not act")
}

// rule gives verbs on kinds of ours.
func rule(verbs, resources []string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{ours}, Resources: resources, Verbs: verbs}
}

// edits is what somebody needs who writes manifests of ours.
func edits() rbacv1.PolicyRule {
	return rule([]string{"get", "list", "create", "update", "patch", "delete", "deletecollection"},
		slices.Sorted(maps.Values(kindsOfBrokers())))
}

// userWith lets a user in that has these rights and no other. What such a user asks
// an authorizer for is decided by roles, as in a cluster.
func userWith(t *testing.T, c client.Client, user string, rules ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	role := create(t, c, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: user + "-"}, Rules: rules})
	create(t, c, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: user + "-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	for _, r := range rights(role) {
		require.Eventually(t, func() bool { return may(t, c, user, r) }, time.Minute, 20*time.Millisecond, "%s may not %v", user, r)
	}
	return actAs(t, user, "system:authenticated")
}
