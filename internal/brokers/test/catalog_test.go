package test_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

func (f *fixture) catalog() *osb.Catalog {
	f.t.Helper()
	r, err := f.client.GetCatalog(f.t.Context(), &osb.CatalogRequest{})
	require.NoError(f.t, err)
	require.Empty(f.t, r.Problems)
	return r.Catalog
}

func TestACatalogOfTenThousandPlans(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{Catalog: test.CatalogSpec{Services: []osb.Service{}, BulkPlans: 10_000, PlansPerService: 3}})
	c := f.catalog()
	require.NoError(t, broker.CheckCatalog(c))
	assert.Len(t, c.Services, 3334)
	plans := 0
	for _, s := range c.Services {
		plans += len(s.Plans)
	}
	assert.Equal(t, 10_000, plans)
	assert.Len(t, c.Services[3333].Plans, 1, "the last has what is left")

	require.NoError(t, f.SetCatalog(test.CatalogSpec{BulkPlans: 15}))
	assert.Len(t, f.catalog().Services, len(test.BuiltinNames())+2, "beside the built-in ones, ten plans each")
	for _, spec := range []test.CatalogSpec{{BulkPlans: 10_001}, {BulkPlans: -1}, {PlansPerService: -1}} {
		require.Error(t, f.SetCatalog(spec))
	}
	assert.Equal(t, 15, f.Catalog().BulkPlans, "what was refused changes nothing")
}

// A plan that is no longer offered: what exists of it can still be deleted, and
// its name still holds (P24).
func TestWhatIsTakenOffTheCatalog(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service-deprovision-fail500-5x")
	p.prepare(osb.OpDeprovision)
	require.NoError(t, f.SetCatalog(test.CatalogSpec{Without: []string{"test-service-deprovision-fail500-5x", "test-service-multiple-plans/premium"}}))
	for _, s := range f.catalog().Services {
		assert.NotEqual(t, p.service, s.ID)
		if s.Name == "test-service-multiple-plans" {
			assert.Len(t, s.Plans, 1)
		}
	}
	assert.Equal(t, "500,500,500,500,500,ok", p.life(times(osb.OpDeprovision, 6)...))
	p.instance = "i-2"
	assert.Equal(t, "400", p.outcome(osb.OpProvision))
	assert.Equal(t, "test-service-deprovision-fail500-5x", f.last(osb.OpProvision).Service)
	for _, without := range []string{"nothing", "test-service/nothing"} {
		require.Error(t, f.SetCatalog(test.CatalogSpec{Without: []string{without}}))
	}
	require.NoError(t, f.SetCatalog(test.CatalogSpec{}))
	assert.Equal(t, "ok", p.outcome(osb.OpProvision), "it is back, with the same id (P21)")
}

func TestACatalogOfOnesOwn(t *testing.T) {
	t.Parallel()
	services := []osb.Service{{ID: "s", Name: "mine", Description: "d", Bindable: true, Plans: []osb.Plan{{ID: "p", Name: "provision-fail418-1x", Description: "d"}}}}
	f := start(t, test.Options{Catalog: test.CatalogSpec{Services: services, Names: []string{"test-service-bind-fail503"}}})
	c := f.catalog()
	assert.Equal(t, []string{"mine", "test-service-bind-fail503"}, []string{c.Services[0].Name, c.Services[1].Name})
	p := &platform{f: f, client: f.client, service: "s", plan: "p", instance: "i"}
	assert.Equal(t, "418,ok", p.life(osb.OpProvision, osb.OpProvision))

	broken := test.CatalogSpec{Services: []osb.Service{{ID: "s", Name: "x", Description: "d"}}}
	require.ErrorContains(t, f.SetCatalog(broken), "has no plan")
	broken.Unchecked = true
	require.NoError(t, f.SetCatalog(broken), "a broker may be wrong")
	r, err := f.client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
	assert.NotEmpty(t, r.Problems)
}
