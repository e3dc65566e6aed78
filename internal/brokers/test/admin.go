package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// maxAdminBytes bounds what the admin endpoint reads: a whole catalog has room.
const maxAdminBytes = 32 << 20

// Admin is the endpoint that scripts the broker at run time and tells what it
// knows. It belongs on a listener, or behind an authenticator, that platforms do
// not reach: the ledger has their parameters. A nil auth lets nobody in.
//
//	GET  PUT  DELETE /admin/rules       the rules added; all anew; none
//	POST             /admin/rules       one more, before all others
//	DELETE           /admin/rules/{id}
//	GET  DELETE      /admin/ledger      ?after= &operation= &service= &instance= &binding= &complaints=true &limit=
//	GET              /admin/state
//	DELETE           /admin/state/{instance}[/{binding}]   gone behind the platform's back
//	GET  PUT         /admin/catalog     a CatalogSpec
//	POST             /admin/reset
func (b *Broker) Admin(auth broker.Authenticator) http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range map[string]func(*http.Request) (any, error){
		"GET /admin/rules":                         b.getRules,
		"PUT /admin/rules":                         b.putRules,
		"POST /admin/rules":                        b.postRule,
		"DELETE /admin/rules":                      b.deleteRules,
		"DELETE /admin/rules/{id}":                 b.deleteRule,
		"GET /admin/ledger":                        b.getLedger,
		"DELETE /admin/ledger":                     b.deleteLedger,
		"GET /admin/state":                         func(*http.Request) (any, error) { return b.State(), nil },
		"DELETE /admin/state/{instance}":           b.forget,
		"DELETE /admin/state/{instance}/{binding}": b.forget,
		"GET /admin/catalog":                       func(*http.Request) (any, error) { return b.Catalog(), nil },
		"PUT /admin/catalog":                       b.putCatalog,
		"POST /admin/reset":                        func(*http.Request) (any, error) { return done{}, b.Reset() },
	} {
		mux.Handle(pattern, administer(do))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth == nil || !auth(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="test broker"`)
			writeJSON(w, http.StatusUnauthorized, problem{"send the admin token: Authorization: Bearer …"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// done is the answer where there is nothing to tell.
type done struct{}

// problem is the answer to what cannot be done.
type problem struct {
	Error string `json:"error"`
}

// errNotThere is answered with 404.
var errNotThere = errors.New("there is no such thing")

// administer turns what do returns into an answer.
func administer(do func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBytes)
		answer, err := do(r)
		switch {
		case errors.Is(err, errNotThere):
			writeJSON(w, http.StatusNotFound, problem{err.Error()})
		case err != nil:
			writeJSON(w, http.StatusBadRequest, problem{err.Error()})
		default:
			writeJSON(w, http.StatusOK, answer)
		}
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // who asked has gone: nobody to tell
}

// Decode reads one JSON value in which every field must be known: a misspelt one
// would be a rule that does something else.
func Decode(in io.Reader, into any) error {
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read JSON: there is more after its end")
	}
	return nil
}

// ruleList is the form of rules in files and on the admin endpoint.
type ruleList struct {
	Rules []Rule `json:"rules"`
}

// DecodeRules reads {"rules": […]}.
func DecodeRules(in io.Reader) ([]Rule, error) {
	var l ruleList
	err := Decode(in, &l)
	return l.Rules, err
}

func (b *Broker) getRules(*http.Request) (any, error) {
	return struct {
		Rules []RuleStatus `json:"rules"`
		Named []RuleStatus `json:"named"`
	}{b.Rules(), b.NamedRules()}, nil
}

func (b *Broker) putRules(r *http.Request) (any, error) {
	rules, err := DecodeRules(r.Body)
	if err != nil {
		return nil, err
	}
	if err := b.SetRules(rules...); err != nil {
		return nil, err
	}
	return b.getRules(r)
}

func (b *Broker) postRule(r *http.Request) (any, error) {
	var rule Rule
	if err := Decode(r.Body, &rule); err != nil {
		return nil, err
	}
	id, err := b.Add(rule)
	return struct {
		ID string `json:"id"`
	}{id}, err
}

func (b *Broker) deleteRules(*http.Request) (any, error) { return done{}, b.SetRules() }

func (b *Broker) deleteRule(r *http.Request) (any, error) {
	if id := r.PathValue("id"); !b.Remove(id) {
		return nil, fmt.Errorf("rule %q: %w", id, errNotThere)
	}
	return done{}, nil
}

func (b *Broker) deleteLedger(*http.Request) (any, error) {
	b.ClearLedger()
	return done{}, nil
}

func (b *Broker) getLedger(r *http.Request) (any, error) {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	return b.Ledger(f), nil
}

// parseFilter reads a query; what it does not know is refused.
func parseFilter(q url.Values) (Filter, error) {
	var f Filter
	var err error
	for name := range q {
		value := q.Get(name)
		switch name {
		case "after":
			f.After, err = strconv.ParseUint(value, 10, 64)
		case "limit":
			f.Limit, err = strconv.Atoi(value)
		case "complaints":
			f.Complaints, err = strconv.ParseBool(value)
		case "operation":
			for _, op := range strings.Split(value, ",") {
				f.Operations = append(f.Operations, osb.Operation(op))
			}
		case "service":
			f.Service = value
		case "instance":
			f.InstanceID = value
		case "binding":
			f.BindingID = value
		default:
			return f, fmt.Errorf("the ledger cannot be asked for %q; it can for after, limit, operation, service, instance, binding, complaints", name)
		}
		if err != nil {
			return f, fmt.Errorf("%s=%q cannot be read", name, value)
		}
	}
	return f, nil
}

func (b *Broker) forget(r *http.Request) (any, error) {
	if !b.Forget(r.PathValue("instance"), r.PathValue("binding")) {
		return nil, fmt.Errorf("instance or binding: %w", errNotThere)
	}
	return done{}, nil
}

func (b *Broker) putCatalog(r *http.Request) (any, error) {
	var spec CatalogSpec
	if err := Decode(r.Body, &spec); err != nil {
		return nil, err
	}
	return spec, b.SetCatalog(spec)
}
