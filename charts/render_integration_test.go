package charts_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

func TestChartsLint(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		_, err := helm(t, append([]string{"lint", "--strict", r.chart}, r.args...)...)
		assert.NoError(t, err, r.name)
	}
}

func TestChartsRenderTheSameBytesTwice(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		once, again := r.render(t), r.render(t)
		assert.Equal(t, once, again, r.name)
	}
}

func TestSchemaRefusesWhatIsNotAValue(t *testing.T) {
	t.Parallel()
	for _, chart := range chartFolders(t) {
		_, err := helm(t, append([]string{"template", "apple", chart, "--set", "noSuchValue=1"}, plain(chart).args...)...)
		assert.ErrorContains(t, err, "noSuchValue", chart)
	}
	rows := map[string]struct{ set, says string }{
		"a misspelt value of a component":       {"webhook.replica=3", "replica"},
		"a misspelt value in a section":         {"metrics.servicemonitor.enabled=true", "servicemonitor"},
		"a word that is not among the choices":  {"webhook.topologySpread=Never", "/webhook/topologySpread"},
		"a pull policy that there is not":       {"image.pullPolicy=Sometimes", "/image/pullPolicy"},
		"a number as text":                      {"controllers.osbTimeoutSeconds=60s", "/controllers/osbTimeoutSeconds"},
		"no time for the broker":                {"controllers.osbTimeoutSeconds=0", "/controllers/osbTimeoutSeconds"},
		"a duration without a unit":             {"controllers.relistInterval=24", "/controllers/relistInterval"},
		"a digest that is a tag":                {"image.digest=latest", "/image/digest"},
		"a tag in the repository's place":       {"image.repository=catalog@sha256", "/image/repository"},
		"an argument that is no flag":           {"webhook.extraArgs={debug}", "/webhook/extraArgs"},
		"a prefix too long for its own names":   {"fullnameOverride=" + strings.Repeat("a", 44), "/fullnameOverride"},
		"a namespace that cannot be":            {"webhook.excludedNamespaces={Kube_System}", "/webhook/excludedNamespaces"},
		"a switch that is a word":               {"crds.install=maybe", "/crds/install"},
		"a security context for one component":  {"webhook.securityContext.runAsUser=0", "securityContext"},
		"a failure policy, which is no value":   {"webhook.failurePolicy=Ignore", "failurePolicy"},
		"a port of the API server out of range": {"networkPolicy.apiServerPorts={70000}", "/networkPolicy/apiServerPorts"},
	}
	for name, tc := range rows {
		_, err := helm(t, "template", "apple", "catalog", "--set", tc.set)
		assert.ErrorContains(t, err, tc.says, name)
	}
}

func TestInjectionIsRegisteredAsDesigned(t *testing.T) {
	t.Parallel()
	all := objects(t, plain("catalog").render(t))
	got := find[admissionregistrationv1.MutatingWebhookConfiguration](t, all, "MutatingWebhookConfiguration", "apple-inject")
	require.Len(t, got.Webhooks, 1)
	require.Len(t, got.Webhooks[0].MatchConditions, 1)
	condition, err := os.ReadFile(filepath.Join("catalog", "files", "policies", "match-condition.cel"))
	require.NoError(t, err)
	want := admissionregistrationv1.MutatingWebhook{
		Name: "inject.servicecatalog.k8s.io",
		ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
			Name: "apple-webhook", Namespace: "orchard", Path: new("/inject"), Port: ptr.To[int32](443),
		}},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
				Scope: ptr.To(admissionregistrationv1.NamespacedScope),
			},
		}},
		FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
		MatchPolicy:             ptr.To(admissionregistrationv1.Equivalent),
		ReinvocationPolicy:      ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy),
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          ptr.To[int32](5),
		AdmissionReviewVersions: []string{"v1"},
		MatchConditions: []admissionregistrationv1.MatchCondition{{
			Name: "asks-for-credentials", Expression: strings.TrimSpace(string(condition)),
		}},
	}
	assert.Equal(t, want, got.Webhooks[0])
}

func TestNamespacesAreLeftAloneOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	all := objects(t, plain("catalog").render(t, "--set", "webhook.excludedNamespaces={a,b}"))
	got := find[admissionregistrationv1.MutatingWebhookConfiguration](t, all, "MutatingWebhookConfiguration", "apple-inject")
	assert.Equal(t, &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"a", "b"}},
	}}, got.Webhooks[0].NamespaceSelector)
}

// A CA in a manifest is drift in Git from the moment on that the controllers write
// theirs; a Secret in a manifest would be one more.
func TestNoManifestHoldsACertificate(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		for _, obj := range objects(t, r.render(t)) {
			if strings.HasSuffix(obj.GetKind(), "WebhookConfiguration") {
				raw, err := obj.MarshalJSON()
				require.NoError(t, err)
				assert.NotContains(t, string(raw), "caBundle", "%s: %s", r.name, obj.GetName())
			}
			if r.chart == "catalog" {
				assert.NotEqual(t, "Secret", obj.GetKind(), "%s: %s", r.name, obj.GetName())
			}
		}
	}
}

