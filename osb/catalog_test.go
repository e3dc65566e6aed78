package osb_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

func fetch(t *testing.T, body string) (*osb.CatalogResponse, error) {
	t.Helper()
	return newClient(t, answering(t, 200, body).URL).GetCatalog(t.Context(), &osb.CatalogRequest{})
}

// one is a catalog of one service with one plan that has extra fields.
func one(plan string) string {
	return fmt.Sprintf(`{"services":[{"id":"s","name":"db","description":"d","bindable":true,"plans":[{"id":"p","name":"small","description":"d"%s}]}]}`, plan)
}

// TestCatalogFields reads every field: among them requires (P33), the polling
// time (P48), allow_context_updates (P83), binding_rotatable (P98), metadata kept
// byte for byte (P32), and no dashboard_client (P31).
func TestCatalogFields(t *testing.T) {
	t.Parallel()
	yes, no, seconds := true, false, int64(600)
	got, err := fetch(t, `{"services":[{"id":"s","name":"My DB_1","description":"d","tags":["a"],"requires":["volume_mount"],"bindable":true,
		"instances_retrievable":true,"bindings_retrievable":true,"allow_context_updates":true,"plan_updateable":true,
		"metadata":{"displayName":"DB","x":1.50},"dashboard_client":{"id":"c","secret":"hunter2","redirect_uri":"u"},"vendor-x":{},
		"plans":[{"id":"p","name":"small","description":"d","free":false,"bindable":true,"plan_updateable":false,"binding_rotatable":true,
			"metadata":{"bullets":["b"]},"maximum_polling_duration":600,"maintenance_info":{"version":"2.1.1+abc","description":"m"},
			"schemas":{"service_instance":{"create":{"parameters":{"a":1}},"update":{"parameters":{"b":1}}},"service_binding":{"create":{"parameters":{"c":1}}}}},
			{"id":"q","name":"large","description":"d"}]}]}`)
	require.NoError(t, err)
	assert.Empty(t, got.Problems)
	service := osb.Service{
		ID: "s", Name: "My DB_1", Description: "d", Tags: []string{"a"}, Requires: []string{"volume_mount"}, Bindable: true,
		InstancesRetrievable: true, BindingsRetrievable: true, AllowContextUpdates: true, PlanUpdateable: true,
		Metadata: osb.RawJSON(`{"displayName":"DB","x":1.50}`),
		Plans: []osb.Plan{{
			ID: "p", Name: "small", Description: "d", Free: &no, Bindable: &yes, PlanUpdateable: &no, BindingRotatable: true,
			Metadata: osb.RawJSON(`{"bullets":["b"]}`), MaximumPollingDuration: &seconds,
			MaintenanceInfo: &osb.MaintenanceInfo{Version: "2.1.1+abc", Description: "m"},
			Schemas: &osb.Schemas{
				ServiceInstance: &osb.InstanceSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(`{"a":1}`)}, Update: &osb.InputSchema{Parameters: osb.RawJSON(`{"b":1}`)}},
				ServiceBinding:  &osb.BindingSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(`{"c":1}`)}},
			},
		}, {ID: "q", Name: "large", Description: "d"}},
	}
	assert.Equal(t, &osb.Catalog{Services: []osb.Service{service}}, got.Catalog)
	assert.Equal(t, osb.RawJSON(`{"a":1}`), service.Plans[0].ProvisionSchema())
	assert.Equal(t, osb.RawJSON(`{"b":1}`), service.Plans[0].UpdateSchema())
	assert.Equal(t, osb.RawJSON(`{"c":1}`), service.Plans[0].BindSchema())
	assert.Nil(t, service.Plans[1].ProvisionSchema())
	assert.Nil(t, service.Plans[1].UpdateSchema())
	assert.Nil(t, service.Plans[1].BindSchema())
}

