package controllers

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	b := brokerOf(&v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "b", UID: "now"}})
	ownedBy := func(e catalogEntry, uid types.UID) catalogEntry {
		e.SetOwnerReferences([]metav1.OwnerReference{{Kind: kindClusterBroker, Name: "b", UID: uid, Controller: new(true)}})
		return e
	}
	json := func(s string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(s)} }
	class := offeredClass{Name: "db", Spec: v1beta1.CommonServiceClassSpec{ExternalName: "db", ExternalID: "db", ExternalMetadata: json(`{"b":1.0, "a":"<&>"}`)}}
	plan := offeredPlan{Name: "small", Class: "db", Spec: v1beta1.CommonServicePlanSpec{ExternalName: "small", ExternalID: "small", InstanceCreateParameterSchema: json(`{ "type":"object" }`)}}
	kept := func() (c, p catalogEntry) {
		c, p = ownedBy(b.newClass(class), "now"), ownedBy(b.newPlan(plan), "now")
		c.class.ExternalMetadata = json(`{"a":"\u003c\u0026\u003e","b":1}`)
		p.plan.InstanceCreateParameterSchema = json(`{"type":"object"}`)
		return c, p
	}
	both := offer{Classes: []offeredClass{class}, Plans: []offeredPlan{plan}}
	for name, tc := range map[string]struct {
		offer  offer
		change func(c, p *catalogEntry)
		want   []string
	}{
		"what is as it should be is left alone, whatever form its JSON has": {offer: both},
		"what is not there is made": {offer: both, change: func(c, p *catalogEntry) { c.Object, p.Object = nil, nil },
			want: []string{"make small", "make db"}},
		"what differs is written": {offer: both, change: func(c, p *catalogEntry) { c.class.Description, p.plan.Free = "old", true },
			want: []string{"write small", "write db"}},
		"other metadata are written":       {offer: both, change: func(c, _ *catalogEntry) { c.class.ExternalMetadata = json(`{"a":1}`) }, want: []string{"write db"}},
		"a schema that went is taken away": {offer: both, change: func(_, p *catalogEntry) { p.plan.InstanceUpdateParameterSchema = json(`{}`) }, want: []string{"write small"}},
		"a label that somebody took is put back": {offer: both, change: func(c, _ *catalogEntry) { delete(c.GetLabels(), v1beta1.LabelExternalID) },
			want: []string{"write db"}},
		"labels and defaults of an operator are left alone": {offer: both, change: func(c, p *catalogEntry) {
			c.GetLabels()["team"] = "shop"
			p.plan.DefaultProvisionParameters = json(`{"size":1}`)
		}},
		"what came back is unmarked, and not written": {offer: both, change: func(c, p *catalogEntry) { *c.removed, *p.removed = true, true },
			want: []string{"mark small", "mark db"}},
		"what an old cluster's broker of that name had is taken over": {offer: both, change: func(c, p *catalogEntry) { *c, *p = ownedBy(*c, "then"), ownedBy(*p, "then") },
			want: []string{"write small", "write db"}},
		"and so is what nobody owned, if the broker offers it": {offer: both, change: func(c, _ *catalogEntry) { c.SetOwnerReferences(nil) }, want: []string{"write db"}},
		"what is offered no more goes":                         {want: []string{"retire db", "retire small"}},
		"a plan that is offered no more goes":                  {offer: offer{Classes: both.Classes}, want: []string{"retire small"}},
		"what a user made stays":                               {change: func(c, p *catalogEntry) { c.SetOwnerReferences(nil); p.SetOwnerReferences(nil) }},
		"what could not be read was not removed":               {offer: offer{Keep: map[string]bool{"small": true}, Classes: both.Classes}},
		"nor were the plans of a class that could not":         {offer: offer{Keep: map[string]bool{"db": true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, p := kept()
			if tc.change != nil {
				tc.change(&c, &p)
			}
			classes, plans := map[string]catalogEntry{}, map[string]catalogEntry{}
			if c.Object != nil {
				classes["db"] = c
			}
			if p.Object != nil {
				plans["small"] = p
			}
			var got []string
			d := diff(b, tc.offer, present{classes: classes, plans: plans})
			for _, x := range append(d.plans, d.classes...) {
				verb := "mark "
				switch {
				case x.have.Object == nil:
					verb = "make "
				case x.spec:
					verb = "write "
				}
				got = append(got, verb+x.want.GetName())
			}
			var gone []string
			for _, x := range d.gone {
				gone = append(gone, "retire "+x.have.GetName())
			}
			slices.Sort(gone)
			assert.Equal(t, tc.want, append(got, gone...))
		})
	}
}

