package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/webhook"
)

// lookup is Bindings as a function.
type lookup func(ctx context.Context, namespace, name string) (*v1beta1.ServiceBinding, error)

func (l lookup) Get(ctx context.Context, namespace, name string) (*v1beta1.ServiceBinding, error) {
	return l(ctx, namespace, name)
}

// anyBinding has the credentials of every binding stored.
func anyBinding(_ context.Context, namespace, name string) (*v1beta1.ServiceBinding, error) {
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	b.Status.Binding = &v1beta1.LocalObjectReference{Name: namespace + "-" + name}
	b.Status.EnvSecretName = b.Status.Binding.Name + "-env"
	return b, nil
}

func noBinding(context.Context, string, string) (*v1beta1.ServiceBinding, error) { return nil, nil }

// rig is an Injector behind a Server, its metrics and its log.
type rig struct {
	*client
	metrics *prometheus.Registry
	log     *logText
}

// logText is all that was logged.
type logText struct {
	lock sync.Mutex
	text strings.Builder
}

func (l *logText) write(prefix, args string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.text.WriteString(prefix + args + "\n")
}

func (l *logText) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.String()
}

func newRig(t *testing.T, bindings lookup) *rig {
	t.Helper()
	r := &rig{metrics: prometheus.NewRegistry(), log: &logText{}}
	log := funcr.New(r.log.write, funcr.Options{Verbosity: 9})
	injector, err := webhook.NewInjector(webhook.InjectorOptions{Bindings: bindings, Registerer: r.metrics, Log: log})
	require.NoError(t, err)
	r.client = serve(t, webhook.ServerOptions{Injector: injector, Log: log}).client
	return r
}

// count asserts that one review was counted, with an outcome and a reason.
func (r *rig) count(t *testing.T, outcome, reason string) {
	t.Helper()
	families, err := r.metrics.Gather()
	require.NoError(t, err)
	got, timed := map[string]float64{}, uint64(0)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "catalog_injection_duration_seconds" {
				timed = m.GetHistogram().GetSampleCount()
				continue
			}
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			got[f.GetName()+" "+labels["outcome"]+" "+labels["reason"]] = m.GetCounter().GetValue()
		}
	}
	assert.Equal(t, map[string]float64{"catalog_injection_total " + outcome + " " + reason: 1}, got)
	assert.EqualValues(t, 1, timed)
}

// secretValue is in each Pod of these tests, and must never be in a log.
const secretValue = "hunter2-of-the-user"

func pod(annotations map[string]string) *corev1.Pod {
	p := &corev1.Pod{}
	p.APIVersion, p.Kind = "v1", "Pod"
	p.Name, p.Annotations = "web", annotations
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "shop:1", Env: []corev1.EnvVar{{Name: "OWN", Value: secretValue}}}}
	return p
}

func asking(bindings string) *corev1.Pod {
	return pod(map[string]string{v1beta1.AnnotationBinding: bindings})
}

// reviewOf is the review of a new Pod, as an API server sends it.
func reviewOf(t *testing.T, p *corev1.Pod, change func(*admissionv1.AdmissionRequest)) []byte {
	t.Helper()
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	ar := admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "1b2c3d", Namespace: "shop", Operation: admissionv1.Create,
		Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Object:   runtime.RawExtension{Raw: raw},
	}}
	ar.APIVersion, ar.Kind = "admission.k8s.io/v1", "AdmissionReview"
	if change != nil {
		change(ar.Request)
	}
	body, err := json.Marshal(ar)
	require.NoError(t, err)
	return body
}

// ask posts a review and returns the response, which must be there.
func (r *rig) ask(t *testing.T, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	status, answer := r.post(t, body)
	require.Equal(t, http.StatusOK, status, "%s", answer)
	var ar admissionv1.AdmissionReview
	require.NoError(t, json.Unmarshal(answer, &ar))
	require.NotNil(t, ar.Response)
	assert.EqualValues(t, "1b2c3d", ar.Response.UID)
	return ar.Response
}

// patched is the Pod after the response's patch.
func patched(t *testing.T, p *corev1.Pod, patch []byte) *corev1.Pod {
	t.Helper()
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	ops, err := jsonpatch.DecodePatch(patch)
	require.NoError(t, err)
	raw, err = ops.Apply(raw)
	require.NoError(t, err)
	out := &corev1.Pod{}
	require.NoError(t, json.Unmarshal(raw, out))
	return out
}

