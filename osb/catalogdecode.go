package osb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// wireCatalog reads a catalog entry by entry, so that a bad one does not stop the others.
type wireCatalog struct {
	Services *[]json.RawMessage `json:"services"`
}

// validate refuses an answer without services: it must not be taken for an
// empty catalog, which would remove every class.
func (w *wireCatalog) validate() error {
	if w.Services == nil {
		return errors.New("body has no list \"services\"")
	}
	return nil
}

type wireService struct {
	Service
	Plans []json.RawMessage `json:"plans"`
}

type wirePlan struct {
	Plan
	Schemas json.RawMessage `json:"schemas"`
}

// catalogReader gathers what is usable and remembers what is not.
type catalogReader struct {
	problems     []CatalogProblem
	serviceIDs   map[string]bool
	serviceNames map[string]bool
	planIDs      map[string]bool
}

func (w *wireCatalog) catalog() (*Catalog, []CatalogProblem) {
	r := &catalogReader{serviceIDs: map[string]bool{}, serviceNames: map[string]bool{}, planIDs: map[string]bool{}}
	c := &Catalog{Services: make([]Service, 0, len(*w.Services))}
	for i, raw := range *w.Services {
		if s, ok := r.service(i, raw); ok {
			c.Services = append(c.Services, s)
		}
	}
	return c, r.problems
}

func (r *catalogReader) skip(serviceID, planID, format string, args ...any) {
	r.problems = append(r.problems, CatalogProblem{ServiceID: serviceID, PlanID: planID, Skipped: true, Reason: cleanText(fmt.Sprintf(format, args...))})
}

func (r *catalogReader) note(serviceID, planID, format string, args ...any) {
	r.problems = append(r.problems, CatalogProblem{ServiceID: serviceID, PlanID: planID, Reason: cleanText(fmt.Sprintf(format, args...))})
}

func (r *catalogReader) service(i int, raw json.RawMessage) (Service, bool) {
	var w wireService
	err := Unmarshal(raw, &w)
	s := w.Service
	if err != nil {
		s.ID = readID(raw)
	}
	switch {
	case err != nil:
		r.skip(s.ID, "", "service %d (id %q): %v", i, s.ID, jsonError(err))
	case s.ID == "":
		r.skip("", "", "service %d (name %q) has no id", i, s.Name)
	case s.Name == "":
		r.skip(s.ID, "", "service %q has no name", s.ID)
	case r.serviceIDs[s.ID]:
		r.skip(s.ID, "", "service id %q appears twice; the first is kept", s.ID)
	case len(w.Plans) == 0:
		r.skip(s.ID, "", "service %q has no plan", s.Name)
	default:
		r.serviceIDs[s.ID] = true
		if r.serviceNames[s.Name] {
			r.note(s.ID, "", "service name %q appears twice; use the id %q", s.Name, s.ID)
		}
		r.serviceNames[s.Name] = true
		s.Plans = r.plans(&s, w.Plans)
		return s, true
	}
	return s, false
}

func (r *catalogReader) plans(s *Service, raw []json.RawMessage) []Plan {
	plans := make([]Plan, 0, len(raw))
	names := map[string]bool{}
	for i, one := range raw {
		p, ok := r.plan(s, i, one)
		if !ok {
			continue
		}
		if names[p.Name] {
			r.note(s.ID, p.ID, "plan name %q appears twice in service %q; use the id %q", p.Name, s.Name, p.ID)
		}
		names[p.Name] = true
		plans = append(plans, p)
	}
	return plans
}

func (r *catalogReader) plan(s *Service, i int, raw json.RawMessage) (Plan, bool) {
	var w wirePlan
	err := Unmarshal(raw, &w)
	p := w.Plan
	if err != nil {
		p.ID = readID(raw)
	}
	switch {
	case err != nil:
		r.skip(s.ID, p.ID, "plan %d (id %q) of service %q: %v", i, p.ID, s.Name, jsonError(err))
	case p.ID == "":
		r.skip(s.ID, "", "plan %d (name %q) of service %q has no id", i, p.Name, s.Name)
	case p.Name == "":
		r.skip(s.ID, p.ID, "plan %q of service %q has no name", p.ID, s.Name)
	case r.planIDs[p.ID]:
		r.skip(s.ID, p.ID, "plan id %q appears twice; the first is kept", p.ID)
	default:
		r.planIDs[p.ID] = true
		p.Schemas = r.schemas(s, &p, w.Schemas)
		return p, true
	}
	return p, false
}

// maxSchemaBytes is the spec's limit for one schema (P30).
const maxSchemaBytes = 64 << 10

// schemas treats what is unusable as no schema (P30).
func (r *catalogReader) schemas(s *Service, p *Plan, raw json.RawMessage) *Schemas {
	if len(raw) == 0 || isNull(raw) {
		return nil
	}
	var out Schemas
	if err := Unmarshal(raw, &out); err != nil {
		r.note(s.ID, p.ID, "schemas of plan %q of service %q are ignored: %v", p.Name, s.Name, jsonError(err))
		return nil
	}
	for _, in := range out.all() {
		switch body := bytes.TrimSpace(in.Parameters); {
		case len(body) == 0:
			continue
		case body[0] != '{':
			r.note(s.ID, p.ID, "a schema of plan %q of service %q is ignored: it is no JSON object", p.Name, s.Name)
		case len(body) > maxSchemaBytes:
			r.note(s.ID, p.ID, "a schema of plan %q of service %q is ignored: it is larger than 64 kB", p.Name, s.Name)
		default:
			continue
		}
		in.Parameters = nil
	}
	return &out
}

// all lists the schemas that are there.
func (s *Schemas) all() []*InputSchema {
	var out []*InputSchema
	if i := s.ServiceInstance; i != nil {
		out = append(out, i.Create, i.Update)
	}
	if b := s.ServiceBinding; b != nil {
		out = append(out, b.Create)
	}
	kept := out[:0]
	for _, in := range out {
		if in != nil {
			kept = append(kept, in)
		}
	}
	return kept
}

// readID gets the id of an entry that does not decode otherwise.
func readID(raw json.RawMessage) string {
	var e struct {
		ID lenientString `json:"id"`
	}
	if Unmarshal(raw, &e) != nil {
		return ""
	}
	return string(e.ID)
}
