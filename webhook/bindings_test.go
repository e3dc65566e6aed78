package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
	"github.com/svc-cat/catalog/webhook"
)

// source is a client.Reader as a function.
type source func(ctx context.Context, key ctrlclient.ObjectKey, obj ctrlclient.Object) error

func (s source) Get(ctx context.Context, key ctrlclient.ObjectKey, obj ctrlclient.Object, _ ...ctrlclient.GetOption) error {
	return s(ctx, key, obj)
}

func (s source) List(context.Context, ctrlclient.ObjectList, ...ctrlclient.ListOption) error {
	return errors.New("nobody lists")
}

func notFound(_ context.Context, key ctrlclient.ObjectKey, _ ctrlclient.Object) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "servicebindings"}, key.Name)
}

func TestCachedBindings(t *testing.T) {
	t.Parallel()
	found := func(uid string) source {
		return func(_ context.Context, key ctrlclient.ObjectKey, obj ctrlclient.Object) error {
			obj.SetName(key.Name)
			obj.SetNamespace(key.Namespace)
			obj.SetUID(types.UID("of the " + uid))
			return nil
		}
	}
	broken := source(func(context.Context, ctrlclient.ObjectKey, ctrlclient.Object) error { return errors.New("broken") })
	slow := source(func(ctx context.Context, _ ctrlclient.ObjectKey, _ ctrlclient.Object) error {
		deadline, has := ctx.Deadline()
		if !has || time.Until(deadline) > webhook.LiveTimeout {
			return errors.New("a live read has no end")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	for name, tc := range map[string]struct {
		cache, live source
		want        string
		err         error
	}{
		"what the cache has is not read again":       {cache: found("cache"), live: broken, want: "of the cache"},
		"what it lacks is read live":                 {cache: notFound, live: found("server"), want: "of the server"},
		"a cache that is not started is passed by":   {cache: broken, live: found("server"), want: "of the server"},
		"what neither has does not exist":            {cache: notFound, live: notFound},
		"a read that fails is not a missing binding": {cache: notFound, live: broken, err: errors.New("broken")},
		"a read that takes too long is given up":     {cache: notFound, live: slow, err: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &webhook.CachedBindings{Cache: tc.cache, Live: tc.live}
			got, err := b.Get(t.Context(), "shop", "orders-db")
			if tc.err != nil {
				require.ErrorContains(t, err, tc.err.Error())
				require.ErrorContains(t, err, "get binding shop/orders-db")
				return
			}
			require.NoError(t, err)
			if tc.want == "" {
				assert.Nil(t, got)
				return
			}
			assert.EqualValues(t, tc.want, got.UID)
		})
	}
}

// TestTheCacheKeepsWhatInjectionReads trims bindings as the cache does, and
// injection sees no difference.
func TestTheCacheKeepsWhatInjectionReads(t *testing.T) {
	t.Parallel()
	conditions := []metav1.Condition{
		{Type: v1beta1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: "R", Message: "m"},
		{Type: v1beta1.ConditionReady, Status: metav1.ConditionFalse, Reason: "BindCallFailed", Message: "the broker said no"},
		{Type: v1beta1.ConditionFailed, Status: metav1.ConditionTrue, Reason: "BindCallFailed"},
	}
	fresh := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{
		Name: "db", Namespace: "shop", UID: "u", ResourceVersion: "7",
		Labels: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
	}}
	failed := fresh.DeepCopy()
	failed.Spec.SecretName, failed.Status.Conditions = "creds", conditions
	ready := failed.DeepCopy()
	ready.Status.Binding, ready.Status.EnvSecretName = &v1beta1.LocalObjectReference{Name: "creds"}, "creds-env"
	deleting := ready.DeepCopy()
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}

	transform := transformOf(t)
	for name, b := range map[string]*v1beta1.ServiceBinding{"fresh": fresh, "failed": failed, "ready": ready, "deleting": deleting} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := b.DeepCopy()
			out, err := transform(b)
			require.NoError(t, err)
			kept, isBinding := out.(*v1beta1.ServiceBinding)
			require.True(t, isBinding)
			assert.Equal(t, inject.Observe("db", before), inject.Observe("db", kept))
			assert.Equal(t, before.ResourceVersion, kept.ResourceVersion)
			assert.Empty(t, kept.ManagedFields)
			assert.Empty(t, kept.Labels)
			again, err := transform(kept)
			require.NoError(t, err)
			assert.Equal(t, kept, again, "a cache may transform twice")
		})
	}
	out, err := transform("something else")
	require.NoError(t, err)
	assert.Equal(t, "something else", out)
}

func transformOf(t *testing.T) func(any) (any, error) {
	t.Helper()
	var transform func(any) (any, error)
	for obj, config := range webhook.CacheByObject() {
		require.Contains(t, []string{"*v1beta1.ServiceBinding", "*v1beta1.ClusterServiceClass", "*v1beta1.ClusterServicePlan",
			"*v1beta1.ServiceClass", "*v1beta1.ServicePlan"}, fmt.Sprintf("%T", obj), "the webhook caches nothing else, Secrets least of all")
		require.True(t, *config.UnsafeDisableDeepCopy)
		transform = config.Transform
	}
	return transform
}

func TestTheCacheKeepsOfPlansWhatAdmissionReads(t *testing.T) {
	t.Parallel()
	spec := v1beta1.CommonServicePlanSpec{
		ExternalName: "small", ExternalID: "id", Description: "for people", ExternalMetadata: &runtime.RawExtension{Raw: []byte(`{"bullets":[]}`)},
		PlanUpdatable: ptr.To(true), InstanceCreateParameterSchema: &runtime.RawExtension{Raw: []byte(`{}`)},
	}
	kept := spec
	kept.Description, kept.ExternalMetadata = "", nil
	transform := transformOf(t)
	out, err := transform(&v1beta1.ClusterServicePlan{Spec: v1beta1.ClusterServicePlanSpec{CommonServicePlanSpec: spec}})
	require.NoError(t, err)
	assert.Equal(t, &v1beta1.ClusterServicePlan{Spec: v1beta1.ClusterServicePlanSpec{CommonServicePlanSpec: kept}}, out)
	out, err = transform(&v1beta1.ServicePlan{Spec: v1beta1.ServicePlanSpec{CommonServicePlanSpec: spec}})
	require.NoError(t, err)
	assert.Equal(t, &v1beta1.ServicePlan{Spec: v1beta1.ServicePlanSpec{CommonServicePlanSpec: kept}}, out)
}
