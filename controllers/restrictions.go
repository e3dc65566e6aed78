package controllers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// restrictions say which entries of a broker's catalog are offered.
type restrictions struct {
	classes, plans labels.Selector
	// classProperty is what the class of a plan is called in terms.
	classProperty string
}

// restrictions reads those of a broker; nil for none. The error names the term that
// cannot be read.
func (b broker) restrictions() (*restrictions, error) {
	r := b.spec.CatalogRestrictions
	if r == nil {
		return nil, nil
	}
	out := &restrictions{classProperty: "spec.serviceClass.name"}
	if b.kind == kindClusterBroker {
		out.classProperty = "spec.clusterServiceClass.name"
	}
	var err error
	if out.classes, err = selector("serviceClass", r.ServiceClass, "name", "spec.externalName", "spec.externalID"); err != nil {
		return nil, err
	}
	out.plans, err = selector("servicePlan", r.ServicePlan, "name", "spec.externalName", "spec.externalID", "spec.free", out.classProperty)
	return out, err
}

// of is what remains of an offer: first the classes, then the plans of those; a
// class left without a plan goes too.
func (r *restrictions) of(o offer) offer {
	if r == nil {
		return o
	}
	kept := map[string]bool{}
	for _, c := range o.Classes {
		kept[c.Name] = r.classes.Matches(labels.Set{"name": c.Name, "spec.externalName": c.Spec.ExternalName, "spec.externalID": c.Spec.ExternalID})
	}
	withPlan := map[string]bool{}
	o.Plans = slices.DeleteFunc(slices.Clone(o.Plans), func(p offeredPlan) bool {
		ok := kept[p.Class] && r.plans.Matches(labels.Set{
			"name": p.Name, "spec.externalName": p.Spec.ExternalName, "spec.externalID": p.Spec.ExternalID,
			"spec.free": strconv.FormatBool(p.Spec.Free), r.classProperty: p.Class,
		})
		withPlan[p.Class] = withPlan[p.Class] || ok
		return !ok
	})
	o.Classes = slices.DeleteFunc(slices.Clone(o.Classes), func(c offeredClass) bool { return !withPlan[c.Name] })
	return o
}

// selector reads terms with the grammar of label selectors; all must hold.
func selector(field string, terms []string, properties ...string) (labels.Selector, error) {
	s, err := labels.Parse(strings.Join(terms, ","))
	if err != nil {
		return nil, fmt.Errorf("spec.catalogRestrictions.%s cannot be read: %w; write terms such as \"spec.externalName in (a, b)\"", field, err)
	}
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		if !slices.Contains(properties, r.Key()) {
			return nil, fmt.Errorf("spec.catalogRestrictions.%s names %q, which is no property; there are %s", field, r.Key(), strings.Join(properties, ", "))
		}
	}
	return s, nil
}
