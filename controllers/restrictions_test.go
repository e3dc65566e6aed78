package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

func TestRestricted(t *testing.T) {
	t.Parallel()
	no := false
	all := offerOf(&osb.CatalogResponse{Catalog: &osb.Catalog{Services: []osb.Service{
		{ID: "c1", Name: "db", Plans: []osb.Plan{{ID: "p1", Name: "small"}, {ID: "p2", Name: "large", Free: &no}}},
		{ID: "c2", Name: "queue", Plans: []osb.Plan{{ID: "p3", Name: "small"}}},
	}}})
	for name, tc := range map[string]struct {
		r       v1beta1.CatalogRestrictions
		classes []string
		plans   []string
		fail    string
	}{
		"no terms keep all":                          {classes: []string{"db", "queue"}, plans: []string{"p1", "p2", "p3"}},
		"a class by its name":                        {r: v1beta1.CatalogRestrictions{ServiceClass: []string{"spec.externalName==db"}}, classes: []string{"db"}, plans: []string{"p1", "p2"}},
		"terms are all to hold":                      {r: v1beta1.CatalogRestrictions{ServiceClass: []string{"spec.externalName in (db, queue)", "name != c2"}}, classes: []string{"db"}, plans: []string{"p1", "p2"}},
		"blanks around the sign are fine":            {r: v1beta1.CatalogRestrictions{ServiceClass: []string{"spec.externalID == c2"}}, classes: []string{"queue"}, plans: []string{"p3"}},
		"only what costs; a class without plan goes": {r: v1beta1.CatalogRestrictions{ServicePlan: []string{"spec.free=false"}}, classes: []string{"db"}, plans: []string{"p2"}},
		"plans of a class":                           {r: v1beta1.CatalogRestrictions{ServicePlan: []string{"spec.clusterServiceClass.name notin (c1)"}}, classes: []string{"queue"}, plans: []string{"p3"}},
		"nothing fits":                               {r: v1beta1.CatalogRestrictions{ServiceClass: []string{"name=nope"}}},
		"an unknown property":                        {r: v1beta1.CatalogRestrictions{ServicePlan: []string{"spec.price=1"}}, fail: `names "spec.price", which is no property`},
		"what is no selector":                        {r: v1beta1.CatalogRestrictions{ServiceClass: []string{"name in"}}, fail: "serviceClass cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := brokerOf(&v1beta1.ClusterServiceBroker{})
			b.spec.CatalogRestrictions = &tc.r
			got, err := b.restricted(all)
			if tc.fail != "" {
				require.ErrorContains(t, err, tc.fail)
				return
			}
			require.NoError(t, err)
			var classes, plans []string
			for _, c := range got.Classes {
				classes = append(classes, c.Spec.ExternalName)
			}
			for _, p := range got.Plans {
				plans = append(plans, p.Name)
			}
			assert.Equal(t, tc.classes, classes)
			assert.Equal(t, tc.plans, plans)
		})
	}
	assert.Len(t, all.Plans, 3, "the offer itself is untouched")
}
