package osb_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

// seen is one request as it came over the wire.
type seen struct {
	method, uri, body string
	header            http.Header
}

// fakeBroker answers each request with the same status and body and keeps what it saw.
type fakeBroker struct {
	*httptest.Server
	arrived chan struct{} // closed when the first request is there
	mu      sync.Mutex
	seen    []seen
}

func (f *fakeBroker) last(t *testing.T) seen {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotEmpty(t, f.seen)
	return f.seen[len(f.seen)-1]
}

func answering(t *testing.T, status int, body string) *fakeBroker {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func serving(t *testing.T, h http.HandlerFunc) *fakeBroker {
	t.Helper()
	f := &fakeBroker{arrived: make(chan struct{})}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.seen = append(f.seen, seen{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		if len(f.seen) == 1 {
			close(f.arrived)
		}
		f.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func newClient(t *testing.T, url string, change ...func(*osb.Config)) *osb.Client {
	t.Helper()
	cfg := osb.Config{URL: url}
	for _, f := range change {
		f(&cfg)
	}
	c, err := osb.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func provisionRequest() *osb.ProvisionRequest {
	return &osb.ProvisionRequest{InstanceID: "i-1", ServiceID: "s-1", PlanID: "p-1", OrganizationGUID: "o-1", SpaceGUID: "sp-1"}
}

func bindRequest() *osb.BindRequest {
	return &osb.BindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: "s-1", PlanID: "p-1"}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	t.Run("provision 201 is new and 200 existed, with dashboard and labels (P64)", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 201, `{"dashboard_url":"https://d","metadata":{"labels":{"a":"b"}},"x":1}`).URL).Provision(t.Context(), provisionRequest())
		require.NoError(t, err)
		url := "https://d"
		assert.Equal(t, &osb.ProvisionResponse{DashboardURL: &url, Metadata: &osb.InstanceMetadata{Labels: map[string]string{"a": "b"}}}, got)
		got, err = newClient(t, answering(t, 200, `{}`).URL).Provision(t.Context(), provisionRequest())
		require.NoError(t, err)
		assert.Equal(t, &osb.ProvisionResponse{Existed: true}, got)
	})
	t.Run("202 is asynchronous, with operation and dashboard (P41, P64)", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 202, `{"operation":"op/1","dashboard_url":null}`).URL).Provision(t.Context(), provisionRequest())
		require.NoError(t, err)
		assert.Equal(t, &osb.ProvisionResponse{Async: true, Operation: "op/1"}, got)
	})
	t.Run("null is absent everywhere (P72)", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 201, `{"credentials":null,"metadata":null,"volume_mounts":null,"operation":null,"endpoints":null}`).URL).Bind(t.Context(), bindRequest())
		require.NoError(t, err)
		assert.Equal(t, &osb.BindResponse{}, got)
		instance, err := newClient(t, answering(t, 200, `{"parameters":null,"maintenance_info":null}`).URL).GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: "i"})
		require.NoError(t, err)
		assert.Equal(t, &osb.GetInstanceResponse{}, instance)
		_, err = newClient(t, answering(t, 200, ` null `).URL).Unbind(t.Context(), &osb.UnbindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s", PlanID: "p"})
		require.NoError(t, err)
	})
	t.Run("a binding comes whole and to the last digit (P93 to P96)", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 201, `{"metadata":{"expires_at":"2030-01-02T03:04:05.5Z","renew_before":"2030-01-01T05:04:05+02:00"},
			"credentials":{"port":5432,"big":12345678901234567890.10,"nested":{"n":1e400,"s":"<&>"},"list":[1,null,true]},
			"endpoints":[{"host":"h","ports":["443","9000-9010"],"protocol":"udp"}],
			"volume_mounts":[{"driver":"nfs","container_dir":"/data","mode":"rw","device_type":"shared","device":{"volume_id":"v","mount_config":{"k":1}}}]}`).URL).Bind(t.Context(), bindRequest())
		require.NoError(t, err)
		expires, renew := time.Date(2030, 1, 2, 3, 4, 5, 5e8, time.UTC), time.Date(2030, 1, 1, 3, 4, 5, 0, time.UTC)
		assert.Equal(t, &osb.BindResponse{BindingData: osb.BindingData{
			Metadata: &osb.BindingMetadata{ExpiresAt: &expires, RenewBefore: &renew},
			Credentials: osb.Credentials{"port": json.Number("5432"), "big": json.Number("12345678901234567890.10"),
				"nested": map[string]any{"n": json.Number("1e400"), "s": "<&>"}, "list": []any{json.Number("1"), nil, true}},
			Endpoints:    []osb.Endpoint{{Host: "h", Ports: []string{"443", "9000-9010"}, Protocol: "udp"}},
			VolumeMounts: []osb.VolumeMount{{Driver: "nfs", ContainerDir: "/data", Mode: "rw", DeviceType: "shared", Device: osb.SharedDevice{VolumeID: "v", MountConfig: osb.RawJSON(`{"k":1}`)}}},
		}}, got)
	})
	t.Run("a delete of what is gone succeeds (P102)", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, answering(t, 410, `{}`).URL)
		got, err := c.Deprovision(t.Context(), &osb.DeprovisionRequest{InstanceID: "i", ServiceID: "s", PlanID: "p"})
		require.NoError(t, err)
		assert.Equal(t, &osb.DeprovisionResponse{Gone: true}, got)
		unbound, err := c.Unbind(t.Context(), &osb.UnbindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s", PlanID: "p"})
		require.NoError(t, err)
		assert.Equal(t, &osb.UnbindResponse{Gone: true}, unbound)
		polled, err := c.LastOperation(t.Context(), &osb.LastOperationRequest{Polled: osb.OpUnbind, InstanceID: "i", BindingID: "b"})
		require.NoError(t, err)
		assert.Equal(t, &osb.LastOperationResponse{State: osb.StateSucceeded, Gone: true}, polled)
		_, err = c.LastOperation(t.Context(), &osb.LastOperationRequest{Polled: osb.OpProvision, InstanceID: "i"})
		assert.True(t, osb.IsKind(err, osb.KindGone), "%v", err)
	})
	t.Run("an update may give another dashboard and other labels (P86, P87)", func(t *testing.T) {
		t.Parallel()
		update := func(body string) *osb.UpdateResponse {
			got, err := newClient(t, answering(t, 200, body).URL).Update(t.Context(), &osb.UpdateRequest{InstanceID: "i", ServiceID: "s"})
			require.NoError(t, err)
			return got
		}
		assert.Equal(t, &osb.UpdateResponse{DashboardURL: new("https://d2"), Metadata: &osb.InstanceMetadata{Labels: map[string]string{"a": "c"}, Attributes: osb.RawJSON(`{"x":1.0}`)}},
			update(`{"dashboard_url":"https://d2","metadata":{"labels":{"a":"c"},"attributes":{"x":1.0}}}`))
		assert.Equal(t, &osb.UpdateResponse{Metadata: &osb.InstanceMetadata{Labels: map[string]string{}}}, update(`{"dashboard_url":null,"metadata":{"labels":{}}}`),
			"no labels is not the same as no word of labels")
		assert.Equal(t, &osb.UpdateResponse{}, update(`{}`), "absent keeps what was")
	})
	t.Run("a fetched instance tells what it wants to (P72)", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 200, `{"service_id":"s","plan_id":"p","dashboard_url":"https://d","parameters":{"n":1.50},"maintenance_info":{"version":"1.0.0","x":1},"metadata":{"labels":{"a":"b"}}}`).URL).
			GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: "i"})
		require.NoError(t, err)
		assert.Equal(t, &osb.GetInstanceResponse{ServiceID: "s", PlanID: "p", DashboardURL: new("https://d"), Parameters: osb.RawJSON(`{"n":1.50}`),
			MaintenanceInfo: &osb.MaintenanceInfo{Version: "1.0.0"}, Metadata: &osb.InstanceMetadata{Labels: map[string]string{"a": "b"}}}, got)
	})
	t.Run("a binding may bring a drain and a route service (P92, P93)", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 200, `{"syslog_drain_url":"syslog://d","route_service_url":"https://r","credentials":{}}`).URL).Bind(t.Context(), bindRequest())
		require.NoError(t, err)
		assert.Equal(t, osb.BindingData{SyslogDrainURL: "syslog://d", RouteServiceURL: "https://r", Credentials: osb.Credentials{}}, got.BindingData)
	})
	t.Run("failed says what can still be used (P50, P88, P89)", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 200, `{"state":"failed","description":"why","instance_usable":false,"update_repeatable":false}`).URL).
			LastOperation(t.Context(), &osb.LastOperationRequest{Polled: osb.OpUpdate, InstanceID: "i"})
		require.NoError(t, err)
		assert.Equal(t, &osb.LastOperationResponse{State: osb.StateFailed, Description: "why", InstanceUsable: new(false), UpdateRepeatable: new(false)}, got)
	})
	t.Run("a poll tells state and when to come back (P44, P47)", func(t *testing.T) {
		t.Parallel()
		f := serving(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			_, _ = io.WriteString(w, `{"state":"in progress","description":"half\nway"}`)
		})
		got, err := newClient(t, f.URL).LastOperation(t.Context(), &osb.LastOperationRequest{InstanceID: "i"})
		require.NoError(t, err)
		assert.Equal(t, &osb.LastOperationResponse{State: osb.StateInProgress, Description: "half way", RetryAfter: 7 * time.Second}, got)
	})
	t.Run("an unknown state is no answer (P46)", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{`{}`, `{"state":"in_progress"}`, `{"state":""}`, `null`} {
			_, err := newClient(t, answering(t, 200, body).URL).LastOperation(t.Context(), &osb.LastOperationRequest{InstanceID: "i"})
			assert.True(t, osb.IsKind(err, osb.KindMalformed), "%s: %v", body, err)
		}
	})
}

func TestMalformedAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":                 "",
		"white space":           " \n ",
		"truncated":             `{"credentials":{"password":"hunter2-secret`,
		"trailing garbage":      `{"credentials":{"password":"hunter2-secret"}} <br>`,
		"two objects":           `{} {}`,
		"a list":                `[{"credentials":{}}]`,
		"a string":              `"ok"`,
		"HTML":                  html,
		"wrong type":            `{"credentials":"hunter2-secret"}`,
		"wrong type inside":     `{"endpoints":[{"ports":[443]}]}`,
		"no UTF-8":              "{\"credentials\":{\"password\":\"hunter2-secret\xff\"}}",
		"a date that is no one": `{"metadata":{"expires_at":"hunter2-secret"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for status, orphan := range map[int]bool{200: false, 201: true, 202: true} {
				_, err := newClient(t, answering(t, status, body).URL).Bind(t.Context(), bindRequest())
				e := osb.AsError(err)
				require.NotNil(t, e, "%d: %v", status, err)
				assert.Equal(t, osb.KindMalformed, e.Kind)
				assert.Equal(t, orphan, e.OrphanMitigation, "status %d", status)
				assert.NotContains(t, e.Error(), "hunter2-secret")
				assert.NotContains(t, e.Error(), "secret-in-html")
			}
		})
	}
}

func TestBoundedBodies(t *testing.T) {
	t.Parallel()
	small := func(c *osb.Config) { c.MaxBodyBytes, c.MaxCatalogBytes = 1000, 3000 }
	huge := func(n int) string { return `{"services":[],"pad":"` + strings.Repeat("x", n) + `"}` }
	t.Run("an answer over the bound is malformed", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, answering(t, 201, huge(2000)).URL, small).Provision(t.Context(), provisionRequest())
		e := osb.AsError(err)
		require.NotNil(t, e)
		assert.Equal(t, osb.KindMalformed, e.Kind)
		assert.True(t, e.OrphanMitigation)
		assert.ErrorContains(t, err, "more than 1000 bytes")
	})
	t.Run("a catalog has a bound of its own", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, answering(t, 200, huge(2000)).URL, small).GetCatalog(t.Context(), &osb.CatalogRequest{})
		require.NoError(t, err)
		_, err = newClient(t, answering(t, 200, huge(4000)).URL, small).GetCatalog(t.Context(), &osb.CatalogRequest{})
		assert.True(t, osb.IsKind(err, osb.KindMalformed), "%v", err)
	})
	t.Run("an answer without end is not read to the end", func(t *testing.T) {
		t.Parallel()
		f := serving(t, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
					return
				}
			}
		})
		_, err := newClient(t, f.URL, small).Provision(t.Context(), provisionRequest())
		assert.True(t, osb.IsKind(err, osb.KindMalformed), "%v", err)
	})
	t.Run("a compressed answer is bounded by what it unpacks to", func(t *testing.T) {
		t.Parallel()
		f := serving(t, func(w http.ResponseWriter, _ *http.Request) { writeGzip(w, huge(1<<20)) })
		_, err := newClient(t, f.URL, small).GetCatalog(t.Context(), &osb.CatalogRequest{})
		assert.True(t, osb.IsKind(err, osb.KindMalformed), "%v", err)
	})
	t.Run("a request over the bound is not sent", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 201, `{}`)
		r := provisionRequest()
		r.Parameters = osb.RawJSON(huge(2000))
		_, err := newClient(t, f.URL, small).Provision(t.Context(), r)
		e := osb.AsError(err)
		require.NotNil(t, e)
		assert.Equal(t, osb.KindInvalid, e.Kind)
		assert.False(t, e.Lost)
		assert.Empty(t, f.seen)
	})
}

// TestInvalidRequestsAreNotSent is P60, P61, P90 and P105 where a platform itself
// would break them: ids that the broker must have.
func TestInvalidRequestsAreNotSent(t *testing.T) {
	f := answering(t, 200, `{}`)
	c := newClient(t, f.URL)
	for name, call := range map[string]func(context.Context) error{
		"instance_id is empty": func(ctx context.Context) error {
			_, err := c.GetInstance(ctx, &osb.GetInstanceRequest{})
			return err
		},
		"cannot stand in a path": func(ctx context.Context) error {
			_, err := c.GetInstance(ctx, &osb.GetInstanceRequest{InstanceID: ".."})
			return err
		},
		"space_guid is empty": func(ctx context.Context) error {
			r := provisionRequest()
			r.SpaceGUID = ""
			_, err := c.Provision(ctx, r)
			return err
		},
		"plan_id is empty": func(ctx context.Context) error {
			_, err := c.Unbind(ctx, &osb.UnbindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s"})
			return err
		},
		"binding_id is empty": func(ctx context.Context) error { // it would poll the instance
			_, err := c.LastOperation(ctx, &osb.LastOperationRequest{Polled: osb.OpUnbind, InstanceID: "i"})
			return err
		},
		"no valid JSON": func(ctx context.Context) error {
			r := provisionRequest()
			r.Parameters = osb.RawJSON(`{"password":"hunter2-secret`)
			_, err := c.Provision(ctx, r)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call(t.Context())
			assert.True(t, osb.IsKind(err, osb.KindInvalid), "%v", err)
			assert.ErrorContains(t, err, name)
			assert.NotContains(t, err.Error(), "hunter2-secret")
		})
	}
	assert.Empty(t, f.seen)
}

