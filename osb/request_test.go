package osb_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

func TestRequestsOnTheWire(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		call   func(context.Context, *osb.Client) error
		method string
		uri    string
		body   string
	}{
		"catalog": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.GetCatalog(ctx, &osb.CatalogRequest{})
			return err
		}, "GET", "/base/v2/catalog", ""},
		"provision with all that it may carry (P40, P61, P62, P63)": {func(ctx context.Context, c *osb.Client) error {
			r := provisionRequest()
			r.AcceptsIncomplete = true
			r.Parameters, r.Context = osb.RawJSON(`{"n":12345678901234567890}`), osb.RawJSON(`{"platform":"kubernetes"}`)
			r.MaintenanceInfo = &osb.MaintenanceInfo{Version: "2.1.1+abc"}
			_, err := c.Provision(ctx, r)
			return err
		}, "PUT", "/base/v2/service_instances/i-1?accepts_incomplete=true",
			`{"service_id":"s-1","plan_id":"p-1","organization_guid":"o-1","space_guid":"sp-1","context":{"platform":"kubernetes"},` +
				`"parameters":{"n":12345678901234567890},"maintenance_info":{"version":"2.1.1+abc"}}`},
		"provision without options leaves them out": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Provision(ctx, provisionRequest())
			return err
		}, "PUT", "/base/v2/service_instances/i-1",
			`{"service_id":"s-1","plan_id":"p-1","organization_guid":"o-1","space_guid":"sp-1"}`},
		"get instance with both hints (P71)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.GetInstance(ctx, &osb.GetInstanceRequest{InstanceID: "i-1", ServiceID: "s-1", PlanID: "p-1"})
			return err
		}, "GET", "/base/v2/service_instances/i-1?service_id=s-1&plan_id=p-1", ""},
		"get instance with one hint, as none may be empty (P71)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.GetInstance(ctx, &osb.GetInstanceRequest{InstanceID: "i-1", ServiceID: "s-1"})
			return err
		}, "GET", "/base/v2/service_instances/i-1?service_id=s-1", ""},
		"update of plan and maintenance, with what was before (P40, P84, P85)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Update(ctx, &osb.UpdateRequest{InstanceID: "i-1", ServiceID: "s-1", PlanID: "p-1", AcceptsIncomplete: true,
				MaintenanceInfo: &osb.MaintenanceInfo{Version: "2.0.0"},
				PreviousValues:  &osb.PreviousValues{PlanID: "p-0", MaintenanceInfo: &osb.MaintenanceInfo{Version: "1.0.0"}}})
			return err
		}, "PATCH", "/base/v2/service_instances/i-1?accepts_incomplete=true", `{"service_id":"s-1","plan_id":"p-1","maintenance_info":{"version":"2.0.0"},` +
			`"previous_values":{"plan_id":"p-0","maintenance_info":{"version":"1.0.0"}}}`},
		"update of the context alone (P81, P83)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Update(ctx, &osb.UpdateRequest{InstanceID: "i-1", ServiceID: "s-1", Context: osb.RawJSON(`{"platform":"kubernetes","instance_name":"new"}`)})
			return err
		}, "PATCH", "/base/v2/service_instances/i-1", `{"service_id":"s-1","context":{"platform":"kubernetes","instance_name":"new"}}`},
		"update with empty parameters differs from none (P81)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Update(ctx, &osb.UpdateRequest{InstanceID: "i-1", ServiceID: "s-1", Parameters: osb.RawJSON(`{}`),
				PreviousValues: &osb.PreviousValues{PlanID: "p-0"}})
			return err
		}, "PATCH", "/base/v2/service_instances/i-1", `{"service_id":"s-1","parameters":{},"previous_values":{"plan_id":"p-0"}}`},
		"deprovision (P40, P105)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Deprovision(ctx, &osb.DeprovisionRequest{InstanceID: "i-1", ServiceID: "s-1", PlanID: "p-1", AcceptsIncomplete: true})
			return err
		}, "DELETE", "/base/v2/service_instances/i-1?service_id=s-1&plan_id=p-1&accepts_incomplete=true", ""},
		"bind, app and route (P91, P92)": {func(ctx context.Context, c *osb.Client) error {
			r := bindRequest()
			r.AppGUID, r.BindResource = "ns", &osb.BindResource{AppGUID: "ns", Route: "shop.example"}
			_, err := c.Bind(ctx, r)
			return err
		}, "PUT", "/base/v2/service_instances/i-1/service_bindings/b-1",
			`{"service_id":"s-1","plan_id":"p-1","app_guid":"ns","bind_resource":{"app_guid":"ns","route":"shop.example"}}`},
		"bind asynchronously (P40)": {func(ctx context.Context, c *osb.Client) error {
			r := bindRequest()
			r.AcceptsIncomplete = true
			_, err := c.Bind(ctx, r)
			return err
		}, "PUT", "/base/v2/service_instances/i-1/service_bindings/b-1?accepts_incomplete=true", `{"service_id":"s-1","plan_id":"p-1"}`},
		"rotate names the predecessor alone (P99)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Bind(ctx, &osb.BindRequest{InstanceID: "i-1", BindingID: "b-2", PredecessorBindingID: "b-1"})
			return err
		}, "PUT", "/base/v2/service_instances/i-1/service_bindings/b-2", `{"predecessor_binding_id":"b-1"}`},
		"get binding": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.GetBinding(ctx, &osb.GetBindingRequest{InstanceID: "i-1", BindingID: "b-1"})
			return err
		}, "GET", "/base/v2/service_instances/i-1/service_bindings/b-1", ""},
		"unbind (P105)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Unbind(ctx, &osb.UnbindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: "s-1", PlanID: "p-1"})
			return err
		}, "DELETE", "/base/v2/service_instances/i-1/service_bindings/b-1?service_id=s-1&plan_id=p-1", ""},
		"unbind asynchronously (P40)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Unbind(ctx, &osb.UnbindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: "s-1", PlanID: "p-1", AcceptsIncomplete: true})
			return err
		}, "DELETE", "/base/v2/service_instances/i-1/service_bindings/b-1?service_id=s-1&plan_id=p-1&accepts_incomplete=true", ""},
		"ids are encoded once in path and query (P9)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.Unbind(ctx, &osb.UnbindRequest{InstanceID: "a/b c%2F", BindingID: "ü?#", ServiceID: "s&=+ 1", PlanID: "p/1"})
			return err
		}, "DELETE", "/base/v2/service_instances/a%2Fb%20c%252F/service_bindings/%C3%BC%3F%23?service_id=s%26%3D%2B%201&plan_id=p%2F1", ""},
		"the operation of a poll is opaque, and plan and service go with it (P42, P43)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.LastOperation(ctx, &osb.LastOperationRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: "s", PlanID: "p", Operation: `{"a":"b+c/d="}`})
			return err
		}, "GET", "/base/v2/service_instances/i-1/service_bindings/b-1/last_operation?service_id=s&plan_id=p&operation=%7B%22a%22%3A%22b%2Bc%2Fd%3D%22%7D", ""},
		"an empty operation is not sent (P42)": {func(ctx context.Context, c *osb.Client) error {
			_, err := c.LastOperation(ctx, &osb.LastOperationRequest{InstanceID: "i-1", ServiceID: "s", PlanID: "p"})
			return err
		}, "GET", "/base/v2/service_instances/i-1/last_operation?service_id=s&plan_id=p", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := answering(t, 200, `{"services":[],"state":"succeeded"}`)
			c := newClient(t, f.URL+"/base//")
			require.NoError(t, tc.call(t.Context(), c))
			got := f.last(t)
			assert.Equal(t, tc.method, got.method)
			assert.Equal(t, tc.uri, got.uri)
			assert.Equal(t, tc.body, got.body)
			assert.Equal(t, "2.17", got.header.Get("X-Broker-API-Version"), "P1")
			assert.NotEmpty(t, got.header.Get("X-Broker-API-Request-Identity"), "P7")
			if tc.body != "" {
				assert.Equal(t, "application/json", got.header.Get("Content-Type"), "P8")
			}
			assert.Empty(t, got.header.Get("Authorization"))
			assert.Empty(t, got.header.Get("X-Broker-API-Originating-Identity"), "nobody is behind it (P4)")
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	identity := &osb.Identity{Username: "jane", UID: "u-1"}
	ask := func(t *testing.T, id *osb.Identity, change func(*osb.Config)) http.Header {
		t.Helper()
		f := answering(t, 200, `{"services":[]}`)
		_, err := newClient(t, f.URL, change).GetCatalog(t.Context(), &osb.CatalogRequest{Identity: id})
		require.NoError(t, err)
		return f.last(t).header
	}
	t.Run("basic authentication (P2)", func(t *testing.T) {
		t.Parallel()
		h := ask(t, nil, func(c *osb.Config) { c.Auth = osb.BasicAuth("user", "pässword:x") })
		r := &http.Request{Header: h}
		user, password, ok := r.BasicAuth()
		assert.True(t, ok)
		assert.Equal(t, [2]string{"user", "pässword:x"}, [2]string{user, password})
	})
	t.Run("user and password lose the newlines of their files", func(t *testing.T) {
		t.Parallel()
		r := &http.Request{Header: ask(t, nil, func(c *osb.Config) { c.Auth = osb.BasicAuth("user\n", " p \r\n") })}
		user, password, ok := r.BasicAuth()
		assert.True(t, ok)
		assert.Equal(t, [2]string{"user", " p "}, [2]string{user, password})
	})
	t.Run("a bearer token loses the newline of its file", func(t *testing.T) {
		t.Parallel()
		h := ask(t, nil, func(c *osb.Config) { c.Auth = osb.BearerAuth("token-1\n") })
		assert.Equal(t, "Bearer token-1", h.Get("Authorization"))
	})
	t.Run("version, agent and request identity can be chosen", func(t *testing.T) {
		t.Parallel()
		h := ask(t, nil, func(c *osb.Config) {
			c.APIVersion, c.UserAgent, c.NewRequestID = "2.13", "me/1", func() string { return "r-1" }
		})
		assert.Equal(t, "2.13", h.Get("X-Broker-API-Version"))
		assert.Equal(t, "me/1", h.Get("User-Agent"))
		assert.Equal(t, "r-1", h.Get("X-Broker-API-Request-Identity"))
	})
	t.Run("identity has its platform and all four keys (P4, P5, P6)", func(t *testing.T) {
		t.Parallel()
		platform, raw := splitIdentity(t, ask(t, identity, func(*osb.Config) {}))
		assert.Equal(t, "kubernetes", platform, "the token of context.platform (P5)")
		assert.JSONEq(t, `{"username":"jane","uid":"u-1","groups":[],"extra":{}}`, raw)
	})
	t.Run("each request has another identity, and no answer needs to have it (P7)", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 200, `{"services":[]}`)
		c := newClient(t, f.URL)
		ids := map[string]bool{}
		for range 3 {
			_, err := c.GetCatalog(t.Context(), &osb.CatalogRequest{})
			require.NoError(t, err)
			ids[f.last(t).header.Get("X-Broker-API-Request-Identity")] = true
		}
		assert.Len(t, ids, 3)
	})
	t.Run("identity can be switched off", func(t *testing.T) {
		t.Parallel()
		h := ask(t, identity, func(c *osb.Config) { c.OmitIdentity = true })
		assert.NotContains(t, h, "X-Broker-Api-Originating-Identity")
	})
	t.Run("a large identity drops extra, then groups, never the name", func(t *testing.T) {
		t.Parallel()
		big := &osb.Identity{Username: "jane", UID: "u-1", Groups: []string{"g"}, Extra: map[string][]string{"k": {strings.Repeat("x", 9000)}}}
		_, raw := splitIdentity(t, ask(t, big, func(*osb.Config) {}))
		assert.JSONEq(t, `{"username":"jane","uid":"u-1","groups":["g"],"extra":{}}`, raw)
		big.Groups = []string{strings.Repeat("g", 9000)}
		_, raw = splitIdentity(t, ask(t, big, func(*osb.Config) {}))
		assert.JSONEq(t, `{"username":"jane","uid":"u-1","groups":[],"extra":{}}`, raw)
		assert.Len(t, big.Extra, 1, "the caller's value is not touched")
	})
}

func splitIdentity(t *testing.T, h http.Header) (platform, value string) {
	t.Helper()
	platform, encoded, ok := strings.Cut(h.Get("X-Broker-API-Originating-Identity"), " ")
	require.True(t, ok)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	return platform, string(raw)
}
