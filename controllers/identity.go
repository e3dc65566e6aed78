package controllers

import (
	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// The kinds whose objects have ids.
const (
	kindInstance = "ServiceInstance"
	kindBinding  = "ServiceBinding"
)

// identity is where an object keeps its OSB id, and who made it: in spec, which
// users edit, and in status, which they do not.
type identity struct {
	spec       *string
	specOrigin *v1beta1.ExternalIDOrigin
	used       *string
	usedOrigin *v1beta1.ExternalIDOrigin
	// derived is the id that follows from where the object is; "" if ids are random.
	derived string
}

// fill gives a spec without an id the one in use, or a new one that says it was
// made here. It tells whether it did.
func (i identity) fill() bool {
	switch {
	case *i.spec != "":
		return false
	case *i.used != "":
		// An id that was taken out of spec is still the same: were it made anew,
		// a given id could become one that we think we made.
		*i.spec, *i.specOrigin = *i.used, *i.usedOrigin
	case i.derived != "":
		*i.spec, *i.specOrigin = i.derived, v1beta1.ExternalIDDerived
	default:
		*i.spec, *i.specOrigin = uuid.NewString(), v1beta1.ExternalIDGenerated
	}
	return true
}

// settle takes id and origin from spec into status, once: from then on status
// holds, whatever becomes of spec.
func (i identity) settle() {
	if *i.used != "" {
		return
	}
	*i.used, *i.usedOrigin = *i.spec, *i.specOrigin
	if *i.usedOrigin == "" {
		*i.usedOrigin = v1beta1.ExternalIDGiven
	}
}

// derivedID is the id of an object that follows from where it is, if ids are made
// so; else "".
func (e *Engine) derivedID(kind string, o client.Object) string {
	if !e.DeriveIDs {
		return ""
	}
	return v1beta1.DerivedID(e.ClusterID, kind, o.GetNamespace(), o.GetName())
}
