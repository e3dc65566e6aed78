package broker_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// scripted is a Broker without the optional methods. Each answer is a function
// that a test may set; unset ones succeed.
type scripted struct {
	catalog     func() (*osb.Catalog, error)
	provision   func(context.Context, *osb.ProvisionRequest) (*osb.ProvisionResponse, error)
	deprovision func(*osb.DeprovisionRequest) (*osb.DeprovisionResponse, error)
	bind        func(*osb.BindRequest) (*osb.BindResponse, error)
	unbind      func(*osb.UnbindRequest) (*osb.UnbindResponse, error)
}

func (b *scripted) Catalog(context.Context) (*osb.Catalog, error) {
	if b.catalog != nil {
		return b.catalog()
	}
	return offer(), nil
}

func (b *scripted) Provision(ctx context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	if b.provision != nil {
		return b.provision(ctx, r)
	}
	return &osb.ProvisionResponse{}, nil
}

func (b *scripted) Deprovision(_ context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
	if b.deprovision != nil {
		return b.deprovision(r)
	}
	return &osb.DeprovisionResponse{}, nil
}

func (b *scripted) Bind(_ context.Context, r *osb.BindRequest) (*osb.BindResponse, error) {
	if b.bind != nil {
		return b.bind(r)
	}
	return &osb.BindResponse{}, nil
}

func (b *scripted) Unbind(_ context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error) {
	if b.unbind != nil {
		return b.unbind(r)
	}
	return &osb.UnbindResponse{}, nil
}

// complete adds the optional methods.
type complete struct {
	scripted
	update      func(*osb.UpdateRequest) (*osb.UpdateResponse, error)
	poll        func(*osb.LastOperationRequest) (*osb.LastOperationResponse, error)
	getInstance func(*osb.GetInstanceRequest) (*osb.GetInstanceResponse, error)
	getBinding  func(*osb.GetBindingRequest) (*osb.GetBindingResponse, error)
}

func (b *complete) Update(_ context.Context, r *osb.UpdateRequest) (*osb.UpdateResponse, error) {
	if b.update != nil {
		return b.update(r)
	}
	return &osb.UpdateResponse{}, nil
}

func (b *complete) LastOperation(_ context.Context, r *osb.LastOperationRequest) (*osb.LastOperationResponse, error) {
	if b.poll != nil {
		return b.poll(r)
	}
	return &osb.LastOperationResponse{State: osb.StateSucceeded}, nil
}

func (b *complete) GetInstance(_ context.Context, r *osb.GetInstanceRequest) (*osb.GetInstanceResponse, error) {
	if b.getInstance != nil {
		return b.getInstance(r)
	}
	return &osb.GetInstanceResponse{}, nil
}

func (b *complete) GetBinding(_ context.Context, r *osb.GetBindingRequest) (*osb.GetBindingResponse, error) {
	if b.getBinding != nil {
		return b.getBinding(r)
	}
	return &osb.GetBindingResponse{}, nil
}

// offer has two services; the plan of one is none of the other.
func offer() *osb.Catalog {
	no := false
	return &osb.Catalog{Services: []osb.Service{
		{ID: "db", Name: "db", Description: "d", Bindable: true, Plans: []osb.Plan{
			{ID: "small", Name: "small", Description: "d", MaintenanceInfo: &osb.MaintenanceInfo{Version: "1.0.0"}, BindingRotatable: true,
				Schemas: &osb.Schemas{ServiceInstance: &osb.InstanceSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(`{"create":1}`)},
					Update: &osb.InputSchema{Parameters: osb.RawJSON(`{"update":1}`)}}, ServiceBinding: &osb.BindingSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(`{"bind":1}`)}}}},
			{ID: "sealed", Name: "sealed", Description: "d", Bindable: &no},
		}},
		{ID: "queue", Name: "queue", Description: "d", Bindable: true, Requires: []string{"syslog_drain", "route_forwarding", "volume_mount"},
			Plans: []osb.Plan{{ID: "fast", Name: "fast", Description: "d"}}},
	}}
}

const (
	instancePath  = "/v2/service_instances/i-1"
	bindingPath   = instancePath + "/service_bindings/b-1"
	ids           = "?service_id=db&plan_id=small"
	provisionBody = `{"service_id":"db","plan_id":"small","organization_guid":"o","space_guid":"s"}`
	bindBody      = `{"service_id":"db","plan_id":"small"}`
)

// request is one raw HTTP request; the zero headers are those of a good platform.
type request struct {
	method, path, body string
	header             map[string]string // "" removes
}

