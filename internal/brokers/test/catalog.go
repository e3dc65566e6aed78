package test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// CatalogSpec says what is offered. The zero value offers BuiltinNames.
type CatalogSpec struct {
	// Services, written as in the API's catalog, take the place of the built-in
	// ones. Names of services that begin with "test-service", and names of plans,
	// state behaviour as far as they can be read.
	Services []osb.Service `json:"services,omitempty"`
	// Names are more services that state their behaviour, such as
	// "test-service-bind-fail503-2x".
	Names []string `json:"names,omitempty"`
	// BulkPlans adds so many plans, up to 10,000, of services with PlansPerService
	// plans each (10 by default; the last may have fewer).
	BulkPlans       int `json:"bulkPlans,omitempty"`
	PlansPerService int `json:"plansPerService,omitempty"`
	// Without takes a service ("name") or a plan ("name/plan") off the catalog
	// again. What exists of it stays, and what its name states still holds.
	Without []string `json:"without,omitempty"`
	// Unchecked offers Services even if they break the API's rules.
	Unchecked bool `json:"unchecked,omitempty"`
}

// Limits of a catalog.
const (
	maxBulkPlans           = 10_000
	defaultPlansPerService = 10
)

// BuiltinNames are the services that are offered unless a CatalogSpec says
// otherwise. The first 24 are those that the Kubernetes Service Catalog's own
// test broker had.
func BuiltinNames() []string {
	stated := strings.Fields(`
		-
		provision-fail400 provision-fail500 provision-fail500-5x provision-fail500-5x-deprovision-fail500-5x
		deprovision-fail400 deprovision-fail500 deprovision-fail500-5x
		update-fail400 update-fail500 update-fail500-5x
		async async-provision-fail async-provision-fail-5x async-provision-fail-5x-deprovision-fail-5x
		async-deprovision-fail async-deprovision-fail-5x async-update-fail async-update-fail-5x
		async-last-operation-fail400 async-last-operation-fail500 async-last-operation-fail500-5x
		multiple-plans with-schemas

		provision-lost-1x provision-late-1x provision-hang-1x provision-reset-1x provision-midway-1x provision-malformed-1x
		provision-html-1x provision-huge-1x provision-drip provision-slow provision-busy-3x provision-fail429-3x
		provision-maintenance-conflict-1x provision-async-required
		update-lost-1x update-fail422-unusable update-fail422-unrepeatable
		deprovision-lost-1x deprovision-hang-1x deprovision-fail500-unusable-1x deprovision-busy-3x
		bind-fail400 bind-fail500 bind-fail500-5x bind-lost-1x bind-late-1x bind-hang-1x bind-malformed-1x bind-empty-1x
		bind-slow bind-busy-3x bind-async-required requires-app
		unbind-fail400 unbind-fail500 unbind-fail500-5x unbind-lost-1x unbind-hang-1x unbind-busy-3x

		async-never async-gone async-optional async-odd-operation async-no-operation async-retry-after
		async-update-fail-unusable async-polling-limit-provision-never async-last-operation-html-3x async-last-operation-empty-3x
		async-binding async-binding-bind-fail async-binding-bind-fail-5x async-binding-bind-never async-binding-unbind-fail-5x
		async-binding-get-binding-fail500-5x

		behavior-by-plan not-bindable not-updateable not-retrievable with-maintenance context-updates
		expiring expiring-rotatable refuse-used-id cascade withhold-on-get`)
	names := make([]string, len(stated))
	for i, s := range stated {
		names[i] = strings.TrimSuffix(namePrefix+"-"+strings.Trim(s, "-"), "-")
	}
	return names
}

// offer is a catalog and what its names state. It is never changed.
type offer struct {
	spec    CatalogSpec
	catalog *osb.Catalog
	rules   []Rule
	// names of services and plans by id, also of those without.
	names map[string]string
}

// compile makes an offer. Work that names call asynchronous takes the given time.
func (spec CatalogSpec) compile(takes time.Duration) (*offer, error) {
	if spec.BulkPlans < 0 || spec.BulkPlans > maxBulkPlans || spec.PlansPerService < 0 {
		return nil, fmt.Errorf("bulkPlans is 0 to %d, and plansPerService is not negative", maxBulkPlans)
	}
	o := &offer{spec: spec, catalog: &osb.Catalog{Services: slices.Clone(spec.Services)}, names: map[string]string{}}
	names := spec.Names
	if spec.Services == nil {
		names = append(BuiltinNames(), names...)
	}
	for _, name := range names {
		s, err := namedService(name)
		if err != nil {
			return nil, fmt.Errorf("service %q: %w", name, err)
		}
		o.catalog.Services = append(o.catalog.Services, s)
	}
	o.readNames(takes)
	o.catalog.Services = append(o.catalog.Services, bulk(spec.BulkPlans, spec.PlansPerService)...)
	if !spec.Unchecked {
		if err := broker.CheckCatalog(o.catalog); err != nil {
			return nil, fmt.Errorf("the catalog breaks the API's rules (set unchecked to offer it all the same): %w", err)
		}
	}
	for _, s := range o.catalog.Services {
		o.names[s.ID] = s.Name
		for _, p := range s.Plans {
			o.names[p.ID] = p.Name
		}
	}
	return o, o.remove(spec.Without)
}

