package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Class is a class of either scope.
type Class struct {
	// Name is the Kubernetes name; Broker that of its broker.
	Name, Broker string
	// Cluster says that it is a ClusterServiceClass.
	Cluster bool
	Removed bool
	Spec    *v1beta1.CommonServiceClassSpec
}

// Plan is a plan of either scope.
type Plan struct {
	// Name is the Kubernetes name; Class that of its class.
	Name, Class string
	Removed     bool
	Spec        *v1beta1.CommonServicePlanSpec
}

// FromClusterClass views a ClusterServiceClass as a Class.
func FromClusterClass(c *v1beta1.ClusterServiceClass) Class {
	return Class{
		Name: c.Name, Broker: c.Spec.ClusterServiceBrokerName, Cluster: true,
		Removed: c.Status.RemovedFromBrokerCatalog, Spec: &c.Spec.CommonServiceClassSpec,
	}
}

// FromClass views a ServiceClass as a Class.
func FromClass(c *v1beta1.ServiceClass) Class {
	return Class{
		Name: c.Name, Broker: c.Spec.ServiceBrokerName,
		Removed: c.Status.RemovedFromBrokerCatalog, Spec: &c.Spec.CommonServiceClassSpec,
	}
}

// FromClusterPlan views a ClusterServicePlan as a Plan.
func FromClusterPlan(p *v1beta1.ClusterServicePlan) Plan {
	return Plan{
		Name: p.Name, Class: p.Spec.ClusterServiceClassRef.Name,
		Removed: p.Status.RemovedFromBrokerCatalog, Spec: &p.Spec.CommonServicePlanSpec,
	}
}

// FromPlan views a ServicePlan as a Plan.
func FromPlan(p *v1beta1.ServicePlan) Plan {
	return Plan{
		Name: p.Name, Class: p.Spec.ServiceClassRef.Name,
		Removed: p.Status.RemovedFromBrokerCatalog, Spec: &p.Spec.CommonServicePlanSpec,
	}
}

// Error says why class or plan cannot be told.
type Error struct {
	// Reason is a condition reason of package v1beta1.
	Reason string
	// Message is a sentence with the next step.
	Message string
}

// Error is the sentence.
func (e *Error) Error() string { return e.Message }

// Style is how a class and a plan are named.
type Style string

// The naming styles.
const (
	ByExternalName Style = "external name"
	ByExternalID   Style = "external ID"
	ByName         Style = "name"
)

// Wanted is what a PlanReference asks for.
type Wanted struct {
	// Cluster says that ClusterServiceClasses are meant.
	Cluster     bool
	Style       Style
	Class, Plan string
}

// Want reads a PlanReference. Where several naming styles are set the first of
// external name, external id and Kubernetes name holds, as in v0.3. A plan that
// would be passed over for the default, as it is named in another way than the
// class, is an error.
func Want(r v1beta1.PlanReference) (Wanted, error) {
	ways := []Wanted{
		{true, ByExternalName, r.ClusterServiceClassExternalName, r.ClusterServicePlanExternalName},
		{true, ByExternalID, r.ClusterServiceClassExternalID, r.ClusterServicePlanExternalID},
		{true, ByName, r.ClusterServiceClassName, r.ClusterServicePlanName},
		{false, ByExternalName, r.ServiceClassExternalName, r.ServicePlanExternalName},
		{false, ByExternalID, r.ServiceClassExternalID, r.ServicePlanExternalID},
		{false, ByName, r.ServiceClassName, r.ServicePlanName},
	}
	at := slices.IndexFunc(ways, func(w Wanted) bool { return w.Class != "" })
	if at >= 0 {
		w := ways[at]
		other := slices.IndexFunc(ways, func(o Wanted) bool { return o.Plan != "" })
		if w.Plan != "" || other < 0 {
			return w, nil
		}
		o := ways[other]
		return Wanted{}, &Error{v1beta1.ReasonReferencesNonexistentServicePlan, fmt.Sprintf(
			"The spec names a %s by %s, but plan %q as one of a %s by %s; name the plan in the same way as the class.",
			w.Kind(), w.Style, o.Plan, o.Kind(), o.Style)}
	}
	return Wanted{}, &Error{v1beta1.ReasonReferencesNonexistentServiceClass,
		"No class is named; set spec.clusterServiceClassExternalName (or another of the class fields) to one that \"kubectl get clusterserviceclasses\" lists."}
}

// PlanField is the field of r for the plan, in the scope and naming style in
// which r names its class; nil if it names none.
func PlanField(r *v1beta1.PlanReference) *string {
	w, err := Want(*r)
	if err != nil {
		return nil
	}
	field, namespaced := &r.ClusterServicePlanName, &r.ServicePlanName
	switch w.Style {
	case ByExternalName:
		field, namespaced = &r.ClusterServicePlanExternalName, &r.ServicePlanExternalName
	case ByExternalID:
		field, namespaced = &r.ClusterServicePlanExternalID, &r.ServicePlanExternalID
	}
	if w.Cluster {
		return field
	}
	return namespaced
}

