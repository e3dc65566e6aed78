package charts_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// memory is a broker that remembers what it gave.
type memory struct {
	mu        sync.Mutex
	plans     []string
	instances map[string]bool
	bindings  map[string]bool
}

func (m *memory) Catalog(context.Context) (*osb.Catalog, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	service := osb.Service{ID: "fence-db", Name: "fence-db", Description: "A database.", Bindable: true}
	for _, name := range m.plans {
		service.Plans = append(service.Plans, osb.Plan{ID: "fence-" + name, Name: name, Description: "A plan."})
	}
	return &osb.Catalog{Services: []osb.Service{service}}, nil
}

func (m *memory) Provision(_ context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	existed := m.instances[r.InstanceID]
	m.instances[r.InstanceID] = true
	return &osb.ProvisionResponse{Existed: existed}, nil
}

func (m *memory) Deprovision(_ context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.instances[r.InstanceID] {
		return nil, broker.ErrGone
	}
	delete(m.instances, r.InstanceID)
	return &osb.DeprovisionResponse{}, nil
}

func (m *memory) Bind(_ context.Context, r *osb.BindRequest) (*osb.BindResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	existed := m.bindings[r.BindingID]
	m.bindings[r.BindingID] = true
	return &osb.BindResponse{Existed: existed, BindingData: osb.BindingData{Credentials: osb.Credentials{"uri": "db://" + r.BindingID}}}, nil
}

func (m *memory) Unbind(_ context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.bindings[r.BindingID] {
		return nil, broker.ErrGone
	}
	delete(m.bindings, r.BindingID)
	return &osb.UnbindResponse{}, nil
}

func (m *memory) offer(plans ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plans = plans
}

func (m *memory) holds() (instances, bindings int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.instances), len(m.bindings)
}

// becomesReady waits until the controllers say that an object can be used.
func becomesReady(t *testing.T, c client.Client, obj *unstructured.Unstructured) {
	t.Helper()
	require.EventuallyWithT(t, func(t2 *assert.CollectT) {
		assert.NoError(t2, c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
		state, _, _ := unstructured.NestedString(obj.Object, "status", "lastConditionState")
		assert.Equal(t2, v1beta1.ConditionReady, state, "%v", obj.Object["status"])
	}, time.Minute, 50*time.Millisecond, "%s is not ready", obj.GetKind())
}

// goes waits until an object is no more.
func goes(t *testing.T, c client.Client, obj client.Object) {
	t.Helper()
	require.Eventually(t, func() bool {
		return apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
	}, time.Minute, 50*time.Millisecond, "%s stays", obj.GetName())
}

// The real controllers, under the chart's rights and behind its policies, take a
// broker, an instance and a binding from manifest to nothing. No webhook fills
// anything in, so that all that they can write they do.
func TestControllersDoTheirWorkBehindThePolicies(t *testing.T) {
	c := installPolicies(t)
	startControllers(t, c)
	m := &memory{instances: map[string]bool{}, bindings: map[string]bool{}}
	m.offer("small", "large", "huge")
	serves := httptest.NewServer(broker.NewHandler(m, broker.Options{Auth: broker.NoAuth()}))
	t.Cleanup(serves.Close)
	user := userWith(t, c, "whole-team", edits())
	made := func(obj *unstructured.Unstructured) *unstructured.Unstructured {
		obj.SetLabels(map[string]string{"app": "shop"})
		obj.SetAnnotations(map[string]string{"note": "mine"})
		obj = create(t, user, obj)
		t.Cleanup(func() { assert.NoError(t, client.IgnoreNotFound(letGoOf(t, obj))) })
		return obj
	}
	registered := made(object("ClusterServiceBroker", fields("url", serves.URL)))
	becomesReady(t, c, registered)
	instance := made(idHolder("ServiceInstance", fields("clusterServiceClassExternalName", "fence-db")))
	binding := made(idHolder("ServiceBinding", fields("instanceRef", fields("name", instance.GetName()))))
	becomesReady(t, c, instance)
	becomesReady(t, c, binding)
	for _, obj := range []*unstructured.Unstructured{registered, instance, binding} {
		assert.Equal(t, []string{v1beta1.Finalizer}, obj.GetFinalizers(), obj.GetKind())
		assert.Equal(t, map[string]string{"app": "shop"}, obj.GetLabels(), obj.GetKind())
		assert.Equal(t, map[string]string{"note": "mine"}, obj.GetAnnotations(), obj.GetKind())
	}
	origin, _, _ := unstructured.NestedString(instance.Object, "spec", "externalIDOrigin")
	assert.Equal(t, "Generated", origin)
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(binding), &corev1.Secret{}))

	plan := func(name string) *unstructured.Unstructured {
		obj := offered("ClusterServicePlan")
		obj.SetName("fence-" + name)
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
		return obj
	}
	large, small := plan("large"), plan("small")
	m.offer("huge") // large goes; small is in use, and marked
	require.NoError(t, annotate(t, user, registered, v1beta1.AnnotationReconcile, "1"))
	goes(t, c, large)
	require.Eventually(t, func() bool {
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(small), small))
		removed, _, _ := unstructured.NestedBool(small.Object, "status", "removedFromBrokerCatalog")
		return removed
	}, time.Minute, 50*time.Millisecond, "a plan that is in use and not offered is not marked")

	checkFenced(t, c, instance)
	huge := plan("huge")
	for _, obj := range []client.Object{binding, instance, registered} {
		require.NoError(t, user.Delete(t.Context(), obj))
		goes(t, c, obj)
	}
	goes(t, c, huge)
	instances, bindings := m.holds()
	assert.Zero(t, instances+bindings, "something is left at the broker")
}

// checkFenced asserts that the account behind the token is the one that the fence
// is round.
func checkFenced(t *testing.T, c client.Client, instance client.Object) {
	t.Helper()
	file := accountConfig(t, c, release+"-controllers", t.TempDir())
	require.FileExists(t, filepath.Clean(file))
	cfg, err := clientcmd.BuildConfigFromFlags("", file)
	require.NoError(t, err)
	require.ErrorContains(t, annotate(t, dial(t, cfg), instance.DeepCopyObject().(client.Object), "note", "ours"),
		"the catalog's own accounts change no annotations")
}
