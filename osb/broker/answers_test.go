package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// TestBrokersErrors holds how what a broker returns becomes an answer.
func TestBrokersErrors(t *testing.T) {
	t.Parallel()
	no := false
	for name, tc := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"conflict (B12, B17)":                   {broker.ErrConflict, 409, `{"description":"the id is in use with other attributes"}`},
		"gone (B19, B21)":                       {broker.ErrGone, 410, `{"description":"it does not exist"}`},
		"concurrency (B25)":                     {broker.ErrConcurrency, 422, `{"error":"ConcurrencyError","description":"another operation on this resource is in progress"}`},
		"async required (B11)":                  {broker.ErrAsyncRequired, 422, `{"error":"AsyncRequired","description":"this works only asynchronously; send accepts_incomplete=true"}`},
		"a reason of one's own":                 {broker.ErrConflict.Describe("name %q is taken", "x"), 409, `{"description":"name \"x\" is taken"}`},
		"wrapped: only the public part is told": {fmt.Errorf("host 10.0.0.1: %w", broker.ErrConcurrency), 422, `{"error":"ConcurrencyError","description":"another operation on this resource is in progress"}`},
		"bad request":                           {broker.BadRequest("size %d is too large", 7), 400, `{"description":"size 7 is too large"}`},
		"quota (B26)":                           {broker.Unprocessable("the quota is used up"), 422, `{"description":"the quota is used up"}`},
		"any other error":                       {errors.New("dial postgres://user:hunter2@db"), 500, `{"description":"internal error of the broker; its log says more"}`},
		"a code that is no error":               {&broker.Error{Status: 200, Description: "hunter2"}, 500, `{"description":"internal error of the broker; its log says more"}`},
		"usable and repeatable (B5)":            {&broker.Error{Status: 500, Description: "x", InstanceUsable: &no, UpdateRepeatable: &no}, 500, `{"description":"x","instance_usable":false,"update_repeatable":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &complete{update: func(*osb.UpdateRequest) (*osb.UpdateResponse, error) { return nil, tc.err }}
			w := send(broker.NewHandler(b, options()), request{"PATCH", instancePath, `{"service_id":"db"}`, nil})
			assert.Equal(t, tc.status, w.Code)
			assert.JSONEq(t, tc.body, w.Body.String())
		})
	}
	t.Run("errors.Is finds the base of a described error", func(t *testing.T) {
		t.Parallel()
		assert.ErrorIs(t, broker.ErrGone.Describe("x"), broker.ErrGone)
		assert.NotErrorIs(t, broker.ErrGone.Describe("x"), broker.ErrNotFound)
		assert.Equal(t, "it does not exist", broker.ErrGone.Description)
	})
	t.Run("usable is for update and deprovision only (B5)", func(t *testing.T) {
		t.Parallel()
		b := &scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) {
			return nil, &broker.Error{Status: 500, Description: "x", InstanceUsable: &no}
		}}
		w := send(broker.NewHandler(b, options()), request{"PUT", bindingPath, bindBody, nil})
		assert.JSONEq(t, `{"description":"x"}`, w.Body.String())
	})
	t.Run("a catalog that fails is a 500 for all that need it", func(t *testing.T) {
		t.Parallel()
		h := broker.NewHandler(&complete{scripted: scripted{catalog: func() (*osb.Catalog, error) { return nil, errors.New("hunter2") }}}, options())
		for _, r := range []request{{"GET", "/v2/catalog", "", nil}, {"PUT", instancePath, provisionBody, nil}, {"PATCH", instancePath, `{"service_id":"db"}`, nil},
			{"PUT", bindingPath, bindBody, nil}, {"PUT", bindingPath, `{"predecessor_binding_id":"b-0"}`, nil}} {
			w := send(h, r)
			assert.Equal(t, 500, w.Code, r)
			assert.NotContains(t, w.Body.String(), "hunter2")
		}
	})
}

// TestBrokersBugs: an answer that the spec forbids becomes a 500, never a lie.
func TestBrokersBugs(t *testing.T) {
	t.Parallel()
	async := "?accepts_incomplete=true"
	for name, tc := range map[string]struct {
		broker  broker.Broker
		request request
		log     string
	}{
		"asynchronous without being asked (B11)": {&complete{scripted: scripted{provision: func(context.Context, *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
			return &osb.ProvisionResponse{Async: true}, nil
		}}}, request{"PUT", instancePath, provisionBody, nil}, "without accepts_incomplete"},
		"asynchronous without a poll": {&scripted{deprovision: func(*osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
			return &osb.DeprovisionResponse{Async: true}, nil
		}}, request{"DELETE", instancePath + ids + "&accepts_incomplete=true", "", nil}, "no LastOperation"},
		"an operation that is too long": {&complete{scripted: scripted{provision: func(context.Context, *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
			return &osb.ProvisionResponse{Async: true, Operation: strings.Repeat("ä", 10001)}, nil
		}}}, request{"PUT", instancePath + async, provisionBody, nil}, "longer than 10000"},
		"a state that the spec does not know (P44)": {&complete{poll: func(*osb.LastOperationRequest) (*osb.LastOperationResponse, error) {
			return &osb.LastOperationResponse{State: "in_progress"}, nil
		}}, request{"GET", instancePath + "/last_operation", "", nil}, `state \"in_progress\"`},
		"no answer at all": {&scripted{provision: func(context.Context, *osb.ProvisionRequest) (*osb.ProvisionResponse, error) { return nil, nil }},
			request{"PUT", instancePath, provisionBody, nil}, "neither a response nor an error"},
		"credentials that are no JSON": {&scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) {
			return &osb.BindResponse{BindingData: osb.BindingData{Credentials: osb.Credentials{"f": func() {}}}}, nil
		}}, request{"PUT", bindingPath, bindBody, nil}, "cannot be written as JSON"},
		"a drain that the service does not announce (B23)": {&scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) {
			return &osb.BindResponse{BindingData: osb.BindingData{SyslogDrainURL: "syslog://x"}}, nil
		}}, request{"PUT", bindingPath, bindBody, nil}, "syslog_drain"},
		"a panic": {&scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) { panic("out of cheese") }},
			request{"PUT", bindingPath, bindBody, nil}, "out of cheese"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			opts := options()
			opts.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			w := send(broker.NewHandler(tc.broker, opts), tc.request)
			assert.Equal(t, 500, w.Code)
			assert.NotContains(t, w.Body.String(), "cheese")
			assert.Contains(t, log.String(), tc.log)
			bodyOf(t, w)
		})
	}
	t.Run("a service may announce and use all three (B23)", func(t *testing.T) {
		t.Parallel()
		b := &scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) {
			return &osb.BindResponse{BindingData: osb.BindingData{SyslogDrainURL: "a", RouteServiceURL: "b", VolumeMounts: []osb.VolumeMount{{}}}}, nil
		}}
		w := send(broker.NewHandler(b, options()), request{"PUT", bindingPath, `{"service_id":"queue","plan_id":"fast"}`, nil})
		assert.Equal(t, 201, w.Code, w.Body.String())
	})
	t.Run("a 202 to a bind has no credentials (B17)", func(t *testing.T) {
		t.Parallel()
		b := &complete{scripted: scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) {
			return &osb.BindResponse{Async: true, Operation: "op", BindingData: osb.BindingData{Credentials: osb.Credentials{"password": "hunter2"}}}, nil
		}}}
		w := send(broker.NewHandler(b, options()), request{"PUT", bindingPath + async, bindBody, nil})
		assert.Equal(t, 202, w.Code)
		assert.JSONEq(t, `{"operation":"op"}`, w.Body.String())
	})
	t.Run("an operation that is empty is left out of a 202 (P42)", func(t *testing.T) {
		t.Parallel()
		b := &complete{scripted: scripted{bind: func(*osb.BindRequest) (*osb.BindResponse, error) { return &osb.BindResponse{Async: true}, nil }}}
		w := send(broker.NewHandler(b, options()), request{"PUT", bindingPath + async, bindBody, nil})
		assert.Equal(t, 202, w.Code)
		assert.JSONEq(t, `{}`, w.Body.String())
	})
	t.Run("a panic to abort cuts the connection", func(t *testing.T) {
		t.Parallel()
		b := &scripted{catalog: func() (*osb.Catalog, error) { panic(http.ErrAbortHandler) }}
		s := httptest.NewServer(broker.NewHandler(b, broker.Options{Auth: broker.NoAuth()}))
		defer s.Close()
		c, err := osb.NewClient(osb.Config{URL: s.URL})
		require.NoError(t, err)
		_, err = c.GetCatalog(t.Context(), &osb.CatalogRequest{})
		assert.True(t, osb.IsKind(err, osb.KindUnavailable), "%v", err)
		assert.Zero(t, osb.AsError(err).StatusCode)
	})
}
