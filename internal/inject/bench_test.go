package inject_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

// sizes are variables per container, of three: reviews of about 5, 17 and 136 KB.
var sizes = []int{10, 100, 1000}

// review is an AdmissionReview as it comes for a Pod of a ReplicaSet: three
// containers, two bindings, managed fields and all.
func review(tb testing.TB, variables int) []byte {
	tb.Helper()
	pod := &corev1.Pod{}
	pod.APIVersion, pod.Kind = "v1", "Pod"
	pod.GenerateName, pod.Namespace = "orders-6d4cf56db6-", "shop"
	pod.Labels = map[string]string{"app": "orders", "pod-template-hash": "6d4cf56db6"}
	pod.Annotations = map[string]string{v1beta1.AnnotationBinding: "orders-db,cache", "example.com/team": "shop"}
	pod.Spec.Volumes = []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	for c := range 3 {
		container := corev1.Container{Name: fmt.Sprintf("c%d", c), Image: "registry.example.com/orders:1.2.3"}
		for i := range variables {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", i), Value: fmt.Sprintf("value-%d", i)})
		}
		container.VolumeMounts = []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}}
		pod.Spec.Containers = append(pod.Spec.Containers, container)
	}
	fill(pod)
	raw, err := json.Marshal(pod)
	require.NoError(tb, err)
	dryRun := false
	ar := admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "0d2f9c4e-52b5-4c0e-9a3c-6d8f7f1f2b11", Namespace: "shop", Operation: admissionv1.Create,
		Object: apiruntime.RawExtension{Raw: raw}, DryRun: &dryRun,
		UserInfo: authenticationv1.UserInfo{Username: "system:serviceaccount:kube-system:replicaset-controller",
			Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"}},
	}}
	ar.APIVersion, ar.Kind = "admission.k8s.io/v1", "AdmissionReview"
	ar.Request.Resource.Version, ar.Request.Resource.Resource = "v1", "pods"
	body, err := json.Marshal(ar)
	require.NoError(tb, err)
	return body
}

// fill adds what an API server and a ReplicaSet add to a Pod.
func fill(pod *corev1.Pod) {
	yes, seconds := true, int64(300)
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "orders-6d4cf56db6",
		UID: "6f1dd3a8-7a34-4a0a-93c8-6a0d0c9f4f5e", Controller: &yes, BlockOwnerDeletion: &yes}}
	pod.Spec.RestartPolicy, pod.Spec.DNSPolicy, pod.Spec.ServiceAccountName = corev1.RestartPolicyAlways, corev1.DNSClusterFirst, "default"
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
			Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds})
	}
	var fields bytes.Buffer
	fields.WriteString(`{"f:metadata":{"f:annotations":{},"f:labels":{}},"f:spec":{"f:containers":{`)
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		c.TerminationMessagePath, c.TerminationMessagePolicy = "/dev/termination-log", corev1.TerminationMessageReadFile
		c.ImagePullPolicy = corev1.PullIfNotPresent
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "kube-api-access-x7k2p",
			MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true})
		if i > 0 {
			fields.WriteByte(',')
		}
		fmt.Fprintf(&fields, `"k:{\"name\":\"%s\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"f:resources":{}}`, c.Name)
	}
	fields.WriteString(`},"f:dnsPolicy":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{}}}`)
	managed := &metav1.FieldsV1{}
	managed.SetRawBytes(fields.Bytes())
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate,
		APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: managed}}
}

// thin is our way from review to response. Its memory is used again, as in the
// webhook.
type thin struct {
	scanner         inject.Scanner
	patch, response []byte
}

func (th *thin) answer(body []byte) ([]byte, error) {
	rev, err := th.scanner.Review(body)
	if err != nil {
		return nil, err
	}
	pod := rev.Pod
	req, err := pod.Request()
	if err != nil {
		return nil, err
	}
	in := inject.Input{Namespace: rev.Namespace, Buffer: th.patch}
	for _, name := range req.Names() {
		in.Bindings = append(in.Bindings, stored(name))
	}
	res, err := pod.Plan(req, in)
	if err != nil {
		return nil, err
	}
	th.patch = res.Patch
	answer := inject.Answer{Allowed: true, Patch: res.Patch, Audit: "done orders-db,cache"}
	th.response = answer.Append(th.response[:0], rev.UID)
	return th.response, nil
}

// typed is the ordinary way: decode the review and the Pod into Go types, change
// the Pod, marshal it, and let a library find out what was changed.
type typed struct{ decoder apiruntime.Decoder }

func newTyped() *typed {
	scheme := apiruntime.NewScheme()
	_ = admissionv1.AddToScheme(scheme)
	_ = corev1.AddToScheme(scheme)
	return &typed{serializer.NewCodecFactory(scheme).UniversalDeserializer()}
}

