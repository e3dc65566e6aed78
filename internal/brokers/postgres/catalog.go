package postgres

import (
	"encoding/json"
	"fmt"

	"github.com/svc-cat/catalog/osb"
)

// ServiceName is the name of the one service that the broker offers.
const ServiceName = "postgresql"

// serviceMetadata and planMetadata follow the metadata conventions (P32).
type serviceMetadata struct {
	DisplayName         string `json:"displayName"`
	LongDescription     string `json:"longDescription"`
	ProviderDisplayName string `json:"providerDisplayName"`
	DocumentationURL    string `json:"documentationUrl"`
}

type planMetadata struct {
	DisplayName string   `json:"displayName"`
	Bullets     []string `json:"bullets"`
}

// newCatalog makes the catalog, which differs between servers only in the
// extensions on offer.
func newCatalog(extensions []string) (*osb.Catalog, error) {
	onInstance, err := instanceSchema(extensions)
	if err != nil {
		return nil, err
	}
	onBinding, err := bindingSchema()
	if err != nil {
		return nil, err
	}
	service := osb.Service{
		ID:                   ServiceID,
		Name:                 ServiceName,
		Description:          "A PostgreSQL database of your own on a shared server.",
		Tags:                 []string{"postgresql", "postgres", "sql", "database", "relational"},
		Bindable:             true,
		InstancesRetrievable: true,
		BindingsRetrievable:  true,
		PlanUpdateable:       true,
	}
	service.Metadata, err = json.Marshal(serviceMetadata{
		DisplayName:         "PostgreSQL",
		LongDescription:     "Each instance is a database that nobody else can connect to. Each binding is a login of its own; what one binding creates, all of them can use, and it stays when the binding goes.",
		ProviderDisplayName: "postgres-broker",
		DocumentationURL:    "https://www.postgresql.org/docs/current/",
	})
	if err != nil {
		return nil, fmt.Errorf("write the service's metadata: %w", err)
	}
	schemas := &osb.Schemas{
		ServiceInstance: &osb.InstanceSchemas{
			Create: &osb.InputSchema{Parameters: onInstance},
			Update: &osb.InputSchema{Parameters: onInstance},
		},
		ServiceBinding: &osb.BindingSchemas{Create: &osb.InputSchema{Parameters: onBinding}},
	}
	for _, p := range plans() {
		offered, err := p.offer(schemas)
		if err != nil {
			return nil, err
		}
		service.Plans = append(service.Plans, offered)
	}
	return &osb.Catalog{Services: []osb.Service{service}}, nil
}

// offer is the plan's entry in the catalog. All plans share their schemas; only
// what the server is asked for differs.
func (p plan) offer(schemas *osb.Schemas) (osb.Plan, error) {
	metadata, err := json.Marshal(planMetadata{
		DisplayName: p.displayName,
		Bullets:     []string{fmt.Sprintf("%d connections at a time", p.connectionLimit), "Encoding and extensions of your choice"},
	})
	if err != nil {
		return osb.Plan{}, fmt.Errorf("write the metadata of plan %s: %w", p.name, err)
	}
	free := true
	return osb.Plan{
		ID:               p.id,
		Name:             p.name,
		Description:      p.description,
		Free:             &free,
		BindingRotatable: true,
		Metadata:         metadata,
		Schemas:          schemas,
	}, nil
}
