//go:build integration

package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// answerWith is all of somebody else's webhook: the same patch for every Pod.
func answerWith(t *testing.T, w http.ResponseWriter, r *http.Request, patch string) {
	var ar admissionv1.AdmissionReview
	if !assert.NoError(t, json.NewDecoder(r.Body).Decode(&ar)) {
		return
	}
	kind := admissionv1.PatchTypeJSONPatch
	ar.Response = &admissionv1.AdmissionResponse{UID: ar.Request.UID, Allowed: true, Patch: []byte(patch), PatchType: &kind}
	ar.Request = nil
	w.Header().Set("Content-Type", "application/json")
	assert.NoError(t, json.NewEncoder(w).Encode(ar))
}

func in(namespace string, p *corev1.Pod) *corev1.Pod {
	p.Namespace, p.Name, p.GenerateName = namespace, "", "web-"
	return p
}

func TestAPodGetsTheCredentialsOfItsBindings(t *testing.T) {
	ns, c := namespace(t), newWarned(t)
	bind(t, ns, "orders-db", "orders-db")
	bind(t, ns, "cache", "kept-elsewhere")
	p := in(ns, asking("orders-db,cache"))
	p.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "shop:1"}}
	require.NoError(t, c.Create(t.Context(), p))
	assert.Empty(t, c.warnings())
	require.Len(t, p.Spec.Volumes, 2)
	assert.Equal(t, "kept-elsewhere", p.Spec.Volumes[1].Secret.SecretName)
	for _, container := range append(p.Spec.InitContainers, p.Spec.Containers...) {
		require.Len(t, container.VolumeMounts, 2, container.Name)
		assert.Equal(t, "/bindings/orders-db", container.VolumeMounts[0].MountPath)
		assert.True(t, container.VolumeMounts[0].ReadOnly)
		require.Len(t, container.EnvFrom, 2)
		assert.Equal(t, "CACHE_", container.EnvFrom[1].Prefix)
		assert.Equal(t, "kept-elsewhere-env", container.EnvFrom[1].SecretRef.Name)
		assert.Equal(t, corev1.EnvVar{Name: "SERVICE_BINDING_ROOT", Value: "/bindings"}, container.Env[0])
	}
	assert.Equal(t, v1beta1.InjectionDone, p.Labels[v1beta1.LabelInjection])
	assert.Empty(t, p.Spec.SchedulingGates)
}

func TestABindingThatWasJustMadeIsSeen(t *testing.T) {
	ns, c := namespace(t), newWarned(t)
	for i := range 20 {
		name := fmt.Sprintf("db-%d", i)
		b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
		b.Spec.InstanceRef.Name, b.Spec.SecretName = "orders", "creds-"+name
		require.NoError(t, shared.Create(t.Context(), b))
		p := in(ns, asking(name))
		require.NoError(t, c.Create(t.Context(), p))
		assert.Equal(t, "creds-"+name, p.Spec.Volumes[0].Secret.SecretName, "the webhook's watch may be late, its look-up is not")
	}
}

func TestAPodWaitsForABindingThatDoesNotExist(t *testing.T) {
	ns, c := namespace(t), newWarned(t)
	p := in(ns, asking("orders-db"))
	require.NoError(t, c.Create(t.Context(), p))
	require.Len(t, c.warnings(), 1)
	assert.Contains(t, c.warnings()[0], fmt.Sprintf(`binding "orders-db" in namespace %q are stored`, ns))
	assert.Contains(t, c.warnings()[0], "does not exist yet")
	assert.Equal(t, []corev1.PodSchedulingGate{{Name: v1beta1.SchedulingGate}}, p.Spec.SchedulingGates)
	assert.Equal(t, v1beta1.InjectionWaiting, p.Labels[v1beta1.LabelInjection])
	assert.Equal(t, "orders-db", p.Spec.Volumes[0].Secret.SecretName)
}

func TestAnUnannotatedPodIsWhatItIsWithoutTheWebhook(t *testing.T) {
	p := unannotated()
	require.NoError(t, shared.Create(t.Context(), p))
	text := func(p *corev1.Pod) string {
		p = p.DeepCopy()
		p.UID, p.ResourceVersion, p.CreationTimestamp = "", "", metav1.Time{}
		for i := range p.ManagedFields {
			p.ManagedFields[i].Time = nil
		}
		raw, err := json.Marshal(p)
		require.NoError(t, err)
		return string(raw)
	}
	assert.Equal(t, text(shared.reference), text(p))
}

