//go:build integration

package v1beta1_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kubectl runs kubectl against the API server.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"--kubeconfig", shared.kubeconfig, "--cache-dir", t.TempDir()}, args...)
	cmd := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), args...) //nolint:gosec // the folder is the one that the API server was started from
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// listed are objects with what their columns show.
var listed = map[string]string{
	"ClusterServiceBroker": `{spec: {url: "http://listed"}, status: {lastConditionState: Ready, conditions: [` + ready + `]}}`,
	"ServiceBroker":        `{spec: {url: "http://listed"}, status: {lastConditionState: Ready, conditions: [` + ready + `]}}`,
	"ClusterServiceClass":  `{spec: {clusterServiceBrokerName: listed, externalName: postgresql, externalID: c1, bindable: true}}`,
	"ServiceClass":         `{spec: {serviceBrokerName: listed, externalName: postgresql, externalID: c1, bindable: true}}`,
	"ClusterServicePlan":   `{spec: {clusterServiceBrokerName: listed, externalName: listed-small, externalID: p1, clusterServiceClassRef: {name: c1}, free: true}}`,
	"ServicePlan":          `{spec: {serviceBrokerName: listed, externalName: listed-small, externalID: p1, serviceClassRef: {name: c1}, free: true}}`,
	"ServiceInstance": `{spec: {clusterServiceClassExternalName: postgresql}, status: {lastConditionState: Ready, conditions: [` + ready + `],
	  userSpecifiedClassName: ClusterServiceClass/postgresql, userSpecifiedPlanName: small}}`,
	"ServiceBinding": `{spec: {instanceRef: {name: orders}}, status: {lastConditionState: Ready, conditions: [` + ready + `], binding: {name: orders-db}}}`,
}

const ready = `{type: Reconciling, status: "True", lastTransitionTime: "2026-01-01T10:00:00Z", reason: A, message: b},
  {type: Ready, status: "True", lastTransitionTime: "2026-01-01T10:00:00Z", reason: FetchedCatalog, message: "All is well."}`

func TestKubectlListsAllKinds(t *testing.T) {
	t.Parallel()
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "listed"}}
	require.NoError(t, shared.Create(t.Context(), space))
	for kind, text := range listed {
		obj := parse(t, kind, "listed", text)
		if obj.GetNamespace() != "" {
			obj.SetNamespace(space.Name)
		}
		status, hasStatus := obj.Object["status"]
		require.NoError(t, shared.Create(t.Context(), obj))
		if hasStatus {
			obj.Object["status"] = status
			require.NoError(t, shared.Status().Update(t.Context(), obj))
		}
	}
	all := kubectl(t, "get", "svcat", "-A")
	for name, want := range map[string]string{
		"cluster broker": `clusterservicebroker\S*/listed +http://listed +True +Ready +\d+s`,
		"broker":         `listed +servicebroker\S*/listed +http://listed +True +Ready +\d+s`,
		"cluster class":  `clusterserviceclass\S*/listed +postgresql +listed +true +\d+s`,
		"class":          `listed +serviceclass\S*/listed +postgresql +listed +true +\d+s`,
		"cluster plan":   `clusterserviceplan\S*/listed +listed-small +listed +c1 +true +\d+s`,
		"plan":           `listed +serviceplan\S*/listed +listed-small +listed +c1 +true +\d+s`,
		"instance":       `listed +serviceinstance\S*/listed +ClusterServiceClass/postgresql +small +True +Ready +\d+s`,
		"binding":        `listed +servicebinding\S*/listed +orders +orders-db +True +Ready +\d+s`,
	} {
		assert.Regexp(t, want, all, name)
	}
	assert.Contains(t, kubectl(t, "get", "svcinst", "-n", "listed", "-o", "wide"), "All is well.")
	for resource, selector := range map[string]string{
		"clusterserviceplans":   "spec.externalName=listed-small",
		"serviceplans":          "spec.serviceClassRef.name=c1,spec.free=true",
		"serviceclasses":        "spec.serviceBrokerName=listed",
		"serviceinstances":      "spec.clusterServiceClassExternalName=postgresql",
		"servicebindings":       "spec.instanceRef.name=orders",
		"clusterservicebrokers": "spec.url=http://listed",
		"clusterserviceclasses": "spec.clusterServiceBrokerName=listed",
	} {
		args := []string{"get", resource, "--field-selector", selector, "-o", "name"}
		if !strings.HasPrefix(resource, "cluster") {
			args = append(args, "-n", "listed")
		}
		assert.Regexp(t, `^\S+/listed\n$`, kubectl(t, args...), resource)
	}
}

func TestKubectlExplains(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`\s+`).ReplaceAllString(kubectl(t, "explain", "serviceinstance.spec.parametersFrom"), " ")
	for _, want := range []string{
		"FIELD: parametersFrom", "ParametersFrom adds parameters from Secrets of the namespace.",
		"secretKeyRef", "names a key of a Secret in the same namespace",
	} {
		assert.Contains(t, text, want)
	}
}
