package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

// labelPath is LabelInjection as a JSON pointer.
const labelPath = "/metadata/labels/servicecatalog.k8s.io~1injection"

// PodReconciler lets gated Pods go when their credentials are stored, and says
// on them what they wait for.
type PodReconciler struct {
	client.Client
	Recorder events.EventRecorder
	Clock    clock.Clock
}

// Reconcile is one pass over a Pod that carries the label "waiting".
func (r *PodReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pod := &corev1.Pod{}
	if err := r.Get(ctx, req.NamespacedName, pod); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !pod.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	in, err := inject.ParseInjected(pod.Annotations[v1beta1.AnnotationInjected])
	if err != nil {
		r.Recorder.Eventf(pod, nil, corev1.EventTypeWarning, v1beta1.ReasonWaitingForBinding, "LetGo",
			"The annotation %s was changed and cannot be read; create the Pod anew.", v1beta1.AnnotationInjected)
		return ctrl.Result{}, nil //nolint:nilerr // trying again would mend nothing
	}
	out, err := r.outlook(ctx, pod.Namespace, in)
	if err != nil {
		return ctrl.Result{}, err
	}
	switch {
	case out.MustBeRemade() && metav1.GetControllerOf(pod) != nil:
		r.Recorder.Eventf(pod, nil, corev1.EventTypeNormal, out.Reason(), "Remake", "%s", out.Message())
		uid := pod.UID
		return ctrl.Result{}, client.IgnoreNotFound(r.Delete(ctx, pod, client.Preconditions{UID: &uid}))
	case !out.MayStart():
		return ctrl.Result{}, r.tell(ctx, pod, corev1.ConditionFalse, corev1.EventTypeWarning, out)
	}
	if err := r.letGo(ctx, pod); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.tell(ctx, pod, corev1.ConditionTrue, corev1.EventTypeNormal, out)
}

// outlook compares what the Pod was given with its bindings as they are.
func (r *PodReconciler) outlook(ctx context.Context, namespace string, in inject.Injected) (inject.Outlook, error) {
	var failed error
	out := in.Outlook(func(name string) inject.Binding {
		b := &v1beta1.ServiceBinding{}
		err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, b)
		if apierrors.IsNotFound(err) {
			return inject.Observe(name, nil)
		}
		if err != nil {
			failed = fmt.Errorf("read binding %q: %w", name, err)
		}
		return inject.Observe(name, b)
	})
	return out, failed
}

// letGo takes our gate away, and no other, by one patch that tests for it.
func (r *PodReconciler) letGo(ctx context.Context, pod *corev1.Pod) error {
	ops := []map[string]any{{"op": "test", "path": "/metadata/uid", "value": pod.UID}}
	for n, g := range pod.Spec.SchedulingGates {
		if g.Name == v1beta1.SchedulingGate {
			at := fmt.Sprintf("/spec/schedulingGates/%d", n)
			ops = append(ops, map[string]any{"op": "test", "path": at + "/name", "value": g.Name}, map[string]any{"op": "remove", "path": at})
			break
		}
	}
	ops = append(ops, map[string]any{"op": "replace", "path": labelPath, "value": v1beta1.InjectionDone})
	patch, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	err = r.Patch(ctx, pod, client.RawPatch(types.JSONPatchType, patch))
	return client.IgnoreNotFound(err)
}

// tell puts the outlook into the Pod's condition and, when it changed, into an
// event.
func (r *PodReconciler) tell(ctx context.Context, pod *corev1.Pod, status corev1.ConditionStatus, eventType string, out inject.Outlook) error {
	want := corev1.PodCondition{
		Type: v1beta1.PodConditionCredentials, Status: status, Reason: out.Reason(), Message: out.Message(),
		LastTransitionTime: metav1.NewTime(r.Clock.Now()), ObservedGeneration: pod.Generation,
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == want.Type && c.Status == want.Status && c.Reason == want.Reason && c.Message == want.Message {
			return nil
		}
	}
	// A strategic merge by type touches no other condition.
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status":   map[string]any{"conditions": []corev1.PodCondition{want}},
	})
	if err != nil {
		return fmt.Errorf("encode condition: %w", err)
	}
	if err := r.Status().Patch(ctx, pod, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		return ignoreConflict(client.IgnoreNotFound(err))
	}
	r.Recorder.Eventf(pod, nil, eventType, want.Reason, "LetGo", "%s", want.Message)
	return nil
}
