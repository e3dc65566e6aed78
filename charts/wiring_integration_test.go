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
		w.checkCalls(webhook)
		w.checkPolicies(controllers, webhook)
		w.checkRights(controllers, webhook)

		assert.Equal(t, flagOf(t, webhook, "--webhook-service"), flagOf(t, controllers, "--webhook-service"), r.name)
		assert.Equal(t, flagOf(t, webhook, "--cert-secret"), flagOf(t, controllers, "--cert-secret"), r.name)
	}
}

// webhookFlags name the webhook configurations of a kind whose caBundle the controllers write.
var webhookFlags = map[string]string{
	"MutatingWebhookConfiguration":   "--webhook-configuration",
	"ValidatingWebhookConfiguration": "--validating-webhook-configuration",
}

// checkCalls follows every call of the API server, mutating or validating, to the webhook's port.
func (w wiring) checkCalls(webhook *appsv1.Deployment) {
	w.Helper()
	paths := map[string]bool{}
	for kind := range webhookFlags {
		for _, obj := range w.kind(kind) {
			// What a call needs has the same names in both kinds.
			for _, hook := range as[admissionregistrationv1.MutatingWebhookConfiguration](w.T, obj.Object).Webhooks {
				require.NotNil(w, hook.ClientConfig.Service, "%s: %s", w.where, hook.Name)
				w.checkCall(webhook, hook.ClientConfig.Service)
				paths[*hook.ClientConfig.Service.Path] = true
			}
		}
	}
	assert.Equal(w, map[string]bool{"/inject": true, "/default": true, "/validate": true}, paths, w.where)
}

// checkCall follows a call of the API server to the webhook's port.
func (w wiring) checkCall(webhook *appsv1.Deployment, reference *admissionregistrationv1.ServiceReference) {
	w.Helper()
	assert.Equal(w, flagOf(w.T, webhook, "--webhook-service"), reference.Name, w.where)
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
	actions := map[string][]admissionregistrationv1.ValidationAction{}
	for _, obj := range w.kind("ValidatingAdmissionPolicyBinding") {
		binding := as[admissionregistrationv1.ValidatingAdmissionPolicyBinding](w.T, obj.Object)
		actions[binding.Spec.PolicyName] = binding.Spec.ValidationActions
	}
	policies := w.kind("ValidatingAdmissionPolicy")
	assert.Len(w, policies, 9, w.where)
	for _, obj := range policies {
		policy := as[admissionregistrationv1.ValidatingAdmissionPolicy](w.T, obj.Object)
		where := w.where + ": " + policy.Name
		// What only warns must not stop anybody when it cannot be evaluated.
		want, failure := admissionregistrationv1.Deny, admissionregistrationv1.Fail
		if strings.HasSuffix(policy.Name, "warnings") {
			want, failure = admissionregistrationv1.Warn, admissionregistrationv1.Ignore
		}
		assert.Equal(w, []admissionregistrationv1.ValidationAction{want}, actions[policy.Name], where)
		assert.Equal(w, failure, *policy.Spec.FailurePolicy, where)
		conditions := ""
		for _, condition := range policy.Spec.MatchConditions {
			conditions += condition.Expression + "\n"
		}
		for _, deployment := range deployments {
			user := "'system:serviceaccount:orchard:" + deployment.Spec.Template.Spec.ServiceAccountName + "'"
			if slices.Contains(accountsOf(policy.Name), deployment.Name[strings.LastIndex(deployment.Name, "-")+1:]) {
				assert.Contains(w, conditions, user, where)
			} else {
				assert.NotContains(w, conditions, user, where)
			}
		}
	}
}

// accountsOf are the components whose accounts a policy tells from others.
func accountsOf(policy string) []string {
	switch {
	case strings.HasSuffix(policy, "-fence"), strings.HasSuffix(policy, "-fence-kinds"), strings.HasSuffix(policy, "-fence-workloads"):
		return []string{"controllers", "webhook"}
	case strings.HasSuffix(policy, "-identity"), strings.HasSuffix(policy, "-warnings") && !strings.HasSuffix(policy, "-workload-warnings"):
		return []string{"controllers"}
	}
	return nil
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
	named := namedIn(find[rbacv1.Role](w.T, w.all, "Role", controllers.Name).Rules)
	assert.Equal(w, []string{flagOf(w.T, controllers, "--lease-name")}, named["leases"], w.where)
	assert.Equal(w, []string{flagOf(w.T, controllers, "--cert-secret")}, named["secrets"], w.where)

	// Every configuration of ours gets its caBundle: the command line names it, and the role allows it.
	named = namedIn(find[rbacv1.ClusterRole](w.T, w.all, "ClusterRole", controllers.Name).Rules)
	for kind, flag := range webhookFlags {
		var made []string
		for _, obj := range w.kind(kind) {
			made = append(made, obj.GetName())
		}
		assert.NotEmpty(w, made, "%s: %s", w.where, kind)
		assert.ElementsMatch(w, made, flagsOf(controllers, flag), "%s: %s", w.where, flag)
		assert.ElementsMatch(w, made, named[strings.ToLower(kind)+"s"], "%s: rights to %s", w.where, kind)
	}
}

// namedIn returns the names that rules are restricted to, by resource.
func namedIn(rules []rbacv1.PolicyRule) map[string][]string {
	named := map[string][]string{}
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			named[resource] = append(named[resource], rule.ResourceNames...)
		}
	}
	return named
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

// flagOf returns the value of a flag, which the command line must have once.
func flagOf(t *testing.T, deployment *appsv1.Deployment, flag string) string {
	t.Helper()
	given := flagsOf(deployment, flag)
	require.Len(t, given, 1, "%s of %s", flag, deployment.Name)
	return given[0]
}

// flagsOf returns the values of a flag that the command line may repeat.
func flagsOf(deployment *appsv1.Deployment, flag string) []string {
	var given []string
	for _, arg := range deployment.Spec.Template.Spec.Containers[0].Args {
		if name, value, _ := strings.Cut(arg, "="); name == flag {
			given = append(given, value)
		}
	}
	return given
}
