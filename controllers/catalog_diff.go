package controllers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// change is one class or plan that is not as it should be. want is zero for one
// that is offered no more, have for one that is not there.
type change struct {
	have, want catalogEntry
	// spec: more than the mark "removed" is to be written.
	spec bool
}

// changes are what it takes to make classes and plans what a broker offers.
type changes struct {
	plans, classes, gone []change
	// skipped is what is offered and cannot be had now.
	skipped []v1beta1.SkippedEntry
}

// present is what there is of a broker's catalog, by name.
type present struct {
	classes, plans map[string]catalogEntry
	// takenClasses and takenPlans are names that the broker offers and others have.
	takenClasses, takenPlans map[string]catalogEntry
}

// diff compares what a broker offers with what there is. It is pure, and changes
// nothing of what it is given. What could not be read of the catalog was not
// removed by the broker, so it is kept, and so are the plans of a class that could
// not. What a user made stays. A class whose name another has is left out with its
// plans: they would be taken for plans of the other.
func diff(b broker, o offer, have present) changes {
	var c changes
	offeredPlans, offeredClasses := map[string]bool{}, map[string]bool{}
	for _, s := range o.Classes {
		want := b.newClass(s)
		if other, taken := have.takenClasses[s.Name]; taken {
			c.skipped = append(c.skipped, want.taken(other))
			continue
		}
		offeredClasses[s.Name] = true
		c.classes = b.compare(c.classes, want, have.classes)
	}
	for _, p := range o.Plans {
		want := b.newPlan(p)
		old, ok := have.plans[p.Name]
		switch other, taken := have.takenPlans[p.Name]; {
		case !offeredClasses[p.Class]: // said of its class
		case taken:
			c.skipped = append(c.skipped, want.taken(other))
		case ok && old.classRef != p.Class:
			c.skipped = append(c.skipped, want.moved(old))
		default:
			offeredPlans[p.Name] = true
			c.plans = b.compare(c.plans, want, have.plans)
		}
	}
	gone := func(e catalogEntry, offered map[string]bool) {
		if name := e.GetName(); !offered[name] && !o.KeepAll && !o.Keep[name] && !o.Keep[e.classRef] && b.made(e) {
			c.gone = append(c.gone, change{have: e})
		}
	}
	for _, e := range have.classes {
		gone(e, offeredClasses)
	}
	for _, e := range have.plans {
		gone(e, offeredPlans)
	}
	return c
}

// made says whether an entry is of the broker's catalog: it is controlled by it, or
// by one of its name that is gone. What a user made is controlled by nobody.
func (b broker) made(e catalogEntry) bool {
	owner := metav1.GetControllerOf(e.Object)
	return owner != nil && owner.Kind == b.kind && owner.Name == b.GetName()
}

// compare adds the change that an offered entry needs, if it needs one.
func (b broker) compare(to []change, want catalogEntry, all map[string]catalogEntry) []change {
	have, ok := all[want.GetName()]
	if !ok {
		return append(to, change{want: want, spec: true})
	}
	spec := have.differs(want) || !metav1.IsControlledBy(have.Object, b.Object)
	if spec || *have.removed {
		return append(to, change{have, want, spec})
	}
	return to
}

// differs says whether the broker says something else of an entry than is stored.
// What an operator sets does not count.
func (e catalogEntry) differs(want catalogEntry) bool {
	for k, v := range want.GetLabels() {
		if e.GetLabels()[k] != v {
			return true
		}
	}
	if e.class != nil {
		is, should := *e.class, *want.class
		is.DefaultProvisionParameters, should.DefaultProvisionParameters = nil, nil
		same := sameJSON(&is.ExternalMetadata, &should.ExternalMetadata)
		return !same || !equality.Semantic.DeepEqual(is, should)
	}
	is, should := *e.plan, *want.plan
	is.DefaultProvisionParameters, should.DefaultProvisionParameters = nil, nil
	same := sameJSON(&is.ExternalMetadata, &should.ExternalMetadata) &&
		sameJSON(&is.InstanceCreateParameterSchema, &should.InstanceCreateParameterSchema) &&
		sameJSON(&is.InstanceUpdateParameterSchema, &should.InstanceUpdateParameterSchema) &&
		sameJSON(&is.ServiceBindingCreateParameterSchema, &should.ServiceBindingCreateParameterSchema)
	return !same || !equality.Semantic.DeepEqual(is, should)
}

// sameJSON compares two fields by what they mean, and takes both away, so that
// what is left can be compared byte for byte: the API server stores JSON with its
// keys sorted and its numbers in a form of its own.
func sameJSON(a, b **runtime.RawExtension) bool {
	x, y := *a, *b
	*a, *b = nil, nil
	if x == nil || y == nil {
		return x == nil && y == nil
	}
	if bytes.Equal(x.Raw, y.Raw) {
		return true
	}
	var p, q any
	if json.Unmarshal(x.Raw, &p) != nil || json.Unmarshal(y.Raw, &q) != nil {
		return false
	}
	return equality.Semantic.DeepEqual(p, q)
}

// take copies what the broker says into e. What an operator set is kept.
func (e catalogEntry) take(want catalogEntry) {
	if e.class != nil {
		keep := e.class.DefaultProvisionParameters
		*e.class = *want.class
		e.class.DefaultProvisionParameters = keep
	} else {
		keep := e.plan.DefaultProvisionParameters
		*e.plan = *want.plan
		e.plan.DefaultProvisionParameters = keep
	}
	labels := map[string]string{}
	for _, m := range []map[string]string{e.GetLabels(), want.GetLabels()} {
		for k, v := range m {
			labels[k] = v
		}
	}
	e.SetLabels(labels)
}

// skipped reports an entry that is not offered.
func (e catalogEntry) skipped(reason string) v1beta1.SkippedEntry {
	s := v1beta1.SkippedEntry{Name: e.GetName(), Reason: reason}
	if e.class != nil {
		s.ServiceID, s.ExternalName = e.class.ExternalID, e.class.ExternalName
	} else {
		s.PlanID, s.ExternalName = e.plan.ExternalID, e.plan.ExternalName
	}
	return bounded(s)
}

// taken reports an entry whose name another broker's has.
func (e catalogEntry) taken(by catalogEntry) v1beta1.SkippedEntry {
	plans := ""
	if e.class != nil {
		plans = " with its plans"
	}
	s := e.skipped(fmt.Sprintf("its id is that of an entry of broker %q; it is offered%s as soon as that one is gone", by.owner, plans))
	s.TakenBy = by.owner
	return s
}

// moved reports a plan that the broker has under another class now.
func (e catalogEntry) moved(old catalogEntry) v1beta1.SkippedEntry {
	s := e.skipped(fmt.Sprintf("it was a plan of class %q before, and a plan stays with its class here; it is offered in its new class as soon as no instance uses it", old.classRef))
	s.TakenBy = old.owner
	return s
}

// bySkipped orders entries that were left out.
func bySkipped(a, b v1beta1.SkippedEntry) int {
	return cmp.Or(cmp.Compare(a.ServiceID, b.ServiceID), cmp.Compare(a.PlanID, b.PlanID), cmp.Compare(a.Reason, b.Reason))
}