func send(h http.Handler, r request) *httptest.ResponseRecorder {
	req := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
	req.SetBasicAuth("user", "password-1")
	req.Header.Set("X-Broker-API-Version", "2.17")
	for k, v := range r.header {
		if v == "" {
			req.Header.Del(k)
			continue
		}
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func options() broker.Options {
	return broker.Options{Auth: broker.BasicAuth(map[string]string{"user": "password-1"})}
}

// bodyOf reads the answer, which must be a JSON object with its type (B4).
func bodyOf(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body), "%q", w.Body.String())
	require.NotNil(t, body)
	return body
}

func TestHeadersIntoContext(t *testing.T) {
	t.Parallel()
	var got struct {
		identity osb.OriginatingIdentity
		ok       bool
		id       string
		version  string
	}
	b := &scripted{provision: func(ctx context.Context, _ *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
		got.identity, got.ok = broker.OriginatingIdentity(ctx)
		got.id, got.version = broker.RequestIdentity(ctx), broker.APIVersion(ctx)
		return &osb.ProvisionResponse{}, nil
	}}
	h := broker.NewHandler(b, options())
	w := send(h, request{"PUT", instancePath, provisionBody, map[string]string{
		"X-Broker-API-Originating-Identity": "kubernetes " + base64.StdEncoding.EncodeToString([]byte(`{"username":"jane"}`)),
		"X-Broker-API-Request-Identity":     "r-1", "X-Broker-API-Version": "2.13"}})
	require.Equal(t, 201, w.Code)
	assert.Equal(t, "r-1", w.Header().Get("X-Broker-API-Request-Identity"), "echoed (B4)")
	assert.True(t, got.ok)
	assert.Equal(t, osb.OriginatingIdentity{Platform: "kubernetes", Value: osb.RawJSON(`{"username":"jane"}`)}, got.identity)
	assert.Equal(t, "r-1", got.id)
	assert.Equal(t, "2.13", got.version)

	require.Equal(t, 201, send(h, request{"PUT", instancePath, provisionBody, nil}).Code)
	assert.False(t, got.ok)
	assert.Equal(t, "r-1", send(h, request{"GET", "/nowhere", "", map[string]string{"Authorization": "", "X-Broker-API-Request-Identity": "r-1"}}).
		Header().Get("X-Broker-API-Request-Identity"), "echoed in refusals too")
}

