//go:build integration

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/controllers"
)

const rolledAt = "kubectl.kubernetes.io/restartedAt"

// fleet is a world with workloads, and the reconciler under a clock of the test's.
type fleet struct {
	*world
	clock  *clocktesting.FakeClock
	events *events.FakeRecorder
	r      *controllers.RestartReconciler
}

func newFleet(t *testing.T) *fleet {
	w := newWorld(t)
	f := &fleet{world: w, clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), events: events.NewFakeRecorder(100)}
	f.r = &controllers.RestartReconciler{Client: w.Client, Live: w.Client, Recorder: f.events, Clock: f.clock, Limit: rate.NewLimiter(rate.Every(time.Minute), 2)}
	return f
}

// rotated is a binding whose credentials were replaced just now.
func (f *fleet) rotated(name string, policy *v1beta1.RotationPolicy) *v1beta1.ServiceBinding {
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: f.namespace}}
	b.Spec.InstanceRef.Name, b.Spec.Rotation = "orders", policy
	f.create(b)
	f.swap(b)
	return b
}

func (f *fleet) swap(b *v1beta1.ServiceBinding) {
	f.Helper()
	now := metav1.NewTime(f.clock.Now())
	require.Eventually(f, func() bool { // the controllers write there too
		if f.refresh(b) {
			return false
		}
		b.Status.Rotation = &v1beta1.RotationStatus{Generation: 1, Predecessors: []v1beta1.Predecessor{
			{ExternalID: "old", ReplacedAt: now, RevokeAfter: metav1.NewTime(now.Add(10 * time.Minute))}}}
		return f.Status().Update(f.Context(), b) == nil
	}, 10*time.Second, 20*time.Millisecond)
}

// pod is one that runs since before the credentials changed.
func (f *fleet) pod(name string, owner client.Object, annotations map[string]string, bindings ...string) {
	record := ""
	for _, b := range bindings {
		record += fmt.Sprintf(`,{"name":%q,"secret":%q,"envSecret":%q,"containers":["app"]}`, b, b, b+"-env")
	}
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: f.namespace, Labels: map[string]string{v1beta1.LabelInjection: v1beta1.InjectionDone},
		Annotations: map[string]string{v1beta1.AnnotationInjected: `{"bindings":[` + record[1:] + `]}`}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
	for k, v := range annotations {
		p.Annotations[k] = v
	}
	if owner != nil {
		require.NoError(f, controllerutil.SetControllerReference(owner, p, f.Scheme()))
	}
	f.create(p)
	since := metav1.NewTime(f.clock.Now().Add(-time.Hour))
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &since, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: since}}}}}
	require.NoError(f, f.Status().Update(f.Context(), p))
}

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
}

func (f *fleet) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: f.namespace}
}

// deployment makes one with a ReplicaSet, which is returned to own Pods.
func (f *fleet) deployment(name string) (*appsv1.Deployment, *appsv1.ReplicaSet) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	d := &appsv1.Deployment{ObjectMeta: f.meta(name), Spec: appsv1.DeploymentSpec{Selector: selector, Template: template()}}
	f.create(d)
	rs := &appsv1.ReplicaSet{ObjectMeta: f.meta(name + "-1"), Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template()}}
	require.NoError(f, controllerutil.SetControllerReference(d, rs, f.Scheme()))
	f.create(rs)
	return d, rs
}

func (f *fleet) pass(b *v1beta1.ServiceBinding) time.Duration {
	f.Helper()
	res, err := f.r.Reconcile(f.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
	require.NoError(f, err)
	return res.RequeueAfter
}

// rolled says when a workload was rolled, "" for never.
func (f *fleet) rolled(o client.Object) string {
	f.Helper()
	require.False(f, f.refresh(o))
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Spec.Template.Annotations[rolledAt]
	case *appsv1.StatefulSet:
		return o.Spec.Template.Annotations[rolledAt]
	case *appsv1.DaemonSet:
		return o.Spec.Template.Annotations[rolledAt]
	}
	return "no workload"
}