func TestAnAnnotatedPodIsInjected(t *testing.T) {
	t.Parallel()
	r := newRig(t, anyBinding)
	p := asking("orders-db,cache")
	got := r.ask(t, reviewOf(t, p, nil))
	require.True(t, got.Allowed)
	require.Equal(t, admissionv1.PatchTypeJSONPatch, *got.PatchType)
	assert.Empty(t, got.Warnings)
	assert.Equal(t, map[string]string{"injection": "injected orders-db,cache"}, got.AuditAnnotations)
	p = patched(t, p, got.Patch)
	require.Len(t, p.Spec.Volumes, 2)
	assert.Equal(t, "shop-orders-db", p.Spec.Volumes[0].Secret.SecretName, "the namespace is the request's")
	require.Len(t, p.Spec.Containers[0].EnvFrom, 2)
	assert.Equal(t, "shop-cache-env", p.Spec.Containers[0].EnvFrom[1].SecretRef.Name)
	assert.Empty(t, p.Spec.SchedulingGates)
	r.count(t, "injected", "")
}

func TestASecondPassChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, anyBinding)
	p := asking("orders-db")
	p = patched(t, p, r.ask(t, reviewOf(t, p, nil)).Patch)
	got := r.ask(t, reviewOf(t, p, nil))
	assert.True(t, got.Allowed)
	assert.Nil(t, got.Patch)
	assert.Nil(t, got.PatchType)
}

func TestAnUnknownBindingGatesThePod(t *testing.T) {
	t.Parallel()
	r := newRig(t, noBinding)
	p := asking("orders-db")
	got := r.ask(t, reviewOf(t, p, nil))
	require.True(t, got.Allowed)
	require.Len(t, got.Warnings, 1)
	assert.Contains(t, got.Warnings[0], `binding "orders-db" in namespace "shop"`)
	p = patched(t, p, got.Patch)
	assert.Equal(t, []corev1.PodSchedulingGate{{Name: v1beta1.SchedulingGate}}, p.Spec.SchedulingGates)
	r.count(t, "waiting", "BindingMissing")
}

func TestABindingWithoutCredentialsGatesThePod(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ context.Context, _, name string) (*v1beta1.ServiceBinding, error) {
		return &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
	})
	require.True(t, r.ask(t, reviewOf(t, asking("orders-db"), nil)).Allowed)
	r.count(t, "waiting", "NotStored")
}

func TestAMistakeIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	r := newRig(t, anyBinding)
	got := r.ask(t, reviewOf(t, pod(map[string]string{"servicecatalog.k8s.io/bindings": "orders-db"}), nil))
	assert.False(t, got.Allowed)
	assert.EqualValues(t, http.StatusForbidden, got.Result.Code)
	assert.Contains(t, got.Result.Message, "did you mean servicecatalog.k8s.io/binding?")
	assert.Equal(t, map[string]string{"injection": "refused UnknownAnnotation"}, got.AuditAnnotations)
	r.count(t, "refused", "UnknownAnnotation")
	assert.NotContains(t, r.log.String(), "refused", "a user's mistake is no line in the operator's log")
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	annotated := asking("orders-db")
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		change func(*admissionv1.AdmissionRequest)
		reason string
	}{
		"a Pod without annotations": {pod(nil), nil, "NotAnnotated"},
		"a static Pod's copy": {
			pod(map[string]string{v1beta1.AnnotationBinding: "orders-db", "kubernetes.io/config.mirror": "x"}), nil, "StaticPod",
		},
		"an update":      {annotated, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }, "NoPodCreation"},
		"a sub-resource": {annotated, func(r *admissionv1.AdmissionRequest) { r.SubResource = "ephemeralcontainers" }, "NoPodCreation"},
		"another kind":   {annotated, func(r *admissionv1.AdmissionRequest) { r.Resource.Resource = "podtemplates" }, "NoPodCreation"},
		"a deletion": {annotated, func(r *admissionv1.AdmissionRequest) {
			r.Operation, r.Object.Raw = admissionv1.Delete, nil
		}, "NoPodCreation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(context.Context, string, string) (*v1beta1.ServiceBinding, error) {
				return nil, errors.New("nobody asked for a binding")
			})
			got := r.ask(t, reviewOf(t, tc.pod, tc.change))
			assert.True(t, got.Allowed)
			assert.Nil(t, got.Patch)
			r.count(t, "ignored", tc.reason)
		})
	}
}

func TestALookupThatFailsInjectsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(ctx context.Context, namespace, name string) (*v1beta1.ServiceBinding, error) {
		if name == "cache" {
			return nil, errors.New("the API server is on fire")
		}
		return anyBinding(ctx, namespace, name)
	})
	got := r.ask(t, reviewOf(t, asking("orders-db,cache"), nil))
	assert.False(t, got.Allowed)
	assert.Nil(t, got.Patch, "no half injection")
	assert.EqualValues(t, http.StatusInternalServerError, got.Result.Code)
	assert.Contains(t, got.Result.Message, "try again")
	r.count(t, "failed", "Lookup")
	assert.Contains(t, r.log.String(), "on fire")
	assert.NotContains(t, r.log.String(), secretValue)
}

