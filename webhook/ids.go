package webhook

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/resolve"
)

// checkInstanceID refuses a given id that another instance has, unless that is
// known to be at another broker: two objects must not stand for one database.
func (a *Admission) checkInstanceID(ctx context.Context, i *v1beta1.ServiceInstance, class resolve.Class) (string, error) {
	var list v1beta1.ServiceInstanceList
	if err := a.Live.List(ctx, &list, client.MatchingFields{"spec.externalID": i.Spec.ExternalID}); err != nil {
		return "", fmt.Errorf("look for the id among instances: %w", err)
	}
	ours := a.urlOfClass(ctx, class, i.Namespace)
	for n := range list.Items {
		o := &list.Items[n]
		if o.UID == i.UID || elsewhere(ours, a.instanceURL(ctx, o)) {
			continue
		}
		return taken(kindInstance, i.Spec.ExternalID, i.Namespace, o), nil
	}
	return "", nil
}

// checkBindingID is checkInstanceID for a binding; instance may be nil.
func (a *Admission) checkBindingID(ctx context.Context, b *v1beta1.ServiceBinding, instance *v1beta1.ServiceInstance) (string, error) {
	var list v1beta1.ServiceBindingList
	if err := a.Live.List(ctx, &list, client.MatchingFields{"spec.externalID": b.Spec.ExternalID}); err != nil {
		return "", fmt.Errorf("look for the id among bindings: %w", err)
	}
	ours := ""
	if instance != nil {
		ours = a.instanceURL(ctx, instance)
	}
	for n := range list.Items {
		o := &list.Items[n]
		if o.UID == b.UID || elsewhere(ours, a.brokerURL(ctx, o.Status.BrokerRef, o.Namespace)) {
			continue
		}
		return taken(kindBinding, b.Spec.ExternalID, b.Namespace, o), nil
	}
	return "", nil
}

// taken does not tell one tenant about another.
func taken(kind, id, namespace string, holder client.Object) string {
	who := fmt.Sprintf("a %s of another namespace", kind)
	if holder.GetNamespace() == namespace {
		who = fmt.Sprintf("%s %q", kind, holder.GetName())
	}
	return fmt.Sprintf("spec.externalID %s is the id of %s, and two objects cannot stand for one thing at a broker. "+
		"Delete that one first, or leave the field out to get an id of its own.", id, who)
}

// elsewhere says that two brokers are known, and are not the same.
func elsewhere(a, b string) bool { return a != "" && b != "" && a != b }

// instanceURL is the address of the broker that an instance is at; "" if that
// cannot be told.
func (a *Admission) instanceURL(ctx context.Context, i *v1beta1.ServiceInstance) string {
	if i.Status.BrokerRef != nil {
		return a.brokerURL(ctx, i.Status.BrokerRef, i.Namespace)
	}
	class, _, _ := a.find(ctx, i) // without a plan there may be a class
	return a.urlOfClass(ctx, class, i.Namespace)
}

func (a *Admission) urlOfClass(ctx context.Context, c resolve.Class, namespace string) string {
	if c.Spec == nil {
		return ""
	}
	ref := &v1beta1.BrokerReference{Kind: kindBroker, Name: c.Broker}
	if c.Cluster {
		ref.Kind = kindClusterBroker
	}
	return a.brokerURL(ctx, ref, namespace)
}

func (a *Admission) brokerURL(ctx context.Context, ref *v1beta1.BrokerReference, namespace string) string {
	if ref == nil {
		return ""
	}
	var url string
	var err error
	if ref.Kind == kindClusterBroker {
		b := &v1beta1.ClusterServiceBroker{}
		err = a.Live.Get(ctx, types.NamespacedName{Name: ref.Name}, b)
		url = b.Spec.URL
	} else {
		b := &v1beta1.ServiceBroker{}
		err = a.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, b)
		url = b.Spec.URL
	}
	if err != nil {
		return "" // then nothing is known, and the id counts as taken
	}
	return strings.TrimRight(url, "/")
}
