//go:build integration

package controllers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// fakeBroker keeps instances and bindings in memory, by the OSB kit over real
// HTTP, and fails when it is told to.
type fakeBroker struct {
	mu        sync.Mutex
	instances map[string]string // id: plan
	bindings  map[string]osb.Credentials
	requests  map[string]int // "PUT instance": how often
	fault     func(op string, next http.HandlerFunc, w http.ResponseWriter, r *http.Request)
	password  string
	name      string // of its service and, in ids, of all it offers
	catalog   *osb.Catalog
	url       string
}

func newFakeBroker(t testing.TB) *fakeBroker {
	t.Helper()
	f := &fakeBroker{
		instances: map[string]string{}, bindings: map[string]osb.Credentials{}, requests: map[string]int{}, password: "right",
		name: "c" + uuid.NewString()[:8],
	}
	f.catalog = testCatalog(f.name)
	kit := broker.NewHandler(f, broker.Options{Auth: func(r *http.Request) bool {
		_, p, _ := r.BasicAuth()
		f.mu.Lock()
		defer f.mu.Unlock()
		return p == f.password
	}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := r.Method + " " + thingOf(r.URL.Path)
		f.mu.Lock()
		f.requests[op]++
		fault := f.fault
		f.mu.Unlock()
		if fault != nil {
			fault(op, kit.ServeHTTP, w, r)
			return
		}
		kit.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func thingOf(path string) string {
	switch {
	case filepath.Base(path) == "catalog":
		return "catalog"
	case filepath.Base(filepath.Dir(path)) == "service_bindings":
		return "binding"
	}
	return "instance"
}

// testCatalog has ids of its own for each run of a test: ids are unique over brokers.
func testCatalog(name string) *osb.Catalog {
	plan := func(n string) osb.Plan {
		return osb.Plan{ID: name + "-" + n, Name: n, Description: "a plan"}
	}
	return &osb.Catalog{Services: []osb.Service{{
		ID: name + "-db", Name: name + "-db", Description: "a database", Bindable: true,
		InstancesRetrievable: true, BindingsRetrievable: true, Plans: []osb.Plan{plan("small"), plan("large")},
	}}}
}

func (f *fakeBroker) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeBroker) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[op]
}

func (f *fakeBroker) held() (instances, bindings int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.instances), len(f.bindings)
}

func (f *fakeBroker) Catalog(context.Context) (*osb.Catalog, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.catalog, nil
}

func (f *fakeBroker) Provision(_ context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if plan, ok := f.instances[r.InstanceID]; ok {
		if plan != r.PlanID {
			return nil, broker.ErrConflict
		}
		return &osb.ProvisionResponse{Existed: true}, nil
	}
	f.instances[r.InstanceID] = r.PlanID
	return &osb.ProvisionResponse{}, nil
}

func (f *fakeBroker) Deprovision(_ context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.instances[r.InstanceID]; !ok {
		return nil, broker.ErrGone
	}
	delete(f.instances, r.InstanceID)
	return &osb.DeprovisionResponse{}, nil
}

func (f *fakeBroker) Bind(_ context.Context, r *osb.BindRequest) (*osb.BindResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.bindings[r.BindingID]; ok {
		return &osb.BindResponse{Existed: true, BindingData: osb.BindingData{Credentials: c}}, nil
	}
	if _, ok := f.instances[r.InstanceID]; !ok {
		return nil, broker.BadRequest("there is no such instance")
	}
	c := osb.Credentials{
		"username": "u-" + r.BindingID, "password": "p-" + r.BindingID, "port": 5432,
		"nested": map[string]any{"a": "b"}, "LD_PRELOAD": "/evil.so", "bad key": "x",
	}
	f.bindings[r.BindingID] = c
	return &osb.BindResponse{BindingData: osb.BindingData{Credentials: c}}, nil
}

func (f *fakeBroker) Unbind(_ context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.bindings[r.BindingID]; !ok {
		return nil, broker.ErrGone
	}
	delete(f.bindings, r.BindingID)
	return &osb.UnbindResponse{}, nil
}