func TestWorkloadsAreRolledOnceForAllTheirBindings(t *testing.T) {
	f := newFleet(t)
	policy := &v1beta1.RotationPolicy{}
	first := f.rotated("first", policy)
	d, rs := f.deployment("web")
	f.pod("web-a", rs, nil, "first", "second")
	f.pod("web-b", rs, nil, "first", "second")
	assert.Positive(t, f.pass(first), "not before every kubelet has the new ones")
	assert.Empty(t, f.rolled(d))

	f.clock.Step(time.Minute)
	second := f.rotated("second", policy)
	f.clock.Step(90 * time.Second)
	assert.InDelta(t, 31, f.pass(first).Seconds(), 1, "the second has only just changed")
	assert.Empty(t, f.rolled(d))
	f.clock.Step(31 * time.Second)
	f.pass(first)
	at := f.rolled(d)
	assert.Equal(t, f.clock.Now().UTC().Format(time.RFC3339), at)
	f.clock.Step(time.Second)
	assert.Zero(t, f.pass(second), "it rolls already")
	assert.Equal(t, at, f.rolled(d))
	assert.Contains(t, <-f.events.Events, `credentials of binding "first" were renewed`)
	assert.Empty(t, f.events.Events, "one event")

	f.clock.Step(time.Hour)
	f.swap(second)
	f.clock.Step(3 * time.Minute)
	f.pass(second)
	assert.NotEqual(t, at, f.rolled(d), "the next rotation rolls it again")
}

func TestEachKindOfWorkloadIsRolledAndNothingElse(t *testing.T) {
	f := newFleet(t)
	f.r.Limit = rate.NewLimiter(rate.Inf, 1)
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	set := &appsv1.StatefulSet{ObjectMeta: f.meta("set"), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template()}}
	daemon := &appsv1.DaemonSet{ObjectMeta: f.meta("daemon"), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template()}}
	other := &appsv1.StatefulSet{ObjectMeta: f.meta("other"), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template()}}
	refuses := &appsv1.StatefulSet{ObjectMeta: f.meta("refuses"), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template()}}
	f.create(set, daemon, other, refuses)
	b := f.rotated("db", &v1beta1.RotationPolicy{})
	f.pod("set-0", set, nil, "db")
	f.pod("daemon-x", daemon, nil, "db")
	f.pod("other-0", other, nil, "queue")
	f.pod("refuses-0", refuses, map[string]string{"db." + v1beta1.AnnotationRestartOnRotation: "false"}, "db")
	f.pod("alone", nil, nil, "db")
	f.clock.Step(3 * time.Minute)
	assert.Zero(t, f.pass(b))
	assert.NotEmpty(t, f.rolled(set))
	assert.NotEmpty(t, f.rolled(daemon))
	assert.Empty(t, f.rolled(other), "it has another binding")
	assert.Empty(t, f.rolled(refuses), "its annotation says no")
	var said []string
	for len(f.events.Events) > 0 {
		said = append(said, <-f.events.Events)
	}
	assert.Len(t, said, 3)
	assert.Contains(t, fmt.Sprint(said), "create it anew before the old ones are revoked")
}

func TestOnlyBindingsThatRotateRollUnlessAsked(t *testing.T) {
	f := newFleet(t)
	b := f.rotated("db", nil)
	d, rs := f.deployment("web")
	f.pod("web-a", rs, nil, "db")
	asks, rs := f.deployment("asks")
	f.pod("asks-a", rs, map[string]string{v1beta1.AnnotationRestartOnRotation: "true"}, "db")
	f.clock.Step(3 * time.Minute)
	f.pass(b)
	assert.Empty(t, f.rolled(d))
	assert.NotEmpty(t, f.rolled(asks))
}

func TestRollOutsAreLimited(t *testing.T) {
	f := newFleet(t)
	b := f.rotated("db", &v1beta1.RotationPolicy{})
	var all []*appsv1.Deployment
	for n := range 4 {
		d, rs := f.deployment(fmt.Sprintf("web-%d", n))
		f.pod(fmt.Sprintf("web-%d-a", n), rs, nil, "db")
		all = append(all, d)
	}
	count := func() (n int) {
		for _, d := range all {
			if f.rolled(d) != "" {
				n++
			}
		}
		return n
	}
	f.clock.Step(3 * time.Minute)
	wait := f.pass(b)
	assert.Equal(t, 2, count())
	assert.InDelta(t, 60, wait.Seconds(), 1)
	f.clock.Step(wait)
	f.clock.Step(f.pass(b))
	assert.Equal(t, 3, count())
	assert.Zero(t, f.pass(b))
	assert.Equal(t, 4, count())
}
