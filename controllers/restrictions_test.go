package controllers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// restrictable has two classes: "db" (id c1) with the plans p1 "small", free, and p2
// "large", which costs, and "Queue_1" (id C2) with the plan p3 "small", which is free.
func restrictable() offer {
	no := false
	return offerOf(&osb.CatalogResponse{Catalog: &osb.Catalog{Services: []osb.Service{
		{ID: "c1", Name: "db", Plans: []osb.Plan{{ID: "p1", Name: "small"}, {ID: "p2", Name: "large", Free: &no}}},
		{ID: "C2", Name: "Queue_1", Plans: []osb.Plan{{ID: "p3", Name: "small"}}},
	}}})
}

// restrict gives the ids that remain, of classes and of plans.
func restrict(b broker, classTerms, planTerms string) (classes, plans string, err error) {
	split := func(s string) []string {
		if s == "" {
			return nil
		}
		return strings.Split(s, "; ")
	}
	b.spec.CatalogRestrictions = &v1beta1.CatalogRestrictions{ServiceClass: split(classTerms), ServicePlan: split(planTerms)}
	r, err := b.restrictions()
	if err != nil {
		return "", "", err
	}
	got := r.of(restrictable())
	var c, p []string
	for _, x := range got.Classes {
		c = append(c, x.Spec.ExternalID)
	}
	for _, x := range got.Plans {
		p = append(p, x.Name)
	}
	return strings.Join(c, " "), strings.Join(p, " "), nil
}

// Each property with each operator of v0.3, for both scopes. Terms of one list are
// parted by "; " here.
func TestRestrictions(t *testing.T) {
	t.Parallel()
	const all, allPlans = "c1 C2", "p1 p2 p3"
	for _, tc := range []struct{ classTerms, planTerms, classes, plans string }{
		{"", "", all, allPlans},
		// Classes.
		{"name=c1", "", "c1", "p1 p2"},
		{"name==c1", "", "c1", "p1 p2"},
		{"name!=c1", "", "C2", "p3"},
		{"name in (c1)", "", "c1", "p1 p2"},
		{"name in (c1, z43z2)", "", all, allPlans}, // the object's name, made from the id
		{"name notin (z43z2)", "", "c1", "p1 p2"},
		{"name", "", all, allPlans},
		{"spec.externalName=db", "", "c1", "p1 p2"},
		{"spec.externalName=DB", "", "", ""}, // with case
		{"spec.externalName!=db", "", "C2", "p3"},
		{"spec.externalName in (Queue_1,x)", "", "C2", "p3"},
		{"spec.externalName notin (Queue_1,x)", "", "c1", "p1 p2"},
		{"spec.externalID=C2", "", "C2", "p3"},
		{"spec.externalID == C2", "", "C2", "p3"},
		{"spec.externalID!=C2", "", "c1", "p1 p2"},
		{"spec.externalID in (C2)", "", "C2", "p3"},
		{"spec.externalID notin (C2)", "", "c1", "p1 p2"},
		// Plans. A class left without a plan goes too.
		{"", "name=p2", "c1", "p2"},
		{"", "name!=p2", all, "p1 p3"},
		{"", "name in (p2,p3)", all, "p2 p3"},
		{"", "name notin (p2,p3)", "c1", "p1"},
		{"", "spec.externalName=small", all, "p1 p3"},
		{"", "spec.externalName!=small", "c1", "p2"},
		{"", "spec.externalName in (large, huge)", "c1", "p2"},
		{"", "spec.externalName notin (large, huge)", all, "p1 p3"},
		{"", "spec.externalID=p3", "C2", "p3"},
		{"", "spec.externalID!=p3", "c1", "p1 p2"},
		{"", "spec.externalID in (p3)", "C2", "p3"},
		{"", "spec.externalID notin (p3)", "c1", "p1 p2"},
		{"", "spec.free=true", all, "p1 p3"},
		{"", "spec.free=false", "c1", "p2"},
		{"", "spec.free!=true", "c1", "p2"},
		{"", "spec.free in (false)", "c1", "p2"},
		{"", "spec.free notin (false)", all, "p1 p3"},
		{"", "spec.free", all, allPlans},
		{"", "CLASS=c1", "c1", "p1 p2"},
		{"", "CLASS!=c1", "C2", "p3"},
		{"", "CLASS in (z43z2)", "C2", "p3"},
		{"", "CLASS notin (z43z2)", "c1", "p1 p2"},
		// All terms must hold, of one text and of several, of classes and of plans.
		{"spec.externalName in (db, Queue_1); name != c1", "", "C2", "p3"},
		{"spec.externalName=db,spec.externalID!=c1", "", "", ""},
		{"", "spec.free=true,spec.externalName=small; name!=p1", "C2", "p3"},
		{"spec.externalName=db", "spec.free=true", "c1", "p1"},
		{"spec.externalName=db", "spec.externalID=p3", "", ""},
	} {
		for class, b := range map[string]broker{
			"spec.clusterServiceClass.name": brokerOf(&v1beta1.ClusterServiceBroker{}),
			"spec.serviceClass.name":        brokerOf(&v1beta1.ServiceBroker{}),
		} {
			planTerms := strings.ReplaceAll(tc.planTerms, "CLASS", class)
			classes, plans, err := restrict(b, tc.classTerms, planTerms)
			require.NoError(t, err, "%s / %s", tc.classTerms, planTerms)
			assert.Equal(t, [2]string{tc.classes, tc.plans}, [2]string{classes, plans}, "%s / %s, %s", tc.classTerms, planTerms, b.kind)
		}
	}
}

func TestRestrictionsThatCannotBeReadAreSaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ classTerms, planTerms, says string }{
		"an unknown property":                    {planTerms: "spec.price=1", says: `spec.catalogRestrictions.servicePlan names "spec.price", which is no property; there are name, spec.externalName`},
		"one after a good one":                   {classTerms: "name=a,spec.price=1", says: `serviceClass names "spec.price"`},
		"a negated one":                          {planTerms: "!spec.price", says: `names "spec.price"`},
		"a property of plans, of a class":        {classTerms: "spec.free=true", says: `serviceClass names "spec.free"`},
		"the class's property of the other kind": {planTerms: "spec.serviceClass.name=a", says: `names "spec.serviceClass.name"`},
		"what is no selector":                    {classTerms: "name in", says: "serviceClass cannot be read"},
		"an unknown operator":                    {classTerms: "name ~ a", says: "serviceClass cannot be read"},
		"a value with a blank":                   {classTerms: "name=a b", says: "serviceClass cannot be read"},
		"a value that is too long":               {classTerms: "name=" + strings.Repeat("a", 64), says: "serviceClass cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := brokerOf(&v1beta1.ClusterServiceBroker{})
			_, _, err := restrict(b, tc.classTerms, tc.planTerms)
			require.ErrorContains(t, err, tc.says)
			// Nothing is fetched, so nothing can be lost: there is no client here.
			reason, message := fetchFailure((&BrokerReconciler{}).refresh(t.Context(), b, nil, ""))
			assert.Equal(t, v1beta1.ReasonErrorSyncingCatalog, reason)
			assert.Contains(t, message, tc.says)
			assert.Contains(t, message, "What was offered before stays")
		})
	}
}
