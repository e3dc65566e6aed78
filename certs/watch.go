package certs

import (
	"context"
	"fmt"
	"net/http"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newScheme knows the kinds this package reads, with the rest of their groups.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(admissionregistrationv1.AddToScheme(scheme))
	return scheme
}

// newMapper knows the three kinds this package reads, so that starting needs no discovery and cannot fail for an API
// server that is away.
func newMapper() apimeta.RESTMapper {
	mapper := apimeta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), apimeta.RESTScopeNamespace)
	for _, kind := range []string{mutatingKind, validatingKind} {
		mapper.Add(admissionregistrationv1.SchemeGroupVersion.WithKind(kind), apimeta.RESTScopeRoot)
	}
	return mapper
}

// watcher watches single objects by name, as RBAC rules with resourceNames allow.
type watcher struct {
	config  *rest.Config
	http    *http.Client
	onError toolscache.WatchErrorHandlerWithContext // nil for client-go's own
}

// start watches the object that has obj's kind, namespace and name until ctx ends. It does not wait
// for the first answer.
func (w watcher) start(ctx context.Context, obj client.Object, handler toolscache.ResourceEventHandler) error {
	byName := fields.OneTermEqualSelector("metadata.name", obj.GetName())
	only := cache.ByObject{Field: byName}
	if obj.GetNamespace() != "" {
		only.Namespaces = map[string]cache.Config{obj.GetNamespace(): {FieldSelector: byName}}
	}
	one, err := cache.New(w.config, cache.Options{
		HTTPClient:               w.http,
		Scheme:                   newScheme(),
		Mapper:                   newMapper(),
		ByObject:                 map[client.Object]cache.ByObject{obj: only},
		DefaultTransform:         cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler: w.onError,
	})
	if err != nil {
		return fmt.Errorf("watch %T %q: %w", obj, obj.GetName(), err)
	}
	informer, err := one.GetInformer(ctx, obj, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch %T %q: %w", obj, obj.GetName(), err)
	}
	if _, err := informer.AddEventHandler(handler); err != nil {
		return fmt.Errorf("watch %T %q: %w", obj, obj.GetName(), err)
	}
	go func() {
		if err := one.Start(ctx); err != nil {
			utilruntime.HandleErrorWithContext(ctx, err, "Stopped watching", "name", obj.GetName())
		}
	}()
	return nil
}
