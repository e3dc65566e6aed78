package charts_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// fenceTest is what the calls that are no plain update need: the account they are
// made under, an administrator who makes the Pod what the row wants it to be, and
// how the row changes it.
type fenceTest struct {
	*testing.T
	client, admin client.Client
	change        func(*corev1.Pod)
}

// tolerate adds a toleration to those that admission gave the Pod.
func tolerate(p *corev1.Pod) {
	p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists})
}

// addEphemeral adds a debug container.
func addEphemeral(f *fenceTest, pod *corev1.Pod) error {
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debug", Image: "debug:1",
			ImagePullPolicy: corev1.PullIfNotPresent, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		},
	}}
	return f.client.SubResource("ephemeralcontainers").Update(f.Context(), pod, client.DryRunAll)
}

// changed makes a Pod that is as the row wants it.
func (f *fenceTest) changed() *corev1.Pod {
	f.Helper()
	return create(f.T, f.admin, with(waitingPod(), f.change))
}

// deletePod deletes a Pod that is as the row wants it.
func deletePod(f *fenceTest, _ *corev1.Pod) error {
	return f.client.Delete(f.Context(), f.changed(), client.DryRunAll)
}

// markWaiting gives the Pod the label by which it could be deleted.
func markWaiting(f *fenceTest, _ *corev1.Pod) error {
	pod := f.changed()
	require.NotContains(f, pod.Labels, v1beta1.LabelInjection)
	pod.Labels[v1beta1.LabelInjection] = v1beta1.InjectionWaiting
	return f.client.Update(f.Context(), pod, client.DryRunAll)
}
