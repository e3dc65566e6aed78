//go:build integration

package controllers_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

// waitingPod is as the webhook leaves a Pod whose binding has no credentials.
func (w *world) waitingPod(name, binding, secret string) *corev1.Pod {
	record, err := json.Marshal(inject.Injected{Bindings: []inject.InjectedBinding{{
		Name: binding, Secret: secret, EnvSecret: v1beta1.EnvSecretName(secret), Containers: []string{"app"}}}})
	require.NoError(w, err)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: w.namespace,
			Labels:      map[string]string{v1beta1.LabelInjection: v1beta1.InjectionWaiting},
			Annotations: map[string]string{v1beta1.AnnotationBinding: binding, v1beta1.AnnotationInjected: string(record)},
		},
		Spec: corev1.PodSpec{
			Containers:      []corev1.Container{{Name: "app", Image: "app:1"}},
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "example.com/other"}, {Name: v1beta1.SchedulingGate}},
		},
	}
}

func TestAWaitingPodSaysForWhatAndIsLetGo(t *testing.T) {
	w := newWorld(t)
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: w.namespace}})
	pod := w.waitingPod("app", "orders-db", "orders-db")
	w.create(pod)
	said := func() corev1.PodCondition {
		for _, c := range pod.Status.Conditions {
			if c.Type == v1beta1.PodConditionCredentials {
				return c
			}
		}
		return corev1.PodCondition{}
	}
	w.eventually("the Pod says that its binding does not exist", func() bool {
		return !w.refresh(pod) && said().Reason == v1beta1.ReasonWaitingForBinding
	})
	assert.Contains(t, said().Message, `"orders-db" does not exist yet`)

	i, b := w.instance("orders", "small"), w.binding()
	w.create(i, b)
	w.eventually("the Pod says what its binding waits for", func() bool {
		return !w.refresh(pod) && said().Message != "" && !assert.ObjectsAreEqual(pod.Spec.SchedulingGates, nil) && contains(said().Message, v1beta1.ReasonErrorInstanceNotReady, "not provisioned")
	})
	w.create(w.broker)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	w.eventually("the Pod is let go", func() bool {
		return !w.refresh(pod) && pod.Labels[v1beta1.LabelInjection] == v1beta1.InjectionDone && said().Status == corev1.ConditionTrue
	})
	assert.Equal(t, []corev1.PodSchedulingGate{{Name: "example.com/other"}}, pod.Spec.SchedulingGates, "another's gate stays")
}

func contains(s string, parts ...string) bool {
	for _, a := range parts {
		for n := 0; n+len(a) <= len(s); n++ {
			if s[n:n+len(a)] == a {
				return true
			}
		}
	}
	return false
}

func TestAWaitingPodWithOtherSecretNamesIsMadeAnewByItsController(t *testing.T) {
	w := newWorld(t)
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: w.namespace}})
	b := w.binding()
	b.Spec.SecretName = "other"
	bare, owned := w.waitingPod("bare", "orders-db", "orders-db"), w.waitingPod("owned", "orders-db", "orders-db")
	yes := true
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "app", UID: "1", Controller: &yes}}
	w.create(bare, owned, b)
	w.eventually("the owned Pod is deleted", func() bool { return w.refresh(owned) || !owned.DeletionTimestamp.IsZero() })
	w.eventually("the bare Pod says what to do", func() bool {
		if w.refresh(bare) {
			return false
		}
		for _, c := range bare.Status.Conditions {
			if c.Reason == v1beta1.ReasonSecretNameChanged {
				return true
			}
		}
		return false
	})
}
