package controllers

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
)

// claim is an object that carries an id.
type claim struct {
	client.Object
	// begun: the broker was asked for something under the id.
	begun bool
}

// idHolder returns the other claim that goes before self's, nil if self's is
// first: one that began, else the older one. So of objects with one id exactly
// one is served.
func idHolder(self claim, others []claim) client.Object {
	for _, o := range others {
		if o.GetUID() == self.GetUID() {
			continue
		}
		ours, theirs := self.GetCreationTimestamp(), o.GetCreationTimestamp()
		switch {
		case o.begun != self.begun:
			if o.begun {
				return o.Object
			}
		case theirs.Before(&ours), theirs.Equal(&ours) && o.GetUID() < self.GetUID():
			return o.Object
		}
	}
	return nil
}

// duplicateID is the problem of an object whose id another one holds; nil if
// there is no holder.
func duplicateID(id string, holder client.Object) *lifecycle.Problem {
	if holder == nil {
		return nil
	}
	return &lifecycle.Problem{Reason: v1beta1.ReasonIDInUse, Message: fmt.Sprintf(
		"The id %s belongs to %s/%s, which came first; the broker is not asked for this one. Delete one of the two, or make this one anew without spec.externalID.",
		id, holder.GetNamespace(), holder.GetName())}
}

// checkID makes sure that no other instance holds the instance's id. Admission
// refuses most of these; this is for those that came at the same time.
func (i *instance) checkID(ctx context.Context, _ *lifecycle.Facts) (*lifecycle.Problem, error) {
	var list v1beta1.ServiceInstanceList
	if err := i.r.List(ctx, &list, client.MatchingFields{indexExternalID: i.Status.ExternalID}); err != nil {
		return nil, fmt.Errorf("look for id %q: %w", i.Status.ExternalID, err)
	}
	claimOf := func(o *v1beta1.ServiceInstance) claim {
		return claim{o, o.Status.DeprovisionStatus == v1beta1.DeprovisionStatusRequired}
	}
	var others []claim
	for n := range list.Items {
		o := &list.Items[n]
		if i.r.sameBroker(ctx, i.found.broker, o.Status.BrokerRef, o.Namespace) {
			others = append(others, claimOf(o))
		}
	}
	return duplicateID(i.Status.ExternalID, idHolder(claimOf(i.ServiceInstance), others)), nil
}

// checkID is the same for a binding.
func (b *binding) checkID(ctx context.Context, _ *lifecycle.Facts) (*lifecycle.Problem, error) {
	var list v1beta1.ServiceBindingList
	if err := b.r.List(ctx, &list, client.MatchingFields{indexExternalID: b.Status.ExternalID}); err != nil {
		return nil, fmt.Errorf("look for id %q: %w", b.Status.ExternalID, err)
	}
	claimOf := func(o *v1beta1.ServiceBinding) claim {
		return claim{o, o.Status.UnbindStatus == v1beta1.UnbindStatusRequired}
	}
	var others []claim
	for n := range list.Items {
		o := &list.Items[n]
		if b.r.sameBroker(ctx, b.found.broker, o.Status.BrokerRef, o.Namespace) {
			others = append(others, claimOf(o))
		}
	}
	return duplicateID(b.Status.ExternalID, idHolder(claimOf(b.ServiceBinding), others)), nil
}

// sameBroker says whether b may be the broker that ref names in a namespace. A
// broker can be registered twice, so its address tells; where that is not to be
// had, it may be.
func (e *Engine) sameBroker(ctx context.Context, b *broker, ref *v1beta1.BrokerReference, namespace string) bool {
	if ref == nil {
		return true
	}
	other, problem, err := e.brokerFor(ctx, ref, namespace)
	if problem != nil || err != nil {
		return true
	}
	return strings.TrimRight(other.spec.URL, "/") == strings.TrimRight(b.spec.URL, "/")
}
