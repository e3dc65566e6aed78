package test_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

const (
	patience = 20 * time.Second
	tick     = 5 * time.Millisecond
	// impatient is for calls whose answer never comes.
	impatient = time.Second
)

// fixture is a broker behind real HTTP, and a platform's client of it.
type fixture struct {
	*test.Broker
	t      *testing.T
	url    string
	client *osb.Client
}

func start(t *testing.T, opts test.Options) *fixture {
	t.Helper()
	b, err := test.New(opts)
	require.NoError(t, err)
	server := httptest.NewServer(b)
	t.Cleanup(func() { b.Close(); server.Close() })
	f := &fixture{Broker: b, t: t, url: server.URL}
	f.client = f.dial(patience)
	return f
}

// dial is another client, with a timeout of its own.
func (f *fixture) dial(timeout time.Duration) *osb.Client {
	f.t.Helper()
	client, err := osb.NewClient(osb.Config{URL: f.url, Timeout: timeout})
	require.NoError(f.t, err)
	f.t.Cleanup(client.Close)
	return client
}

// script adds a rule that must be right.
func (f *fixture) script(r test.Rule) string {
	f.t.Helper()
	id, err := f.Add(r)
	require.NoError(f.t, err)
	return id
}

// on is a rule for operations.
func on(do test.Do, ops ...osb.Operation) test.Rule {
	return test.Rule{Match: test.Match{Operations: ops}, Do: do}
}

// offered finds the ids of a service and one of its plans.
func (f *fixture) offered(service, plan string) (serviceID, planID string) {
	f.t.Helper()
	r, err := f.client.GetCatalog(f.t.Context(), &osb.CatalogRequest{})
	require.NoError(f.t, err)
	for _, s := range r.Catalog.Services {
		for _, p := range s.Plans {
			if s.Name == service && p.Name == plan {
				return s.ID, p.ID
			}
		}
	}
	require.FailNow(f.t, "not offered", "%s/%s", service, plan)
	return "", ""
}

// platform sends well-formed requests for one service and plan.
type platform struct {
	f               *fixture
	client          *osb.Client
	service, plan   string // ids
	async           bool
	identity        *osb.Identity
	instance, bound string
}

const kubernetes = `{"platform":"kubernetes","namespace":"shop","clusterid":"c-1","instance_name":"orders"}`

func (f *fixture) platform(service string) *platform {
	f.t.Helper()
	serviceID, planID := f.offered(service, "default")
	return &platform{
		f: f, client: f.client, service: serviceID, plan: planID, async: true, instance: "i-1", bound: "b-1",
		identity: &osb.Identity{Username: "jane", UID: "u-1"},
	}
}

func (p *platform) provision() (*osb.ProvisionResponse, error) {
	return p.client.Provision(p.f.t.Context(), &osb.ProvisionRequest{
		InstanceID: p.instance, AcceptsIncomplete: p.async, Identity: p.identity, ServiceID: p.service, PlanID: p.plan,
		OrganizationGUID: "c-1", SpaceGUID: "n-1", Context: osb.RawJSON(kubernetes), Parameters: osb.RawJSON(`{"color":"red"}`),
	})
}

func (p *platform) update(parameters string) (*osb.UpdateResponse, error) {
	return p.client.Update(p.f.t.Context(), &osb.UpdateRequest{
		InstanceID: p.instance, AcceptsIncomplete: p.async, Identity: p.identity, ServiceID: p.service,
		Context: osb.RawJSON(kubernetes), Parameters: osb.RawJSON(parameters), PreviousValues: &osb.PreviousValues{PlanID: p.plan},
	})
}

func (p *platform) deprovision() (*osb.DeprovisionResponse, error) {
	return p.client.Deprovision(p.f.t.Context(), &osb.DeprovisionRequest{
		InstanceID: p.instance, AcceptsIncomplete: p.async, Identity: p.identity, ServiceID: p.service, PlanID: p.plan,
	})
}

