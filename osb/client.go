package osb

import (
	"context"
	"fmt"
	"net/http"
)

// Client speaks to one broker. It is safe for concurrent use and keeps its
// connections; make one per broker and close it when the broker changes.
type Client struct {
	cfg  Config
	base string
	http *http.Client
}

// NewClient checks cfg and makes a Client. It sends nothing.
func NewClient(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	base, err := baseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(cfg)
	if err != nil {
		return nil, fmt.Errorf("set up TLS: %w", err)
	}
	return &Client{cfg: cfg, base: base, http: &http.Client{
		Transport: transport,
		// A redirect is an answer like any other; Classify refuses it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close gives up idle connections. Calls under way are not disturbed.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// GetCatalog fetches the catalog, or learns that it is unchanged (P20 to P25).
// Entries that are unusable are reported in Problems and do not stop the others.
func (c *Client) GetCatalog(ctx context.Context, r *CatalogRequest) (*CatalogResponse, error) {
	header := http.Header{}
	if r.ETag != "" {
		header.Set("If-None-Match", r.ETag)
	}
	if r.LastModified != "" {
		header.Set("If-Modified-Since", r.LastModified)
	}
	var wire wireCatalog
	a, err := c.do(ctx, call{op: OpCatalog, method: http.MethodGet, path: "/v2/catalog", header: header, identity: r.Identity, out: &wire})
	if err != nil {
		return nil, err
	}
	out := &CatalogResponse{ETag: a.Header.Get("ETag"), LastModified: a.Header.Get("Last-Modified")}
	if a.StatusCode == http.StatusNotModified {
		out.NotModified = true
		return out, nil
	}
	out.Catalog, out.Problems = wire.catalog()
	return out, nil
}

// Provision asks for an instance (P60 to P64).
func (c *Client) Provision(ctx context.Context, r *ProvisionRequest) (*ProvisionResponse, error) {
	out := &ProvisionResponse{}
	a, err := c.do(ctx, call{
		op: OpProvision, method: http.MethodPut, path: instancePath(r.InstanceID),
		ids: []named{{"instance_id", r.InstanceID}}, required: []named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID},
			{"organization_guid", r.OrganizationGUID}, {"space_guid", r.SpaceGUID}},
		query: acceptsIncomplete(r.AcceptsIncomplete), identity: r.Identity, in: r, out: out,
	})
	if err != nil {
		return nil, err
	}
	out.Async, out.Existed = a.StatusCode == http.StatusAccepted, a.StatusCode == http.StatusOK
	return out, nil
}

// GetInstance asks what the broker knows of an instance (P70 to P73). No error
// of it, NotFound included, is a reason to forget the instance.
func (c *Client) GetInstance(ctx context.Context, r *GetInstanceRequest) (*GetInstanceResponse, error) {
	out := &GetInstanceResponse{}
	_, err := c.do(ctx, call{
		op: OpGetInstance, method: http.MethodGet, path: instancePath(r.InstanceID),
		ids:   []named{{"instance_id", r.InstanceID}},
		query: []named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}}, identity: r.Identity, out: out,
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Update changes an instance (P80 to P89).
func (c *Client) Update(ctx context.Context, r *UpdateRequest) (*UpdateResponse, error) {
	out := &UpdateResponse{}
	a, err := c.do(ctx, call{
		op: OpUpdate, method: http.MethodPatch, path: instancePath(r.InstanceID),
		ids: []named{{"instance_id", r.InstanceID}}, required: []named{{"service_id", r.ServiceID}},
		query: acceptsIncomplete(r.AcceptsIncomplete), identity: r.Identity, in: r, out: out,
	})
	if err != nil {
		return nil, err
	}
	out.Async = a.StatusCode == http.StatusAccepted
	return out, nil
}

// Deprovision deletes an instance. 410 is success, with Gone set (P102).
func (c *Client) Deprovision(ctx context.Context, r *DeprovisionRequest) (*DeprovisionResponse, error) {
	out := &DeprovisionResponse{}
	a, err := c.do(ctx, call{
		op: OpDeprovision, method: http.MethodDelete, path: instancePath(r.InstanceID),
		ids: []named{{"instance_id", r.InstanceID}}, required: []named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}},
		query:    append([]named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}}, acceptsIncomplete(r.AcceptsIncomplete)...),
		identity: r.Identity, out: out,
	})
	if err != nil {
		return nil, err
	}
	out.Async, out.Gone = a.StatusCode == http.StatusAccepted, a.StatusCode == http.StatusGone
	return out, nil
}

