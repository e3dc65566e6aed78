package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/credentials"
	"github.com/svc-cat/catalog/internal/inject"
	"github.com/svc-cat/catalog/internal/market"
	"github.com/svc-cat/catalog/internal/resolve"
)

// Names of the cache's indexes.
const (
	indexBrokerName = "brokerName" // classes and plans by their broker's name
	indexRemoved    = "removed"    // of these, those that it offers no more
	indexWanted     = "wanted"     // instances that are not as their spec says, by the class they name
	indexPlan       = "plan"       // instances by the plan they were resolved to
	indexBroker     = "broker"     // instances and bindings by the broker that has them
	indexExternalID = "externalID" // instances and bindings by their ids
	indexInstance   = "instance"   // bindings by their instance
	indexSecret     = "secret"     // all by the Secrets they read or, bindings, write
	indexBinding    = "binding"    // waiting Pods by the bindings they wait for
)

func brokerKey(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

// refKey is the brokerKey of a reference in a namespace.
func refKey(ref *v1beta1.BrokerReference, namespace string) []string {
	switch {
	case ref == nil:
		return nil
	case ref.Kind == kindClusterBroker:
		namespace = ""
	}
	return []string{brokerKey(ref.Kind, namespace, ref.Name)}
}

// addIndexes registers all indexes with the cache.
func addIndexes(ctx context.Context, ix client.FieldIndexer) error {
	entries := []client.Object{&v1beta1.ClusterServiceClass{}, &v1beta1.ServiceClass{}, &v1beta1.ClusterServicePlan{}, &v1beta1.ServicePlan{}}
	type index struct {
		obj   client.Object
		name  string
		keyOf client.IndexerFunc
	}
	var all []index
	for _, o := range entries {
		all = append(all,
			index{o, indexBrokerName, func(o client.Object) []string { return []string{entryOf(o).owner} }},
			index{o, indexRemoved, func(o client.Object) []string {
				if e := entryOf(o); *e.removed {
					return []string{e.owner}
				}
				return nil
			}})
	}
	all = append(all,
		index{&v1beta1.ClusterServiceBroker{}, indexSecret, brokerSecrets},
		index{&v1beta1.ServiceBroker{}, indexSecret, brokerSecrets},
		index{&v1beta1.ServiceInstance{}, indexWanted, typed(wantedKeys)},
		index{&v1beta1.ServiceInstance{}, indexBroker, typed(instanceBroker)},
		index{&v1beta1.ServiceInstance{}, indexPlan, typed(planKeys)},
		index{&v1beta1.ServiceInstance{}, indexExternalID, idsOf},
		index{&v1beta1.ServiceBinding{}, indexExternalID, idsOf},
		index{&v1beta1.ServiceInstance{}, indexSecret, typed(instanceSecrets)},
		index{&v1beta1.ServiceBinding{}, indexInstance, typed(func(b *v1beta1.ServiceBinding) []string { return []string{b.Spec.InstanceRef.Name} })},
		index{&v1beta1.ServiceBinding{}, indexBroker, typed(bindingBroker)},
		index{&v1beta1.ServiceBinding{}, indexSecret, typed(bindingSecrets)},
		index{&corev1.Pod{}, indexBinding, podBindings},
	)
	for _, i := range all {
		if err := ix.IndexField(ctx, i.obj, i.name, i.keyOf); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.obj, i.name, err)
		}
	}
	return market.AddIndexes(ctx, ix)
}

// typed is an indexer for one kind.
func typed[T client.Object](keys func(T) []string) client.IndexerFunc {
	return func(o client.Object) []string { return keys(o.(T)) }
}

func wantedKeys(i *v1beta1.ServiceInstance) []string {
	w, err := resolve.Want(i.Spec.PlanReference)
	settled := i.Status.ProvisionStatus == v1beta1.ProvisionStatusProvisioned && i.Status.ReconciledGeneration == i.Generation
	if err != nil || settled {
		return nil
	}
	return []string{market.Key(w.Style, w.Class)}
}

func instanceBroker(i *v1beta1.ServiceInstance) []string {
	return refKey(i.Status.BrokerRef, i.Namespace)
}

func bindingBroker(b *v1beta1.ServiceBinding) []string {
	return refKey(b.Status.BrokerRef, b.Namespace)
}

// idsOf are the ids of an instance or a binding.
func idsOf(o client.Object) []string {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		return distinct(o.Spec.ExternalID, o.Status.ExternalID)
	case *v1beta1.ServiceBinding:
		return distinct(o.Spec.ExternalID, o.Status.ExternalID)
	}
	return nil
}

// distinct are the ids that an object was given and uses.
func distinct(spec, status string) []string {
	if status == "" || status == spec {
		return []string{spec}
	}
	return []string{spec, status}
}

func secretKey(namespace, name string) string { return namespace + "/" + name }

func brokerSecrets(o client.Object) []string {
	var keys []string
	for _, use := range brokerOf(o).secrets() {
		keys = append(keys, secretKey(use.Namespace, use.Name))
	}
	return keys
}

func parameterSecrets(namespace string, from []v1beta1.ParametersFromSource) []string {
	var keys []string
	for _, f := range from {
		if f.SecretKeyRef != nil {
			keys = append(keys, secretKey(namespace, f.SecretKeyRef.Name))
		}
	}
	return keys
}

func instanceSecrets(i *v1beta1.ServiceInstance) []string {
	return parameterSecrets(i.Namespace, i.Spec.ParametersFrom)
}

// readByBinding are the Secrets that a binding reads.
func readByBinding(b *v1beta1.ServiceBinding) []string {
	keys := parameterSecrets(b.Namespace, b.Spec.ParametersFrom)
	for _, ref := range credentials.Sources(b.Spec.SecretTransforms) {
		keys = append(keys, secretKey(ref.Namespace, ref.Name))
	}
	return keys
}

// bindingSecrets are all Secrets that a binding has to do with: those that it reads,
// and those that it writes, which may be another's by now.
func bindingSecrets(b *v1beta1.ServiceBinding) []string {
	name := b.EffectiveSecretName()
	return append(readByBinding(b), secretKey(b.Namespace, name), secretKey(b.Namespace, v1beta1.EnvSecretName(name)))
}

func podBindings(o client.Object) []string {
	in, err := inject.ParseInjected(o.GetAnnotations()[v1beta1.AnnotationInjected])
	if err != nil {
		return nil
	}
	var names []string
	for _, b := range in.Bindings {
		names = append(names, b.Name)
	}
	return names
}