func TestWithTheWebhookDown(t *testing.T) {
	require.NoError(t, shared.Create(t.Context(), in(nsDown, pod(nil))), "an unannotated Pod does not notice")
	err := shared.Create(t.Context(), in(nsDown, asking("orders-db")))
	require.ErrorContains(t, err, "inject-down.servicecatalog.k8s.io", "an annotated one is not started without its credentials")
	mirror := in(nsDown, pod(map[string]string{v1beta1.AnnotationBinding: "orders-db", "kubernetes.io/config.mirror": "x"}))
	mirror.Spec.NodeName = "node-1"
	require.NoError(t, shared.Create(t.Context(), mirror), "the copy of a static Pod, which runs anyway")
	assert.Empty(t, mirror.Spec.Volumes)
}

func TestMistakesAreRefusedInASentence(t *testing.T) {
	ns := namespace(t)
	for name, tc := range map[string]struct{ key, value, want string }{
		"an empty name":     {"binding", "", "annotation servicecatalog.k8s.io/binding is empty; name a ServiceBinding of the Pod's namespace, or several separated by commas"},
		"a malformed name":  {"binding", "Orders_DB", `annotation servicecatalog.k8s.io/binding has the malformed name "Orders_DB"`},
		"a wrong separator": {"binding", "orders-db;cache", `malformed name "orders-db;cache"`},
		"a typo":            {"bindings", "orders-db", "did you mean servicecatalog.k8s.io/binding?"},
	} {
		t.Run(name, func(t *testing.T) {
			err := shared.Create(t.Context(), in(ns, pod(map[string]string{v1beta1.AnnotationPrefix + tc.key: tc.value})))
			require.Error(t, err)
			assert.True(t, apierrors.IsForbidden(err))
			assert.Contains(t, err.Error(), `admission webhook "inject.servicecatalog.k8s.io" denied the request: `)
			assert.Contains(t, err.Error(), tc.want)
		})
	}
}

func TestAContainerOfALaterWebhookGetsNothing(t *testing.T) {
	otherWebhook(t, "zz-mesh", nsMesh, `[{"op":"add","path":"/spec/containers/0","value":{"name":"mesh-proxy","image":"proxy:2"}}]`)
	bind(t, nsMesh, "orders-db", "orders-db")
	var p *corev1.Pod
	require.NoError(t, waitFor(t.Context(), func() error {
		p = in(nsMesh, asking("orders-db"))
		if err := shared.Create(t.Context(), p); err != nil {
			return err
		}
		if len(p.Spec.Containers) == 1 {
			return fmt.Errorf("the other webhook does not act yet")
		}
		return nil
	}))
	require.Equal(t, []string{"mesh-proxy", "app"}, []string{p.Spec.Containers[0].Name, p.Spec.Containers[1].Name})
	assert.Empty(t, p.Spec.Containers[0].VolumeMounts)
	assert.Empty(t, p.Spec.Containers[0].EnvFrom)
	assert.Len(t, p.Spec.Containers[1].VolumeMounts, 1)
	assert.Len(t, p.Spec.Containers[1].EnvFrom, 1)
	assert.Len(t, p.Spec.Volumes, 1, "the second pass added nothing")
	assert.Positive(t, counted(t, "unchanged"), "there was a second pass")
}