func TestThreeValuedFields(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, tc := range map[string]struct {
		service                    osb.Service
		plan                       osb.Plan
		bindable, updateable, free bool
	}{
		"absent inherits, and free is the default (P28, P80, P90)": {osb.Service{Bindable: true, PlanUpdateable: true}, osb.Plan{}, true, true, true},
		"absent inherits false too":                                {osb.Service{}, osb.Plan{}, false, false, true},
		"the plan overrides with false (P28, P80, P90)":            {osb.Service{Bindable: true, PlanUpdateable: true}, osb.Plan{Bindable: &no, PlanUpdateable: &no, Free: &no}, false, false, false},
		"the plan overrides with true":                             {osb.Service{}, osb.Plan{Bindable: &yes, PlanUpdateable: &yes, Free: &yes}, true, true, true},
	} {
		assert.Equal(t, tc.bindable, tc.service.IsBindable(&tc.plan), name)
		assert.Equal(t, tc.updateable, tc.service.IsPlanUpdateable(&tc.plan), name)
		assert.Equal(t, tc.free, tc.plan.IsFree(), name)
	}
}

// TestFindKeepsPlansToTheirService is P21 as well: an entry is found by its id,
// whatever it is called.
func TestFindKeepsPlansToTheirService(t *testing.T) {
	t.Parallel()
	c := osb.Catalog{Services: []osb.Service{{ID: "s1", Plans: []osb.Plan{{ID: "p1"}}}, {ID: "s2", Plans: []osb.Plan{{ID: "p2"}}}}}
	s, p := c.Find("s2", "p2")
	assert.Same(t, &c.Services[1], s)
	assert.Same(t, &c.Services[1].Plans[0], p)
	s, p = c.Find("s2", "p1")
	assert.NotNil(t, s)
	assert.Nil(t, p)
	s, p = c.Find("S1", "p1")
	assert.Nil(t, s)
	assert.Nil(t, p)
}

