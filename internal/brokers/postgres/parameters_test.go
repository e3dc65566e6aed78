package postgres_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

func TestEachEncodingOfTheSchemaMakesADatabase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	catalog := fetchCatalog(t, f)
	var schema struct {
		Properties struct {
			Encoding struct {
				Enum []string `json:"enum"`
			} `json:"encoding"`
		} `json:"properties"`
	}
	require.NoError(t, json.Unmarshal(catalog.Services[0].Plans[0].ProvisionSchema(), &schema))
	require.Greater(t, len(schema.Properties.Encoding.Enum), 5)
	for _, encoding := range schema.Properties.Encoding.Enum {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			id := f.provision(t, withParameters(`{"encoding":"`+encoding+`"}`))
			conn := connect(t, f.bind(t, id).uri)
			assert.Equal(t, encoding, queryOne[string](t, conn, "SHOW server_encoding"))
			_, err := f.deprovision(t, id)
			require.NoError(t, err)
		})
	}
}

func TestExtensionsAreThereAndUsable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	// earthdistance needs cube, which was not asked for.
	id := f.provision(t, withParameters(`{"extensions":["uuid-ossp","hstore","earthdistance"]}`))
	conn := connect(t, f.bind(t, id).uri)
	runSQL(t, conn, "CREATE TABLE t (h hstore, id uuid DEFAULT uuid_generate_v4())", `INSERT INTO t (h) VALUES ('a=>1')`,
		"SELECT earth()", "CREATE TABLE plain (id int)")
}

func TestParametersThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	schema := fetchCatalog(t, f).Services[0].Plans[0].ProvisionSchema()
	for name, tc := range map[string]struct {
		parameters string
		want       []string
	}{
		"an unknown encoding":                {`{"encoding":"EBCDIC-secret"}`, []string{`parameter "encoding" must be one of`, "UTF8", "LATIN1"}},
		"an encoding that is no text":        {`{"encoding":8}`, []string{`parameter "encoding" must be of type string`}},
		"an extension off the list":          {`{"extensions":["hstore","dblink"]}`, []string{`parameter "extensions/1" must be one of`, "hstore"}},
		"an extension not on the server":     {`{"extensions":["vector"]}`, []string{`parameter "extensions/0" must be one of`}},
		"extensions that are no list":        {`{"extensions":"hstore"}`, []string{`parameter "extensions" must be of type array`}},
		"an extension named twice":           {`{"extensions":["hstore","hstore"]}`, []string{`parameter "extensions" names item 0 twice`}},
		"a field that nobody knows":          {`{"size":5}`, []string{`parameter "size" is not known here`, "choose from: encoding, extensions"}},
		"parameters that are no object":      {`["encoding"]`, []string{"parameters"}},
		"two faults, told in one go":         {`{"encoding":1,"size":5}`, []string{`"encoding"`, `"size"`}},
		"a fault behind a duplicated key":    {`{"encoding":"UTF8","encoding":"X"}`, []string{`"encoding"`}},
		"an extension list with other types": {`{"extensions":[{"name":"hstore"}]}`, []string{`parameter "extensions/0"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := provisionRequest(uuid.NewString())
			r.Parameters = osb.RawJSON(tc.parameters)
			_, err := f.client.Provision(t.Context(), r)
			require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
			assert.Equal(t, 400, osb.AsError(err).StatusCode)
			for _, want := range tc.want {
				assert.Contains(t, osb.AsError(err).Description, want)
			}
			assert.NotContains(t, osb.AsError(err).Description, "secret", "no value is repeated")
			f.requireNothingLeft(t, r.InstanceID)
		})
	}
	for name, parameters := range map[string]string{
		"many items":  `{"extensions":[` + strings.Repeat(`1,`, 5000) + `1]}`,
		"many names":  `{` + manyNames(1500) + `"b":1}`,
		"large ones":  `{"extensions":["` + strings.Repeat(`x`, 500_000) + `"]}`,
		"large names": `{"` + strings.Repeat(`x`, 10_000) + `":1}`,
	} {
		t.Run("an answer stays short: "+name, func(t *testing.T) {
			t.Parallel()
			err := f.broker.Validate(t.Context(), broker.Validation{Operation: osb.OpProvision, Schema: schema, Parameters: osb.RawJSON(parameters)})
			var told *broker.Error
			require.ErrorAs(t, err, &told)
			assert.Equal(t, 400, told.Status)
			assert.Less(t, len(told.Description), 4<<10)
		})
	}
	t.Run("a parameter of a binding", func(t *testing.T) {
		t.Parallel()
		r := bindRequest(f.provision(t), uuid.NewString())
		r.Parameters = osb.RawJSON(`{"readOnly":true}`)
		_, err := f.client.Bind(t.Context(), r)
		require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
		assert.Contains(t, osb.AsError(err).Description, "takes no parameters")
	})
}

func manyNames(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, `"a%d":1,`, i)
	}
	return all.String()
}

func TestExtensionsOnOfferAreThoseThatTheServerHasToo(t *testing.T) {
	t.Parallel()
	first := newFixture(t)
	cfg := first.config
	cfg.Extensions = []string{"citext", "no_such_extension"}
	f := fixtureWith(t, cfg)
	schema := string(fetchCatalog(t, f).Services[0].Plans[0].ProvisionSchema())
	assert.Contains(t, schema, "citext")
	assert.NotContains(t, schema, "no_such_extension")

	cfg.Extensions = []string{}
	none := fixtureWith(t, cfg)
	none.provision(t)
	r := provisionRequest(uuid.NewString())
	r.Parameters = osb.RawJSON(`{"extensions":["citext"]}`)
	_, err := none.client.Provision(t.Context(), r)
	require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
}

func TestCatalogIsWhatPlatformsNeed(t *testing.T) {
	t.Parallel()
	catalog := fetchCatalog(t, newFixture(t))
	require.NoError(t, broker.CheckCatalog(catalog))
	require.Len(t, catalog.Services, 1)
	s := catalog.Services[0]
	assert.Equal(t, "postgresql", s.Name)
	assert.Equal(t, "6b1f7f0e-3f0c-4e0a-9c53-0a3a5d0f6c11", s.ID, "ids are for ever")
	assert.True(t, s.Bindable && s.InstancesRetrievable && s.BindingsRetrievable)
	assert.NotEmpty(t, s.Tags)
	assert.Contains(t, string(s.Metadata), `"displayName":"PostgreSQL"`)
	require.Len(t, s.Plans, 2)
	ids := map[string]string{
		"small": "0d3b9f52-5f3e-4d0b-8a3d-7d6f3b1c2e21", "large": "c9a7e1d4-2b6a-4f7e-b1de-5e8c4a9f3d32",
	}
	for _, p := range s.Plans {
		assert.Equal(t, ids[p.Name], p.ID)
		assert.True(t, p.IsFree())
		for _, schema := range []osb.RawJSON{p.ProvisionSchema(), p.UpdateSchema(), p.BindSchema()} {
			assert.Contains(t, string(schema), `"$schema":"http://json-schema.org/draft-04/schema#"`)
			assert.Less(t, len(schema), 64<<10)
			assert.Equal(t, 1, strings.Count(string(schema), "http"), "no other reference")
		}
	}
}

func fetchCatalog(t *testing.T, f *fixture) *osb.Catalog {
	t.Helper()
	resp, err := f.client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
	require.Empty(t, resp.Problems)
	return resp.Catalog
}