// PlanName is how w would name a plan.
func (w Wanted) PlanName(p Plan) string { return planKey(w.Style, p) }

// Kind is the kind of class that is meant.
func (w Wanted) Kind() string {
	if w.Cluster {
		return "ClusterServiceClass"
	}
	return "ServiceClass"
}

// Resolve finds the class that w names among classes, and its plan among
// plans. Plans of other classes are passed over. The class is returned also
// beside an error about the plan.
func Resolve(w Wanted, classes []Class, plans []Plan) (Class, Plan, error) {
	class, err := findClass(w, classes)
	if err != nil {
		return Class{}, Plan{}, err
	}
	own := slices.DeleteFunc(slices.Clone(plans), func(p Plan) bool { return p.Class != class.Name })
	if w.Plan == "" {
		plan, err := w.defaultPlan(class, own)
		return class, plan, err
	}
	// A plan that the broker removed must not hide one that it offers by that name.
	for _, removed := range []bool{false, true} {
		for _, p := range own {
			if p.Removed == removed && w.Plan == w.PlanName(p) {
				return class, p, nil
			}
		}
	}
	if !slices.ContainsFunc(own, func(p Plan) bool { return !p.Removed }) {
		return class, Plan{}, &Error{v1beta1.ReasonReferencesNonexistentServicePlan,
			fmt.Sprintf("Class %q has no plan with %s %q yet; it is looked for again as soon as its broker offers one. If the name is wrong, correct it.", class.Spec.ExternalName, w.Style, w.Plan)}
	}
	return class, Plan{}, &Error{v1beta1.ReasonReferencesNonexistentServicePlan,
		fmt.Sprintf("Class %q has no plan with %s %q; choose one of: %s.", class.Spec.ExternalName, w.Style, w.Plan, w.names(own))}
}

func findClass(w Wanted, classes []Class) (Class, error) {
	var found []Class
	for _, c := range classes {
		if c.Cluster == w.Cluster && w.Class == classKey(w.Style, c) {
			found = append(found, c)
		}
	}
	// A class that its broker removed must not make a living one ambiguous.
	if living := slices.DeleteFunc(slices.Clone(found), func(c Class) bool { return c.Removed }); len(living) > 0 {
		found = living
	}
	switch len(found) {
	case 0:
		return Class{}, &Error{v1beta1.ReasonReferencesNonexistentServiceClass,
			fmt.Sprintf("No %s has the %s %q yet; it is looked for again as soon as a broker offers one. If the name is wrong, correct it.", w.Kind(), w.Style, w.Class)}
	case 1:
		return found[0], nil
	}
	return Class{}, &Error{v1beta1.ReasonAmbiguousServiceClass,
		fmt.Sprintf("%d classes have the %s %q; name one by its Kubernetes name: %s.", len(found), w.Style, w.Class, classNames(found))}
}

// defaultPlan is the only plan on offer of a class.
func (w Wanted) defaultPlan(class Class, own []Plan) (Plan, error) {
	offered := slices.DeleteFunc(slices.Clone(own), func(p Plan) bool { return p.Removed })
	if len(offered) == 1 {
		return offered[0], nil
	}
	if len(offered) == 0 {
		return Plan{}, &Error{v1beta1.ReasonPlanRequired,
			fmt.Sprintf("Class %q has no plan on offer yet; it is looked for again as soon as its broker offers one.", class.Spec.ExternalName)}
	}
	return Plan{}, &Error{v1beta1.ReasonPlanRequired,
		fmt.Sprintf("Class %q has %d plans and none is named; choose one of: %s.", class.Spec.ExternalName, len(offered), w.names(offered))}
}

func classKey(s Style, c Class) string {
	switch s {
	case ByExternalName:
		return c.Spec.ExternalName
	case ByExternalID:
		return c.Spec.ExternalID
	}
	return c.Name
}

func planKey(s Style, p Plan) string {
	switch s {
	case ByExternalName:
		return p.Spec.ExternalName
	case ByExternalID:
		return p.Spec.ExternalID
	}
	return p.Name
}

// names lists the plans on offer as they are to be named.
func (w Wanted) names(plans []Plan) string {
	var out []string
	for _, p := range plans {
		if !p.Removed {
			out = append(out, w.PlanName(p))
		}
	}
	return list(out)
}

func classNames(classes []Class) string {
	out := make([]string, len(classes))
	for i, c := range classes {
		out[i] = c.Name
	}
	return list(out)
}

// list sorts, and cuts what nobody would read.
func list(names []string) string {
	if len(names) == 0 {
		return "(none)"
	}
	slices.Sort(names)
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
