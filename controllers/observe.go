package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/internal/params"
	"github.com/svc-cat/catalog/osb"
)

// brokerFor reads the broker that has an instance or a binding.
func (e *Engine) brokerFor(ctx context.Context, ref *v1beta1.BrokerReference, namespace string) (*broker, *lifecycle.Problem, error) {
	if ref == nil {
		return nil, &lifecycle.Problem{Reason: v1beta1.ReasonReferencesNonexistentBroker,
			Message: "It is not recorded which broker was asked; the platform team must look into it."}, nil
	}
	b := newBroker(ref.Kind)
	key := types.NamespacedName{Name: ref.Name}
	if ref.Kind == kindBroker {
		key.Namespace = namespace
	}
	err := e.Get(ctx, key, b.Object)
	if apierrors.IsNotFound(err) {
		return nil, &lifecycle.Problem{Reason: v1beta1.ReasonReferencesNonexistentBroker, Message: fmt.Sprintf(
			"The %s %q is gone; the platform team must register it again under that name, and work goes on by itself.", ref.Kind, ref.Name)}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read broker %q: %w", ref.Name, err)
	}
	return &b, nil, nil
}

// connect gets a broker's client, and a token for how it is reached. For a removal
// the credentials that this process used last do where their Secret is gone: in a
// namespace that is deleted whole nothing says that it goes last.
func (e *Engine) connect(ctx context.Context, b *broker, removing bool) (*osb.Client, string, *lifecycle.Problem, error) {
	c, token, err := e.Clients.get(ctx, *b)
	s := authSentence(err)
	if s == "" {
		return c, token, nil, err
	}
	if removing {
		if last := e.Clients.last(*b); last != nil {
			return last, token, nil, nil
		}
	}
	return nil, token, &lifecycle.Problem{Reason: v1beta1.ReasonErrorGettingAuthCredentials, Message: s}, nil
}

// removal adds to a problem of an object that is being deleted how it can be let
// go without its broker.
func (e *Engine) removal(o client.Object, p *lifecycle.Problem) *lifecycle.Problem {
	if p == nil || o.GetDeletionTimestamp().IsZero() {
		return p
	}
	with := *p
	with.Message += " If what it stands for may stay at the broker, somebody with the verb purge can let it go: set the annotation " + v1beta1.AnnotationPurge + "=true."
	return &with
}

// parameters merges what a spec states with what Secrets hold, read live.
func (e *Engine) parameters(ctx context.Context, namespace string, inline *runtime.RawExtension, from []v1beta1.ParametersFromSource) (params.Merged, *lifecycle.Problem, error) {
	var sources []params.Source
	if inline != nil {
		sources = append(sources, params.Source{Name: "spec.parameters", JSON: inline.Raw})
	}
	for _, f := range from {
		if f.SecretKeyRef == nil {
			continue
		}
		s := &corev1.Secret{}
		name := types.NamespacedName{Namespace: namespace, Name: f.SecretKeyRef.Name}
		err := e.Get(ctx, name, s)
		if err != nil && !apierrors.IsNotFound(err) {
			return params.Merged{}, nil, fmt.Errorf("read parameters: %w", err)
		}
		value, ok := s.Data[f.SecretKeyRef.Key] // empty if there is no such Secret
		if !ok {
			return params.Merged{}, parameterProblem(fmt.Sprintf("Secret %q with key %q, which spec.parametersFrom names, does not exist; create it, and work goes on at once",
				f.SecretKeyRef.Name, f.SecretKeyRef.Key)), nil
		}
		sources = append(sources, params.Source{
			Name: fmt.Sprintf("Secret %q key %q", f.SecretKeyRef.Name, f.SecretKeyRef.Key), JSON: value, Secret: true})
	}
	merged, err := params.Merge(sources...)
	if err != nil {
		return params.Merged{}, parameterProblem(fmt.Sprintf("The parameters cannot be used: %s", err)), nil
	}
	return merged, nil, nil
}

