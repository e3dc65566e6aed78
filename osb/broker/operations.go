package broker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/svc-cat/catalog/osb"
)

// bug is an answer that the Broker must not give; the platform sees a 500,
// which makes it clean up, and the log says what is wrong.
func bug(format string, args ...any) error {
	return fmt.Errorf("bug of the broker: "+format, args...)
}

// catalog answers with an ETag, so that a platform can ask cheaply (B9).
func (s *server) catalog(r *http.Request) (reply, error) {
	cat, err := s.offered(r.Context())
	if err != nil {
		return reply{}, err
	}
	if cat.Services == nil { // the list must be there, empty or not
		cat = &osb.Catalog{Services: []osb.Service{}}
	}
	raw, err := json.Marshal(cat)
	if err != nil {
		return reply{}, bug("catalog cannot be written as JSON: %w", err)
	}
	sum := sha256.Sum256(raw)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	answer := reply{status: http.StatusOK, body: json.RawMessage(raw), header: http.Header{"Etag": {etag}}}
	for _, known := range strings.Split(r.Header.Get("If-None-Match"), ",") {
		if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == etag {
			answer.status = http.StatusNotModified
		}
	}
	return answer, nil
}

// provision, like the others below, checks what the kit can check, asks the
// broker, and holds its answer against the spec before the platform sees it.
func (s *server) provision(r *http.Request) (reply, error) {
	req := &osb.ProvisionRequest{}
	if err := readBody(r, req); err != nil {
		return reply{}, err
	}
	req.InstanceID, req.AcceptsIncomplete = r.PathValue("iid"), acceptsIncomplete(r)
	if err := s.checkProvision(r.Context(), req); err != nil {
		return reply{}, err
	}
	resp, err := s.broker.Provision(r.Context(), req)
	if err != nil {
		return reply{}, err
	}
	if resp == nil {
		return reply{}, bug("Provision returned neither a response nor an error")
	}
	status, err := s.status(outcome{async: resp.Async, asked: req.AcceptsIncomplete, operation: resp.Operation, existed: resp.Existed, creates: true})
	return reply{status: status, body: resp}, err
}

func (s *server) update(r *http.Request) (reply, error) {
	req := &osb.UpdateRequest{}
	if err := readBody(r, req); err != nil {
		return reply{}, err
	}
	req.InstanceID, req.AcceptsIncomplete = r.PathValue("iid"), acceptsIncomplete(r)
	if err := s.checkUpdate(r.Context(), req); err != nil {
		return reply{}, err
	}
	u, ok := s.broker.(Updater)
	if !ok {
		return reply{}, Unprocessable("this broker does not support updates")
	}
	resp, err := u.Update(r.Context(), req)
	if err != nil {
		return reply{}, err
	}
	if resp == nil {
		return reply{}, bug("Update returned neither a response nor an error")
	}
	status, err := s.status(outcome{async: resp.Async, asked: req.AcceptsIncomplete, operation: resp.Operation})
	return reply{status: status, body: resp}, err
}

// deprovision reads its ids from the query, for a DELETE has no body (B19).
func (s *server) deprovision(r *http.Request) (reply, error) {
	req := &osb.DeprovisionRequest{InstanceID: r.PathValue("iid"), AcceptsIncomplete: acceptsIncomplete(r)}
	if err := queryIDs(r, &req.ServiceID, &req.PlanID); err != nil {
		return reply{}, err
	}
	resp, err := s.broker.Deprovision(r.Context(), req)
	switch {
	case err != nil:
		return reply{}, err
	case resp == nil:
		return reply{}, bug("Deprovision returned neither a response nor an error")
	case resp.Gone:
		return reply{}, ErrGone
	}
	status, err := s.status(outcome{async: resp.Async, asked: req.AcceptsIncomplete, operation: resp.Operation})
	return reply{status: status, body: resp}, err
}

func (s *server) bind(r *http.Request) (reply, error) {
	req := &osb.BindRequest{}
	if err := readBody(r, req); err != nil {
		return reply{}, err
	}
	req.InstanceID, req.BindingID, req.AcceptsIncomplete = r.PathValue("iid"), r.PathValue("bid"), acceptsIncomplete(r)
	service, err := s.checkBind(r.Context(), req)
	if err != nil {
		return reply{}, err
	}
	resp, err := s.broker.Bind(r.Context(), req)
	if err != nil {
		return reply{}, err
	}
	if resp == nil {
		return reply{}, bug("Bind returned neither a response nor an error")
	}
	status, err := s.status(outcome{async: resp.Async, asked: req.AcceptsIncomplete, operation: resp.Operation, existed: resp.Existed, creates: true})
	if err != nil {
		return reply{}, err
	}
	if resp.Async {
		return reply{status: status, body: &osb.BindResponse{Operation: resp.Operation}}, nil // no credentials in a 202 (B17)
	}
	if err := checkRequires(service, &resp.BindingData); err != nil {
		return reply{}, err
	}
	return reply{status: status, body: resp}, nil
}

