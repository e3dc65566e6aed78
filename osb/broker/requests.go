package broker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/svc-cat/catalog/osb"
)

// readBody reads one JSON object into out. What is malformed is 400 (B3);
// unknown fields are ignored, null is absent. The answer quotes nothing of it.
func readBody(r *http.Request, out any) error {
	raw, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil:
		return BadRequest("the request body could not be read")
	case !utf8.Valid(raw): // decoding would make two ids or values the same
		return BadRequest("the request body is not UTF-8")
	case !isObject(raw):
		return BadRequest("the request body is not a JSON object")
	}
	var typed *json.UnmarshalTypeError
	switch err := osb.Unmarshal(raw, out); {
	case errors.As(err, &typed):
		return BadRequest("field %q has the wrong type", typed.Field)
	case err != nil:
		return BadRequest("the request body is malformed JSON")
	}
	return nil
}

// acceptsIncomplete is true for the literal "true" only (B11).
func acceptsIncomplete(r *http.Request) bool {
	return r.URL.Query().Get("accepts_incomplete") == "true"
}

// queryIDs reads the ids that a delete must carry (B19). They are not looked
// up in the catalog: what was made from a plan that is gone must stay deletable.
func queryIDs(r *http.Request, serviceID, planID *string) error {
	q := r.URL.Query()
	*serviceID, *planID = q.Get("service_id"), q.Get("plan_id")
	return required(field{"service_id", *serviceID}, field{"plan_id", *planID})
}

type field struct{ name, value string }

func required(fields ...field) error {
	for _, f := range fields {
		if f.value == "" {
			return BadRequest("%s is missing or empty", f.name)
		}
	}
	return nil
}

// objects checks that free-form fields are JSON objects where they are given.
func objects(parameters, platformContext osb.RawJSON) error {
	if parameters != nil && !isObject(parameters) {
		return BadRequest("parameters is not a JSON object")
	}
	if platformContext != nil && !isObject(platformContext) {
		return BadRequest("context is not a JSON object")
	}
	return nil
}

// offered is the broker's catalog; a broker without one offers nothing.
func (s *server) offered(ctx context.Context) (*osb.Catalog, error) {
	cat, err := s.broker.Catalog(ctx)
	if err == nil && cat == nil {
		cat = &osb.Catalog{}
	}
	return cat, err
}

// offer finds service and plan in the catalog; the plan must be the service's
// own (B13). An empty planID finds the service alone.
func (s *server) offer(ctx context.Context, serviceID, planID string) (*osb.Service, *osb.Plan, error) {
	cat, err := s.offered(ctx)
	if err != nil {
		return nil, nil, err
	}
	service, plan := cat.Find(serviceID, planID)
	switch {
	case service == nil:
		return nil, nil, BadRequest("service_id is not in the catalog")
	case plan == nil && planID != "":
		return nil, nil, BadRequest("plan_id is not a plan of this service")
	}
	return service, plan, nil
}

func (s *server) checkProvision(ctx context.Context, r *osb.ProvisionRequest) error {
	if err := required(field{"service_id", r.ServiceID}, field{"plan_id", r.PlanID},
		field{"organization_guid", r.OrganizationGUID}, field{"space_guid", r.SpaceGUID}); err != nil {
		return err
	}
	if err := objects(r.Parameters, r.Context); err != nil {
		return err
	}
	service, plan, err := s.offer(ctx, r.ServiceID, r.PlanID)
	if err != nil {
		return err
	}
	if err := checkMaintenance(r.MaintenanceInfo, plan); err != nil {
		return err
	}
	return s.validate(ctx, Validation{Operation: osb.OpProvision, Service: service, Plan: plan, Schema: plan.ProvisionSchema(), Parameters: r.Parameters})
}

