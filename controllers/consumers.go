package controllers

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

// kubeletLag is how long after a Secret changed a kubelet may still start a
// container with what it had before.
const kubeletLag = 2 * time.Minute

// envUsers names the Pods in which a container runs that may have got a binding's
// credentials by its environment before they were replaced. Files follow by
// themselves, an environment does not.
func envUsers(pods []corev1.Pod, binding string, replaced time.Time) []string {
	var names []string
	for n := range pods {
		if hasOldEnv(&pods[n], binding, replaced.Add(kubeletLag)) {
			names = append(names, pods[n].Name)
		}
	}
	slices.Sort(names)
	return names
}

// hasOldEnv says whether a container with the binding in its environment has run
// since before a moment. A Pod whose record cannot be read may have one.
func hasOldEnv(pod *corev1.Pod, binding string, before time.Time) bool {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return false
	}
	record, ok := pod.Annotations[v1beta1.AnnotationInjected]
	if !ok {
		return false
	}
	in, err := inject.ParseInjected(record)
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		running := c.State.Running
		if running == nil || running.StartedAt.After(before) {
			continue
		}
		if err != nil || inEnvironment(in, binding, c.Name) {
			return true
		}
	}
	return false
}

// inEnvironment says whether a container got variables of a binding.
func inEnvironment(in inject.Injected, binding, container string) bool {
	return slices.ContainsFunc(in.Bindings, func(b inject.InjectedBinding) bool {
		return b.Name == binding && (b.EnvSecret != "" || len(b.Variables) > 0) && slices.Contains(b.Containers, container)
	})
}
