package broker_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// pair is osb.Client talking to the kit over HTTP.
func pair(t *testing.T, b broker.Broker) *osb.Client {
	t.Helper()
	server := httptest.NewServer(broker.NewHandler(b, options()))
	t.Cleanup(server.Close)
	client, err := osb.NewClient(osb.Config{URL: server.URL + "/", Auth: osb.BasicAuth("user", "password-1")})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// TestRequestsArriveAsTheyWereSent sends every field and compares.
func TestRequestsArriveAsTheyWereSent(t *testing.T) {
	var got any
	b := &complete{
		scripted: scripted{
			provision: func(ctx context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
				who, ok := broker.OriginatingIdentity(ctx)
				if !ok {
					return nil, errors.New("no identity")
				}
				id, err := who.Kubernetes()
				r.Identity, got = &id, r
				return &osb.ProvisionResponse{}, err
			},
			deprovision: func(r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
				got = r
				return &osb.DeprovisionResponse{}, nil
			},
			bind:   func(r *osb.BindRequest) (*osb.BindResponse, error) { got = r; return &osb.BindResponse{}, nil },
			unbind: func(r *osb.UnbindRequest) (*osb.UnbindResponse, error) { got = r; return &osb.UnbindResponse{}, nil },
		},
		update: func(r *osb.UpdateRequest) (*osb.UpdateResponse, error) { got = r; return &osb.UpdateResponse{}, nil },
		poll: func(r *osb.LastOperationRequest) (*osb.LastOperationResponse, error) {
			got = r
			return &osb.LastOperationResponse{State: osb.StateSucceeded}, nil
		},
		getInstance: func(r *osb.GetInstanceRequest) (*osb.GetInstanceResponse, error) {
			got = r
			return &osb.GetInstanceResponse{}, nil
		},
		getBinding: func(r *osb.GetBindingRequest) (*osb.GetBindingResponse, error) {
			got = r
			return &osb.GetBindingResponse{}, nil
		},
	}
	client := pair(t, b)
	const iid, bid = "i/1 ü%2F+", "b?&#=;,"
	for name, tc := range map[string]struct {
		want any
		call func(context.Context) error
	}{
		"provision": roundTrip(&osb.ProvisionRequest{InstanceID: iid, AcceptsIncomplete: true, ServiceID: "db", PlanID: "small", OrganizationGUID: "o", SpaceGUID: "s",
			Identity: &osb.Identity{Username: "jane", UID: "u", Groups: []string{"g"}, Extra: map[string][]string{"k": {"v"}}},
			Context:  osb.RawJSON(`{"platform":"kubernetes"}`), Parameters: osb.RawJSON(`{"n":12345678901234567890.10}`), MaintenanceInfo: &osb.MaintenanceInfo{Version: "1.0.0"}}, client.Provision),
		"update": roundTrip(&osb.UpdateRequest{InstanceID: iid, AcceptsIncomplete: true, ServiceID: "db", PlanID: "small", Parameters: osb.RawJSON(`{}`),
			PreviousValues: &osb.PreviousValues{PlanID: "old", MaintenanceInfo: &osb.MaintenanceInfo{Version: "0.9.0"}}}, client.Update),
		"deprovision": roundTrip(&osb.DeprovisionRequest{InstanceID: iid, AcceptsIncomplete: true, ServiceID: "s+ /", PlanID: "p&="}, client.Deprovision),
		"bind": roundTrip(&osb.BindRequest{InstanceID: iid, BindingID: bid, AcceptsIncomplete: true, ServiceID: "db", PlanID: "small", AppGUID: "a",
			BindResource: &osb.BindResource{AppGUID: "a", Route: "r"}, Context: osb.RawJSON(`{"a":1}`), Parameters: osb.RawJSON(`{"b":2}`)}, client.Bind),
		"rotate":         roundTrip(&osb.BindRequest{InstanceID: iid, BindingID: bid, PredecessorBindingID: "b-0"}, client.Bind),
		"unbind":         roundTrip(&osb.UnbindRequest{InstanceID: iid, BindingID: bid, ServiceID: "s", PlanID: "p"}, client.Unbind),
		"get instance":   roundTrip(&osb.GetInstanceRequest{InstanceID: iid, ServiceID: "s", PlanID: "p"}, client.GetInstance),
		"get binding":    roundTrip(&osb.GetBindingRequest{InstanceID: iid, BindingID: bid}, client.GetBinding),
		"poll":           roundTrip(&osb.LastOperationRequest{InstanceID: iid, ServiceID: "s", PlanID: "p", Operation: "tf:{1}:+/="}, client.LastOperation),
		"poll a binding": roundTrip(&osb.LastOperationRequest{InstanceID: iid, BindingID: bid, ServiceID: "s", PlanID: "p"}, client.LastOperation),
	} {
		t.Run(name, func(t *testing.T) {
			got = nil
			require.NoError(t, tc.call(t.Context()))
			assert.Equal(t, tc.want, got)
		})
	}
}

// roundTrip is one row: the request, and the call that sends it.
func roundTrip[Q, A any](want Q, call func(context.Context, Q) (A, error)) struct {
	want any
	call func(context.Context) error
} {
	return struct {
		want any
		call func(context.Context) error
	}{want, func(ctx context.Context) error { _, err := call(ctx, want); return err }}
}

// TestAnswersArriveAsTheyWereGiven is the way back, synchronous and not: the codes
// of B12, B16, B17 and B19, and a dashboard in a 202 (B15).
func TestAnswersArriveAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	url, yes := "https://dashboard", true
	expires := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	data := osb.BindingData{
		Metadata: &osb.BindingMetadata{ExpiresAt: &expires, RenewBefore: &expires}, Credentials: osb.Credentials{"uri": "a<b>&c", "list": []any{"x", true, nil}},
		SyslogDrainURL: "syslog://x", RouteServiceURL: "https://r", Endpoints: []osb.Endpoint{{Host: "h", Ports: []string{"1-2"}}},
		VolumeMounts: []osb.VolumeMount{{Driver: "d", ContainerDir: "/c", Mode: "r", DeviceType: "shared", Device: osb.SharedDevice{VolumeID: "v"}}},
	}
	b := &complete{}
	client := pair(t, b)
	provision := &osb.ProvisionRequest{InstanceID: "i", AcceptsIncomplete: true, ServiceID: "db", PlanID: "small", OrganizationGUID: "o", SpaceGUID: "s"}
	bind := &osb.BindRequest{InstanceID: "i", BindingID: "b", AcceptsIncomplete: true, ServiceID: "queue", PlanID: "fast"}

	for _, want := range []*osb.ProvisionResponse{
		{DashboardURL: &url, Metadata: &osb.InstanceMetadata{Labels: map[string]string{"a": "b"}, Attributes: osb.RawJSON(`{"x":1.0}`)}},
		{Existed: true}, {Async: true, Operation: "op", DashboardURL: &url}, {Async: true},
	} {
		b.provision = func(context.Context, *osb.ProvisionRequest) (*osb.ProvisionResponse, error) { return want, nil }
		got, err := client.Provision(t.Context(), provision)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, want := range []*osb.BindResponse{{BindingData: data}, {Existed: true, BindingData: data}, {Async: true, Operation: "op"}} {
		b.bind = func(*osb.BindRequest) (*osb.BindResponse, error) { return want, nil }
		got, err := client.Bind(t.Context(), bind)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, want := range []*osb.UpdateResponse{{DashboardURL: &url}, {Async: true, Operation: "op"}} {
		b.update = func(*osb.UpdateRequest) (*osb.UpdateResponse, error) { return want, nil }
		got, err := client.Update(t.Context(), &osb.UpdateRequest{InstanceID: "i", AcceptsIncomplete: true, ServiceID: "db"})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, want := range []*osb.DeprovisionResponse{{}, {Gone: true}, {Async: true, Operation: "op"}} {
		b.deprovision = func(*osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) { return want, nil }
		got, err := client.Deprovision(t.Context(), &osb.DeprovisionRequest{InstanceID: "i", AcceptsIncomplete: true, ServiceID: "s", PlanID: "p"})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, want := range []*osb.UnbindResponse{{}, {Gone: true}, {Async: true, Operation: "op"}} {
		b.unbind = func(*osb.UnbindRequest) (*osb.UnbindResponse, error) { return want, nil }
		got, err := client.Unbind(t.Context(), &osb.UnbindRequest{InstanceID: "i", BindingID: "b", AcceptsIncomplete: true, ServiceID: "s", PlanID: "p"})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, want := range []*osb.LastOperationResponse{
		{State: osb.StateInProgress, RetryAfter: 3 * time.Second}, {State: osb.StateFailed, Description: "why", InstanceUsable: &yes, UpdateRepeatable: &yes},
		{State: osb.StateSucceeded, Gone: true},
	} {
		b.poll = func(*osb.LastOperationRequest) (*osb.LastOperationResponse, error) { return want, nil }
		got, err := client.LastOperation(t.Context(), &osb.LastOperationRequest{Polled: osb.OpDeprovision, InstanceID: "i"})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	instance := &osb.GetInstanceResponse{ServiceID: "s", PlanID: "p", DashboardURL: &url, Parameters: osb.RawJSON(`{"a":1}`), MaintenanceInfo: &osb.MaintenanceInfo{Version: "1.0.0"}}
	b.getInstance = func(*osb.GetInstanceRequest) (*osb.GetInstanceResponse, error) { return instance, nil }
	gotInstance, err := client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: "i"})
	require.NoError(t, err)
	assert.Equal(t, instance, gotInstance)
	binding := &osb.GetBindingResponse{BindingData: data, Parameters: osb.RawJSON(`{"a":1}`)}
	b.getBinding = func(*osb.GetBindingRequest) (*osb.GetBindingResponse, error) { return binding, nil }
	gotBinding, err := client.GetBinding(t.Context(), &osb.GetBindingRequest{InstanceID: "i", BindingID: "b"})
	require.NoError(t, err)
	assert.Equal(t, binding, gotBinding)
}

// TestErrorsArriveAsTheirKind: what the kit says, the client understands.
func TestErrorsArriveAsTheirKind(t *testing.T) {
	t.Parallel()
	for kind, err := range map[osb.Kind]error{
		osb.KindConflict: broker.ErrConflict, osb.KindBusy: broker.ErrConcurrency, osb.KindAsyncRequired: broker.ErrAsyncRequired,
		osb.KindRequiresApp: broker.ErrRequiresApp, osb.KindMaintenanceInfoConflict: broker.ErrMaintenanceInfoConflict,
		osb.KindNotFound: broker.ErrNotFound, osb.KindGone: broker.ErrGone, osb.KindRejected: broker.BadRequest("no"),
		osb.KindUnavailable: errors.New("disk full"),
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			client := pair(t, &scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) { return nil, err }})
			_, got := client.Bind(t.Context(), &osb.BindRequest{InstanceID: "i", BindingID: "b", ServiceID: "db", PlanID: "small"})
			e := osb.AsError(got)
			require.NotNil(t, e)
			assert.Equal(t, kind, e.Kind)
			assert.NotEmpty(t, e.Description)
			assert.False(t, e.Lost)
			assert.Equal(t, kind == osb.KindUnavailable, e.OrphanMitigation)
		})
	}
	t.Run("Retry-After of an error", func(t *testing.T) {
		t.Parallel()
		client := pair(t, &scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) {
			return nil, &broker.Error{Status: 429, Description: "slower", RetryAfter: 1500 * time.Millisecond}
		}})
		_, err := client.Bind(t.Context(), &osb.BindRequest{InstanceID: "i", BindingID: "b", ServiceID: "db", PlanID: "small"})
		assert.True(t, osb.IsKind(err, osb.KindBusy), "%v", err)
		assert.Equal(t, 2*time.Second, osb.AsError(err).RetryAfter, "rounded up")
	})
	t.Run("wrong credentials", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(broker.NewHandler(&scripted{}, options()))
		t.Cleanup(server.Close)
		client, err := osb.NewClient(osb.Config{URL: server.URL, Auth: osb.BasicAuth("user", "wrong")})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		_, err = client.GetCatalog(t.Context(), &osb.CatalogRequest{})
		assert.True(t, osb.IsKind(err, osb.KindUnauthorized), "%v", err)
	})
}

func TestCatalogArrivesAsOffered(t *testing.T) {
	t.Parallel()
	want := offer()
	client := pair(t, &scripted{catalog: func() (*osb.Catalog, error) { return want, nil }})
	first, err := client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
	assert.Equal(t, want, first.Catalog)
	assert.Empty(t, first.Problems)
	second, err := client.GetCatalog(t.Context(), &osb.CatalogRequest{ETag: first.ETag})
	require.NoError(t, err)
	assert.True(t, second.NotModified)
	want.Services[0].Description = strings.Repeat("longer ", 3)
	third, err := client.GetCatalog(t.Context(), &osb.CatalogRequest{ETag: first.ETag})
	require.NoError(t, err)
	assert.Equal(t, want, third.Catalog)
}