// readNames turns what names state into rules. Plans come first, being closer to
// what was asked for.
func (o *offer) readNames(takes time.Duration) {
	var ofServices []Rule
	for _, s := range o.catalog.Services {
		if stated, ok := statedBy(s.Name); ok {
			if said, err := readName(stated); err == nil {
				for _, r := range said.allRules(takes) {
					r.ID, r.Match.Services = fmt.Sprintf("%s#%d", s.Name, len(ofServices)), []string{s.ID}
					ofServices = append(ofServices, r)
				}
			}
		}
		for _, p := range s.Plans {
			said, err := readName(p.Name)
			if err != nil {
				continue // an ordinary name
			}
			for _, r := range said.allRules(takes) {
				r.ID, r.Match.Plans = fmt.Sprintf("%s/%s#%d", s.Name, p.Name, len(o.rules)), []string{p.ID}
				o.rules = append(o.rules, r)
			}
		}
	}
	o.rules = append(o.rules, ofServices...)
}

// statedBy is the part of a service's name that states behaviour.
func statedBy(name string) (string, bool) {
	if name == namePrefix {
		return "", true
	}
	stated, ok := strings.CutPrefix(name, namePrefix+"-")
	return stated, ok && stated != ""
}

// remove takes services and plans off the catalog.
func (o *offer) remove(without []string) error {
	var faults []error
	for _, name := range without {
		service, plan, onePlan := strings.Cut(name, "/")
		i := slices.IndexFunc(o.catalog.Services, func(s osb.Service) bool { return s.Name == service })
		if i < 0 {
			faults = append(faults, fmt.Errorf("there is no service %q to be without", service))
			continue
		}
		if !onePlan {
			o.catalog.Services = slices.Delete(o.catalog.Services, i, i+1)
			continue
		}
		plans := o.catalog.Services[i].Plans
		left := slices.DeleteFunc(slices.Clone(plans), func(p osb.Plan) bool { return p.Name == plan })
		if len(left) == len(plans) {
			faults = append(faults, fmt.Errorf("service %q has no plan %q to be without", service, plan))
		}
		o.catalog.Services[i].Plans = left
	}
	return errors.Join(faults...)
}

// identifier is an UUID that is the same whenever the same name is offered (P21).
func identifier(name string) string {
	sum := sha256.Sum256([]byte("svc-cat test-broker " + name))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: made as its maker likes
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// namedService is a service whose name states its behaviour.
func namedService(name string) (osb.Service, error) {
	stated, ok := statedBy(name)
	if !ok {
		return osb.Service{}, fmt.Errorf("its name must be %q, or begin with that, a hyphen and what it does", namePrefix)
	}
	said, err := readName(stated)
	if err != nil {
		return osb.Service{}, err
	}
	t := said.traits
	s := osb.Service{
		ID: identifier(name), Name: name, Description: "For tests: it does what its name says",
		Tags: []string{"test"}, Bindable: !t.notBindable, PlanUpdateable: !t.notUpdateable, AllowContextUpdates: t.contextUpdates,
		InstancesRetrievable: !t.notRetrievable, BindingsRetrievable: !t.notRetrievable,
	}
	plans := []string{"default"}
	switch {
	case t.multiplePlans:
		plans = append(plans, "premium")
	case t.byPlan:
		plans = append(plans, "async", "provision-fail500-2x", "update-fail422", "bind-lost-1x", "deprovision-fail500-2x")
	}
	for _, plan := range plans {
		s.Plans = append(s.Plans, t.plan(name, plan))
	}
	return s, nil
}

// paramSchema is the draft-04 schema of a service "with-schemas". The broker does
// not check it: what a platform lets through is in the ledger.
func paramSchema() *osb.InputSchema {
	return &osb.InputSchema{Parameters: osb.RawJSON(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object",` +
		`"properties":{"param-1":{"type":"string"},"param-2":{"type":"string"}},"additionalProperties":false}`)}
}

func (t *traits) plan(service, name string) osb.Plan {
	p := osb.Plan{ID: identifier(service + "/" + name), Name: name, Description: "The plan " + name, BindingRotatable: t.rotatable}
	if t.schemas {
		p.Schemas = &osb.Schemas{
			ServiceInstance: &osb.InstanceSchemas{Create: paramSchema(), Update: paramSchema()},
			ServiceBinding:  &osb.BindingSchemas{Create: paramSchema()},
		}
	}
	if t.maintenance {
		p.MaintenanceInfo = &osb.MaintenanceInfo{Version: "1.0.0+build.1", Description: "The first version"}
	}
	if t.pollingLimit {
		limit := int64(30)
		p.MaximumPollingDuration = &limit
	}
	return p
}

// bulk is many services that do nothing special.
func bulk(plans, each int) []osb.Service {
	if each == 0 {
		each = defaultPlansPerService
	}
	var all []osb.Service
	for plans > 0 {
		name := fmt.Sprintf("bulk-%05d", len(all)+1)
		s := osb.Service{ID: identifier(name), Name: name, Description: "One of many", Bindable: true, PlanUpdateable: true}
		for i := range min(each, plans) {
			s.Plans = append(s.Plans, (&traits{}).plan(name, fmt.Sprintf("plan-%05d", i+1)))
		}
		plans -= len(s.Plans)
		all = append(all, s)
	}
	return all
}
