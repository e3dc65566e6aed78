package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// restartedAt is kubectl's own annotation: a workload that somebody rolled after
// the credentials changed need not be rolled again.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

const (
	// settleTime is how long to wait after credentials changed: until every kubelet
	// gives a new container the new ones. Meanwhile other bindings of the workload
	// may follow, and it is rolled once for all.
	settleTime = kubeletLag + time.Second
	// restartBurst workloads are rolled at once, and then one each restartEvery.
	restartBurst = 5
	restartEvery = 6 * time.Second
)

// RestartReconciler rolls workloads whose Pods got credentials by their
// environment that have been replaced since.
type RestartReconciler struct {
	client.Client
	// Live reads what is not in the cache: all Pods, and workloads.
	Live     client.Reader
	Recorder events.EventRecorder
	Clock    clock.Clock
	// Limit spares the cluster many roll-outs at a time.
	Limit *rate.Limiter
}

// Reconcile is one pass over a binding whose old credentials are not revoked yet.
func (r *RestartReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	b := &v1beta1.ServiceBinding{}
	if err := r.Get(ctx, req.NamespacedName, b); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	changed, open := lastSwap(b)
	if !open || !b.DeletionTimestamp.IsZero() || b.Annotations[v1beta1.AnnotationPaused] == "true" {
		return ctrl.Result{}, nil
	}
	now := r.Clock.Now()
	if wait := changed.Add(settleTime).Sub(now); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	pods := &corev1.PodList{}
	if err := r.Live.List(ctx, pods, client.InNamespace(b.Namespace), client.MatchingLabels{v1beta1.LabelInjection: v1beta1.InjectionDone}); err != nil {
		return ctrl.Result{}, fmt.Errorf("list Pods with credentials: %w", err)
	}
	var wait time.Duration
	seen := map[types.UID]bool{}
	for n := range pods.Items {
		pod := &pods.Items[n]
		if !r.hasOld(b, pod, changed) {
			continue
		}
		later, err := r.roll(ctx, b, pod, seen)
		if err != nil {
			return ctrl.Result{}, err
		}
		wait = soonest(wait, later)
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// lastSwap is when a binding's credentials were last replaced; open says that old
// ones are still valid.
func lastSwap(b *v1beta1.ServiceBinding) (at time.Time, open bool) {
	s := b.Status.Rotation
	if s == nil || len(s.Predecessors) == 0 {
		return at, false
	}
	return s.Predecessors[len(s.Predecessors)-1].ReplacedAt.Time, true
}

func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// hasOld says whether a Pod has old credentials of a binding and is to be rolled
// for it: by default one that has them in its environment from a binding which
// rotates; as the annotation says otherwise, also for files.
func (r *RestartReconciler) hasOld(b *v1beta1.ServiceBinding, pod *corev1.Pod, changed time.Time) bool {
	if !pod.DeletionTimestamp.IsZero() {
		return false
	}
	wish, stated := restartWish(pod, b.Name)
	switch {
	case stated && !wish, !stated && b.Spec.Rotation == nil:
		return false
	case hasOldEnv(pod, b.Name, changed.Add(kubeletLag)):
		return true
	}
	started := pod.Status.StartTime
	return stated && hasBinding(pod, b.Name) && started != nil && started.Time.Before(changed)
}

// restartWish reads the annotation restart-on-rotation, for a binding or for all.
func restartWish(pod *corev1.Pod, binding string) (wish, stated bool) {
	for _, key := range []string{binding + "." + v1beta1.AnnotationRestartOnRotation, v1beta1.AnnotationRestartOnRotation} {
		if value, ok := pod.Annotations[key]; ok {
			return strings.TrimSpace(value) == "true", true
		}
	}
	return false, false
}

func hasBinding(pod *corev1.Pod, binding string) bool {
	return slices.Contains(podBindings(pod), binding)
}

// roll has the workload of a Pod rolled, once, and says when to look again.
func (r *RestartReconciler) roll(ctx context.Context, b *v1beta1.ServiceBinding, pod *corev1.Pod, seen map[types.UID]bool) (time.Duration, error) {
	changed, wait, err := r.latestSwap(ctx, pod)
	if err != nil || wait > 0 {
		return wait, err
	}
	w, err := r.workloadOf(ctx, pod)
	if err != nil {
		return 0, err
	}
	if w.Object == nil {
		r.Recorder.Eventf(pod, b, corev1.EventTypeWarning, v1beta1.ReasonCannotRestart, "Restart",
			"The credentials of binding %q were renewed, and this Pod has the old ones in its environment. Nothing that could be rolled owns it: create it anew before the old ones are revoked.", b.Name)
		return 0, nil
	}
	if seen[w.GetUID()] {
		return 0, nil
	}
	seen[w.GetUID()] = true
	if at, err := time.Parse(time.RFC3339, w.template.Annotations[restartedAt]); err == nil && !at.Before(changed.Truncate(time.Second)) {
		return 0, nil // it rolls already; old Pods are on their way out
	}
	now := r.Clock.Now()
	if turn := r.Limit.ReserveN(now, 1); turn.DelayFrom(now) > 0 {
		wait := turn.DelayFrom(now)
		turn.CancelAt(now)
		return wait, nil
	}
	return 0, r.patch(ctx, b, w)
}

// latestSwap is when the credentials of any binding of a Pod were last replaced,
// and how long to wait for more of them to follow.
func (r *RestartReconciler) latestSwap(ctx context.Context, pod *corev1.Pod) (latest time.Time, wait time.Duration, err error) {
	for _, name := range podBindings(pod) {
		b := &v1beta1.ServiceBinding{}
		err := r.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: name}, b)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return latest, 0, fmt.Errorf("read binding %q: %w", name, err)
		}
		if at, open := lastSwap(b); open {
			latest = later(latest, at)
		}
	}
	return latest, latest.Add(settleTime).Sub(r.Clock.Now()), nil
}

