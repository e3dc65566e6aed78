package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestEnvUsers(t *testing.T) {
	t.Parallel()
	replaced := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	running := func(name string, since time.Duration) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(replaced.Add(since))}}}
	}
	const (
		byEnv   = `{"bindings":[{"name":"db","secret":"db","envSecret":"db-env","containers":["app"]}]}`
		byName  = `{"bindings":[{"name":"db","secret":"db","variables":["PASSWORD"],"containers":["app"]}]}`
		byFiles = `{"bindings":[{"name":"db","volume":"v","secret":"db","containers":["app"]}]}`
		other   = `{"bindings":[{"name":"queue","envSecret":"queue-env","containers":["app"]}]}`
	)
	for name, tc := range map[string]struct {
		record string
		phase  corev1.PodPhase
		init   []corev1.ContainerStatus
		app    []corev1.ContainerStatus
		want   bool
	}{
		"one that has run since before":                  {record: byEnv, app: []corev1.ContainerStatus{running("app", -time.Hour)}, want: true},
		"one with variables by name":                     {record: byName, app: []corev1.ContainerStatus{running("app", -time.Hour)}, want: true},
		"one that started just after":                    {record: byEnv, app: []corev1.ContainerStatus{running("app", time.Minute)}, want: true},
		"one that started well after":                    {record: byEnv, app: []corev1.ContainerStatus{running("app", 3*time.Minute)}},
		"one with files alone":                           {record: byFiles, app: []corev1.ContainerStatus{running("app", -time.Hour)}},
		"one with another binding":                       {record: other, app: []corev1.ContainerStatus{running("app", -time.Hour)}},
		"another container of the Pod":                   {record: byEnv, app: []corev1.ContainerStatus{running("sidecar", -time.Hour)}},
		"a native sidecar":                               {record: byEnv, init: []corev1.ContainerStatus{running("app", -time.Hour)}, want: true},
		"a container that waits":                         {record: byEnv, app: []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}}},
		"a Pod that has ended":                           {record: byEnv, phase: corev1.PodSucceeded, app: []corev1.ContainerStatus{running("app", -time.Hour)}},
		"a Pod that was not injected":                    {app: []corev1.ContainerStatus{running("app", -time.Hour)}},
		"a Pod whose record was spoilt may be a user":    {record: "{", app: []corev1.ContainerStatus{running("app", -time.Hour)}, want: true},
		"a spoilt record of one that started well after": {record: "{", app: []corev1.ContainerStatus{running("app", time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Status: corev1.PodStatus{Phase: tc.phase, InitContainerStatuses: tc.init, ContainerStatuses: tc.app}}
			if tc.record != "" {
				pod.Annotations = map[string]string{v1beta1.AnnotationInjected: tc.record}
			}
			var want []string
			if tc.want {
				want = []string{"web"}
			}
			assert.Equal(t, want, envUsers([]corev1.Pod{pod}, "db", replaced))
		})
	}
}

func TestGenerationsSurviveALostStatus(t *testing.T) {
	t.Parallel()
	at := metav1.NewTime(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	later := metav1.NewTime(at.Add(time.Hour))
	b := &v1beta1.ServiceBinding{Status: v1beta1.ServiceBindingStatus{ExternalID: "b2", Rotation: &v1beta1.RotationStatus{
		Generation: 2, Predecessors: []v1beta1.Predecessor{
			{ExternalID: "b0", ReplacedAt: at, RevokeAfter: later, ExpiresAt: &later}, {ExternalID: "b1", ReplacedAt: at, RevokeAfter: later}},
	}}}
	g, err := parseGenerations(generationsOf(b, "b3").String())
	assert.NoError(t, err)
	assert.Equal(t, "b3", g.Next)
	restored := &v1beta1.ServiceBinding{Spec: v1beta1.ServiceBindingSpec{ExternalID: "b0", ExternalIDOrigin: v1beta1.ExternalIDGiven}}
	g.restore(restored)
	want := b.Status.DeepCopy()
	want.ExternalIDOrigin = v1beta1.ExternalIDGenerated
	never := metav1.NewTime(longAgo())
	want.Rotation.Predecessors = append(want.Rotation.Predecessors, v1beta1.Predecessor{ExternalID: "b3", ReplacedAt: never, RevokeAfter: never})
	assert.Equal(t, *want, restored.Status, "a successor's id is one that we made; what was being made then is revoked")

	g.Old, g.Next = append(g.Old, oldGeneration{ID: "b2"}), "b2"
	restored.Status = v1beta1.ServiceBindingStatus{}
	g.restore(restored)
	assert.Equal(t, b.Status.Rotation.Predecessors, restored.Status.Rotation.Predecessors, "what is in force is not old")

	g, err = parseGenerations("")
	assert.NoError(t, err)
	assert.Equal(t, generations{}, g)
	_, err = parseGenerations("{")
	assert.ErrorContains(t, err, v1beta1.AnnotationCredentialIDs)
	plain := generationsOf(&v1beta1.ServiceBinding{Status: v1beta1.ServiceBindingStatus{ExternalID: "b0"}}, "")
	assert.JSONEq(t, `{"inForce":"b0"}`, plain.String())
	restored.Status = v1beta1.ServiceBindingStatus{}
	plain.restore(restored)
	assert.Nil(t, restored.Status.Rotation)
	assert.Equal(t, v1beta1.ExternalIDGiven, restored.Status.ExternalIDOrigin)
}
