package charts_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/svc-cat/catalog/internal/brokers/test"
)

// What stands in the values is what the broker is told: Helm's detours over YAML
// change nothing of it.
func TestTestBrokerUnderstandsItsConfigMap(t *testing.T) {
	t.Parallel()
	all := objects(t, plain("test-broker").render(t,
		"--set-json", `rules=[{"id":"a","match":{"operations":["bind"]},"times":2,"do":{"status":503,"latency":"1.5s","bodyBytes":1073741824,"body":"huge","async":{"takes":"90s","operation":""}}}]`,
		"--set-json", `catalog={"bulkPlans":10000,"names":["test-service-bind-fail503"],"without":["test-service"]}`))
	data := find[corev1.ConfigMap](t, all, "ConfigMap", "apple").Data
	rules, err := test.DecodeRules(strings.NewReader(data["rules.json"]))
	require.NoError(t, err)
	var spec test.CatalogSpec
	require.NoError(t, test.Decode(strings.NewReader(data["catalog.json"]), &spec))
	b, err := test.New(test.Options{Rules: rules, Catalog: spec})
	require.NoError(t, err)
	defer b.Close()
	assert.Equal(t, test.CatalogSpec{BulkPlans: 10_000, Names: []string{"test-service-bind-fail503"}, Without: []string{"test-service"}}, b.Catalog())
	told, err := json.Marshal(b.Rules()[0].Rule)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"a","match":{"operations":["bind"]},"times":2,"do":{"status":503,"latency":"1.5s","bodyBytes":1073741824,"body":"huge","async":{"takes":"1m30s","operation":""}}}`, string(told))
}

func TestTestBrokerIsAloneAndKeepsItsLedger(t *testing.T) {
	t.Parallel()
	d := find[appsv1.Deployment](t, objects(t, plain("test-broker").render(t)), "Deployment", "apple")
	assert.Equal(t, int32(1), *d.Spec.Replicas)
	assert.Equal(t, appsv1.RecreateDeploymentStrategyType, d.Spec.Strategy.Type, "two at a time would be two brokers")
	volume := func(d *appsv1.Deployment) corev1.VolumeSource {
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Name == "ledger" {
				return v.VolumeSource
			}
		}
		return corev1.VolumeSource{}
	}
	assert.NotNil(t, volume(d).EmptyDir)
	d = find[appsv1.Deployment](t, objects(t, plain("test-broker").render(t, "--set", "ledger.existingClaim=kept")), "Deployment", "apple")
	require.NotNil(t, volume(d).PersistentVolumeClaim)
	assert.Equal(t, "kept", volume(d).PersistentVolumeClaim.ClaimName)
}

// Whoever may call the broker may not by that script it.
func TestTestBrokerKeepsAdminsApart(t *testing.T) {
	t.Parallel()
	all := objects(t, plain("test-broker").render(t, "--set", "networkPolicy.enabled=true", "--set", "service.type=LoadBalancer"))
	policy := find[networkingv1.NetworkPolicy](t, all, "NetworkPolicy", "apple")
	require.Len(t, policy.Spec.Ingress, 1, "nobody is let in to the admin endpoint unless it is said who")
	assert.Equal(t, "osb", policy.Spec.Ingress[0].Ports[0].Port.String())
	pod := find[appsv1.Deployment](t, all, "Deployment", "apple").Spec.Template
	for name, want := range map[string]struct {
		kind corev1.ServiceType
		port string
	}{"apple": {corev1.ServiceTypeLoadBalancer, "osb"}, "apple-admin": {corev1.ServiceTypeClusterIP, "admin"}} {
		service := find[corev1.Service](t, all, "Service", name)
		assert.Equal(t, want.kind, service.Spec.Type, name)
		require.Len(t, service.Spec.Ports, 1, name)
		assert.Equal(t, want.port, service.Spec.Ports[0].TargetPort.String(), name)
		assert.True(t, labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)), name)
	}
}

func TestTestBrokerRefusesValuesWithASentence(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"no login for platforms":          {[]string{"--set", "admin.token=x"}, "Platforms must log in"},
		"no login for admins":             {[]string{"--set", "auth.existingSecret=x"}, "The admin endpoint needs a login"},
		"two admin tokens":                {[]string{"--set", "auth.existingSecret=x,admin.existingSecret=x,admin.token=y"}, "set one of them"},
		"two logins":                      {[]string{"--set", "auth.existingSecret=x,auth.username=y,admin.token=y"}, "set the Secret or the values"},
		"a CA for plain HTTP":             {[]string{"--set", "auth.existingSecret=x,admin.token=y", "--set", "register.caBundle=BEGIN CERTIFICATE"}, "the broker serves HTTP"},
		"too many plans":                  {[]string{"--set", "catalog.bulkPlans=10001"}, "/catalog/bulkPlans"},
		"a misspelt catalog":              {[]string{"--set", "catalog.bulk=1"}, "bulk"},
		"a name of a service":             {[]string{"--set", "catalog.names={another}"}, "/catalog/names"},
		"rules that are no list":          {[]string{"--set", "rules.a=1"}, "/rules"},
		"replicas, of which there is one": {[]string{"--set", "replicas=2"}, "replicas"},
	} {
		_, err := helm(t, append([]string{"template", "apple", "test-broker"}, tc.args...)...)
		assert.ErrorContains(t, err, tc.says, name)
	}
}
