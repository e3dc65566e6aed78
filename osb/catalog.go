package osb

// Catalog is what a broker offers: the body of GET /v2/catalog.
type Catalog struct {
	Services []Service `json:"services"`
}

// Service is one entry of a Catalog. Its identity is ID alone (P21).
//
// dashboard_client is left out on purpose: it is an extension for single
// sign-on of another platform and carries a secret (P31).
type Service struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Tags        []string `json:"tags,omitempty"`
	// Requires holds syslog_drain, route_forwarding, volume_mount (P33).
	Requires             []string `json:"requires,omitempty"`
	Bindable             bool     `json:"bindable"`
	InstancesRetrievable bool     `json:"instances_retrievable,omitempty"`
	BindingsRetrievable  bool     `json:"bindings_retrievable,omitempty"`
	AllowContextUpdates  bool     `json:"allow_context_updates,omitempty"`
	// PlanUpdateable says whether a plan may be changed to another; a plan's own value wins (P80).
	PlanUpdateable bool    `json:"plan_updateable,omitempty"`
	Metadata       RawJSON `json:"metadata,omitempty"`
	Plans          []Plan  `json:"plans"`
}

// Plan is one way to have a Service. Pointers are three-valued: nil is not
// false but "as the service says", for Free "true" (P28).
type Plan struct {
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	Description      string   `json:"description"`
	Free             *bool    `json:"free,omitempty"`
	Bindable         *bool    `json:"bindable,omitempty"`
	PlanUpdateable   *bool    `json:"plan_updateable,omitempty"`
	BindingRotatable bool     `json:"binding_rotatable,omitempty"`
	Metadata         RawJSON  `json:"metadata,omitempty"`
	Schemas          *Schemas `json:"schemas,omitempty"`
	// MaximumPollingDuration is in seconds (P48).
	MaximumPollingDuration *int64           `json:"maximum_polling_duration,omitempty"`
	MaintenanceInfo        *MaintenanceInfo `json:"maintenance_info,omitempty"`
}

// Schemas are the JSON schemas of a plan's parameters (P29).
type Schemas struct {
	ServiceInstance *InstanceSchemas `json:"service_instance,omitempty"`
	ServiceBinding  *BindingSchemas  `json:"service_binding,omitempty"`
}

// InstanceSchemas are the schemas for provision and update.
type InstanceSchemas struct {
	Create *InputSchema `json:"create,omitempty"`
	Update *InputSchema `json:"update,omitempty"`
}

// BindingSchemas is the schema for bind.
type BindingSchemas struct {
	Create *InputSchema `json:"create,omitempty"`
}

// InputSchema is the schema of one operation's parameters.
type InputSchema struct {
	Parameters RawJSON `json:"parameters,omitempty"`
}

// IsFree is true unless the plan says otherwise.
func (p *Plan) IsFree() bool { return p.Free == nil || *p.Free }

// IsBindable says whether instances of plan p of service s can be bound (P90).
func (s *Service) IsBindable(p *Plan) bool {
	if p != nil && p.Bindable != nil {
		return *p.Bindable
	}
	return s.Bindable
}

// IsPlanUpdateable says whether an instance of plan p of service s may change its plan (P80).
func (s *Service) IsPlanUpdateable(p *Plan) bool {
	if p != nil && p.PlanUpdateable != nil {
		return *p.PlanUpdateable
	}
	return s.PlanUpdateable
}

// ProvisionSchema is the parameter schema for provision, nil if there is none.
func (p *Plan) ProvisionSchema() RawJSON {
	if p.Schemas == nil || p.Schemas.ServiceInstance == nil || p.Schemas.ServiceInstance.Create == nil {
		return nil
	}
	return p.Schemas.ServiceInstance.Create.Parameters
}

// UpdateSchema is the parameter schema for update, nil if there is none.
func (p *Plan) UpdateSchema() RawJSON {
	if p.Schemas == nil || p.Schemas.ServiceInstance == nil || p.Schemas.ServiceInstance.Update == nil {
		return nil
	}
	return p.Schemas.ServiceInstance.Update.Parameters
}

// BindSchema is the parameter schema for bind, nil if there is none.
func (p *Plan) BindSchema() RawJSON {
	if p.Schemas == nil || p.Schemas.ServiceBinding == nil || p.Schemas.ServiceBinding.Create == nil {
		return nil
	}
	return p.Schemas.ServiceBinding.Create.Parameters
}

// Find returns the service and the plan with these ids, nil for what is not
// there. A plan counts only inside its own service.
func (c *Catalog) Find(serviceID, planID string) (*Service, *Plan) {
	for i := range c.Services {
		s := &c.Services[i]
		if s.ID != serviceID {
			continue
		}
		for j := range s.Plans {
			if s.Plans[j].ID == planID {
				return s, &s.Plans[j]
			}
		}
		return s, nil
	}
	return nil, nil
}

// CatalogRequest asks for the catalog. The validators of the last answer make
// it conditional (P25).
type CatalogRequest struct {
	ETag         string
	LastModified string
	Identity     *Identity
}

// CatalogResponse is the broker's catalog, or the news that it has not changed.
type CatalogResponse struct {
	// NotModified is true for 304; Catalog is then nil.
	NotModified bool
	Catalog     *Catalog
	// ETag and LastModified belong into the next CatalogRequest.
	ETag         string
	LastModified string
	// Problems lists what is unusable in the answer.
	Problems []CatalogProblem
}

// CatalogProblem is one fault in a catalog.
type CatalogProblem struct {
	// Skipped is true if the entry was left out of the Catalog. That is no
	// removal: records of its id must be kept.
	Skipped bool
	// ServiceID and PlanID are empty where they could not be read.
	ServiceID string
	PlanID    string
	// Reason is a phrase fit for a user, such as "plan \"x\" has no name".
	Reason string
}
