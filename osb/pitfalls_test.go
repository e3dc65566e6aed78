package osb_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

// The tests of this file are named after what went wrong with real brokers; the
// numbers are those of docs/osb-requirements.md.

func poll(polled osb.Operation) *osb.LastOperationRequest {
	r := &osb.LastOperationRequest{Polled: polled, InstanceID: "i", ServiceID: "s", PlanID: "p"}
	if polled == osb.OpBind || polled == osb.OpUnbind {
		r.BindingID = "b"
	}
	return r
}

// requireRetry is what keeps a poll or a delete going: an error that says so, and
// ends nothing.
func requireRetry(t *testing.T, err error, why string) *osb.Error {
	t.Helper()
	e := osb.AsError(err)
	require.NotNil(t, e, why)
	require.True(t, e.Retryable(), "%s: %v", why, err)
	require.False(t, e.OrphanMitigation, "%s: %v", why, err)
	return e
}

func TestPitfallsOfPolling(t *testing.T) {
	t.Parallel()
	t.Run("pitfall 1: the end of a delete", func(t *testing.T) {
		t.Parallel()
		for _, op := range []osb.Operation{osb.OpDeprovision, osb.OpUnbind} {
			for _, body := range []string{``, `{}`, `null`, `{"description":"gone"}`} {
				got, err := newClient(t, answering(t, 410, body).URL).LastOperation(t.Context(), poll(op))
				require.NoError(t, err, body)
				assert.Equal(t, &osb.LastOperationResponse{State: osb.StateSucceeded, Gone: true}, got)
			}
			got, err := newClient(t, answering(t, 200, `{"state":"succeeded"}`).URL).LastOperation(t.Context(), poll(op))
			require.NoError(t, err)
			assert.Equal(t, osb.StateSucceeded, got.State)
			_, err = newClient(t, answering(t, 404, `{}`).URL).LastOperation(t.Context(), poll(op))
			assert.Equal(t, osb.KindNotFound, requireRetry(t, err, "404 is no proof").Kind)
		}
	})
	t.Run("pitfall 2: 410 to the poll of a create or an update", func(t *testing.T) {
		t.Parallel()
		for _, op := range []osb.Operation{osb.OpProvision, osb.OpBind, osb.OpUpdate} {
			_, err := newClient(t, answering(t, 410, `{}`).URL).LastOperation(t.Context(), poll(op))
			assert.Equal(t, osb.KindGone, requireRetry(t, err, string(op)).Kind)
		}
	})
	t.Run("pitfall 3: polls that fail", func(t *testing.T) {
		t.Parallel()
		for status, body := range map[int]string{200: `{}`, 202: `{"state":"succeeded"}`, 400: `{}`, 401: `{}`, 404: html, 410: html, 429: `{}`, 500: `{}`, 502: html} {
			_, err := newClient(t, answering(t, status, body).URL).LastOperation(t.Context(), poll(osb.OpDeprovision))
			_ = requireRetry(t, err, http.StatusText(status))
		}
		for _, state := range []string{"in_progress", "IN PROGRESS", "done", ""} {
			_, err := newClient(t, answering(t, 200, `{"state":"`+state+`"}`).URL).LastOperation(t.Context(), poll(osb.OpProvision))
			_ = requireRetry(t, err, state)
		}
		_, err := newClient(t, "http://127.0.0.1:1").LastOperation(t.Context(), poll(osb.OpProvision))
		_ = requireRetry(t, err, "nobody listens")
		_, err = newClient(t, hanging(t, false).URL, func(c *osb.Config) { c.Timeout = 100 * time.Millisecond }).LastOperation(t.Context(), poll(osb.OpProvision))
		_ = requireRetry(t, err, "no answer in time")
	})
	t.Run("pitfall 10: operations that are anything", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 200, `{"state":"in progress"}`)
		c := newClient(t, f.URL)
		for _, operation := range []string{`tf:4f6e:`, `{"a":"b+c/d=","e":[1]}`, `a=b&c=d`, `%2B%`, `+`, ` `, `ü/😀`, "a\x00\n", `null`} {
			r := poll(osb.OpProvision)
			r.Operation = operation
			_, err := c.LastOperation(t.Context(), r)
			require.NoError(t, err)
			_, query, _ := strings.Cut(f.last(t).uri, "?")
			got, err := url.ParseQuery(query)
			require.NoError(t, err)
			assert.Equal(t, url.Values{"service_id": {"s"}, "plan_id": {"p"}, "operation": {operation}}, got)
			assert.NotContains(t, query, "+", "some read it as a space and some do not")
		}
	})
	t.Run("pitfall 21: polls always name service and plan", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 200, `{"state":"in progress"}`)
		for op := range mutations {
			_, err := newClient(t, f.URL).LastOperation(t.Context(), poll(op))
			require.NoError(t, err)
			assert.True(t, strings.HasSuffix(f.last(t).uri, "/last_operation?service_id=s&plan_id=p"), f.last(t).uri)
		}
	})
}