// LastOperation polls an asynchronous operation (P41 to P50). Apart from a
// final state, no answer is a reason to stop polling before the deadline (P46).
func (c *Client) LastOperation(ctx context.Context, r *LastOperationRequest) (*LastOperationResponse, error) {
	path, ids := instancePath(r.InstanceID), []named{{"instance_id", r.InstanceID}}
	if r.BindingID != "" || r.Polled == OpBind || r.Polled == OpUnbind {
		path, ids = bindingPath(r.InstanceID, r.BindingID), append(ids, named{"binding_id", r.BindingID})
	}
	out := &LastOperationResponse{}
	a, err := c.do(ctx, call{
		op: OpLastOperation, polled: r.Polled, method: http.MethodGet, path: path + "/last_operation", ids: ids,
		query:    []named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}, {"operation", r.Operation}},
		identity: r.Identity, out: out,
	})
	if err != nil {
		return nil, err
	}
	if a.StatusCode == http.StatusGone {
		return &LastOperationResponse{State: StateSucceeded, Gone: true}, nil
	}
	out.Description = c.clean(out.Description)
	out.RetryAfter = ParseRetryAfter(a.Header.Get("Retry-After"), c.cfg.Now())
	return out, nil
}

// Bind asks for credentials (P90 to P97), or with PredecessorBindingID for
// their successors (P98, P99).
func (c *Client) Bind(ctx context.Context, r *BindRequest) (*BindResponse, error) {
	required := []named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}}
	if r.PredecessorBindingID != "" {
		required = nil
	}
	out := &BindResponse{}
	a, err := c.do(ctx, call{
		op: OpBind, method: http.MethodPut, path: bindingPath(r.InstanceID, r.BindingID),
		ids: []named{{"instance_id", r.InstanceID}, {"binding_id", r.BindingID}}, required: required,
		query: acceptsIncomplete(r.AcceptsIncomplete), identity: r.Identity, in: r, out: out,
	})
	if err != nil {
		return nil, err
	}
	if a.StatusCode == http.StatusAccepted {
		return &BindResponse{Async: true, Operation: out.Operation}, nil // it has no credentials yet (P49)
	}
	out.Existed = a.StatusCode == http.StatusOK
	return out, nil
}

// GetBinding asks for a binding again, credentials included if the service
// says bindings_retrievable. No error of it is a reason to forget the binding.
func (c *Client) GetBinding(ctx context.Context, r *GetBindingRequest) (*GetBindingResponse, error) {
	out := &GetBindingResponse{}
	_, err := c.do(ctx, call{
		op: OpGetBinding, method: http.MethodGet, path: bindingPath(r.InstanceID, r.BindingID),
		ids:   []named{{"instance_id", r.InstanceID}, {"binding_id", r.BindingID}},
		query: []named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}}, identity: r.Identity, out: out,
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Unbind revokes a binding. 410 is success, with Gone set (P102).
func (c *Client) Unbind(ctx context.Context, r *UnbindRequest) (*UnbindResponse, error) {
	out := &UnbindResponse{}
	a, err := c.do(ctx, call{
		op: OpUnbind, method: http.MethodDelete, path: bindingPath(r.InstanceID, r.BindingID),
		ids:      []named{{"instance_id", r.InstanceID}, {"binding_id", r.BindingID}},
		required: []named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}},
		query:    append([]named{{"service_id", r.ServiceID}, {"plan_id", r.PlanID}}, acceptsIncomplete(r.AcceptsIncomplete)...),
		identity: r.Identity, out: out,
	})
	if err != nil {
		return nil, err
	}
	out.Async, out.Gone = a.StatusCode == http.StatusAccepted, a.StatusCode == http.StatusGone
	return out, nil
}
