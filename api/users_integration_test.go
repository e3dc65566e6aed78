//go:build integration

package api_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// newInstance is an instance in the team's namespace that is not created yet.
func newInstance(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(`{apiVersion: servicecatalog.k8s.io/v1beta1, kind: ServiceInstance,
		metadata: {name: recorded}, spec: {clusterServiceClassExternalName: later, clusterServicePlanExternalName: small}}`), &u.Object))
	u.SetNamespace(teamSpace)
	t.Cleanup(func() { remove(t, u) })
	return u
}

// remove lets an object go without a controller.
func remove(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	assert.NoError(t, client.IgnoreNotFound(shared.Delete(ctx, u.DeepCopy())))
	assert.NoError(t, client.IgnoreNotFound(merge(ctx, shared.Client, u.DeepCopy(), `{"metadata":{"finalizers":null}}`)))
}

func merge(ctx context.Context, c client.Client, u *unstructured.Unstructured, patch string) error {
	return c.Patch(ctx, u, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// stopWebhook leads the configurations for our own kinds to a closed port, as
// they do when no replica runs.
func stopWebhook(t *testing.T) {
	t.Helper()
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	mutating.Name, validating.Name = release+"-defaults", release+"-validate"
	for _, obj := range []client.Object{mutating, validating} {
		require.NoError(t, shared.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
	}
	lead := func(ctx context.Context, url func(c admissionregistrationv1.WebhookClientConfig) *string) {
		m, v := mutating.DeepCopy(), validating.DeepCopy()
		for i := range m.Webhooks {
			m.Webhooks[i].ClientConfig.URL = url(m.Webhooks[i].ClientConfig)
		}
		for i := range v.Webhooks {
			v.Webhooks[i].ClientConfig.URL = url(v.Webhooks[i].ClientConfig)
		}
		for _, obj := range []client.Object{m, v} {
			require.NoError(t, shared.Update(ctx, obj))
		}
		mutating.ResourceVersion, validating.ResourceVersion = m.ResourceVersion, v.ResourceVersion
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		lead(ctx, func(c admissionregistrationv1.WebhookClientConfig) *string { return c.URL })
		require.NoError(t, shared.waitForWebhook(ctx, true))
	})
	lead(t.Context(), func(admissionregistrationv1.WebhookClientConfig) *string { return ptr.To("https://127.0.0.1:1/") })
}

func TestWithTheWebhookStoppedWhatIsThereCanStillGo(t *testing.T) {
	u := newInstance(t)
	developer := as(t, "developer")
	require.NoError(t, developer.Create(t.Context(), u))
	stopWebhook(t)
	eventually(t, func() bool {
		return merge(t.Context(), developer, u.DeepCopy(), `{"spec":{"parameters":{"size":2}}}`) != nil
	})
	require.ErrorContains(t, merge(t.Context(), developer, u.DeepCopy(), `{"spec":{"parameters":{"size":3}}}`), "servicecatalog.k8s.io",
		"a change of the spec cannot be recorded, so it has to wait")

	require.NoError(t, merge(t.Context(), developer, u, `{"metadata":{"annotations":{"note":"x"},"labels":{"a":"b"}}}`))
	require.NoError(t, merge(t.Context(), developer, u, `{"metadata":{"finalizers":null}}`), "a finalizer can be taken off")
	assert.Empty(t, u.GetFinalizers())
	require.NoError(t, merge(t.Context(), as(t, "controllers"), u, `{"metadata":{"finalizers":["`+v1beta1.Finalizer+`"]}}`))
	require.NoError(t, developer.Delete(t.Context(), u))
	require.NoError(t, merge(t.Context(), developer, u, `{"metadata":{"finalizers":null}}`))
	_, err := get(t.Context(), u)
	require.NoError(t, client.IgnoreNotFound(err))
	require.Error(t, err, "the object is gone")
}

func TestAFinalizerThatAReplacementTakesOffIsPutBack(t *testing.T) {
	u := newInstance(t)
	developer := as(t, "developer")
	require.NoError(t, developer.Create(t.Context(), u))
	require.NoError(t, merge(t.Context(), developer, u, `{"metadata":{"finalizers":["example.com/mine"]}}`))
	assert.Equal(t, []string{"example.com/mine", v1beta1.Finalizer}, u.GetFinalizers())
}
