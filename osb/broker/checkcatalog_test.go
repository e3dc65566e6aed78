package broker_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// good is a catalog without a fault; each row of the test breaks it once.
func good() *osb.Catalog {
	schema := &osb.InputSchema{Parameters: osb.RawJSON(`{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"$ref":"#/definitions/b"}},"definitions":{"b":{}}}`)}
	return &osb.Catalog{Services: []osb.Service{
		{ID: "s1", Name: "one", Description: "d", Plans: []osb.Plan{
			{ID: "p1", Name: "small", Description: "d", MaintenanceInfo: &osb.MaintenanceInfo{Version: "2.1.1-rc.1+abcdef"},
				Schemas: &osb.Schemas{ServiceInstance: &osb.InstanceSchemas{Create: schema, Update: schema}, ServiceBinding: &osb.BindingSchemas{Create: schema}}},
			{ID: "p2", Name: "large", Description: "d"},
		}},
		{ID: "s2", Name: "two", Description: "d", Plans: []osb.Plan{{ID: "p3", Name: "small", Description: "d"}}},
	}}
}

// TestCheckCatalog is B7 and B8, one fault at a time.
func TestCheckCatalog(t *testing.T) {
	t.Parallel()
	require.NoError(t, broker.CheckCatalog(good()))
	require.NoError(t, broker.CheckCatalog(&osb.Catalog{}))
	setSchema := func(raw string) func(*osb.Catalog) {
		return func(c *osb.Catalog) {
			c.Services[0].Plans[0].Schemas.ServiceBinding.Create = &osb.InputSchema{Parameters: osb.RawJSON(raw)}
		}
	}
	for want, breakIt := range map[string]func(*osb.Catalog){
		`service 0 ("one"): has no id`:                            func(c *osb.Catalog) { c.Services[0].ID = "" },
		`service 0 (""): has no name`:                             func(c *osb.Catalog) { c.Services[0].Name = "" },
		`service 1 ("two"): has no description`:                   func(c *osb.Catalog) { c.Services[1].Description = "" },
		`service 1 ("two"): has no plan`:                          func(c *osb.Catalog) { c.Services[1].Plans = nil },
		`service 1 ("two"): has the id of service 0 ("one")`:      func(c *osb.Catalog) { c.Services[1].ID = "s1" },
		`service 1 ("one"): its name appears twice`:               func(c *osb.Catalog) { c.Services[1].Name = "one" },
		`plan 1 ("small"): its name appears twice`:                func(c *osb.Catalog) { c.Services[0].Plans[1].Name = "small" },
		`plan 0 ("small"): has the id of service 0 ("one"), plan`: func(c *osb.Catalog) { c.Services[1].Plans[0].ID = "p1" },
		`plan 0 ("small"): has the id of service 0 ("one")`:       func(c *osb.Catalog) { c.Services[1].Plans[0].ID = "s1" },
		`plan 1 ("large"): has no description`:                    func(c *osb.Catalog) { c.Services[0].Plans[1].Description = "" },
		`version "1.0" is not semver`: func(c *osb.Catalog) {
			c.Services[0].Plans[1].MaintenanceInfo = &osb.MaintenanceInfo{Version: "1.0"}
		},
		`schema for bind: is not a JSON object`: setSchema(`true`),
		`schema for bind: has no $schema`:       setSchema(`{"type":"object"}`),
		`refers to "https://x/y" outside`:       setSchema(`{"$schema":"x","anyOf":[{"$ref":"https://x/y"}]}`),
		`schema for bind: is larger than 64 kB`: setSchema(`{"$schema":"x","pad":"` + strings.Repeat("x", 70000) + `"}`),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := good()
			breakIt(c)
			assert.ErrorContains(t, broker.CheckCatalog(c), want)
		})
	}
}