func parameterProblem(sentence string) *lifecycle.Problem {
	return &lifecycle.Problem{Reason: v1beta1.ReasonErrorWithParameters, Message: sentence + "."}
}

// checkSchema validates parameters where the plan has a schema that can be used.
// Of one that cannot, unusable says why: the broker has the last word then.
func checkSchema(schema *runtime.RawExtension, parameters []byte) (problem *lifecycle.Problem, unusable error) {
	if schema == nil {
		return nil, nil
	}
	switch err := params.Check(schema.Raw, parameters); {
	case errors.Is(err, params.ErrUnusableSchema):
		return nil, err
	case err != nil:
		return parameterProblem(fmt.Sprintf("The plan does not take these parameters: %s. Correct spec.parameters", err)), nil
	}
	return nil, nil
}

// tellUnchecked says that parameters go to the broker unchecked, and why.
func (e *Engine) tellUnchecked(obj client.Object, action v1beta1.Action, unusable error) {
	if unusable == nil {
		return
	}
	e.tell(obj, action, &lifecycle.Event{Warning: true, Reason: v1beta1.ReasonSchemaUnusable, Note: fmt.Sprintf(
		"The parameters were sent unchecked: %s. The broker's operator should mend the schema in its catalog.", unusable)})
}

// retryToken is a digest of all that a new attempt depends on.
func retryToken(connection string, w lifecycle.Request, annotations map[string]string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d\n%s\n%s\n%s\n%s\n%s", connection, w.Generation, w.ServiceID, w.PlanID, w.Checksum, w.Maintenance, annotations[v1beta1.AnnotationReconcile])
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// osbContext is the context object of Kubernetes (OSB 2.17 profile).
func (e *Engine) osbContext(namespace, instance string) osb.RawJSON {
	c, err := json.Marshal(map[string]string{
		"platform": osb.PlatformKubernetes, "namespace": namespace, "clusterid": e.ClusterID, "instance_name": instance,
	})
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	return c
}

// namespaceUID is what brokers get as the space.
func (e *Engine) namespaceUID(ctx context.Context, name string) (types.UID, error) {
	ns := &corev1.Namespace{}
	if err := e.Get(ctx, types.NamespacedName{Name: name}, ns); err != nil {
		return "", fmt.Errorf("read namespace %q: %w", name, err)
	}
	return ns.UID, nil
}

// bindingNames lists the bindings that stand on an instance.
func (e *Engine) bindingNames(ctx context.Context, i *v1beta1.ServiceInstance) ([]string, error) {
	var list v1beta1.ServiceBindingList
	if err := e.List(ctx, &list, client.InNamespace(i.Namespace), client.MatchingFields{indexInstance: i.Name}); err != nil {
		return nil, fmt.Errorf("list bindings of instance %q: %w", i.Name, err)
	}
	var names []string
	for _, b := range list.Items {
		if b.Status.UnbindStatus == v1beta1.UnbindStatusRequired {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// userMustAct says whether a problem stays until somebody changes the object.
func userMustAct(reason string) bool {
	switch reason {
	case v1beta1.ReasonErrorWithParameters, v1beta1.ReasonAmbiguousServiceClass, v1beta1.ReasonPlanRequired,
		v1beta1.ReasonReferencesNonexistentServicePlan, v1beta1.ReasonReferencesDeletedServiceClass,
		v1beta1.ReasonReferencesDeletedServicePlan, v1beta1.ReasonIDInUse, v1beta1.ReasonErrorNonbindableClass,
		v1beta1.ReasonErrorInjectingBindResult:
		return true
	}
	return false
}

func mitigationMessage(op *v1beta1.Operation) string {
	if op.Message == "" {
		return "The spec changed while an attempt had no answer; what that attempt may have left at the broker is removed first."
	}
	return op.Message + " What the broker may hold of it is being removed."
}

// inFlight is the state while a broker is being asked.
func inFlight(action v1beta1.Action, reason, message string) state {
	return state{ready: metav1.ConditionFalse, reason: reason, message: message, working: true, mitigating: action == v1beta1.ActionMitigate}
}