func TestALookupEndsBeforeTheAPIServerGivesUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(ctx context.Context, _, _ string) (*v1beta1.ServiceBinding, error) {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left <= 3*time.Second || left >= 5*time.Second {
			return nil, fmt.Errorf("%s are left, of the 5 s that the API server waits", left)
		}
		return nil, nil
	})
	got := r.ask(t, reviewOf(t, asking("orders-db"), nil))
	assert.True(t, got.Allowed, r.log.String())
}

func TestAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	var once sync.Once
	r := newRig(t, func(ctx context.Context, namespace, name string) (*v1beta1.ServiceBinding, error) {
		bug := false
		once.Do(func() { bug = true })
		if bug {
			panic("index out of range")
		}
		return anyBinding(ctx, namespace, name)
	})
	got := r.ask(t, reviewOf(t, asking("orders-db"), nil))
	assert.False(t, got.Allowed)
	assert.EqualValues(t, http.StatusInternalServerError, got.Result.Code)
	assert.Contains(t, got.Result.Message, "report it")
	r.count(t, "failed", "Bug")
	assert.Contains(t, r.log.String(), "index out of range")
	assert.NotContains(t, r.log.String(), secretValue)
	assert.True(t, r.ask(t, reviewOf(t, asking("orders-db"), nil)).Allowed, "the next one is served")
}

func TestWhatIsNoReviewGetsAnHTTPError(t *testing.T) {
	t.Parallel()
	good := reviewOf(t, asking("orders-db"), nil)
	for name, tc := range map[string]struct {
		method, kind string
		body         io.Reader
		want         int
	}{
		"a GET":                         {http.MethodGet, "application/json", nil, http.StatusMethodNotAllowed},
		"another kind of content":       {http.MethodPost, "application/yaml", bytes.NewReader(good), http.StatusUnsupportedMediaType},
		"no kind of content":            {http.MethodPost, "", bytes.NewReader(good), http.StatusUnsupportedMediaType},
		"no content":                    {http.MethodPost, "application/json", nil, http.StatusBadRequest},
		"a review that is cut off":      {http.MethodPost, "application/json", bytes.NewReader(good[:len(good)-2]), http.StatusBadRequest},
		"a Pod that is none":            {http.MethodPost, "application/json", bytes.NewReader(bytes.Replace(good, []byte(`"containers":[{`), []byte(`"containers":[1,{`), 1)), http.StatusBadRequest},
		"too much, announced":           {http.MethodPost, "application/json", bytes.NewReader(make([]byte, webhook.MaxBody+1)), http.StatusRequestEntityTooLarge},
		"too much, without saying so":   {http.MethodPost, "application/json", io.MultiReader(bytes.NewReader(make([]byte, webhook.MaxBody+1))), http.StatusRequestEntityTooLarge},
		"a charset is no other content": {http.MethodPost, "application/json; charset=utf-8", bytes.NewReader(good), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, anyBinding)
			req, err := http.NewRequestWithContext(t.Context(), tc.method, r.url+webhook.InjectPath, tc.body)
			require.NoError(t, err)
			req.Header.Set("Content-Type", tc.kind)
			resp, err := r.http.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, tc.want, resp.StatusCode)
			if tc.want != http.StatusOK {
				assert.Contains(t, string(text), "could not read the request")
				assert.NotContains(t, r.log.String(), secretValue)
			}
		})
	}
}

// TestReviewsAtOnceDoNotMix sends different Pods at the same time: memory is
// used again, and never by two.
func TestReviewsAtOnceDoNotMix(t *testing.T) {
	t.Parallel()
	r := newRig(t, anyBinding)
	var wg sync.WaitGroup
	for n := range 16 {
		p := asking(fmt.Sprintf("db-%d", n))
		for i := range n { // of different sizes, so that memory changes hands
			p.Spec.Containers[0].Env = append(p.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprintf("V%d", i), Value: strings.Repeat("v", 50*n)})
		}
		body := reviewOf(t, p, nil)
		wg.Go(func() {
			for range 20 {
				_, answer, err := r.try(t.Context(), body)
				var ar admissionv1.AdmissionReview
				if !assert.NoError(t, err) || !assert.NoError(t, json.Unmarshal(answer, &ar)) {
					return
				}
				assert.Contains(t, string(ar.Response.Patch), fmt.Sprintf(`"secretName":"shop-db-%d"`, n))
				assert.NotContains(t, string(ar.Response.Patch), fmt.Sprintf(`"secretName":"shop-db-%d"`, n+1))
			}
		})
	}
	wg.Wait()
}

func TestAnInjectorNeedsItsParts(t *testing.T) {
	t.Parallel()
	_, err := webhook.NewInjector(webhook.InjectorOptions{})
	require.ErrorContains(t, err, "Bindings and Registerer are required")
	reg := prometheus.NewRegistry()
	opts := webhook.InjectorOptions{Bindings: lookup(noBinding), Registerer: reg}
	_, err = webhook.NewInjector(opts)
	require.NoError(t, err)
	_, err = webhook.NewInjector(opts)
	require.ErrorContains(t, err, "register metrics", "twice on one registry")
}