func TestPitfallsOfErrors(t *testing.T) {
	t.Parallel()
	t.Run("pitfall 4: an id that is refused after a failure will be refused again", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{400, 409, 422} {
			_, err := newClient(t, answering(t, status, `{"description":"the id was used before"}`).URL).Provision(t.Context(), provisionRequest())
			require.Error(t, err)
			assert.False(t, osb.AsError(err).Retryable(), "%d: only another id can help", status)
		}
	})
	t.Run("pitfall 6: what was there before is not cleaned up after", func(t *testing.T) {
		t.Parallel()
		for status, body := range map[int]string{200: `{"broken":`, 409: `{}`, 400: `{}`} {
			for _, op := range createCalls {
				e := osb.AsError(asking[op](t.Context(), newClient(t, answering(t, status, body).URL), false))
				require.NotNil(t, e)
				assert.False(t, e.OrphanMitigation, "%s %d", op, status)
			}
		}
	})
	t.Run("pitfall 5: what a repeat cannot mend is not to be repeated", func(t *testing.T) {
		t.Parallel()
		for status, again := range map[int]bool{400: false, 404: false, 405: false, 409: false, 413: false, 422: false,
			401: true, 403: true, 408: true, 412: true, 429: true, 500: true, 503: true} {
			_, err := newClient(t, answering(t, status, `{}`).URL).Provision(t.Context(), provisionRequest())
			require.Error(t, err)
			assert.Equal(t, again, osb.AsError(err).Retryable(), "%d", status)
		}
	})
	t.Run("pitfall 7: plan_updateable is of plans alone", func(t *testing.T) {
		t.Parallel()
		service := osb.Service{Plans: []osb.Plan{{PlanUpdateable: new(false)}}}
		assert.False(t, service.IsPlanUpdateable(&service.Plans[0]))
		f := answering(t, 200, `{}`)
		_, err := newClient(t, f.URL).Update(t.Context(), &osb.UpdateRequest{InstanceID: "i", ServiceID: "s", Parameters: osb.RawJSON(`{"size":2}`)})
		require.NoError(t, err)
		assert.Equal(t, `{"service_id":"s","parameters":{"size":2}}`, f.last(t).body, "a plan that is not changed is not named")
	})
	t.Run("pitfall 14: ConcurrencyError is no fault of anybody", func(t *testing.T) {
		t.Parallel()
		f := serving(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"error":"ConcurrencyError"}`)
		})
		for op, ask := range asking {
			e := requireRetry(t, ask(t.Context(), newClient(t, f.URL), true), string(op))
			assert.Equal(t, osb.KindBusy, e.Kind)
			assert.Equal(t, osb.ActorNobody, e.Actor())
			assert.Equal(t, 3*time.Second, e.RetryAfter)
		}
	})
	t.Run("pitfall 15: unbinding what went with its instance is done", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 410, `{}`).URL).Unbind(t.Context(), &osb.UnbindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s", PlanID: "p"})
		require.NoError(t, err)
		assert.True(t, got.Gone)
	})
	t.Run("pitfall 16: what never left is known never to have left", func(t *testing.T) {
		t.Parallel()
		for op, ask := range asking {
			e := osb.AsError(ask(t.Context(), newClient(t, "http://127.0.0.1:1"), true))
			require.NotNil(t, e)
			assert.False(t, e.Lost || e.OrphanMitigation, op)
		}
	})
	t.Run("pitfall 17: each broker has its own timeout", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, 60*time.Second, osb.DefaultTimeout, "the specification's typical value")
		slow := serving(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(300 * time.Millisecond):
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, `{}`)
			case <-r.Context().Done():
			}
		})
		_, err := newClient(t, slow.URL, func(c *osb.Config) { c.Timeout = 50 * time.Millisecond }).Provision(t.Context(), provisionRequest())
		assert.True(t, osb.IsKind(err, osb.KindTimeout), "%v", err)
		_, err = newClient(t, slow.URL, func(c *osb.Config) { c.Timeout = time.Minute }).Provision(t.Context(), provisionRequest())
		assert.NoError(t, err)
	})
	t.Run("pitfall 18: a lost answer, then 409", func(t *testing.T) {
		t.Parallel()
		f := serving(t, cutThenConflict())
		c := newClient(t, f.URL)
		_, first := c.Provision(t.Context(), provisionRequest())
		require.True(t, osb.AsError(first).Lost, "%v", first)
		require.True(t, osb.AsError(first).OrphanMitigation)
		_, second := c.Provision(t.Context(), provisionRequest())
		require.True(t, osb.IsKind(second, osb.KindConflict), "%v", second)
		assert.False(t, osb.AsError(second).Lost || osb.AsError(second).OrphanMitigation, "a 409 alone says nothing of whose it is")
	})
	t.Run("pitfall 22: after a failed update an instance is usable unless the broker says otherwise", func(t *testing.T) {
		t.Parallel()
		for body, want := range map[string]*bool{`{}`: nil, `{"instance_usable":true}`: new(true), `{"instance_usable":false}`: new(false), `{"instance_usable":"no"}`: nil, html: nil} {
			_, err := newClient(t, answering(t, 500, body).URL).Update(t.Context(), &osb.UpdateRequest{InstanceID: "i", ServiceID: "s"})
			require.Error(t, err)
			assert.Equal(t, want, osb.AsError(err).InstanceUsable, body)
		}
	})
	t.Run("pitfall 23: an old catalog says that it must be fetched again", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, answering(t, 422, `{"error":"MaintenanceInfoConflict"}`).URL).Provision(t.Context(), provisionRequest())
		assert.True(t, osb.IsKind(err, osb.KindMaintenanceInfoConflict), "%v", err)
		assert.Contains(t, osb.AsError(err).Hint(), "fetch the catalog again")
		assert.Equal(t, osb.ActorNobody, osb.AsError(err).Actor())
	})
	t.Run("pitfall 24: a delete during a create may have to wait (P104)", func(t *testing.T) {
		t.Parallel()
		for _, op := range []osb.Operation{osb.OpDeprovision, osb.OpUnbind} {
			e := requireRetry(t, asking[op](t.Context(), newClient(t, answering(t, 422, `{"error":"ConcurrencyError"}`).URL), true), string(op))
			assert.Equal(t, osb.KindBusy, e.Kind)
			require.NoError(t, asking[op](t.Context(), newClient(t, answering(t, 202, `{}`).URL), true), "or is taken at once")
		}
	})
}

// cutThenConflict cuts the first connection and answers 409 from then on.
func cutThenConflict() http.HandlerFunc {
	first := make(chan struct{}, 1)
	first <- struct{}{}
	return func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-first:
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{}`)
		}
	}
}