func TestDiffBesideOthers(t *testing.T) {
	t.Parallel()
	mine := brokerOf(&v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "mine", Namespace: "shop", UID: "1"}})
	theirs := brokerOf(&v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "theirs", Namespace: "shop", UID: "2"}})
	class := func(id string) offeredClass {
		return offeredClass{Name: id, Spec: v1beta1.CommonServiceClassSpec{ExternalName: id + "-name", ExternalID: id}}
	}
	plan := func(id, class string) offeredPlan {
		return offeredPlan{Name: id, Class: class, Spec: v1beta1.CommonServicePlanSpec{ExternalName: id + "-name", ExternalID: id}}
	}
	owned := func(e catalogEntry) map[string]catalogEntry {
		e.SetOwnerReferences([]metav1.OwnerReference{{Kind: kindBroker, Name: e.owner, UID: "1", Controller: new(true)}})
		return map[string]catalogEntry{e.GetName(): e}
	}
	o := offer{Classes: []offeredClass{class("db"), class("queue")}, Plans: []offeredPlan{plan("small", "db"), plan("large", "db"), plan("tiny", "queue")}}
	for name, tc := range map[string]struct {
		have                present
		made, gone, skipped []string
	}{
		"alone, all is offered": {made: []string{"small", "large", "tiny", "db", "queue"}},
		"a class whose name another has is left out with its plans": {
			have: present{takenClasses: map[string]catalogEntry{"db": theirs.newClass(class("db"))}},
			made: []string{"tiny", "queue"}, skipped: []string{"db-name of theirs"}},
		"and plans of it that there are go": {
			have: present{takenClasses: map[string]catalogEntry{"db": theirs.newClass(class("db"))}, plans: owned(mine.newPlan(plan("small", "db")))},
			made: []string{"tiny", "queue"}, gone: []string{"small"}, skipped: []string{"db-name of theirs"}},
		"a plan whose name another has is left out alone": {
			have: present{takenPlans: map[string]catalogEntry{"small": theirs.newPlan(plan("small", "cache"))}},
			made: []string{"large", "tiny", "db", "queue"}, skipped: []string{"small-name of theirs"}},
		"a plan that moved waits until the old one is gone": {
			have: present{plans: owned(mine.newPlan(plan("small", "queue")))},
			made: []string{"large", "tiny", "db", "queue"}, gone: []string{"small"}, skipped: []string{"small-name of mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made, gone, skipped []string
			d := diff(mine, o, tc.have)
			for _, x := range append(d.plans, d.classes...) {
				made = append(made, x.want.GetName())
			}
			for _, x := range d.gone {
				gone = append(gone, x.have.GetName())
			}
			for _, s := range d.skipped {
				assert.NotEmpty(t, s.Reason)
				skipped = append(skipped, s.ExternalName+" of "+s.TakenBy)
			}
			assert.Equal(t, tc.made, made)
			assert.Equal(t, tc.gone, gone)
			assert.Equal(t, tc.skipped, skipped)
		})
	}
}

// What a broker says twice, badly or not at all must not take away what it offered before.
func TestUnreadableEntriesRemoveNothing(t *testing.T) {
	t.Parallel()
	b := brokerOf(&v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "b", UID: "now"}})
	before := offerOf(&osb.CatalogResponse{Catalog: &osb.Catalog{Services: []osb.Service{
		{ID: "a", Name: "a", Plans: []osb.Plan{{ID: "a1", Name: "1"}, {ID: "a2", Name: "2"}}},
		{ID: "b", Name: "b", Plans: []osb.Plan{{ID: "b1", Name: "1"}}},
	}}})
	have := present{classes: map[string]catalogEntry{}, plans: map[string]catalogEntry{}}
	own := func(e catalogEntry) catalogEntry {
		e.SetOwnerReferences([]metav1.OwnerReference{{Kind: kindClusterBroker, Name: "b", UID: "now", Controller: new(true)}})
		return e
	}
	for _, c := range before.Classes {
		have.classes[c.Name] = own(b.newClass(c))
	}
	for _, p := range before.Plans {
		have.plans[p.Name] = own(b.newPlan(p))
	}
	a := osb.Service{ID: "a", Name: "a", Plans: []osb.Plan{{ID: "a1", Name: "1"}}}
	for name, tc := range map[string]struct {
		services []osb.Service
		problems []osb.CatalogProblem
		gone     []string
	}{
		"what is offered no more goes":                 {services: []osb.Service{a}, gone: []string{"a2", "b", "b1"}},
		"an unreadable plan stays":                     {services: []osb.Service{a}, problems: []osb.CatalogProblem{{Skipped: true, ServiceID: "a", PlanID: "a2"}}, gone: []string{"b", "b1"}},
		"an unreadable class stays with its plans":     {services: []osb.Service{a}, problems: []osb.CatalogProblem{{Skipped: true, ServiceID: "b"}}, gone: []string{"a2"}},
		"a plan without id may be any of its class":    {services: []osb.Service{a}, problems: []osb.CatalogProblem{{Skipped: true, ServiceID: "a"}}, gone: []string{"b", "b1"}},
		"a class without id may be any":                {services: []osb.Service{a}, problems: []osb.CatalogProblem{{Skipped: true}}},
		"a remark about what is offered keeps nothing": {services: []osb.Service{a}, problems: []osb.CatalogProblem{{ServiceID: "a"}}, gone: []string{"a2", "b", "b1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := offerOf(&osb.CatalogResponse{Catalog: &osb.Catalog{Services: tc.services}, Problems: tc.problems})
			var gone []string
			for _, x := range diff(b, o, have).gone {
				gone = append(gone, x.have.GetName())
			}
			slices.Sort(gone)
			assert.Equal(t, tc.gone, gone)
		})
	}
}

func TestWhatIsSaidOfAnEntryIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ö", 100_000)
	o := offerOf(&osb.CatalogResponse{Catalog: &osb.Catalog{}, Problems: []osb.CatalogProblem{{Skipped: true, ServiceID: long, PlanID: long, Reason: long}}})
	for _, text := range []string{o.Problems[0].ServiceID, o.Problems[0].PlanID, o.Problems[0].Reason} {
		assert.Less(t, len(text), 520)
		assert.True(t, utf8.ValidString(text))
	}
}

func TestRelistsAreSpread(t *testing.T) {
	t.Parallel()
	seen := map[int64]bool{}
	for _, id := range []types.UID{"a", "b", "c", "d", "e", "f"} {
		after := relistAfter(1000, id)
		assert.Equal(t, after, relistAfter(1000, id), "always the same for a broker")
		assert.Greater(t, int64(after), int64(890))
		assert.LessOrEqual(t, int64(after), int64(1000))
		seen[int64(relistAfter(1_000_000, id))] = true
	}
	assert.Greater(t, len(seen), 4)
}
