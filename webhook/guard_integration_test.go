//go:build integration

package webhook_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

// injected is a Pod as the webhook would have made it, for a namespace where
// there is no webhook.
func injected(t *testing.T, p *corev1.Pod) *corev1.Pod {
	t.Helper()
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	res, err := inject.Inject(raw, nsExcluded, func(name string) inject.Binding {
		b := inject.Observe(name, nil)
		b.Exists, b.Stored = true, true
		return b
	})
	require.NoError(t, err)
	ops, err := jsonpatch.DecodePatch(res.Patch)
	require.NoError(t, err)
	raw, err = ops.Apply(raw)
	require.NoError(t, err)
	out := &corev1.Pod{}
	require.NoError(t, json.Unmarshal(raw, out))
	return in(nsExcluded, out)
}

func TestTheGuardAsksWhatTheWebhookAsks(t *testing.T) {
	condition, err := os.ReadFile(filepath.Join(chartFiles, "policies", "match-condition.cel"))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(condition), "\n"), "one line")
	guard, err := guardObjects()
	require.NoError(t, err)
	policy, ok := guard[0].(*admissionregistrationv1.ValidatingAdmissionPolicy)
	require.True(t, ok)
	require.Len(t, policy.Spec.MatchConditions, 1)
	assert.Equal(t, strings.TrimSpace(string(condition)), policy.Spec.MatchConditions[0].Expression)
	assert.Equal(t, admissionregistrationv1.Fail, *policy.Spec.FailurePolicy)
}

// TestTheGuardRefusesWhatIsMissing takes one thing at a time from a Pod that
// was injected.
func TestTheGuardRefusesWhatIsMissing(t *testing.T) {
	const (
		notInjected = "were not injected"
		volume      = "a volume with the credentials"
		container   = "a mount or a variable"
	)
	app := func(p *corev1.Pod) *corev1.Container { return &p.Spec.Containers[0] }
	for name, tc := range map[string]struct {
		change func(p *corev1.Pod)
		want   string
	}{
		"nothing":                 {func(*corev1.Pod) {}, ""},
		"the record":              {func(p *corev1.Pod) { delete(p.Annotations, v1beta1.AnnotationInjected) }, notInjected},
		"the record of one":       {func(p *corev1.Pod) { p.Annotations[v1beta1.AnnotationBinding] += ",queue" }, `ServiceBinding "queue", but they were not injected`},
		"the record's containers": {func(p *corev1.Pod) { inRecord(p, `"containers":["migrate","app"]`, `"containers":[]`) }, notInjected},
		"the record's form": {func(p *corev1.Pod) {
			p.Annotations[v1beta1.AnnotationInjected] = `{"bindings":[{"name":"orders-db",{"name":"cache",`
		}, notInjected},
		"a record of one name twice": {func(p *corev1.Pod) {
			p.Annotations[v1beta1.AnnotationInjected] += p.Annotations[v1beta1.AnnotationInjected]
		}, "not injected"},
		"the name of the binding": {func(p *corev1.Pod) { delete(p.Annotations, v1beta1.AnnotationBinding) }, "names no ServiceBinding"},
		"one of the names":        {func(p *corev1.Pod) { p.Annotations[v1beta1.AnnotationBinding] = "orders-db,,cache" }, "or an empty one"},
		"the volumes": {func(p *corev1.Pod) {
			p.Spec.Volumes = nil
			app(p).VolumeMounts = nil
			p.Spec.InitContainers[0].VolumeMounts = nil
		}, volume},
		"the Secret of a volume": {func(p *corev1.Pod) { p.Spec.Volumes[0].Secret.SecretName = "other" }, volume},
		"the kind of a volume": {func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}, volume},
		"a mount":                      {func(p *corev1.Pod) { app(p).VolumeMounts = app(p).VolumeMounts[1:] }, container},
		"a mount of an init container": {func(p *corev1.Pod) { p.Spec.InitContainers[0].VolumeMounts = nil }, container},
		"the automatic variables":      {func(p *corev1.Pod) { app(p).EnvFrom = nil }, container},
		"the automatic variables' Secret": {func(p *corev1.Pod) {
			app(p).EnvFrom[0].SecretRef.Name = "other"
		}, container},
		"a variable by name":    {func(p *corev1.Pod) { app(p).Env = app(p).Env[:2] }, container},
		"the order of anything": {func(p *corev1.Pod) { app(p).Env[0], app(p).Env[2] = app(p).Env[2], app(p).Env[0] }, ""},
		"a container that is not recorded": {func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "mesh-proxy", Image: "proxy:2"})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := pod(map[string]string{
				v1beta1.AnnotationBinding:                      "orders-db,cache",
				"cache." + v1beta1.AnnotationPrefix + "env":    "CACHE_HOST=host,CACHE_CERT=file:ca.crt",
				"cache." + v1beta1.AnnotationPrefix + "inject": "files,env",
			})
			p.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "shop:1"}}
			p.Spec.Containers[0].Env = nil
			p = injected(t, p)
			tc.change(p)
			err := shared.Create(t.Context(), p, ctrlclient.DryRunAll)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			assert.ErrorContains(t, err, "catalog-guard")
			assert.True(t, apierrors.IsForbidden(err), "%v", err)
		})
	}
}