func TestNoRoleHasAWildcardOrWaysToMoreRights(t *testing.T) {
	t.Parallel()
	forbidden := []string{"*", "escalate", "bind", "impersonate", "adopt", "purge"}
	for _, r := range renderings(t) {
		for _, obj := range objects(t, r.render(t)) {
			if !strings.HasSuffix(obj.GetKind(), "Role") {
				continue
			}
			role := as[rbacv1.ClusterRole](t, obj.Object)
			require.NotEmpty(t, role.Rules, "%s: %s", r.name, role.Name)
			for _, rule := range role.Rules {
				for _, word := range slices.Concat(rule.Verbs, rule.Resources, rule.APIGroups, rule.ResourceNames, rule.NonResourceURLs) {
					assert.NotContains(t, forbidden, word, "%s: %s: %v", r.name, role.Name, rule)
				}
			}
		}
	}
}

func TestReleasesKeepApart(t *testing.T) {
	t.Parallel()
	for _, chart := range chartFolders(t) {
		for _, obj := range objects(t, plain(chart).render(t)) {
			if obj.GetKind() == "CustomResourceDefinition" {
				assert.Equal(t, "keep", obj.GetAnnotations()["helm.sh/resource-policy"],
					"%s: an uninstall would delete every %s", chart, obj.GetName())
				continue
			}
			assert.Regexp(t, `^apple(-|$)`, obj.GetName(), "%s: %s", chart, obj.GetKind())
		}
	}
}

func TestCRDsAreLeftOutWhenAsked(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("catalog/files/crds/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, 8)
	with := plain("catalog").render(t)
	assert.Equal(t, len(files), strings.Count(with, "\nkind: CustomResourceDefinition\n"))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		verbatim := strings.TrimSpace(strings.TrimPrefix(string(raw), "---\n"))
		assert.Equal(t, 1, strings.Count(with, verbatim), "%s is not in the manifests as it is", file)
	}
	without := plain("catalog").render(t, "--set", "crds.install=false")
	assert.Zero(t, strings.Count(without, "\nkind: CustomResourceDefinition\n"))
}

// Whatever stops a process, the call to a broker that is under way ends first.
func TestControllersHaveTimeForTheSlowestBroker(t *testing.T) {
	t.Parallel()
	all := objects(t, plain("catalog").render(t, "--set", "controllers.osbTimeoutSeconds=300"))
	got := find[appsv1.Deployment](t, all, "Deployment", "apple-controllers").Spec.Template.Spec
	assert.Contains(t, got.Containers[0].Args, "--osb-timeout=300s")
	assert.Equal(t, int64(330), *got.TerminationGracePeriodSeconds)
}

func TestMemoryLimitBoundsTheGoHeap(t *testing.T) {
	t.Parallel()
	for limit, want := range map[string]string{"512Mi": "460MiB", "2Gi": "1843MiB", "500M": "", "null": ""} {
		all := objects(t, plain("catalog").render(t, "--set", "webhook.resources.limits.memory="+limit))
		container := find[appsv1.Deployment](t, all, "Deployment", "apple-webhook").Spec.Template.Spec.Containers[0]
		got := slices.IndexFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
		if want == "" {
			assert.Negative(t, got, limit)
		} else if assert.GreaterOrEqual(t, got, 0, limit) {
			assert.Equal(t, want, container.Env[got].Value, limit)
		}
	}
}

// serviceMonitor is as much of the Prometheus operator's kind as the chart writes;
// no API server of the tests knows it.
type serviceMonitor struct {
	Kind       string            `json:"kind"`
	APIVersion string            `json:"apiVersion"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       struct {
		Selector          metav1.LabelSelector `json:"selector"`
		NamespaceSelector struct {
			MatchNames []string `json:"matchNames"`
		} `json:"namespaceSelector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// A field in the wrong place is dropped by the cluster, and nothing is scraped.
func TestServiceMonitorsFindTheMetrics(t *testing.T) {
	t.Parallel()
	all := objects(t, plain("catalog").render(t, "--set", "metrics.serviceMonitor.enabled=true"))
	for _, name := range []string{"apple-controllers-metrics", "apple-webhook-metrics"} {
		monitor := find[serviceMonitor](t, all, "ServiceMonitor", name)
		service := find[corev1.Service](t, all, "Service", name)
		selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
		require.NoError(t, err)
		assert.True(t, selector.Matches(labels.Set(service.Labels)), name)
		assert.Equal(t, []string{service.Namespace}, monitor.Spec.NamespaceSelector.MatchNames, name)
		require.Len(t, monitor.Spec.Endpoints, 1, name)
		require.Len(t, service.Spec.Ports, 1, name)
		assert.Equal(t, service.Spec.Ports[0].Name, monitor.Spec.Endpoints[0].Port, name)
	}
}
