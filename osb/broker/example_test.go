package broker_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// notes is a whole service broker: it hands out notebooks, each with a color,
// and keeps them in memory.
type notes struct {
	mu     sync.Mutex
	colors map[string]string          // instance id → parameters
	keys   map[string]map[string]bool // instance id → binding ids
}

func (n *notes) Catalog(context.Context) (*osb.Catalog, error) {
	return &osb.Catalog{Services: []osb.Service{{
		ID: "1f0c5f7e-notes", Name: "notes", Description: "A notebook", Bindable: true,
		Plans: []osb.Plan{{ID: "77a3d1c2-thin", Name: "thin", Description: "Few pages"}},
	}}}, nil
}

func (n *notes) Provision(_ context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if color, ok := n.colors[r.InstanceID]; ok {
		if color != string(r.Parameters) {
			return nil, broker.ErrConflict
		}
		return &osb.ProvisionResponse{Existed: true}, nil
	}
	n.colors[r.InstanceID], n.keys[r.InstanceID] = string(r.Parameters), map[string]bool{}
	return &osb.ProvisionResponse{}, nil
}

func (n *notes) Deprovision(_ context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.colors[r.InstanceID]
	delete(n.colors, r.InstanceID)
	delete(n.keys, r.InstanceID)
	return &osb.DeprovisionResponse{Gone: !ok}, nil
}

func (n *notes) Bind(_ context.Context, r *osb.BindRequest) (*osb.BindResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys, ok := n.keys[r.InstanceID]
	if !ok {
		return nil, broker.BadRequest("there is no such notebook")
	}
	existed := keys[r.BindingID]
	keys[r.BindingID] = true
	return &osb.BindResponse{Existed: existed, BindingData: osb.BindingData{
		Credentials: osb.Credentials{"uri": "notes://example/" + r.InstanceID, "key": r.BindingID},
	}}, nil
}

func (n *notes) Unbind(_ context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ok := n.keys[r.InstanceID][r.BindingID]
	delete(n.keys[r.InstanceID], r.BindingID)
	return &osb.UnbindResponse{Gone: !ok}, nil
}

// A complete broker, and a platform that uses it. A real one calls
// broker.Serve in place of the test server.
func Example() {
	b := &notes{colors: map[string]string{}, keys: map[string]map[string]bool{}}
	server := httptest.NewServer(broker.NewHandler(b, broker.Options{
		Auth: broker.BasicAuth(map[string]string{"platform": "s3cret-enough"}),
	}))
	defer server.Close()

	ctx := context.Background()
	client, err := osb.NewClient(osb.Config{URL: server.URL, Auth: osb.BasicAuth("platform", "s3cret-enough")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	catalog, err := client.GetCatalog(ctx, &osb.CatalogRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	service := catalog.Catalog.Services[0]
	plan := service.Plans[0]
	fmt.Println("offered:", service.Name, plan.Name)

	_, err = client.Provision(ctx, &osb.ProvisionRequest{
		InstanceID: "i-1", ServiceID: service.ID, PlanID: plan.ID,
		OrganizationGUID: "cluster-1", SpaceGUID: "namespace-1", Parameters: osb.RawJSON(`{"color":"red"}`),
	})
	fmt.Println("provisioned:", err)
	bound, err := client.Bind(ctx, &osb.BindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: service.ID, PlanID: plan.ID})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("bound:", bound.Credentials["uri"])

	_, err = client.Bind(ctx, &osb.BindRequest{InstanceID: "i-2", BindingID: "b-2", ServiceID: service.ID, PlanID: plan.ID})
	fmt.Println("refused:", err)
	if e := osb.AsError(err); e != nil {
		fmt.Println("whose move:", e.Actor())
	}
	// Output:
	// offered: notes thin
	// provisioned: <nil>
	// bound: notes://example/i-1
	// refused: bind: broker answered 400: there is no such notebook
	// whose move: User
}