// checkUpdate checks what can be known without the instance. Its plan is taken
// from the request, else from previous_values; if neither tells, maintenance
// version and parameters are left to the broker.
func (s *server) checkUpdate(ctx context.Context, r *osb.UpdateRequest) error {
	if err := required(field{"service_id", r.ServiceID}); err != nil {
		return err
	}
	if err := objects(r.Parameters, r.Context); err != nil {
		return err
	}
	service, plan, err := s.offer(ctx, r.ServiceID, r.PlanID)
	if err != nil {
		return err
	}
	if plan == nil && r.PreviousValues != nil {
		plan = planOf(service, r.PreviousValues.PlanID) // may be gone by now: no fault
	}
	if plan == nil {
		return nil
	}
	if err := checkMaintenance(r.MaintenanceInfo, plan); err != nil {
		return err
	}
	if r.Parameters == nil {
		return nil
	}
	return s.validate(ctx, Validation{Operation: osb.OpUpdate, Service: service, Plan: plan, Schema: plan.UpdateSchema(), Parameters: r.Parameters})
}

func planOf(s *osb.Service, id string) *osb.Plan {
	i := slices.IndexFunc(s.Plans, func(p osb.Plan) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &s.Plans[i]
}

// checkBind returns the service, nil for a rotation that does not name service
// and plan (B18): the predecessor alone tells both.
func (s *server) checkBind(ctx context.Context, r *osb.BindRequest) (*osb.Service, error) {
	if err := objects(r.Parameters, r.Context); err != nil {
		return nil, err
	}
	rotation := r.PredecessorBindingID != ""
	if rotation && (r.ServiceID == "" || r.PlanID == "") {
		return nil, s.checkRotatable(ctx)
	}
	if err := required(field{"service_id", r.ServiceID}, field{"plan_id", r.PlanID}); err != nil {
		return nil, err
	}
	service, plan, err := s.offer(ctx, r.ServiceID, r.PlanID)
	switch {
	case err != nil:
		return nil, err
	case !service.IsBindable(plan):
		return nil, BadRequest("this plan is not bindable")
	case rotation && !plan.BindingRotatable:
		return nil, BadRequest("bindings of this plan cannot be rotated")
	case rotation:
		return service, nil
	}
	return service, s.validate(ctx, Validation{Operation: osb.OpBind, Service: service, Plan: plan, Schema: plan.BindSchema(), Parameters: r.Parameters})
}

// checkRotatable refuses a rotation that names no plan if no plan at all can
// rotate. Else the broker decides: it knows the plan of the predecessor.
func (s *server) checkRotatable(ctx context.Context) error {
	cat, err := s.offered(ctx)
	if err != nil {
		return err
	}
	for i := range cat.Services {
		if slices.ContainsFunc(cat.Services[i].Plans, func(p osb.Plan) bool { return p.BindingRotatable }) {
			return nil
		}
	}
	return BadRequest("bindings of this broker cannot be rotated")
}

// checkMaintenance compares as strings; a version for a plan without one is a
// conflict, and maintenance_info without a version is none (B14).
func checkMaintenance(got *osb.MaintenanceInfo, plan *osb.Plan) error {
	if got == nil || got.Version == "" {
		return nil
	}
	if plan.MaintenanceInfo == nil || plan.MaintenanceInfo.Version != got.Version {
		return ErrMaintenanceInfoConflict
	}
	return nil
}

// validate asks the hook. Its error is meant for the user.
func (s *server) validate(ctx context.Context, v Validation) error {
	if s.opts.Validate == nil {
		return nil
	}
	if v.Parameters == nil {
		v.Parameters = osb.RawJSON("{}")
	}
	err := s.opts.Validate(ctx, v)
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return BadRequest("%s", err.Error())
}

// checkRequires refuses an answer with what the service did not announce in its
// catalog entry (B23): a platform may take the whole of it for invalid (P33).
func checkRequires(service *osb.Service, b *osb.BindingData) error {
	if service == nil {
		return nil
	}
	for _, c := range []struct {
		given bool
		needs string
	}{
		{b.SyslogDrainURL != "", "syslog_drain"},
		{b.RouteServiceURL != "", "route_forwarding"},
		{len(b.VolumeMounts) > 0, "volume_mount"},
	} {
		if c.given && !slices.Contains(service.Requires, c.needs) {
			return bug("its binding needs %q in requires of the service", c.needs)
		}
	}
	return nil
}
