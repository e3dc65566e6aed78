package charts_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// someone is a user like any other.
const someone = "someone"

// idHolder is an instance or a binding, untyped so that what is not there is not
// sent.
func idHolder(kind string, ids map[string]any) *unstructured.Unstructured {
	spec := maps.Clone(ids)
	if kind == "ServiceBinding" {
		spec["instanceRef"] = map[string]any{"name": "orders"}
	} else {
		spec["clusterServiceClassExternalName"] = "postgresql"
		spec["clusterServicePlanExternalName"] = "small"
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": kind,
		"metadata": map[string]any{"namespace": "default", "generateName": "ids-"},
		"spec":     spec,
	}}
}

// installPolicies installs the release and waits until the API server acts by its
// policies, which takes it a moment.
func installPolicies(t *testing.T) client.Client {
	t.Helper()
	c := install(t)
	asSomeone, asControllers := actAs(t, someone), actAs(t, controllersUser)
	require.Eventually(t, func() bool {
		err := asSomeone.Create(t.Context(), idHolder("ServiceInstance", map[string]any{"externalIDOrigin": "Given"}), client.DryRunAll)
		return refused(err)
	}, time.Minute, 100*time.Millisecond, "the policy on ids does not act")
	pod := create(t, c, waitingPod())
	require.Eventually(t, func() bool {
		return refused(asControllers.Update(t.Context(), with(pod, func(p *corev1.Pod) { p.Labels["app"] = "other" }), client.DryRunAll))
	}, time.Minute, 100*time.Millisecond, "the fence does not act")
	return c
}

func TestIDOriginIsSetByTheControllersAlone(t *testing.T) {
	installPolicies(t)
	generated := func() map[string]any { return map[string]any{"externalID": "one", "externalIDOrigin": "Generated"} }
	rows := map[string]struct {
		user   string
		was    map[string]any // nil: the row creates
		is     map[string]any
		remark string // of the refusal; empty: admitted
	}{
		"a user creates without an origin":           {user: someone, is: map[string]any{}},
		"a user creates with an empty origin":        {user: someone, is: map[string]any{"externalIDOrigin": ""}},
		"a user gives an id and claims nothing":      {user: someone, is: map[string]any{"externalID": "one"}},
		"a user creates with an origin":              {user: someone, is: generated(), remark: "leave the field out"},
		"an account named alike creates with one":    {user: controllersUser + "x", is: generated(), remark: "leave the field out"},
		"the webhook's account creates with one":     {user: webhookUser, is: generated(), remark: "leave the field out"},
		"the controllers create with an origin":      {user: controllersUser, is: generated()},
		"a user sends back what is there":            {user: someone, was: generated(), is: generated()},
		"a user sets an origin later":                {user: someone, was: map[string]any{"externalID": "one"}, is: generated(), remark: "leave the field out"},
		"a user changes an origin":                   {user: someone, was: generated(), is: map[string]any{"externalID": "one", "externalIDOrigin": "Given"}, remark: "leave the field out"},
		"a user replaces with a bare manifest":       {user: someone, was: generated(), is: map[string]any{}},
		"a user puts another id under an old origin": {user: someone, was: generated(), is: map[string]any{"externalID": "two", "externalIDOrigin": "Generated"}, remark: "spec.externalID cannot change"},
		"a user drops the id and keeps the origin":   {user: someone, was: generated(), is: map[string]any{"externalIDOrigin": "Generated"}, remark: "spec.externalID cannot change"},
		"the controllers fill in id and origin":      {user: controllersUser, was: map[string]any{}, is: generated()},
	}
	for name, tc := range rows {
		for _, kind := range []string{"ServiceInstance", "ServiceBinding"} {
			t.Run(name+": "+kind, func(t *testing.T) {
				obj, act := idHolder(kind, tc.is), actAs(t, tc.user)
				var err error
				if tc.was == nil {
					err = act.Create(t.Context(), obj, client.DryRunAll)
				} else {
					old := create(t, actAs(t, controllersUser), idHolder(kind, tc.was))
					obj.SetName(old.GetName())
					obj.SetResourceVersion(old.GetResourceVersion())
					err = act.Update(t.Context(), obj, client.DryRunAll)
				}
				if tc.remark == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, tc.remark)
				assert.True(t, refused(err), "%v", err)
			})
		}
	}
}

func TestGivingAnIDNeedsTheVerbAdopt(t *testing.T) {
	c := installPolicies(t)
	tenant := func(verbs ...string) client.Client {
		name := "tenant-" + strings.Join(verbs, "-")
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"servicecatalog.k8s.io"}, Resources: []string{"serviceinstances", "servicebindings"}, Verbs: verbs}}}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}}
		create(t, c, role)
		create(t, c, binding)
		return actAs(t, name, "system:authenticated")
	}
	plain, adopter := tenant("create"), tenant("create", "adopt")
	for _, kind := range []string{"ServiceInstance", "ServiceBinding"} {
		given := func() *unstructured.Unstructured { return idHolder(kind, map[string]any{"externalID": "one"}) }
		require.Eventually(t, func() bool { // the grant takes a moment
			return adopter.Create(t.Context(), given(), client.DryRunAll) == nil
		}, time.Minute, 100*time.Millisecond, "who may adopt may give an id")
		require.NoError(t, plain.Create(t.Context(), idHolder(kind, map[string]any{}), client.DryRunAll))
		require.ErrorContains(t, plain.Create(t.Context(), given(), client.DryRunAll), "needs the verb adopt")
	}
}

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
