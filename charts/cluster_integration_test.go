package charts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Every object of every chart, checked by the API server as if it were applied:
// fields that do not exist and CEL that does not compile are errors.
func TestAPIServerAcceptsEveryObject(t *testing.T) {
	c := install(t)
	withoutWebhooks(t, c)
	if err := c.Get(t.Context(), client.ObjectKey{Name: "orchard"}, &corev1.Namespace{}); err != nil {
		create(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "orchard"}})
	}
	for _, r := range renderings(t) {
		for _, obj := range objects(t, r.render(t)) {
			err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(obj),
				client.FieldOwner("test"), client.ForceOwnership, client.DryRunAll)
			if obj.GetKind() == "ServiceMonitor" && apimeta.IsNoMatchError(err) {
				continue // an operator's kind, which is not installed here
			}
			assert.NoError(t, err, "%s: %s %s", r.name, obj.GetKind(), obj.GetName())
		}
	}
}

// podTemplates returns the Pods that an object makes, if it is a workload.
func podTemplates(t *testing.T, obj *unstructured.Unstructured) []corev1.PodTemplateSpec {
	t.Helper()
	switch obj.GetKind() {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job":
		template, ok, err := unstructured.NestedMap(obj.Object, "spec", "template")
		require.NoError(t, err)
		require.True(t, ok, obj.GetName())
		return []corev1.PodTemplateSpec{*as[corev1.PodTemplateSpec](t, template)}
	case "Pod", "CronJob":
		require.FailNow(t, "not looked into", "%s %s: teach this test how", obj.GetKind(), obj.GetName())
	}
	return nil
}

func TestPodsPassTheRestrictedStandard(t *testing.T) {
	c := install(t)
	space := create(t, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "restricted-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}})
	naked := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: space.Name, GenerateName: "pod-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c:1"}}},
	}
	require.ErrorContains(t, c.Create(t.Context(), naked, client.DryRunAll), "violates PodSecurity",
		"the standard is not enforced, so nothing here would be tested")

	for _, r := range renderings(t) {
		seen := 0
		for _, obj := range objects(t, r.render(t)) {
			for _, template := range podTemplates(t, obj) {
				seen++
				pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
				pod.Namespace, pod.GenerateName = space.Name, "pod-"
				require.NoError(t, c.Create(t.Context(), pod, client.DryRunAll), "%s: %s", r.name, obj.GetName())
				checkContainers(t, r.name+": "+obj.GetName(), template.Spec)
			}
		}
		assert.NotZero(t, seen, "%s has no workload", r.name)
	}
}

// checkContainers asserts what the standard does not ask for.
func checkContainers(t *testing.T, where string, spec corev1.PodSpec) {
	t.Helper()
	assert.False(t, spec.HostNetwork, where)
	for _, container := range append(spec.InitContainers, spec.Containers...) {
		where := where + "/" + container.Name
		if assert.NotNil(t, container.SecurityContext, where) && assert.NotNil(t, container.SecurityContext.ReadOnlyRootFilesystem, where) {
			assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, where)
		}
		assert.False(t, container.Resources.Requests.Cpu().IsZero(), where)
		assert.False(t, container.Resources.Requests.Memory().IsZero(), where)
		assert.False(t, container.Resources.Limits.Memory().IsZero(), where)
		assert.NotNil(t, container.ReadinessProbe, where)
		assert.NotNil(t, container.LivenessProbe, where)
	}
}

// A label that a user adds to Pods must not take them from their Deployment.
func TestDeploymentsChooseTheirPods(t *testing.T) {
	t.Parallel()
	for _, r := range renderings(t) {
		for _, obj := range objects(t, r.render(t)) {
			if obj.GetKind() != "Deployment" {
				continue
			}
			deployment := as[appsv1.Deployment](t, obj.Object)
			selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
			require.NoError(t, err)
			assert.True(t, selector.Matches(labels.Set(deployment.Spec.Template.Labels)), "%s: %s", r.name, obj.GetName())
		}
	}
}

func TestUninstallLeavesWhatUsersHave(t *testing.T) {
	c := install(t)
	withoutWebhooks(t, c)
	instance := idHolder("ServiceInstance", map[string]any{})
	instance.SetFinalizers([]string{"kubernetes-incubator/service-catalog"})
	instance = create(t, c, instance)
	install(t)
	require.Contains(t, left(t, c, "MutatingWebhookConfiguration"), release+"-defaults", "there is nothing to take away")
	out, err := helmCluster(t, "install", "second", "catalog", "--namespace", "elsewhere", "--create-namespace")
	require.Error(t, err, "a second release came into the cluster: %s", out)
	assert.Regexp(t, `(?s)servicecatalog\.k8s\.io.*release-name.*must equal "second".*current value is "catalog"`, err.Error())

	_, err = helmCluster(t, "uninstall", release, "--namespace", releaseSpace)
	require.NoError(t, err)
	for _, list := range []string{"Deployment", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ClusterRole"} {
		assert.Empty(t, left(t, c, list), "%s of the release are left", list)
	}
	uid := instance.GetUID()
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(instance), instance), "the user's instance is gone")
	assert.Equal(t, uid, instance.GetUID())
	assert.Nil(t, instance.GetDeletionTimestamp())

	// Without the controllers, a user can still end what there is.
	instance.SetFinalizers(nil)
	require.NoError(t, c.Update(t.Context(), instance))

	install(t)
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(instance), instance), "the reinstalled CRDs lost the instance")
}

// left returns the release's objects of a kind.
func left(t *testing.T, c client.Client, kind string) []string {
	t.Helper()
	versions := map[string]string{
		"Deployment": "apps/v1", "ClusterRole": "rbac.authorization.k8s.io/v1",
		"MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
		"ValidatingAdmissionPolicy": "admissionregistration.k8s.io/v1",
	}
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(versions[kind])
	list.SetKind(kind + "List")
	require.NoError(t, c.List(t.Context(), list))
	var names []string
	for _, obj := range list.Items {
		if strings.HasPrefix(obj.GetName(), release+"-") {
			names = append(names, obj.GetName())
		}
	}
	return names
}
