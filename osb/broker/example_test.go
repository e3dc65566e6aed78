package broker_test

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// notes is a whole service broker: it hands out notebooks and keys to them, and
// keeps in memory what each id was asked for with.
type notes struct{ books, keys sync.Map }

func (n *notes) Catalog(context.Context) (*osb.Catalog, error) {
	return &osb.Catalog{Services: []osb.Service{{
		ID: "1f0c5f7e-notes", Name: "notes", Description: "A notebook", Bindable: true,
		Plans: []osb.Plan{{ID: "77a3d1c2-thin", Name: "thin", Description: "Few pages"}},
	}}}, nil
}

func (n *notes) Provision(_ context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	existed, err := remember(&n.books, r.InstanceID, r.PlanID, r.OrganizationGUID, r.SpaceGUID, r.Parameters)
	return &osb.ProvisionResponse{Existed: existed}, err
}

func (n *notes) Deprovision(_ context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
	_, existed := n.books.LoadAndDelete(r.InstanceID)
	return &osb.DeprovisionResponse{Gone: !existed}, nil
}

func (n *notes) Bind(_ context.Context, r *osb.BindRequest) (*osb.BindResponse, error) {
	if _, exists := n.books.Load(r.InstanceID); !exists {
		return nil, broker.BadRequest("there is no such notebook")
	}
	existed, err := remember(&n.keys, r.InstanceID+"/"+r.BindingID, r.PlanID, r.Parameters)
	return &osb.BindResponse{Existed: existed, BindingData: osb.BindingData{
		Credentials: osb.Credentials{"uri": "notes://example/" + r.InstanceID, "key": r.BindingID},
	}}, err
}

func (n *notes) Unbind(_ context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error) {
	_, existed := n.keys.LoadAndDelete(r.InstanceID + "/" + r.BindingID)
	return &osb.UnbindResponse{Gone: !existed}, nil
}

// remember says whether an id is known already; with other wishes it conflicts.
func remember(in *sync.Map, id string, wishes ...any) (existed bool, err error) {
	before, existed := in.LoadOrStore(id, fmt.Sprintf("%s", wishes))
	if before != fmt.Sprintf("%s", wishes) {
		return existed, broker.ErrConflict
	}
	return existed, nil
}

// serve is what main calls; it ends with ctx, when the last request is answered.
func serve(ctx context.Context, at net.Listener, password string) error {
	options := broker.Options{Auth: broker.BasicAuth(map[string]string{"platform": password})}
	return broker.Serve(ctx, broker.NewHandler(&notes{}, options), broker.ServerConfig{Listener: at})
}

// A complete broker in forty lines, and a platform that uses it.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error)
	go func() { served <- serve(ctx, listener, "s3cret-enough") }()

	client, err := osb.NewClient(osb.Config{URL: "http://" + listener.Addr().String(), Auth: osb.BasicAuth("platform", "s3cret-enough")})
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

	wish := &osb.ProvisionRequest{
		InstanceID: "i-1", ServiceID: service.ID, PlanID: plan.ID,
		OrganizationGUID: "cluster-1", SpaceGUID: "namespace-1", Parameters: osb.RawJSON(`{"color":"red"}`),
	}
	_, err = client.Provision(ctx, wish)
	fmt.Println("provisioned:", err)
	wish.Parameters = osb.RawJSON(`{"color":"blue"}`)
	_, err = client.Provision(ctx, wish)
	fmt.Println("again, otherwise:", err)
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
	client.Close()
	stop()
	fmt.Println("served:", <-served)
	// Output:
	// offered: notes thin
	// provisioned: <nil>
	// again, otherwise: provision: broker answered 409: the id is in use with other attributes
	// bound: notes://example/i-1
	// refused: bind: broker answered 400: there is no such notebook
	// whose move: User
	// served: <nil>
}