// counted is how often a review had an outcome.
func counted(t *testing.T, outcome string) (n float64) {
	t.Helper()
	families, err := shared.reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" && l.GetValue() == outcome {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// TestGoldenCasesOnARealServer creates each Pod of the golden cases and finds
// what the real API server, with its defaults and its validation, makes of our
// patch: the same, and nothing that the guard minds.
func TestGoldenCasesOnARealServer(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("../internal/inject/testdata/*/pod.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	// What no API server takes, whatever we do.
	skip := map[string]string{
		"unknown-fields-survive":                           "a priority may not be given",
		"ephemeral-containers-and-windows-paths-untouched": "a new Pod has no ephemeral containers",
	}
	for _, file := range cases {
		dir := filepath.Dir(file)
		name := filepath.Base(dir)
		if skip[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkGolden(t, dir)
		})
	}
}

func checkGolden(t *testing.T, dir string) {
	t.Helper()
	ns := namespace(t)
	bindGolden(t, ns, filepath.Join(dir, "bindings.yaml"))
	p, want := &corev1.Pod{}, &corev1.Pod{}
	readYAML(t, filepath.Join(dir, "pod.yaml"), p)
	p.Namespace = ns
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range list {
			for j := range list[i].VolumeMounts {
				addVolume(p, list[i].VolumeMounts[j].Name)
			}
		}
	}
	err := shared.Create(t.Context(), p, ctrlclient.DryRunAll)
	if refusal, readErr := os.ReadFile(filepath.Join(dir, "refusal.txt")); readErr == nil {
		require.Error(t, err)
		assert.Contains(t, err.Error(), strings.ReplaceAll(strings.TrimSpace(string(refusal)), `namespace "shop"`, fmt.Sprintf("namespace %q", ns)))
		return
	}
	require.NoError(t, err)
	readYAML(t, filepath.Join(dir, "want.yaml"), want)
	assert.Equal(t, want.Annotations, p.Annotations)
	assert.Equal(t, want.Labels, p.Labels)
	assert.Equal(t, want.Spec.SchedulingGates, p.Spec.SchedulingGates)
	for i := range want.Spec.Volumes {
		if s := want.Spec.Volumes[i].Secret; s != nil {
			assert.Equal(t, s.SecretName, p.Spec.Volumes[i].Secret.SecretName)
		}
	}
	sameContainers(t, want.Spec.Containers, p.Spec.Containers)
	sameContainers(t, want.Spec.InitContainers, p.Spec.InitContainers)
}

// addVolume gives a Pod the volume that a golden case leaves out.
func addVolume(p *corev1.Pod, name string) {
	for i := range p.Spec.Volumes {
		if p.Spec.Volumes[i].Name == name {
			return
		}
	}
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
}

func sameContainers(t *testing.T, want, got []corev1.Container) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, want[i].Name, got[i].Name)
		assert.ElementsMatch(t, want[i].VolumeMounts, got[i].VolumeMounts)
		assert.Equal(t, append([]corev1.EnvVar{}, want[i].Env...), append([]corev1.EnvVar{}, got[i].Env...))
		assert.Equal(t, append([]corev1.EnvFromSource{}, want[i].EnvFrom...), append([]corev1.EnvFromSource{}, got[i].EnvFrom...))
	}
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, into))
}

// bindGolden makes the bindings of a golden case, with their status; one that
// is being deleted is held by a finalizer.
func bindGolden(t *testing.T, ns, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return
	}
	require.NoError(t, err)
	for _, doc := range strings.Split(string(text), "\n---\n") {
		b := &v1beta1.ServiceBinding{}
		require.NoError(t, yaml.UnmarshalStrict([]byte(doc), b))
		status, deleting := b.Status, b.DeletionTimestamp != nil
		b.Namespace, b.DeletionTimestamp = ns, nil
		if deleting {
			b.Finalizers = []string{v1beta1.Finalizer}
		}
		require.NoError(t, shared.Create(t.Context(), b))
		if b.Status = status; status.Binding != nil || status.Conditions != nil {
			require.NoError(t, shared.Status().Update(t.Context(), b))
		}
		if deleting {
			require.NoError(t, shared.Delete(t.Context(), b))
		}
		waitCached(t, b)
	}
}

// waitCached waits until the webhook's cache has caught up with a binding: what
// it has it trusts, and a Pod that comes a moment too early only waits.
func waitCached(t *testing.T, b *v1beta1.ServiceBinding) {
	t.Helper()
	require.NoError(t, waitFor(t.Context(), func() error {
		seen := &v1beta1.ServiceBinding{}
		if err := shared.cached.Get(t.Context(), ctrlclient.ObjectKeyFromObject(b), seen); err != nil {
			return err
		}
		if (seen.Status.Binding == nil) != (b.Status.Binding == nil) ||
			len(b.Finalizers) > 0 && seen.DeletionTimestamp == nil ||
			b.Status.Binding == nil && len(seen.Status.Conditions) != len(b.Status.Conditions) {
			return fmt.Errorf("the cache is behind")
		}
		return nil
	}))
}
