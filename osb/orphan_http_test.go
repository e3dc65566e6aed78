package osb_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

// asking are the five calls that change something, synchronous or not.
var asking = map[osb.Operation]func(ctx context.Context, c *osb.Client, async bool) error{
	osb.OpProvision: func(ctx context.Context, c *osb.Client, async bool) error {
		r := provisionRequest()
		r.AcceptsIncomplete = async
		_, err := c.Provision(ctx, r)
		return err
	},
	osb.OpUpdate: func(ctx context.Context, c *osb.Client, async bool) error {
		_, err := c.Update(ctx, &osb.UpdateRequest{InstanceID: "i", ServiceID: "s", AcceptsIncomplete: async})
		return err
	},
	osb.OpDeprovision: func(ctx context.Context, c *osb.Client, async bool) error {
		_, err := c.Deprovision(ctx, &osb.DeprovisionRequest{InstanceID: "i", ServiceID: "s", PlanID: "p", AcceptsIncomplete: async})
		return err
	},
	osb.OpBind: func(ctx context.Context, c *osb.Client, async bool) error {
		r := bindRequest()
		r.AcceptsIncomplete = async
		_, err := c.Bind(ctx, r)
		return err
	},
	osb.OpUnbind: func(ctx context.Context, c *osb.Client, async bool) error {
		_, err := c.Unbind(ctx, &osb.UnbindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s", PlanID: "p", AcceptsIncomplete: async})
		return err
	},
}

// orphanRow is one row of the table, as it comes over a socket. Of the calls that
// it does not list, success means failure without mitigation.
type orphanRow struct {
	status   int
	body     string
	hang     bool // no answer at all
	success  []osb.Operation
	mitigate []osb.Operation
	lost     bool // what the broker did is not known
}

var (
	everyMutation = []osb.Operation{osb.OpProvision, osb.OpUpdate, osb.OpDeprovision, osb.OpBind, osb.OpUnbind}
	createCalls   = []osb.Operation{osb.OpProvision, osb.OpBind}
	mitigable     = []osb.Operation{osb.OpProvision, osb.OpDeprovision, osb.OpBind, osb.OpUnbind}
)

// TestOrphanMitigationOverHTTP is the table once more, for provision, update,
// deprovision, bind and unbind, each synchronous and asynchronous, with the
// answers of a real server.
func TestOrphanMitigationOverHTTP(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]orphanRow{
		"P120 200":            {status: 200, body: `{}`, success: everyMutation},
		"P121 200, malformed": {status: 200, body: `{"a":`, lost: true},
		// To an update or a delete the table calls 201 success, and the tables of those
		// calls (P102) call it failure: it is no success, and leaves nothing.
		"P124 201":                             {status: 201, body: `{}`, success: createCalls, lost: true},
		"P125 P126 201, malformed":             {status: 201, body: `[]`, mitigate: createCalls, lost: true},
		"P127 202":                             {status: 202, body: `{"operation":"op"}`, success: everyMutation},
		"P128 P129 202, malformed":             {status: 202, body: ``, mitigate: createCalls, lost: true},
		"P130 P131 P132 another 2xx":           {status: 204, mitigate: mitigable, lost: true},
		"P130 P131 P132 another 2xx, and body": {status: 206, body: `{}`, mitigate: mitigable, lost: true},
		"P133 408":                             {status: 408, body: `{}`},
		"P134 400":                             {status: 400, body: `{}`},
		"P134 404":                             {status: 404, body: `{}`},
		"P134 409":                             {status: 409, body: `{}`},
		"P134 410":                             {status: 410, body: `{}`, success: []osb.Operation{osb.OpDeprovision, osb.OpUnbind}},
		"P134 422":                             {status: 422, body: `{"error":"AsyncRequired"}`},
		"P135 P136 P137 500":                   {status: 500, body: `{"description":"disk full"}`, mitigate: mitigable},
		"P135 P136 P137 503, of a router":      {status: 503, body: html, mitigate: mitigable, lost: true},
		"P138 P139 P140 no answer in time":     {hang: true, mitigate: createCalls, lost: true},
		"P110 P142 422 ConcurrencyError":       {status: 422, body: `{"error":"ConcurrencyError"}`},
	} {
		for _, async := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, async %t", name, async), func(t *testing.T) {
				t.Parallel()
				f, timeout := answering(t, row.status, row.body), time.Minute
				if row.hang {
					f, timeout = hanging(t, false), 200*time.Millisecond
				}
				c := newClient(t, f.URL, func(c *osb.Config) { c.Timeout = timeout })
				for op, ask := range asking {
					err := ask(t.Context(), c, async)
					assert.Equal(t, async, strings.Contains(f.last(t).uri, "accepts_incomplete=true"), "%s (P40)", op)
					if slices.Contains(row.success, op) {
						assert.NoError(t, err, op)
						continue
					}
					e := osb.AsError(err)
					require.NotNil(t, e, "%s: %v", op, err)
					assert.Equal(t, slices.Contains(row.mitigate, op), e.OrphanMitigation, "%s: %v", op, err)
					assert.Equal(t, row.lost, e.Lost, "%s: %v", op, err)
				}
			})
		}
	}
}

