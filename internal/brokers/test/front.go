package test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// ServeHTTP writes the request down, asks the rules what is to happen to it, and
// lets that happen. Who has not logged in gets the kit's 401, whatever the rules say.
func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		_, _ = io.WriteString(w, "ok\n") // who asked has gone: nobody to tell
		return
	}
	if !b.opts.Auth(r) {
		b.kit.ServeHTTP(w, r) // unwritten: strangers cannot push others out of the ledger
		return
	}
	body, rest := readBody(w, r)
	c := b.receive(r, body)
	r.Body = rest
	x := &exchange{b: b, c: c, w: w, r: r}
	outcome := x.play()
	b.finish(r.Context(), c, x.sent, outcome)
	if outcome != OutcomeAnswered && !x.hijacked {
		panic(http.ErrAbortHandler) // net/http cuts the connection
	}
}

// readBody reads what the kit would read; a body that is too large for it is
// handed on for it to refuse.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, io.ReadCloser) {
	limited := http.MaxBytesReader(w, r.Body, broker.DefaultMaxBodyBytes)
	body, err := io.ReadAll(limited)
	if err != nil {
		return body, io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	}
	return body, io.NopCloser(bytes.NewReader(body))
}

// failing is the end of a body that could not be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// receive opens the ledger's entry and finds the rule.
func (b *Broker) receive(r *http.Request, body []byte) *call {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := newEntry(r, body, b.opts.Clock.Now())
	c := &call{entry: e, body: body}
	e.Operation, e.InstanceID, e.BindingID = route(r.Method, r.URL.EscapedPath())
	b.identify(c, r.URL.Query())
	c.complainOfHeaders()
	e.Seq = b.ledger.last + 1
	b.ledger.add(e)
	if e.Operation != "" {
		c.rule = b.script.pick(c)
	}
	if c.rule != nil {
		e.Rule, c.do = c.rule.ID, c.rule.Do
	}
	b.journal.put(line{Entry: e})
	return c
}

// identify finds service and plan: those that the request names, else those of
// what it is about.
func (b *Broker) identify(c *call, query url.Values) {
	var named struct {
		ServiceID any `json:"service_id"`
		PlanID    any `json:"plan_id"`
	}
	_ = json.Unmarshal(c.body, &named) // what cannot be read names nothing
	e, k := c.entry, key{c.entry.InstanceID, c.entry.BindingID}
	either := func(p *string, other string) {
		if *p == "" {
			*p = cut(other)
		}
	}
	service, _ := named.ServiceID.(string)
	plan, _ := named.PlanID.(string)
	either(&e.ServiceID, service)
	either(&e.PlanID, plan)
	either(&e.ServiceID, query.Get("service_id"))
	either(&e.PlanID, query.Get("plan_id"))
	if w, planID, _ := b.engine.work(k); w != nil && e.Operation == osb.OpLastOperation {
		e.Polled = w.Kind
		either(&e.PlanID, planID)
	}
	if i := b.engine.instance(k.instance); i != nil {
		either(&e.ServiceID, i.ServiceID)
		either(&e.PlanID, i.PlanID)
	}
	if g := b.engine.graves[k]; g != nil {
		either(&e.ServiceID, g.ServiceID)
		either(&e.PlanID, g.PlanID)
	}
	e.Service, e.Plan = b.offer.names[e.ServiceID], b.offer.names[e.PlanID]
}

// instanceCalls and bindingCalls are the operations by method.
func instanceCalls() map[string]osb.Operation {
	return map[string]osb.Operation{
		http.MethodPut: osb.OpProvision, http.MethodGet: osb.OpGetInstance, http.MethodPatch: osb.OpUpdate, http.MethodDelete: osb.OpDeprovision,
	}
}

func bindingCalls() map[string]osb.Operation {
	return map[string]osb.Operation{http.MethodPut: osb.OpBind, http.MethodGet: osb.OpGetBinding, http.MethodDelete: osb.OpUnbind}
}

// route tells the operation of a path, and its ids.
func route(method, path string) (op osb.Operation, instanceID, bindingID string) {
	if path == "/v2/catalog" && method == http.MethodGet {
		return osb.OpCatalog, "", ""
	}
	below, ok := strings.CutPrefix(path, "/v2/service_instances/")
	if !ok {
		return "", "", ""
	}
	parts, calls := strings.Split(below, "/"), instanceCalls()
	instanceID, rest := plain(parts[0]), parts[1:]
	if len(rest) >= 2 && rest[0] == "service_bindings" {
		bindingID, rest, calls = plain(rest[1]), rest[2:], bindingCalls()
	}
	switch {
	case len(rest) == 0:
		return calls[method], instanceID, bindingID
	case len(rest) == 1 && rest[0] == "last_operation" && method == http.MethodGet:
		return osb.OpLastOperation, instanceID, bindingID
	}
	return "", instanceID, bindingID
}

// plain undoes the escaping of a part of a path (P9).
func plain(part string) string {
	if text, err := url.PathUnescape(part); err == nil {
		return text
	}
	return part
}

// finish closes the ledger's entry and logs the request.
func (b *Broker) finish(ctx context.Context, c *call, status int, outcome Outcome) {
	b.mu.Lock()
	e := c.entry
	e.Finished, e.Status, e.Outcome = b.opts.Clock.Now(), status, outcome
	b.journal.put(line{Entry: e})
	logged := *e
	b.mu.Unlock()
	level := slog.LevelInfo
	if logged.Method == http.MethodGet {
		level = slog.LevelDebug
	}
	b.opts.Logger.LogAttrs(ctx, level, "Played request",
		slog.Uint64("seq", logged.Seq), slog.String("operation", string(logged.Operation)), slog.String("service", logged.Service),
		slog.String("instanceID", logged.InstanceID), slog.String("bindingID", logged.BindingID), slog.String("rule", logged.Rule),
		slog.Int("effect", logged.Effect), slog.Int("statusCode", logged.Status), slog.String("outcome", string(logged.Outcome)),
		slog.Duration("duration", logged.Finished.Sub(logged.Time)))
}

// own is the broker's own answer to a request.
type own struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (o *own) Header() http.Header         { return o.header }
func (o *own) Write(p []byte) (int, error) { return o.body.Write(p) }
func (o *own) WriteHeader(status int)      { o.status = status }

// carryOut lets the request take effect. Nothing stops it half way: the platform
// may be gone.
func (x *exchange) carryOut() {
	ctx := context.WithValue(context.WithoutCancel(x.r.Context()), callKey{}, x.c)
	x.own = &own{header: http.Header{}, status: http.StatusOK}
	x.b.kit.ServeHTTP(x.own, x.r.WithContext(ctx))
	x.b.mu.Lock()
	defer x.b.mu.Unlock()
	x.c.entry.Effect = x.own.status
}

// wait ends after d (0 for never) or when a channel closes (nil for never). It
// returns false if the broker closes meanwhile.
func (x *exchange) wait(d time.Duration, first, second <-chan struct{}) bool {
	var over <-chan time.Time
	if d > 0 {
		timer := x.b.opts.Clock.NewTimer(d)
		defer timer.Stop()
		over = timer.C()
	}
	select {
	case <-over:
	case <-first:
	case <-second:
	case <-x.b.done:
		return false
	}
	return true
}
