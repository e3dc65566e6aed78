package webhook

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Bindings looks up ServiceBindings. What it returns is shared and read only.
type Bindings interface {
	// Get returns a ServiceBinding, or nil if there is none of that name. An
	// error means that it is not known whether there is one.
	Get(ctx context.Context, namespace, name string) (*v1beta1.ServiceBinding, error)
}

// LiveTimeout bounds one live read. It is well below the webhook's
// timeoutSeconds of 5.
const LiveTimeout = time.Second

// CachedBindings reads from a cache. What the cache does not have it reads live,
// once, since Pods often come with their bindings and the watch may be a moment
// late.
type CachedBindings struct {
	// Cache is configured by CacheByObject.
	Cache client.Reader
	// Live reads from the API server. It must not have a client-side rate
	// limiter (rest.Config.QPS: -1): a wave of Pods would queue behind it.
	Live client.Reader
}

var _ Bindings = (*CachedBindings)(nil)

// Get returns a ServiceBinding, or nil if the API server says there is none.
func (b *CachedBindings) Get(ctx context.Context, namespace, name string) (*v1beta1.ServiceBinding, error) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	obj := &v1beta1.ServiceBinding{}
	// Whatever keeps the cache from answering, the API server can.
	if err := b.Cache.Get(ctx, key, obj); err == nil {
		return obj, nil
	}
	ctx, cancel := context.WithTimeout(ctx, LiveTimeout)
	defer cancel()
	obj = &v1beta1.ServiceBinding{}
	switch err := b.Live.Get(ctx, key, obj); {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // documented: none is no error
	case err != nil:
		return nil, fmt.Errorf("get binding %s: %w", key, err)
	}
	return obj, nil
}

// Cached are the kinds that the webhook's process keeps.
func Cached() []client.Object {
	return []client.Object{
		&v1beta1.ServiceBinding{},
		&v1beta1.ClusterServiceClass{}, &v1beta1.ClusterServicePlan{}, &v1beta1.ServiceClass{}, &v1beta1.ServicePlan{},
	}
}

// CacheByObject is the cache that the webhook's process needs: ServiceBindings
// with little more than the names of their Secrets, classes and plans without
// what is for people. Objects are shared, not copied, on each read; nobody here
// writes to them.
func CacheByObject() map[client.Object]cache.ByObject {
	out := map[client.Object]cache.ByObject{}
	for _, o := range Cached() {
		out[o] = cache.ByObject{Transform: trim, UnsafeDisableDeepCopy: ptr.To(true)}
	}
	return out
}

// trim drops what admission does not read, so that many objects fit into little
// memory.
func trim(obj any) (any, error) {
	switch o := obj.(type) {
	case *v1beta1.ServiceBinding:
		return trimBinding(o), nil
	case *v1beta1.ClusterServiceClass:
		o.ManagedFields, o.Spec.ExternalMetadata, o.Spec.Description = nil, nil, ""
	case *v1beta1.ServiceClass:
		o.ManagedFields, o.Spec.ExternalMetadata, o.Spec.Description = nil, nil, ""
	case *v1beta1.ClusterServicePlan:
		o.ManagedFields, o.Spec.ExternalMetadata, o.Spec.Description = nil, nil, ""
	case *v1beta1.ServicePlan:
		o.ManagedFields, o.Spec.ExternalMetadata, o.Spec.Description = nil, nil, ""
	}
	return obj, nil
}

// trimBinding keeps what injection reads (see inject.Observe).
func trimBinding(b *v1beta1.ServiceBinding) *v1beta1.ServiceBinding {
	out := &v1beta1.ServiceBinding{}
	out.Name, out.Namespace, out.UID = b.Name, b.Namespace, b.UID
	out.ResourceVersion, out.Generation = b.ResourceVersion, b.Generation
	out.DeletionTimestamp = b.DeletionTimestamp
	out.Spec.SecretName = b.Spec.SecretName
	out.Status.Binding, out.Status.EnvSecretName = b.Status.Binding, b.Status.EnvSecretName
	if out.Status.Binding != nil {
		return out // nobody asks a binding with credentials how it is
	}
	for _, c := range b.Status.Conditions {
		if c.Type == v1beta1.ConditionReady || c.Type == v1beta1.ConditionFailed {
			out.Status.Conditions = append(out.Status.Conditions, c)
		}
	}
	return out
}