// TestUnusableEntries is pitfalls 8, 9, 12, 13: one bad entry never stops the others.
func TestUnusableEntries(t *testing.T) {
	t.Parallel()
	good := `{"id":"ok","name":"ok","description":"d","bindable":true,"plans":[{"id":"ok-p","name":"ok","description":"d"}]}`
	for name, tc := range map[string]struct {
		services string
		kept     []string // service/plan
		problems []osb.CatalogProblem
	}{
		"a service without id":                     {`{"name":"x","plans":[{"id":"p","name":"p"}]}`, []string{"ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, Reason: `service 0 (name "x") has no id`}}},
		"a service without name":                   {`{"id":"x","plans":[{"id":"p","name":"p"}]}`, []string{"ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "x", Reason: `service "x" has no name`}}},
		"a service without plans (P20)":            {`{"id":"x","name":"x"}`, []string{"ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "x", Reason: `service "x" has no plan`}}},
		"a service with a wrong type":              {`{"id":"x","name":7,"plans":[]}`, []string{"ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "x", Reason: `service 0 (id "x"): field "name" has the wrong type`}}},
		"a service that is no object":              {`"x"`, []string{"ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, Reason: `service 0 (id ""): not a JSON object`}}},
		"a plan without id":                        {`{"id":"x","name":"x","plans":[{"name":"p"},{"id":"q","name":"q"}]}`, []string{"x/q", "ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "x", Reason: `plan 0 (name "p") of service "x" has no id`}}},
		"a plan without name":                      {`{"id":"x","name":"x","plans":[{"id":"p"}]}`, []string{"x", "ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "x", PlanID: "p", Reason: `plan "p" of service "x" has no name`}}},
		"a plan with a wrong type":                 {`{"id":"x","name":"x","plans":[{"id":"p","name":"p","free":"yes"},{"id":"q","name":"q"}]}`, []string{"x/q", "ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "x", PlanID: "p", Reason: `plan 0 (id "p") of service "x": field "free" has the wrong type`}}},
		"a service id twice (P21)":                 {good, []string{"ok/ok-p"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "ok", Reason: `service id "ok" appears twice; the first is kept`}}},
		"a plan id under two services":             {`{"id":"x","name":"x","plans":[{"id":"ok-p","name":"p"}]}`, []string{"x/ok-p", "ok"}, []osb.CatalogProblem{{Skipped: true, ServiceID: "ok", PlanID: "ok-p", Reason: `plan id "ok-p" appears twice; the first is kept`}}},
		"a service name twice is only noted (P22)": {`{"id":"x","name":"ok","plans":[{"id":"p","name":"p"}]}`, []string{"x/p", "ok/ok-p"}, []osb.CatalogProblem{{ServiceID: "ok", Reason: `service name "ok" appears twice; use the id "ok"`}}},
		"a plan name twice is only noted":          {`{"id":"x","name":"x","plans":[{"id":"p","name":"n"},{"id":"q","name":"n"}]}`, []string{"x/p,q", "ok/ok-p"}, []osb.CatalogProblem{{ServiceID: "x", PlanID: "q", Reason: `plan name "n" appears twice in service "x"; use the id "q"`}}},
		"names are compared with case (P22)":       {`{"id":"x","name":"OK","plans":[{"id":"p","name":"n"},{"id":"q","name":"N"}]}`, []string{"x/p,q", "ok/ok-p"}, nil},
		"odd and long names pass (P26, P27)":       {`{"id":"a/b c","name":"` + strings.Repeat("Ä _/", 100) + `","plans":[{"id":"p q","name":"X y"}]}`, []string{"a/b c/p q", "ok/ok-p"}, nil},
		"schemas of a wrong type are no schema":    {`{"id":"x","name":"x","plans":[{"id":"p","name":"p","schemas":"none"}]}`, []string{"x/p", "ok/ok-p"}, []osb.CatalogProblem{{ServiceID: "x", PlanID: "p", Reason: `schemas of plan "p" of service "x" are ignored: not a JSON object`}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fetch(t, `{"services":[`+tc.services+`,`+good+`]}`)
			require.NoError(t, err)
			var kept []string
			for _, s := range got.Catalog.Services {
				var plans []string
				for _, p := range s.Plans {
					plans = append(plans, p.ID)
				}
				kept = append(kept, strings.TrimSuffix(s.ID+"/"+strings.Join(plans, ","), "/"))
			}
			assert.Equal(t, tc.kept, kept)
			assert.Equal(t, tc.problems, got.Problems)
		})
	}
}

// TestUnusableSchemasAreNoSchema is P30.
func TestUnusableSchemasAreNoSchema(t *testing.T) {
	t.Parallel()
	got, err := fetch(t, one(`,"schemas":{"service_instance":{"create":{"parameters":"x"},"update":{"parameters":{"pad":"`+strings.Repeat("x", 70000)+`"}}},"service_binding":{"create":{"parameters":{"c":1}}}}`))
	require.NoError(t, err)
	plan := got.Catalog.Services[0].Plans[0]
	assert.Nil(t, plan.ProvisionSchema())
	assert.Nil(t, plan.UpdateSchema())
	assert.Equal(t, osb.RawJSON(`{"c":1}`), plan.BindSchema())
	require.Len(t, got.Problems, 2)
	assert.Contains(t, got.Problems[0].Reason, "no JSON object")
	assert.Contains(t, got.Problems[1].Reason, "64 kB")
	assert.False(t, got.Problems[0].Skipped)

	got, err = fetch(t, one(`,"schemas":null`))
	require.NoError(t, err)
	assert.Nil(t, got.Catalog.Services[0].Plans[0].Schemas)
	assert.Empty(t, got.Problems)
}

// TestNoCatalogIsNotAnEmptyCatalog is pitfall 8: it would remove every class. An
// empty list is a catalog (P20).
func TestNoCatalogIsNotAnEmptyCatalog(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `null`, `{"services":null}`, `{"services":{}}`, `{"Service":[]}`, html, ``} {
		_, err := fetch(t, body)
		assert.True(t, osb.IsKind(err, osb.KindMalformed), "%s: %v", body, err)
	}
	got, err := fetch(t, `{"services":[]}`)
	require.NoError(t, err)
	assert.Equal(t, &osb.Catalog{Services: []osb.Service{}}, got.Catalog)
}

func TestRawJSON(t *testing.T) {
	t.Parallel()
	var v struct {
		A osb.RawJSON `json:"a,omitempty"`
		B osb.RawJSON `json:"b,omitempty"`
		C osb.RawJSON `json:"c"`
	}
	require.NoError(t, json.Unmarshal([]byte(`{"a": {"n":1.0,"n2":1e400} ,"b":null}`), &v))
	assert.Equal(t, osb.RawJSON(`{"n":1.0,"n2":1e400}`), v.A)
	assert.Nil(t, v.B)
	out, err := json.Marshal(v)
	require.NoError(t, err)
	assert.Equal(t, `{"a":{"n":1.0,"n2":1e400},"c":null}`, string(out))
	assert.Error(t, (*osb.RawJSON)(nil).UnmarshalJSON([]byte(`1`)))
}
