package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"gomodules.xyz/jsonpatch/v2"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/market"
	"github.com/svc-cat/catalog/internal/resolve"
)

// Paths of the admission of our own kinds.
const (
	// DefaultPath is where what users leave out is filled in.
	DefaultPath = "/default"
	// ValidatePath is where what needs a look-up is checked. The rest is checked
	// by the API server itself, by the CRDs' rules and the chart's policies.
	ValidatePath = "/validate"
)

// Admission admits brokers, instances and bindings. What it does not know it
// lets pass: the webhook configurations choose what is sent.
type Admission struct {
	// Cache holds classes and plans, indexed by market.AddIndexes.
	Cache client.Reader
	// Live reads brokers, instances and bindings and creates
	// SubjectAccessReviews, without a rate limiter.
	Live client.Client
	Log  logr.Logger
	// DeriveFrom is the id of the cluster that ids follow from where users leave them
	// out; empty makes them random.
	DeriveFrom string
}

// Handlers are what serves DefaultPath and ValidatePath, with the metrics of
// controller-runtime's webhooks.
func (a *Admission) Handlers() (map[string]http.Handler, error) {
	out := map[string]http.Handler{}
	for path, handle := range map[string]admission.HandlerFunc{DefaultPath: a.fill, ValidatePath: a.check} {
		h, err := admission.StandaloneWebhook(&admission.Webhook{Handler: a.bounded(handle), RecoverPanic: ptr.To(true)},
			admission.StandaloneOptions{Logger: a.Log, MetricsPath: path})
		if err != nil {
			return nil, fmt.Errorf("set up %s: %w", path, err)
		}
		out[path] = h
	}
	return out, nil
}

// bounded ends a request before the API server gives up on it: an answer with a
// sentence is better than none.
func (a *Admission) bounded(handle admission.HandlerFunc) admission.HandlerFunc {
	return func(ctx context.Context, req admission.Request) admission.Response {
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		resp := handle(ctx, req)
		if resp.Result != nil && resp.Result.Code >= http.StatusInternalServerError {
			a.Log.Error(errors.New(resp.Result.Message), "Failed to answer a review",
				"kind", req.Kind.Kind, "namespace", req.Namespace, "name", req.Name, "operation", req.Operation)
		}
		return resp
	}
}

// fill answers DefaultPath.
func (a *Admission) fill(ctx context.Context, req admission.Request) admission.Response {
	f := filling{user: userOf(req.UserInfo), id: uuid.NewString(), origin: v1beta1.ExternalIDGenerated}
	if a.DeriveFrom != "" && req.Name != "" { // a name that is yet to be generated leads to no id
		f.id, f.origin = v1beta1.DerivedID(a.DeriveFrom, req.Kind.Kind, req.Namespace, req.Name), v1beta1.ExternalIDDerived
	}
	var ops []jsonpatch.Operation
	var err error
	switch req.Kind.Kind {
	case kindClusterBroker:
		ops, err = fillAs(req, func(b *v1beta1.ClusterServiceBroker) *v1beta1.CommonServiceBrokerSpec {
			return &b.Spec.CommonServiceBrokerSpec
		}, fillBroker)
	case kindBroker:
		ops, err = fillAs(req, func(b *v1beta1.ServiceBroker) *v1beta1.CommonServiceBrokerSpec {
			return &b.Spec.CommonServiceBrokerSpec
		}, fillBroker)
	case kindInstance:
		ops, err = fillAs(req, func(i *v1beta1.ServiceInstance) *v1beta1.ServiceInstanceSpec { return &i.Spec },
			func(s, old *v1beta1.ServiceInstanceSpec) {
				f.plan = a.onlyPlan(ctx, s.PlanReference, req.Namespace)
				fillInstance(s, old, f)
			})
	case kindBinding:
		ops, err = fillAs(req, func(b *v1beta1.ServiceBinding) *v1beta1.ServiceBindingSpec { return &b.Spec },
			func(s, old *v1beta1.ServiceBindingSpec) { fillBinding(s, old, f) })
	}
	if err != nil {
		return failed(err)
	}
	return admission.Patched("", ops...)
}

// fillAs fills in the part S of a kind's spec, and says how as a patch. What
// cannot be read is left as it is: the CRD's schema, which the API server looks
// at later, says what is wrong with it.
func fillAs[T, S any](req admission.Request, part func(*T) *S, fill func(spec, old *S)) ([]jsonpatch.Operation, error) {
	obj, old, err := decode[T](req)
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	spec := part(obj)
	was, err := fields(spec)
	if err != nil {
		return nil, err
	}
	if old == nil {
		fill(spec, nil)
	} else {
		fill(spec, part(old))
	}
	is, err := fields(spec)
	if err != nil {
		return nil, err
	}
	return patch(req.Object.Raw, was, is)
}

// decode reads the object of a request and what it was; nil if it is created.
func decode[T any](req admission.Request) (obj, old *T, err error) {
	obj = new(T)
	if err := json.Unmarshal(req.Object.Raw, obj); err != nil {
		return nil, nil, fmt.Errorf("read object: %w", err)
	}
	if len(req.OldObject.Raw) == 0 {
		return obj, nil, nil
	}
	old = new(T)
	if err := json.Unmarshal(req.OldObject.Raw, old); err != nil {
		return nil, nil, fmt.Errorf("read old object: %w", err)
	}
	return obj, old, nil
}

// onlyPlan is the plan of an instance that names none, if its class has exactly
// one on offer; else "". A catalog that is not there yet is no fault: the
// controllers look again when it is.
func (a *Admission) onlyPlan(ctx context.Context, ref v1beta1.PlanReference, namespace string) string {
	w, err := resolve.Want(ref)
	if err != nil || w.Plan != "" {
		return ""
	}
	_, plan, err := market.Find(ctx, a.Cache, w, namespace)
	if err != nil {
		return ""
	}
	return w.PlanName(plan)
}

// userOf is the asking user as it is kept in spec and told to brokers.
func userOf(u authenticationv1.UserInfo) v1beta1.UserInfo {
	out := v1beta1.UserInfo{Username: u.Username, UID: u.UID, Groups: u.Groups}
	for k, v := range u.Extra {
		if out.Extra == nil {
			out.Extra = map[string]v1beta1.ExtraValue{}
		}
		out.Extra[k] = v1beta1.ExtraValue(v)
	}
	return out
}

// failed is the answer when it is not known whether the request is right. Its
// text may be shown; the API server's errors hold no values.
func failed(err error) admission.Response {
	return admission.Errored(http.StatusInternalServerError,
		fmt.Errorf("the webhook could not check the request; try again, and if it happens again tell the platform team: %w", err))
}
