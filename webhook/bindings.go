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

// CacheByObject is the cache that the webhook's process needs: ServiceBindings
// with little more than the names of their Secrets. Objects are shared, not
// copied, on each read; nobody here writes to them.
func CacheByObject() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&v1beta1.ServiceBinding{}: {Transform: trim, UnsafeDisableDeepCopy: ptr.To(true)},
	}
}

// trim drops what injection does not read (see inject.Observe), so that many
// bindings fit into little memory.
func trim(obj any) (any, error) {
	b, ok := obj.(*v1beta1.ServiceBinding)
	if !ok {
		return obj, nil
	}
	out := &v1beta1.ServiceBinding{}
	out.Name, out.Namespace, out.UID = b.Name, b.Namespace, b.UID
	out.ResourceVersion, out.Generation = b.ResourceVersion, b.Generation
	out.DeletionTimestamp = b.DeletionTimestamp
	out.Spec.SecretName = b.Spec.SecretName
	out.Status.Binding, out.Status.EnvSecretName = b.Status.Binding, b.Status.EnvSecretName
	if out.Status.Binding != nil {
		return out, nil // nobody asks a binding with credentials how it is
	}
	for _, c := range b.Status.Conditions {
		if c.Type == v1beta1.ConditionReady || c.Type == v1beta1.ConditionFailed {
			out.Status.Conditions = append(out.Status.Conditions, c)
		}
	}
	return out, nil
}
