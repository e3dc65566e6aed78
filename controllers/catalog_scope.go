package controllers

import (
	"context"
	"fmt"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Kinds of brokers, as BrokerReference names them.
const (
	kindClusterBroker = "ClusterServiceBroker"
	kindBroker        = "ServiceBroker"
)

// broker is a broker of either scope.
type broker struct {
	client.Object
	kind   string
	spec   *v1beta1.CommonServiceBrokerSpec
	status *v1beta1.CommonServiceBrokerStatus
}

// newBroker is an empty broker of a kind.
func newBroker(kind string) broker {
	if kind == kindClusterBroker {
		return brokerOf(&v1beta1.ClusterServiceBroker{})
	}
	return brokerOf(&v1beta1.ServiceBroker{})
}

// brokerOf views an object as a broker. It panics on anything else, which no
// caller passes.
func brokerOf(obj client.Object) broker {
	switch b := obj.(type) {
	case *v1beta1.ClusterServiceBroker:
		return broker{b, kindClusterBroker, &b.Spec.CommonServiceBrokerSpec, &b.Status.CommonServiceBrokerStatus}
	case *v1beta1.ServiceBroker:
		return broker{b, kindBroker, &b.Spec.CommonServiceBrokerSpec, &b.Status.CommonServiceBrokerStatus}
	}
	panic(fmt.Sprintf("not a broker: %T", obj))
}

func (b broker) deepCopy() broker { return brokerOf(copyOf(b.Object)) }

// copyOf is a deep copy of any object.
func copyOf[T client.Object](o T) T { return o.DeepCopyObject().(T) }

func (b broker) ref() v1beta1.BrokerReference {
	return v1beta1.BrokerReference{Kind: b.kind, Name: b.GetName()}
}

// secretUse is a Secret that a broker's registration names, and what for.
type secretUse struct {
	types.NamespacedName
	bearer bool
}

// authSecret is the Secret with the broker's credentials, nil for none.
func (b broker) authSecret() *secretUse {
	switch o := b.Object.(type) {
	case *v1beta1.ClusterServiceBroker:
		if a := o.Spec.AuthInfo; a != nil {
			return firstUse(clusterUse(a.Basic, false), clusterUse(a.Bearer, true))
		}
	case *v1beta1.ServiceBroker:
		if a := o.Spec.AuthInfo; a != nil {
			return firstUse(localUse(o.Namespace, a.Basic, false), localUse(o.Namespace, a.Bearer, true))
		}
	}
	return nil
}

// certificateSecret is the Secret with the certificate to show the broker.
func (b broker) certificateSecret() *secretUse {
	switch o := b.Object.(type) {
	case *v1beta1.ClusterServiceBroker:
		return clusterUse(o.Spec.ClientCertificate, false)
	case *v1beta1.ServiceBroker:
		return localUse(o.Namespace, o.Spec.ClientCertificate, false)
	}
	return nil
}

// secrets are all Secrets that the broker's registration names.
func (b broker) secrets() []secretUse {
	var out []secretUse
	for _, u := range []*secretUse{b.authSecret(), b.certificateSecret()} {
		if u != nil {
			out = append(out, *u)
		}
	}
	return out
}

func firstUse(uses ...*secretUse) *secretUse {
	for _, u := range uses {
		if u != nil {
			return u
		}
	}
	return nil
}

func clusterUse(r *v1beta1.ClusterSecretReference, bearer bool) *secretUse {
	if r == nil || r.SecretRef == nil {
		return nil
	}
	return &secretUse{types.NamespacedName{Namespace: r.SecretRef.Namespace, Name: r.SecretRef.Name}, bearer}
}

func localUse(namespace string, r *v1beta1.SecretReference, bearer bool) *secretUse {
	if r == nil || r.SecretRef == nil {
		return nil
	}
	return &secretUse{types.NamespacedName{Namespace: namespace, Name: r.SecretRef.Name}, bearer}
}

// catalogEntry is a class or a plan of either scope.
type catalogEntry struct {
	client.Object
	removed *bool
	owner   string // the broker's name
	class   *v1beta1.CommonServiceClassSpec
	plan    *v1beta1.CommonServicePlanSpec
	// classRef is the plan's class.
	classRef string
}

func entryOf(obj client.Object) catalogEntry {
	switch o := obj.(type) {
	case *v1beta1.ClusterServiceClass:
		return catalogEntry{Object: o, removed: &o.Status.RemovedFromBrokerCatalog, owner: o.Spec.ClusterServiceBrokerName, class: &o.Spec.CommonServiceClassSpec}
	case *v1beta1.ServiceClass:
		return catalogEntry{Object: o, removed: &o.Status.RemovedFromBrokerCatalog, owner: o.Spec.ServiceBrokerName, class: &o.Spec.CommonServiceClassSpec}
	case *v1beta1.ClusterServicePlan:
		return catalogEntry{Object: o, removed: &o.Status.RemovedFromBrokerCatalog, owner: o.Spec.ClusterServiceBrokerName, plan: &o.Spec.CommonServicePlanSpec, classRef: o.Spec.ClusterServiceClassRef.Name}
	case *v1beta1.ServicePlan:
		return catalogEntry{Object: o, removed: &o.Status.RemovedFromBrokerCatalog, owner: o.Spec.ServiceBrokerName, plan: &o.Spec.CommonServicePlanSpec, classRef: o.Spec.ServiceClassRef.Name}
	}
	panic(fmt.Sprintf("neither class nor plan: %T", obj))
}

// newClass is the object for an offered class of b.
func (b broker) newClass(c offeredClass) catalogEntry {
	meta := metav1.ObjectMeta{Name: c.Name, Namespace: b.GetNamespace()}
	if b.kind == kindClusterBroker {
		meta.Labels = hashed(v1beta1.LabelExternalID, c.Spec.ExternalID, v1beta1.LabelExternalName, c.Spec.ExternalName, v1beta1.LabelClusterBrokerName, b.GetName())
		return entryOf(&v1beta1.ClusterServiceClass{ObjectMeta: meta, Spec: v1beta1.ClusterServiceClassSpec{
			CommonServiceClassSpec: c.Spec, ClusterServiceBrokerName: b.GetName()}})
	}
	meta.Labels = hashed(v1beta1.LabelExternalID, c.Spec.ExternalID, v1beta1.LabelExternalName, c.Spec.ExternalName, v1beta1.LabelBrokerName, b.GetName())
	return entryOf(&v1beta1.ServiceClass{ObjectMeta: meta, Spec: v1beta1.ServiceClassSpec{
		CommonServiceClassSpec: c.Spec, ServiceBrokerName: b.GetName()}})
}

// newPlan is the object for an offered plan of b.
func (b broker) newPlan(p offeredPlan) catalogEntry {
	meta := metav1.ObjectMeta{Name: p.Name, Namespace: b.GetNamespace()}
	if b.kind == kindClusterBroker {
		meta.Labels = hashed(v1beta1.LabelExternalID, p.Spec.ExternalID, v1beta1.LabelExternalName, p.Spec.ExternalName,
			v1beta1.LabelClusterBrokerName, b.GetName(), v1beta1.LabelClusterServiceClassRef, p.Class)
		return entryOf(&v1beta1.ClusterServicePlan{ObjectMeta: meta, Spec: v1beta1.ClusterServicePlanSpec{
			CommonServicePlanSpec: p.Spec, ClusterServiceBrokerName: b.GetName(), ClusterServiceClassRef: v1beta1.ClusterObjectReference{Name: p.Class}}})
	}
	meta.Labels = hashed(v1beta1.LabelExternalID, p.Spec.ExternalID, v1beta1.LabelExternalName, p.Spec.ExternalName,
		v1beta1.LabelBrokerName, b.GetName(), v1beta1.LabelServiceClassRef, p.Class)
	return entryOf(&v1beta1.ServicePlan{ObjectMeta: meta, Spec: v1beta1.ServicePlanSpec{
		CommonServicePlanSpec: p.Spec, ServiceBrokerName: b.GetName(), ServiceClassRef: v1beta1.LocalObjectReference{Name: p.Class}}})
}

func hashed(pairs ...string) map[string]string {
	m := make(map[string]string, len(pairs)/2)
	for pair := range slices.Chunk(pairs, 2) {
		m[pair[0]] = labelValue(pair[1])
	}
	return m
}

// listClasses returns the classes of a broker, by name, as they are in the cache:
// to be looked at only.
func (b broker) listClasses(ctx context.Context, c client.Reader) (map[string]catalogEntry, error) {
	return b.list(ctx, c, b.classList(), indexBrokerName)
}

// listPlans returns the plans of a broker, likewise.
func (b broker) listPlans(ctx context.Context, c client.Reader) (map[string]catalogEntry, error) {
	return b.list(ctx, c, b.planList(), indexBrokerName)
}

// listRemovedClasses returns those that the broker offers no more, likewise.
func (b broker) listRemovedClasses(ctx context.Context, c client.Reader) (map[string]catalogEntry, error) {
	return b.list(ctx, c, b.classList(), indexRemoved)
}

// listRemovedPlans returns those that the broker offers no more, likewise.
func (b broker) listRemovedPlans(ctx context.Context, c client.Reader) (map[string]catalogEntry, error) {
	return b.list(ctx, c, b.planList(), indexRemoved)
}

func (b broker) classList() client.ObjectList {
	if b.kind == kindClusterBroker {
		return &v1beta1.ClusterServiceClassList{}
	}
	return &v1beta1.ServiceClassList{}
}

func (b broker) planList() client.ObjectList {
	if b.kind == kindClusterBroker {
		return &v1beta1.ClusterServicePlanList{}
	}
	return &v1beta1.ServicePlanList{}
}

func (b broker) list(ctx context.Context, c client.Reader, list client.ObjectList, index string) (map[string]catalogEntry, error) {
	err := c.List(ctx, list, client.InNamespace(b.GetNamespace()), client.MatchingFields{index: b.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list what broker %q offered: %w", b.GetName(), err)
	}
	out := make(map[string]catalogEntry, apimeta.LenList(list))
	err = apimeta.EachListItem(list, func(o runtime.Object) error {
		e := entryOf(o.(client.Object))
		out[e.GetName()] = e
		return nil
	})
	return out, err
}