func TestValidateHook(t *testing.T) {
	t.Parallel()
	type asked struct {
		operation  osb.Operation
		plan       string
		schema     string
		parameters string
	}
	for name, tc := range map[string]struct {
		request request
		want    []asked
	}{
		"provision":                          {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"parameters":{"a":1.0},`, 1), nil}, []asked{{osb.OpProvision, "small", `{"create":1}`, `{"a":1.0}`}}},
		"provision without parameters is {}": {request{"PUT", instancePath, provisionBody, nil}, []asked{{osb.OpProvision, "small", `{"create":1}`, `{}`}}},
		"bind":                               {request{"PUT", bindingPath, bindBody, nil}, []asked{{osb.OpBind, "small", `{"bind":1}`, `{}`}}},
		"a plan without schema":              {request{"PUT", bindingPath, `{"service_id":"queue","plan_id":"fast"}`, nil}, []asked{{osb.OpBind, "fast", ``, `{}`}}},
		"a rotation has no parameters":       {request{"PUT", bindingPath, `{"service_id":"db","plan_id":"small","predecessor_binding_id":"b-0"}`, nil}, nil},
		"update":                             {request{"PATCH", instancePath, `{"service_id":"db","plan_id":"small","parameters":{}}`, nil}, []asked{{osb.OpUpdate, "small", `{"update":1}`, `{}`}}},
		"update that changes no parameters":  {request{"PATCH", instancePath, `{"service_id":"db","plan_id":"small"}`, nil}, nil},
		"update with the plan it had":        {request{"PATCH", instancePath, `{"service_id":"db","parameters":{"b":1},"previous_values":{"plan_id":"small"}}`, nil}, []asked{{osb.OpUpdate, "small", `{"update":1}`, `{"b":1}`}}},
		"update of a plan that nobody names": {request{"PATCH", instancePath, `{"service_id":"db","parameters":{"b":1}}`, nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []asked
			opts := options()
			opts.Validate = func(_ context.Context, v broker.Validation) error {
				got = append(got, asked{v.Operation, v.Plan.ID, string(v.Schema), string(v.Parameters)})
				return nil
			}
			w := send(broker.NewHandler(&complete{}, opts), tc.request)
			assert.Less(t, w.Code, 300, w.Body.String())
			assert.Equal(t, tc.want, got)
		})
	}
	t.Run("a catalog that fails does not let an update pass unchecked", func(t *testing.T) {
		t.Parallel()
		asked := 0
		opts := options()
		opts.Validate = func(context.Context, broker.Validation) error { return errors.New("no") }
		b := &complete{scripted: scripted{catalog: func() (*osb.Catalog, error) {
			if asked++; asked > 1 {
				return nil, errors.New("disk full")
			}
			return offer(), nil
		}}}
		w := send(broker.NewHandler(b, opts), request{"PATCH", instancePath, `{"service_id":"db","parameters":{"b":1},"previous_values":{"plan_id":"small"}}`, nil})
		assert.Equal(t, 400, w.Code, w.Body.String())
	})
	for name, tc := range map[string]struct {
		err    error
		status int
	}{"its error is the user's 400": {errors.New("parameter size is too large"), 400}, "unless it chooses a code": {broker.Unprocessable("parameter size is too large"), 422}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options()
			opts.Validate = func(context.Context, broker.Validation) error { return tc.err }
			b := &scripted{provision: func(context.Context, *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
				t.Error("the broker was asked")
				return nil, broker.ErrConflict
			}}
			w := send(broker.NewHandler(b, opts), request{"PUT", instancePath, provisionBody, nil})
			assert.Equal(t, tc.status, w.Code)
			assert.Equal(t, "parameter size is too large", bodyOf(t, w)["description"])
		})
	}
}

// TestCatalogETag is B9.
func TestCatalogETag(t *testing.T) {
	t.Parallel()
	h := broker.NewHandler(&scripted{}, options())
	first := send(h, request{"GET", "/v2/catalog", "", nil})
	etag := first.Header().Get("ETag")
	require.NotEmpty(t, etag)
	for value, status := range map[string]int{etag: 304, "W/" + etag: 304, `"x", ` + etag: 304, `"x"`: 200} {
		w := send(h, request{"GET", "/v2/catalog", "", map[string]string{"If-None-Match": value}})
		assert.Equal(t, status, w.Code, value)
		assert.Equal(t, etag, w.Header().Get("ETag"))
		assert.Equal(t, status == 304, w.Body.Len() == 0)
	}
	for name, cat := range map[string]*osb.Catalog{"nil": nil, "nil list": {}} {
		empty := broker.NewHandler(&scripted{catalog: func() (*osb.Catalog, error) { return cat, nil }}, options())
		assert.JSONEq(t, `{"services":[]}`, send(empty, request{"GET", "/v2/catalog", "", nil}).Body.String(), name)
	}
}

func TestLogAndObserver(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var seen []broker.Observation
	opts := options()
	opts.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opts.Observer = func(_ context.Context, o broker.Observation) { o.Duration = 0; seen = append(seen, o) }
	b := &scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) {
		return &osb.BindResponse{BindingData: osb.BindingData{Credentials: osb.Credentials{"password": "hunter2-out"}}}, nil
	}}
	h := broker.NewHandler(b, opts)
	send(h, request{"PUT", bindingPath + "?token=hunter2-query", `{"service_id":"db","plan_id":"small","parameters":{"p":"hunter2-in"}}`, map[string]string{"X-Broker-API-Request-Identity": "r-1"}})
	send(h, request{"DELETE", instancePath, "", nil})
	send(h, request{"GET", "/v2/catalog", "", map[string]string{"Authorization": "Basic hunter2-auth"}})
	assert.Equal(t, []broker.Observation{{Operation: osb.OpBind, StatusCode: 201}, {Operation: osb.OpDeprovision, StatusCode: 400}, {StatusCode: 401}}, seen)

	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 3)
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &line))
	delete(line, "time")
	delete(line, "duration")
	assert.Equal(t, map[string]any{"level": "INFO", "msg": "Answered request", "operation": "bind", "statusCode": 201.0,
		"instanceID": "i-1", "bindingID": "b-1", "requestIdentity": "r-1"}, line)
	assert.Contains(t, lines[1], "service_id is missing or empty")
	for _, secret := range []string{"hunter2", "password-1", base64.StdEncoding.EncodeToString([]byte("user:password-1"))} {
		assert.NotContains(t, log.String(), secret)
	}

	log.Reset()
	send(h, request{"GET", "/v2/catalog", "", map[string]string{"Authorization": "", "X-Broker-API-Request-Identity": strings.Repeat("x", 50000)}})
	assert.Less(t, log.Len(), 1000, "nobody fills the log from outside")
}
