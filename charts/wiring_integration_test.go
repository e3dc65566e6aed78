package charts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// wiring is a rendered catalog in which names have to meet.
type wiring struct {
	*testing.T
	where string
	all   []*unstructured.Unstructured
}

// What points at something by name must find it, whatever names the values chose.
func TestNamesMeet(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		if r.chart != "catalog" {
			continue
		}
		w := wiring{T: t, where: r.name, all: objects(t, r.render(t))}
		webhook, controllers := w.deployment("webhook"), w.deployment("controllers")
		w.checkCall(webhook)
		w.checkPolicies(controllers, webhook)
		w.checkRights(controllers, webhook)

		config := w.first("MutatingWebhookConfiguration").GetName()
		service := as[admissionregistrationv1.MutatingWebhookConfiguration](t, w.first("MutatingWebhookConfiguration").Object).Webhooks[0].ClientConfig.Service.Name
		assert.Equal(t, config, flagOf(t, controllers, "--webhook-configuration"), r.name)
		assert.Equal(t, service, flagOf(t, controllers, "--webhook-service"), r.name)
		assert.Equal(t, service, flagOf(t, webhook, "--webhook-service"), r.name)
		assert.Equal(t, flagOf(t, webhook, "--cert-secret"), flagOf(t, controllers, "--cert-secret"), r.name)
	}
}

// checkCall follows a call of the API server to the webhook's port.
func (w wiring) checkCall(webhook *appsv1.Deployment) {
	w.Helper()
	reference := as[admissionregistrationv1.MutatingWebhookConfiguration](w.T, w.first("MutatingWebhookConfiguration").Object).Webhooks[0].ClientConfig.Service
	service := find[corev1.Service](w.T, w.all, "Service", reference.Name)
	assert.Equal(w, reference.Namespace, service.Namespace, w.where)
	assert.True(w, labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(webhook.Spec.Template.Labels)), w.where)
	require.Len(w, service.Spec.Ports, 1, w.where)
	assert.Equal(w, *reference.Port, service.Spec.Ports[0].Port, w.where)
	i := slices.IndexFunc(webhook.Spec.Template.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
		return p.Name == service.Spec.Ports[0].TargetPort.String()
	})
	require.GreaterOrEqual(w, i, 0, "%s: the Service's port is not the container's", w.where)
	assert.Equal(w, "9443", flagOf(w.T, webhook, "--port"), w.where)
	assert.Equal(w, int32(9443), webhook.Spec.Template.Spec.Containers[0].Ports[i].ContainerPort, w.where)
}

// checkPolicies asserts that the policies mean the accounts that the Pods run as,
// and that each has a binding, without which it does nothing.
func (w wiring) checkPolicies(deployments ...*appsv1.Deployment) {
	w.Helper()
	bound := map[string]bool{}
	for _, obj := range w.kind("ValidatingAdmissionPolicyBinding") {
		binding := as[admissionregistrationv1.ValidatingAdmissionPolicyBinding](w.T, obj.Object)
		assert.Equal(w, []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}, binding.Spec.ValidationActions, w.where)
		bound[binding.Spec.PolicyName] = true
	}
	policies := w.kind("ValidatingAdmissionPolicy")
	assert.Len(w, policies, 3, w.where)
	for _, obj := range policies {
		policy := as[admissionregistrationv1.ValidatingAdmissionPolicy](w.T, obj.Object)
		assert.True(w, bound[policy.Name], "%s: %s is not bound", w.where, policy.Name)
		for _, deployment := range deployments {
			user := "'system:serviceaccount:orchard:" + deployment.Spec.Template.Spec.ServiceAccountName + "'"
			switch {
			case strings.HasSuffix(policy.Name, "-fence"), strings.HasSuffix(policy.Name, "-id-origin") && strings.HasSuffix(deployment.Name, "-controllers"):
				assert.Contains(w, policy.Spec.MatchConditions[0].Expression, user, "%s: %s", w.where, policy.Name)
			}
		}
	}
}

// checkRights asserts that the accounts exist, that every binding's role does, and
// that rights by name are rights to what the command lines name.
func (w wiring) checkRights(controllers, webhook *appsv1.Deployment) {
	w.Helper()
	for _, deployment := range []*appsv1.Deployment{controllers, webhook} {
		account := deployment.Spec.Template.Spec.ServiceAccountName
		find[corev1.ServiceAccount](w.T, w.all, "ServiceAccount", account)
		for _, kind := range []string{"RoleBinding", "ClusterRoleBinding"} {
			i := slices.IndexFunc(w.kind(kind), func(obj *unstructured.Unstructured) bool { return obj.GetName() == deployment.Name })
			require.GreaterOrEqual(w, i, 0, "%s: no %s for %s", w.where, kind, deployment.Name)
			binding := as[rbacv1.ClusterRoleBinding](w.T, w.kind(kind)[i].Object)
			assert.Equal(w, account, binding.Subjects[0].Name, w.where)
			find[rbacv1.ClusterRole](w.T, w.all, binding.RoleRef.Kind, binding.RoleRef.Name)
		}
	}
	role := find[rbacv1.Role](w.T, w.all, "Role", controllers.Name)
	named := map[string][]string{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			named[resource] = append(named[resource], rule.ResourceNames...)
		}
	}
	assert.Equal(w, []string{flagOf(w.T, controllers, "--lease-name")}, named["leases"], w.where)
	assert.Equal(w, []string{flagOf(w.T, controllers, "--cert-secret")}, named["secrets"], w.where)
}

// deployment returns the one of a component.
func (w wiring) deployment(component string) *appsv1.Deployment {
	w.Helper()
	for _, obj := range w.kind("Deployment") {
		if strings.HasSuffix(obj.GetName(), "-"+component) {
			return as[appsv1.Deployment](w.T, obj.Object)
		}
	}
	require.FailNow(w, "no Deployment", "%s: %s", w.where, component)
	return nil
}

// kind returns the objects of a kind.
func (w wiring) kind(kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(w.all), func(obj *unstructured.Unstructured) bool { return obj.GetKind() != kind })
}

// first returns the only object of a kind.
func (w wiring) first(kind string) *unstructured.Unstructured {
	w.Helper()
	require.Len(w, w.kind(kind), 1, "%s: %s", w.where, kind)
	return w.kind(kind)[0]
}

// flagOf returns the value of a flag, which the command line must have once.
func flagOf(t *testing.T, deployment *appsv1.Deployment, flag string) string {
	t.Helper()
	var given []string
	for _, arg := range deployment.Spec.Template.Spec.Containers[0].Args {
		if name, value, _ := strings.Cut(arg, "="); name == flag {
			given = append(given, value)
		}
	}
	require.Len(t, given, 1, "%s of %s", flag, deployment.Name)
	return given[0]
}