// workload is what owns Pods and can be rolled.
type workload struct {
	client.Object
	template *corev1.PodTemplateSpec
}

// workloadOf finds what rolls a Pod: its controller, or that one's.
func (r *RestartReconciler) workloadOf(ctx context.Context, pod *corev1.Pod) (workload, error) {
	var owned metav1.Object = pod
	for range 2 {
		owner := metav1.GetControllerOf(owned)
		if owner == nil || !strings.HasPrefix(owner.APIVersion, "apps/") {
			return workload{}, nil
		}
		w := newWorkload(owner.Kind)
		if w.Object == nil {
			return workload{}, nil
		}
		err := r.Live.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}, w.Object)
		if apierrors.IsNotFound(err) || err == nil && w.GetUID() != owner.UID {
			return workload{}, nil
		}
		if err != nil {
			return workload{}, fmt.Errorf("read %s %q: %w", owner.Kind, owner.Name, err)
		}
		if w.template != nil {
			return w, nil
		}
		owned = w.Object
	}
	return workload{}, nil
}

// newWorkload is an empty workload of a kind of apps; without a template it is
// one that is not rolled itself.
func newWorkload(kind string) workload {
	switch kind {
	case "Deployment":
		o := &appsv1.Deployment{}
		return workload{o, &o.Spec.Template}
	case "StatefulSet":
		o := &appsv1.StatefulSet{}
		return workload{o, &o.Spec.Template}
	case "DaemonSet":
		o := &appsv1.DaemonSet{}
		return workload{o, &o.Spec.Template}
	case "ReplicaSet":
		return workload{Object: &appsv1.ReplicaSet{}}
	}
	return workload{}
}

// patch rolls a workload as `kubectl rollout restart` does.
func (r *RestartReconciler) patch(ctx context.Context, b *v1beta1.ServiceBinding, w workload) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": w.GetUID()},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]string{
			restartedAt: r.Clock.Now().UTC().Format(time.RFC3339),
		}}}},
	})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	if err := r.Patch(ctx, w.Object, client.RawPatch(types.MergePatchType, patch)); err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return fmt.Errorf("roll %q: %w", w.GetName(), err)
	}
	r.Recorder.Eventf(w.Object, b, corev1.EventTypeNormal, v1beta1.ReasonCredentialsRenewed, "Restart",
		"Rolled, because the credentials of binding %q were renewed and its Pods have the old ones in their environment.", b.Name)
	return nil
}