func (ty *typed) answer(body []byte) ([]byte, error) {
	var ar admissionv1.AdmissionReview
	if _, _, err := ty.decoder.Decode(body, nil, &ar); err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	if _, _, err := ty.decoder.Decode(ar.Request.Object.Raw, nil, pod); err != nil {
		return nil, err
	}
	var record inject.Injected
	for _, name := range []string{"cache", "orders-db"} {
		record.Bindings = append(record.Bindings, addTyped(pod, stored(name)))
	}
	pod.Annotations[v1beta1.AnnotationInjected] = record.String()
	pod.Labels[v1beta1.LabelInjection] = v1beta1.InjectionDone
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		c.Env = append([]corev1.EnvVar{{Name: "SERVICE_BINDING_ROOT", Value: "/bindings"}}, c.Env...)
	}
	changed, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	ops, err := jsonpatch.CreatePatch(ar.Request.Object.Raw, changed)
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	kind := admissionv1.PatchTypeJSONPatch
	ar.Response = &admissionv1.AdmissionResponse{UID: ar.Request.UID, Allowed: true, Patch: patch, PatchType: &kind}
	ar.Request = nil
	return json.Marshal(ar)
}

func addTyped(pod *corev1.Pod, b inject.Binding) inject.InjectedBinding {
	volume := v1beta1.VolumeName(b.Name)
	rec := inject.InjectedBinding{Name: b.Name, Volume: volume, Secret: b.Secret, EnvSecret: b.EnvSecret}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: b.Secret}}})
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: "/bindings/" + b.Name, ReadOnly: true})
		c.EnvFrom = append([]corev1.EnvFromSource{{Prefix: v1beta1.EnvPrefix(b.Name), SecretRef: &corev1.SecretEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: b.EnvSecret}}}}, c.EnvFrom...)
		rec.Containers = append(rec.Containers, c.Name)
	}
	return rec
}

// skim is the floor: a mere token skip over the same bytes.
func skim(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	for {
		if _, err := dec.ReadToken(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func BenchmarkInject(b *testing.B) {
	for _, n := range sizes {
		body := review(b, n)
		b.Run(fmt.Sprintf("variables=%d", n), func(b *testing.B) {
			th := &thin{}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := th.answer(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInjectTyped(b *testing.B) {
	for _, n := range sizes {
		body := review(b, n)
		b.Run(fmt.Sprintf("variables=%d", n), func(b *testing.B) {
			ty := newTyped()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ty.answer(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// cost is what a number of runs took.
type cost struct {
	time           time.Duration
	bytes, objects uint64
}

func (c *cost) measure(runs int, do func() error) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range runs {
		if err := do(); err != nil {
			return err
		}
	}
	c.time += time.Since(start)
	runtime.ReadMemStats(&after)
	c.bytes += after.TotalAlloc - before.TotalAlloc
	c.objects += after.Mallocs - before.Mallocs
	return nil
}

// BenchmarkInjectRatio runs our way, the typed way and a mere token skip in
// turns, so that a busy machine slows all three alike, and reports how many times
// more the typed way costs, and how many times a skip ours does.
func BenchmarkInjectRatio(b *testing.B) {
	const runs = 5
	for _, n := range sizes {
		body := review(b, n)
		b.Run(fmt.Sprintf("variables=%d", n), func(b *testing.B) {
			th, ty := &thin{}, newTyped()
			var ours, theirs, floor cost
			for b.Loop() {
				require.NoError(b, ours.measure(runs, func() error { _, err := th.answer(body); return err }))
				require.NoError(b, theirs.measure(runs, func() error { _, err := ty.answer(body); return err }))
				require.NoError(b, floor.measure(runs, func() error { return skim(body) }))
			}
			b.ReportMetric(float64(len(body)), "review-bytes")
			b.ReportMetric(float64(theirs.time)/float64(ours.time), "typed/ours-time")
			b.ReportMetric(float64(theirs.bytes)/float64(ours.bytes), "typed/ours-bytes")
			b.ReportMetric(float64(theirs.objects)/float64(ours.objects), "typed/ours-allocs")
			b.ReportMetric(float64(ours.time)/float64(floor.time), "ours/skip-time")
			b.ReportMetric(0, "ns/op") // of three ways together: means nothing
		})
	}
}

// TestBothWaysInjectTheSame makes sure that the benchmark compares like with like.
func TestBothWaysInjectTheSame(t *testing.T) {
	t.Parallel()
	body := review(t, 3)
	var ar admissionv1.AdmissionReview
	require.NoError(t, json.Unmarshal(body, &ar))
	raw := ar.Request.Object.Raw
	result := func(response []byte, err error) []byte {
		require.NoError(t, err)
		var ar admissionv1.AdmissionReview
		require.NoError(t, json.Unmarshal(response, &ar))
		require.True(t, ar.Response.Allowed)
		var pod corev1.Pod
		require.NoError(t, json.Unmarshal(applied(t, raw, ar.Response.Patch), &pod))
		delete(pod.Annotations, v1beta1.AnnotationInjected) // bindings in another order
		pod.Spec.Volumes = pod.Spec.Volumes[:1]
		for i := range pod.Spec.Containers {
			require.Len(t, pod.Spec.Containers[i].VolumeMounts, 4)
			pod.Spec.Containers[i].VolumeMounts = nil
		}
		raw, err := json.Marshal(pod)
		require.NoError(t, err)
		return raw
	}
	ours, theirs := result((&thin{}).answer(body)), result(newTyped().answer(body))
	require.JSONEq(t, string(theirs), string(ours))
}