func (s *server) unbind(r *http.Request) (reply, error) {
	req := &osb.UnbindRequest{InstanceID: r.PathValue("iid"), BindingID: r.PathValue("bid"), AcceptsIncomplete: acceptsIncomplete(r)}
	if err := queryIDs(r, &req.ServiceID, &req.PlanID); err != nil {
		return reply{}, err
	}
	resp, err := s.broker.Unbind(r.Context(), req)
	switch {
	case err != nil:
		return reply{}, err
	case resp == nil:
		return reply{}, bug("Unbind returned neither a response nor an error")
	case resp.Gone:
		return reply{}, ErrGone
	}
	status, err := s.status(outcome{async: resp.Async, asked: req.AcceptsIncomplete, operation: resp.Operation})
	return reply{status: status, body: resp}, err
}

func (s *server) getInstance(r *http.Request) (reply, error) {
	g, ok := s.broker.(InstanceGetter)
	if !ok {
		return reply{}, ErrNotFound.Describe("this broker does not let instances be fetched")
	}
	q := r.URL.Query()
	resp, err := g.GetInstance(r.Context(), &osb.GetInstanceRequest{
		InstanceID: r.PathValue("iid"), ServiceID: q.Get("service_id"), PlanID: q.Get("plan_id"),
	})
	if err == nil && resp == nil {
		err = ErrNotFound
	}
	return reply{status: http.StatusOK, body: resp}, err
}

func (s *server) getBinding(r *http.Request) (reply, error) {
	g, ok := s.broker.(BindingGetter)
	if !ok {
		return reply{}, ErrNotFound.Describe("this broker does not let bindings be fetched")
	}
	q := r.URL.Query()
	resp, err := g.GetBinding(r.Context(), &osb.GetBindingRequest{
		InstanceID: r.PathValue("iid"), BindingID: r.PathValue("bid"), ServiceID: q.Get("service_id"), PlanID: q.Get("plan_id"),
	})
	if err == nil && resp == nil {
		err = ErrNotFound
	}
	return reply{status: http.StatusOK, body: resp}, err
}

func (s *server) lastOperation(r *http.Request) (reply, error) {
	p, ok := s.broker.(Poller)
	if !ok {
		return reply{}, ErrNotFound.Describe("this broker has no asynchronous operations")
	}
	q := r.URL.Query()
	resp, err := p.LastOperation(r.Context(), &osb.LastOperationRequest{
		InstanceID: r.PathValue("iid"), BindingID: r.PathValue("bid"),
		ServiceID: q.Get("service_id"), PlanID: q.Get("plan_id"), Operation: q.Get("operation"),
	})
	switch {
	case err != nil:
		return reply{}, err
	case resp == nil:
		return reply{}, ErrNotFound
	case resp.Gone:
		return reply{}, ErrGone
	}
	switch resp.State {
	case osb.StateInProgress, osb.StateSucceeded, osb.StateFailed:
		return reply{status: http.StatusOK, body: resp, retryAfter: resp.RetryAfter}, nil
	}
	return reply{}, bug("state %q of its last operation is none of the three (P44)", resp.State)
}

// outcome is what a response says of the way the work was done.
type outcome struct {
	async, asked, existed, creates bool
	operation                      string
}

// status is the code of a success: 202, 201 or 200.
func (s *server) status(o outcome) (int, error) {
	switch {
	case o.async && !o.asked:
		return 0, bug("it answered asynchronously without accepts_incomplete; return ErrAsyncRequired before any work (B11)")
	case o.async && utf8.RuneCountInString(o.operation) > osb.MaxOperationLength:
		return 0, bug("its operation string is longer than %d characters", osb.MaxOperationLength)
	case o.async:
		if _, ok := s.broker.(Poller); !ok {
			return 0, bug("it answered asynchronously but has no LastOperation")
		}
		return http.StatusAccepted, nil
	case o.creates && !o.existed:
		return http.StatusCreated, nil
	}
	return http.StatusOK, nil
}
