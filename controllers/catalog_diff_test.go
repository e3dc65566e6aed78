package controllers

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/svc-cat/catalog/api/v1beta1"
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