func (p *platform) bind() (*osb.BindResponse, error) {
	return p.client.Bind(p.f.t.Context(), &osb.BindRequest{
		InstanceID: p.instance, BindingID: p.bound, AcceptsIncomplete: p.async, Identity: p.identity,
		ServiceID: p.service, PlanID: p.plan, Context: osb.RawJSON(kubernetes),
	})
}

func (p *platform) unbind() (*osb.UnbindResponse, error) {
	return p.client.Unbind(p.f.t.Context(), &osb.UnbindRequest{
		InstanceID: p.instance, BindingID: p.bound, AcceptsIncomplete: p.async, Identity: p.identity, ServiceID: p.service, PlanID: p.plan,
	})
}

func (p *platform) getInstance() (*osb.GetInstanceResponse, error) {
	return p.client.GetInstance(p.f.t.Context(), &osb.GetInstanceRequest{InstanceID: p.instance})
}

func (p *platform) getBinding() (*osb.GetBindingResponse, error) {
	return p.client.GetBinding(p.f.t.Context(), &osb.GetBindingRequest{InstanceID: p.instance, BindingID: p.bound})
}

// poll asks for an operation of the instance; pollBinding for one of the binding.
func (p *platform) poll(polled osb.Operation, operation string) (*osb.LastOperationResponse, error) {
	return p.client.LastOperation(p.f.t.Context(), &osb.LastOperationRequest{
		Polled: polled, InstanceID: p.instance, ServiceID: p.service, PlanID: p.plan, Operation: operation,
	})
}

func (p *platform) pollBinding(polled osb.Operation, operation string) (*osb.LastOperationResponse, error) {
	return p.client.LastOperation(p.f.t.Context(), &osb.LastOperationRequest{
		Polled: polled, InstanceID: p.instance, BindingID: p.bound, ServiceID: p.service, PlanID: p.plan, Operation: operation,
	})
}

// call does one operation, whichever it is.
func (p *platform) call(op osb.Operation) error {
	var err error
	switch op {
	case osb.OpCatalog:
		_, err = p.client.GetCatalog(p.f.t.Context(), &osb.CatalogRequest{})
	case osb.OpProvision:
		_, err = p.provision()
	case osb.OpUpdate:
		_, err = p.update(`{"size":1}`)
	case osb.OpDeprovision:
		_, err = p.deprovision()
	case osb.OpBind:
		_, err = p.bind()
	case osb.OpUnbind:
		_, err = p.unbind()
	case osb.OpGetInstance:
		_, err = p.getInstance()
	case osb.OpGetBinding:
		_, err = p.getBinding()
	case osb.OpLastOperation:
		_, err = p.poll(osb.OpProvision, "")
	default:
		p.f.t.Fatalf("no such operation: %s", op)
	}
	return err
}

// prepare makes what an operation needs to succeed.
func (p *platform) prepare(op osb.Operation) {
	p.f.t.Helper()
	if op == osb.OpCatalog || op == osb.OpProvision {
		return
	}
	_, err := p.provision()
	require.NoError(p.f.t, err)
	if op == osb.OpUnbind || op == osb.OpGetBinding {
		_, err = p.bind()
		require.NoError(p.f.t, err)
	}
}

// last is the newest request of an operation.
func (f *fixture) last(op osb.Operation) test.Entry {
	f.t.Helper()
	all := f.Ledger(test.Filter{Operations: []osb.Operation{op}}).Entries
	require.NotEmpty(f.t, all, "no %s in the ledger", op)
	return all[len(all)-1]
}

// finished waits until the broker is through with the newest request of an
// operation: the client may be sooner.
func (f *fixture) finished(op osb.Operation) test.Entry {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return f.last(op).Outcome != "" }, patience, tick)
	return f.last(op)
}

// serve asks a handler without a network.
func serve(t *testing.T, h http.Handler, method, path string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	r.Header.Set("X-Broker-API-Version", "2.17")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.NotZero(t, w.Code)
}