// TestOrphanMitigationAfterPolling is the rest of the asynchronous half: each of
// the five ends by a poll, or by the deadline.
func TestOrphanMitigationAfterPolling(t *testing.T) {
	t.Parallel()
	for op, mitigate := range map[osb.Operation]bool{
		osb.OpProvision: true, osb.OpDeprovision: true, osb.OpBind: true, osb.OpUnbind: true, osb.OpUpdate: false,
	} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			poll := &osb.LastOperationRequest{Polled: op, InstanceID: "i", ServiceID: "s", PlanID: "p", Operation: "op"}
			if op == osb.OpBind || op == osb.OpUnbind {
				poll.BindingID = "b"
			}
			got, err := newClient(t, answering(t, 200, `{"state":"failed"}`).URL).LastOperation(t.Context(), poll)
			require.NoError(t, err, "P122, P123: failed is an answer")
			assert.Equal(t, osb.StateFailed, got.State)
			assert.Equal(t, mitigate, poll.Polled.OrphanOnFailed(), "P48, P100, P122, P123")
			// Until then, no answer to a poll is a reason to clean up (P46).
			for _, status := range []int{400, 401, 404, 408, 422, 429, 500, 503} {
				_, err := newClient(t, answering(t, status, `{}`).URL).LastOperation(t.Context(), poll)
				e := osb.AsError(err)
				require.NotNil(t, e)
				assert.False(t, e.OrphanMitigation || e.Lost, "%d", status)
				assert.True(t, e.Retryable(), "%d", status)
			}
		})
	}
}

// TestSchemasAreKeptAndNeverFetched is P29, P30 and pitfall 12: a schema of any
// draft, or of none, comes as it is, and nothing that it refers to is asked for.
func TestSchemasAreKeptAndNeverFetched(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := serving(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for name, schema := range map[string]string{
		"draft-04":      `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"n":{"type":"integer","minimum":1,"exclusiveMinimum":true}}}`,
		"2020-12":       `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","prefixItems":[]}`,
		"no draft":      `{"type":"object","x":1.50}`,
		"a reference":   `{"$schema":"` + other.URL + `/meta","properties":{"a":{"$ref":"` + other.URL + `/schema.json"}}}`,
		"no such thing": `{"type":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fetch(t, one(`,"schemas":{"service_instance":{"create":{"parameters":`+schema+`},"update":{"parameters":`+schema+`}},"service_binding":{"create":{"parameters":`+schema+`}}}`))
			require.NoError(t, err)
			assert.Empty(t, got.Problems)
			plan := got.Catalog.Services[0].Plans[0]
			for _, kept := range []osb.RawJSON{plan.ProvisionSchema(), plan.UpdateSchema(), plan.BindSchema()} {
				assert.Equal(t, schema, string(kept))
			}
		})
	}
	t.Cleanup(func() { assert.Zero(t, elsewhere.Load()) })
}
