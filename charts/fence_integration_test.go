package charts_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// waitingPod is a Pod that waits for its binding, and for something of somebody
// else's.
func waitingPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "waiting-", Namespace: "default",
			Labels:          map[string]string{"app": "shop", v1beta1.LabelInjection: v1beta1.InjectionWaiting},
			Annotations:     map[string]string{"note": "mine"},
			OwnerReferences: []metav1.OwnerReference{owner("mine")},
		},
		Spec: corev1.PodSpec{
			Containers:      []corev1.Container{{Name: "app", Image: "shop:1"}},
			SchedulingGates: []corev1.PodSchedulingGate{{Name: v1beta1.SchedulingGate}, {Name: "example.com/quota"}},
		},
	}
}

// owner is a reference to an object that there need not be.
func owner(name string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: name, UID: "1"}
}

// with returns a changed copy.
func with(pod *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod {
	changed := pod.DeepCopy()
	change(changed)
	return changed
}

// letGo is what the controllers do to a Pod whose credentials are stored.
func letGo(p *corev1.Pod) {
	p.Labels[v1beta1.LabelInjection] = v1beta1.InjectionDone
	p.Annotations[v1beta1.AnnotationInjected] = "{}"
	p.Spec.SchedulingGates = p.Spec.SchedulingGates[1:]
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
		Type: kind, Status: corev1.ConditionFalse, Reason: "Waiting", Message: "Waits.", LastTransitionTime: metav1.Now(),
	})
}

func TestFenceLetsTheControllersDoTheirWork(t *testing.T) {
	c := installPolicies(t)
	asControllers := actAs(t, controllersUser)
	pod := create(t, c, waitingPod())
	stays := create(t, c, waitingPod())

	told := pod.DeepCopy()
	condition(told, v1beta1.PodConditionCredentials)
	require.NoError(t, asControllers.Status().Update(t.Context(), told), "say what the Pod waits for")
	require.NoError(t, asControllers.Patch(t.Context(), told, client.RawPatch(types.JSONPatchType, []byte(`[
		{"op": "test", "path": "/spec/schedulingGates/0/name", "value": "servicecatalog.k8s.io/waiting-for-binding"},
		{"op": "remove", "path": "/spec/schedulingGates/0"},
		{"op": "add", "path": "/metadata/annotations/servicecatalog.k8s.io~1injected", "value": "{}"},
		{"op": "replace", "path": "/metadata/labels/servicecatalog.k8s.io~1injection", "value": "done"}]`))), "let the Pod go")
	require.Len(t, told.Spec.SchedulingGates, 1)
	told.Spec.SchedulingGates = nil
	require.NoError(t, c.Update(t.Context(), told), "the other gate is somebody else's")
	ours := slices.IndexFunc(told.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == v1beta1.PodConditionCredentials })
	told.Status.Conditions[ours].Status = corev1.ConditionTrue
	require.NoError(t, asControllers.Status().Update(t.Context(), told), "say that it waits no longer")

	// The condition can also come to a Pod that is on its way out.
	ending := create(t, c, with(waitingPod(), func(p *corev1.Pod) { p.Finalizers = []string{"example.com/hold"} }))
	require.NoError(t, c.Delete(t.Context(), ending))
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(ending), ending))
	require.NoError(t, asControllers.Status().Patch(t.Context(), ending, client.RawPatch(types.StrategicMergePatchType, []byte(
		`{"status": {"conditions": [{"type": "servicecatalog.k8s.io/credentials-stored", "status": "False"}]}}`))))
	ending.Finalizers = nil
	require.NoError(t, c.Update(t.Context(), ending))

	require.NoError(t, asControllers.Delete(t.Context(), stays), "a waiting Pod is made anew")
}