func TestPitfallsOfAnswers(t *testing.T) {
	t.Parallel()
	t.Run("pitfall 11: content decides, not its type (P8)", func(t *testing.T) {
		t.Parallel()
		for _, contentType := range []string{"text/html", "application/octet-stream", "nonsense", ""} {
			f := serving(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{contentType}
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, "\xef\xbb\xbf"+` {"credentials":{"a":"b"},"parameters":null,"metadata":null} `)
			})
			got, err := newClient(t, f.URL).Bind(t.Context(), bindRequest())
			require.NoError(t, err, contentType)
			assert.Equal(t, osb.Credentials{"a": "b"}, got.Credentials)
		}
		_, err := newClient(t, answering(t, 201, `{"pad":"`+strings.Repeat("x", osb.DefaultMaxBodyBytes)+`"}`).URL).Bind(t.Context(), bindRequest())
		assert.True(t, osb.IsKind(err, osb.KindMalformed), "a body is bounded: %v", err)
	})
	t.Run("pitfall 19: a 202 to a bind has no credentials, and the catalog says whether they can be fetched", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 202, `{}`).URL).Bind(t.Context(), bindRequest())
		require.NoError(t, err)
		assert.Equal(t, &osb.BindResponse{Async: true}, got)
		offered, err := fetch(t, one(``))
		require.NoError(t, err)
		assert.False(t, offered.Catalog.Services[0].BindingsRetrievable)
	})
	t.Run("pitfall 20: credentials of any kind come as they are", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 201, `{"credentials":{"port":5432,"ratio":0.10,"tls":true,"none":null,"hosts":["a","b"],"nested":{"deep":{"er":1}},"a key/with: signs":"x","":"empty"}}`).URL).
			Bind(t.Context(), bindRequest())
		require.NoError(t, err)
		raw, err := json.Marshal(got.Credentials)
		require.NoError(t, err)
		assert.Equal(t, `{"":"empty","a key/with: signs":"x","hosts":["a","b"],"nested":{"deep":{"er":1}},"none":null,"port":5432,"ratio":0.10,"tls":true}`, string(raw))
	})
	t.Run("pitfall 25: an identity fits through a proxy, or is left out", func(t *testing.T) {
		t.Parallel()
		groups := make([]string, 2000)
		for i := range groups {
			groups[i] = "cn=some-rather-long-group-of-the-directory"
		}
		id := &osb.Identity{Username: "jane", UID: "u-1", Groups: groups}
		f := answering(t, 200, `{"services":[]}`)
		_, err := newClient(t, f.URL).GetCatalog(t.Context(), &osb.CatalogRequest{Identity: id})
		require.NoError(t, err)
		sent := f.last(t).header.Get("X-Broker-API-Originating-Identity")
		assert.Less(t, len(sent), 8<<10)
		_, raw := splitIdentity(t, f.last(t).header)
		assert.JSONEq(t, `{"username":"jane","uid":"u-1","groups":[],"extra":{}}`, raw)
		_, err = newClient(t, f.URL, func(c *osb.Config) { c.OmitIdentity = true }).GetCatalog(t.Context(), &osb.CatalogRequest{Identity: id})
		require.NoError(t, err)
		assert.NotContains(t, f.last(t).header, "X-Broker-Api-Originating-Identity")
	})
	t.Run("pitfall 26: 200 and 201 are success alike", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{200, 201} {
			got, err := newClient(t, answering(t, status, `{"credentials":{"a":"b"}}`).URL).Bind(t.Context(), bindRequest())
			require.NoError(t, err)
			assert.Equal(t, osb.Credentials{"a": "b"}, got.Credentials)
			_, err = newClient(t, answering(t, status, `{}`).URL).Provision(t.Context(), provisionRequest())
			require.NoError(t, err)
		}
	})
}