func inRecord(p *corev1.Pod, was, is string) {
	p.Annotations[v1beta1.AnnotationInjected] = strings.ReplaceAll(p.Annotations[v1beta1.AnnotationInjected], was, is)
}

func TestTheGuardStopsAPodThatTheWebhookDidNotSee(t *testing.T) {
	require.NoError(t, shared.Create(t.Context(), in(nsExcluded, pod(nil))), "an unannotated Pod does not notice")
	err := shared.Create(t.Context(), in(nsExcluded, asking("orders-db")))
	require.ErrorContains(t, err, `the Pod asks for the credentials of ServiceBinding "orders-db", but they were not injected`)
	require.ErrorContains(t, err, "the namespace is excluded")
	mirror := in(nsExcluded, pod(map[string]string{v1beta1.AnnotationBinding: "orders-db", "kubernetes.io/config.mirror": "x"}))
	mirror.Spec.NodeName = "node-1"
	require.NoError(t, shared.Create(t.Context(), mirror))
}

func TestTheGuardStopsAnAnnotationThatComesTooLate(t *testing.T) {
	otherWebhook(t, "zz-late", nsLate, `[{"op":"add","path":"/metadata/annotations","value":{"servicecatalog.k8s.io/binding":"orders-db"}}]`)
	require.NoError(t, waitFor(t.Context(), func() error {
		if err := shared.Create(t.Context(), in(nsLate, pod(nil))); err == nil {
			return fmt.Errorf("the other webhook does not act yet")
		}
		return nil
	}))
	err := shared.Create(t.Context(), in(nsLate, pod(nil)))
	require.ErrorContains(t, err, "the annotation was added after it")
}

// TestTheGuardTakesWhatTheWebhookMakes gives the guard every golden result, and
// the largest Pod that may be asked for: its cost must stay within what the API
// server allows a policy.
func TestTheGuardTakesWhatTheWebhookMakes(t *testing.T) {
	large := pod(map[string]string{})
	names := make([]string, inject.MaxBindings)
	for i := range names {
		names[i] = fmt.Sprintf("a-binding-with-a-long-name-%02d", i)
		large.Annotations[names[i]+"."+v1beta1.AnnotationPrefix+"env"] = fmt.Sprintf("A_%d=uri,B_%d=host,C_%d=file:ca.crt", i, i, i)
	}
	large.Annotations[v1beta1.AnnotationBinding] = strings.Join(names, ",")
	large.Spec.Containers = nil
	for c := range 8 {
		container := corev1.Container{Name: fmt.Sprintf("container-%d", c), Image: "shop:1"}
		for i := range 200 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", i), Value: strings.Repeat("v", 100)})
		}
		large.Spec.Containers = append(large.Spec.Containers, container)
	}
	require.NoError(t, shared.Create(t.Context(), injected(t, large), ctrlclient.DryRunAll))

	wants, err := filepath.Glob("../internal/inject/testdata/*/want.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, wants)
	for _, file := range wants {
		name := filepath.Base(filepath.Dir(file))
		if name == "unknown-fields-survive" || strings.HasPrefix(name, "ephemeral-") {
			continue // no API server takes these, whatever we do
		}
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{}
			readYAML(t, file, p)
			for i := range p.Spec.Containers {
				for _, m := range p.Spec.Containers[i].VolumeMounts {
					addVolume(p, m.Name)
				}
			}
			require.NoError(t, shared.Create(t.Context(), in(nsExcluded, p), ctrlclient.DryRunAll))
		})
	}
}