func TestFenceStopsOurOwnAccounts(t *testing.T) {
	c := installPolicies(t)
	update := func(ctx *fenceTest, pod *corev1.Pod) error {
		return ctx.client.Update(t.Context(), pod, client.DryRunAll)
	}
	status := func(ctx *fenceTest, pod *corev1.Pod) error {
		return ctx.client.Status().Update(t.Context(), pod, client.DryRunAll)
	}
	rows := map[string]struct {
		do     func(*fenceTest, *corev1.Pod) error
		change func(*corev1.Pod)
		says   string
	}{
		"a label of somebody else's changes": {update, func(p *corev1.Pod) { p.Labels["app"] = "other" }, "change one label"},
		"a label is added":                   {update, func(p *corev1.Pod) { p.Labels["servicecatalog.k8s.io/more"] = "1" }, "change one label"},
		"a label goes":                       {update, func(p *corev1.Pod) { delete(p.Labels, "app") }, "change one label"},
		"the injection label goes":           {update, func(p *corev1.Pod) { delete(p.Labels, v1beta1.LabelInjection) }, "change one label"},
		"the injection label gets a new word": {update, func(p *corev1.Pod) { p.Labels[v1beta1.LabelInjection] = "soon" },
			"only to done"},
		"an annotation of somebody else's changes": {update, func(p *corev1.Pod) { p.Annotations["note"] = "ours" }, "change annotations of a Pod only under"},
		"an annotation that only looks like ours":  {update, func(p *corev1.Pod) { p.Annotations["x.servicecatalog.k8s.io/env"] = "A=b" }, "change annotations of a Pod only under"},
		"an annotation goes":                       {update, func(p *corev1.Pod) { p.Annotations = nil }, "change annotations of a Pod only under"},
		"a finalizer holds the Pod":                {update, func(p *corev1.Pod) { p.Finalizers = []string{"example.com/hold"} }, "change no metadata"},
		"another owner takes the Pod":              {update, func(p *corev1.Pod) { p.OwnerReferences[0] = owner("ours") }, "change no metadata"},
		"the owner loses the Pod":                  {update, func(p *corev1.Pod) { p.OwnerReferences = nil }, "change no metadata"},
		"somebody else's gate goes":                {update, func(p *corev1.Pod) { p.Spec.SchedulingGates = p.Spec.SchedulingGates[:1] }, "take from a Pod only the scheduling gate"},
		"all gates go":                             {update, func(p *corev1.Pod) { p.Spec.SchedulingGates = nil }, "take from a Pod only the scheduling gate"},
		"the image changes":                        {update, func(p *corev1.Pod) { p.Spec.Containers[0].Image = "evil:1" }, "change nothing in the spec"},
		"a toleration is added":                    {update, tolerate, "change nothing in the spec"},
		"the Pod gets a deadline":                  {update, func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = ptr.To[int64](1) }, "change nothing in the spec"},
		"a gated Pod is sent to a node":            {update, func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"kubernetes.io/hostname": "x"} }, "change nothing in the spec"},
		"a change hides behind letting go":         {update, func(p *corev1.Pod) { letGo(p); p.Spec.Containers[0].Image = "evil:1" }, "change nothing in the spec"},
		"the Pod is said to be ready":              {status, func(p *corev1.Pod) { condition(p, corev1.PodReady) }, "set one condition"},
		"the Pod is said to be over":               {status, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, "change nothing in the status"},
		"the Pod is in no phase":                   {status, func(p *corev1.Pod) { p.Status.Phase = "" }, "change nothing in the status"},
		"the Pod gets an address":                  {status, func(p *corev1.Pod) { p.Status.PodIP = "10.0.0.1"; p.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}} }, "change nothing in the status"},
		"the status call changes a label":          {status, func(p *corev1.Pod) { p.Labels["app"] = "other" }, "change one label"},
		"a debug container is added":               {addEphemeral, func(*corev1.Pod) {}, "change nothing in the spec"},
		"a Pod that is done is deleted":            {deletePod, func(p *corev1.Pod) { p.Labels[v1beta1.LabelInjection] = v1beta1.InjectionDone }, "delete only Pods that wait"},
		"a Pod that never asked is deleted": {deletePod, func(p *corev1.Pod) { delete(p.Labels, v1beta1.LabelInjection) },
			"delete only Pods that wait"},
		"a running Pod is marked as waiting": {markWaiting, func(p *corev1.Pod) { delete(p.Labels, v1beta1.LabelInjection) }, "only to done"},
	}
	for name, tc := range rows {
		t.Run(name, func(t *testing.T) {
			pod := create(t, c, waitingPod())
			try := func(user string) error {
				return tc.do(&fenceTest{T: t, client: actAs(t, user), admin: c, change: tc.change}, with(pod, tc.change))
			}
			for _, user := range []string{controllersUser, webhookUser} {
				err := try(user)
				require.ErrorContains(t, err, tc.says, user)
				assert.True(t, refused(err), "%v", err)
			}
			require.NoError(t, try(someone), "somebody else may, so the fence is what stopped us")
		})
	}
}

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
