package market

import (
	"context"
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/resolve"
)

// Names of the cache's indexes.
const (
	indexClass     = "class"     // classes by each of their names, see Key
	indexPlanClass = "planClass" // plans by their class
)

// Key is one of the names of a class, for indexes.
func Key(s resolve.Style, name string) string { return string(s) + "/" + name }

// AddIndexes registers what Find needs with a cache.
func AddIndexes(ctx context.Context, ix client.FieldIndexer) error {
	for _, i := range []struct {
		obj  client.Object
		name string
		keys client.IndexerFunc
	}{
		{&v1beta1.ClusterServiceClass{}, indexClass, ClassKeys},
		{&v1beta1.ServiceClass{}, indexClass, ClassKeys},
		{&v1beta1.ClusterServicePlan{}, indexPlanClass, planKeys},
		{&v1beta1.ServicePlan{}, indexPlanClass, planKeys},
	} {
		if err := ix.IndexField(ctx, i.obj, i.name, i.keys); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.obj, i.name, err)
		}
	}
	return nil
}

// ClassKeys are the three ways to name a class; none for another object.
func ClassKeys(o client.Object) []string {
	c, ok := classOf(o)
	if !ok {
		return nil
	}
	return []string{Key(resolve.ByName, c.Name), Key(resolve.ByExternalName, c.Spec.ExternalName), Key(resolve.ByExternalID, c.Spec.ExternalID)}
}

func planKeys(o client.Object) []string {
	p, ok := planOf(o)
	if !ok {
		return nil
	}
	return []string{p.Class}
}

func classOf(o runtime.Object) (resolve.Class, bool) {
	switch c := o.(type) {
	case *v1beta1.ClusterServiceClass:
		return resolve.FromClusterClass(c), true
	case *v1beta1.ServiceClass:
		return resolve.FromClass(c), true
	}
	return resolve.Class{}, false
}

func planOf(o runtime.Object) (resolve.Plan, bool) {
	switch p := o.(type) {
	case *v1beta1.ClusterServicePlan:
		return resolve.FromClusterPlan(p), true
	case *v1beta1.ServicePlan:
		return resolve.FromPlan(p), true
	}
	return resolve.Plan{}, false
}

// Find looks for the class and the plan that w names, in a namespace where they
// are namespaced. An error is a *resolve.Error, which is for the user, or a fault
// of the cache. The class is returned also beside an error about the plan.
func Find(ctx context.Context, r client.Reader, w resolve.Wanted, namespace string) (resolve.Class, resolve.Plan, error) {
	classes, err := classesNamed(ctx, r, w, namespace)
	if err != nil {
		return resolve.Class{}, resolve.Plan{}, err
	}
	var plans []resolve.Plan
	for _, c := range classes {
		own, err := plansOf(ctx, r, c, namespace)
		if err != nil {
			return resolve.Class{}, resolve.Plan{}, err
		}
		plans = append(plans, own...)
	}
	return resolve.Resolve(w, classes, plans)
}

func classesNamed(ctx context.Context, r client.Reader, w resolve.Wanted, namespace string) ([]resolve.Class, error) {
	opts := []client.ListOption{client.MatchingFields{indexClass: Key(w.Style, w.Class)}, client.InNamespace(namespace)}
	var list client.ObjectList = &v1beta1.ServiceClassList{}
	if w.Cluster {
		list, opts = &v1beta1.ClusterServiceClassList{}, opts[:1]
	}
	if err := r.List(ctx, list, opts...); err != nil {
		return nil, fmt.Errorf("look for class %q: %w", w.Class, err)
	}
	return collect(list, classOf)
}

// Plans are the plans of a class, those that the broker removed included; in a
// namespace where the class is namespaced.
func Plans(ctx context.Context, r client.Reader, c resolve.Class, namespace string) ([]resolve.Plan, error) {
	return plansOf(ctx, r, c, namespace)
}

func plansOf(ctx context.Context, r client.Reader, c resolve.Class, namespace string) ([]resolve.Plan, error) {
	opts := []client.ListOption{client.MatchingFields{indexPlanClass: c.Name}, client.InNamespace(namespace)}
	var list client.ObjectList = &v1beta1.ServicePlanList{}
	if c.Cluster {
		list, opts = &v1beta1.ClusterServicePlanList{}, opts[:1]
	}
	if err := r.List(ctx, list, opts...); err != nil {
		return nil, fmt.Errorf("look for plans of class %q: %w", c.Name, err)
	}
	return collect(list, planOf)
}

// collect views each item of a list.
func collect[T any](list client.ObjectList, view func(runtime.Object) (T, bool)) ([]T, error) {
	var out []T
	err := apimeta.EachListItem(list, func(o runtime.Object) error {
		if item, ok := view(o); ok {
			out = append(out, item)
		}
		return nil
	})
	return out, err
}