// TestConditionalCatalog is P25.
func TestConditionalCatalog(t *testing.T) {
	t.Parallel()
	f := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Wed, 02 Jan 2030 03:04:05 GMT")
		if r.Header.Get("If-None-Match") == `"v1"` && r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, `{"services":[]}`)
	})
	c := newClient(t, f.URL)
	first, err := c.GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
	assert.False(t, first.NotModified)
	second, err := c.GetCatalog(t.Context(), &osb.CatalogRequest{ETag: first.ETag, LastModified: first.LastModified})
	require.NoError(t, err)
	assert.Equal(t, &osb.CatalogResponse{NotModified: true, ETag: `"v1"`, LastModified: "Wed, 02 Jan 2030 03:04:05 GMT"}, second)

	_, err = newClient(t, answering(t, 304, "").URL).GetCatalog(t.Context(), &osb.CatalogRequest{})
	assert.True(t, osb.IsKind(err, osb.KindMalformed), "304 without a condition: %v", err)
}

func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	target := answering(t, 201, `{}`)
	f := serving(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.URL+"/stolen", http.StatusTemporaryRedirect)
	})
	c := newClient(t, f.URL, func(c *osb.Config) { c.Auth = osb.BasicAuth("u", "password-1") })
	_, err := c.Provision(t.Context(), provisionRequest())
	e := osb.AsError(err)
	require.NotNil(t, e)
	assert.Equal(t, osb.KindRedirect, e.Kind)
	assert.Equal(t, osb.ActorPlatformTeam, e.Actor())
	assert.ErrorContains(t, err, "redirects are not followed")
	assert.Empty(t, target.seen, "credentials went elsewhere")
}
