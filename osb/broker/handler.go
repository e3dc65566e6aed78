package broker

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
)

// DefaultMaxBodyBytes is how large a request body may be unless Options say otherwise.
const DefaultMaxBodyBytes = 1 << 20

// Options of a handler. Only Auth is required.
type Options struct {
	// Auth decides who may ask. Nil lets nobody in; NoAuth everybody.
	Auth Authenticator
	// Validate checks parameters, most often against Validation.Schema. Its
	// error is shown to the user with 400, and logged, so it should name the
	// parameter at fault but not repeat its value. Nil checks nothing.
	Validate func(ctx context.Context, v Validation) error
	// Observer is told of each request when it is answered. It must not block.
	Observer func(ctx context.Context, o Observation)
	// Logger gets a line for each request, reads at debug level: operation,
	// ids, status, duration, never a body, a query or a header but the request
	// identity. Nil means no log.
	Logger *slog.Logger
	// MaxBodyBytes bounds a request body; zero means DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// Now is the clock for durations; nil means time.Now.
	Now func() time.Time
}

// Validation is the question that Options.Validate answers.
type Validation struct {
	// Operation is OpProvision, OpUpdate or OpBind.
	Operation osb.Operation
	Service   *osb.Service
	Plan      *osb.Plan
	// Schema is the plan's for this operation, nil if it has none.
	Schema osb.RawJSON
	// Parameters is a JSON object: {} if a provision or bind has none. An
	// update without parameters and a rotation are not asked about.
	Parameters osb.RawJSON
}

// Observation is one answered request.
type Observation struct {
	// Operation is empty if the request was refused before its path was looked at.
	Operation  osb.Operation
	StatusCode int
	Duration   time.Duration
}

// reply is a successful answer; body nil is written as {}.
type reply struct {
	status     int
	body       any
	retryAfter time.Duration
	header     http.Header
}

// operation does one kind of request.
type operation func(r *http.Request) (reply, error)

type server struct {
	broker Broker
	opts   Options
	mux    *http.ServeMux
}

// record is what the log and the observer are told; it is filled on the way.
type record struct {
	operation  osb.Operation
	instanceID string
	bindingID  string
	status     int
	err        error
}

// NewHandler makes the HTTP side of a broker.
func NewHandler(b Broker, opts Options) http.Handler {
	if opts.Auth == nil {
		opts.Auth = func(*http.Request) bool { return false }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.MaxBodyBytes == 0 {
		opts.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &server{broker: b, opts: opts, mux: http.NewServeMux()}
	s.routes()
	return s
}

func (s *server) routes() {
	const (
		instance = "/v2/service_instances/{iid}"
		binding  = instance + "/service_bindings/{bid}"
		poll     = "/last_operation"
	)
	for _, r := range []struct {
		method, path string
		op           osb.Operation
		do           operation
	}{
		{"GET", "/v2/catalog", osb.OpCatalog, s.catalog},
		{"PUT", instance, osb.OpProvision, s.provision},
		{"GET", instance, osb.OpGetInstance, s.getInstance},
		{"PATCH", instance, osb.OpUpdate, s.update},
		{"DELETE", instance, osb.OpDeprovision, s.deprovision},
		{"GET", instance + poll, osb.OpLastOperation, s.lastOperation},
		{"PUT", binding, osb.OpBind, s.bind},
		{"GET", binding, osb.OpGetBinding, s.getBinding},
		{"DELETE", binding, osb.OpUnbind, s.unbind},
		{"GET", binding + poll, osb.OpLastOperation, s.lastOperation},
	} {
		s.mux.Handle(r.method+" "+r.path, s.handle(r.op, r.do))
	}
	for _, p := range []string{"/v2/catalog", instance, instance + poll, binding, binding + poll} {
		s.mux.Handle(p, s.handle("", func(*http.Request) (reply, error) { return reply{}, errNoMethod }))
	}
	s.mux.Handle("/", s.handle("", func(*http.Request) (reply, error) { return reply{}, errNoRoute }))
}

// ServeHTTP checks in the order that checkers test: authentication, then
// version, then the rest (B1, B2).
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.opts.Now()
	info := requestInfo{requestID: r.Header.Get(headerRequestID), apiVersion: r.Header.Get(headerVersion)}
	if info.requestID != "" {
		w.Header().Set(headerRequestID, info.requestID) // B4
	}
	rec := &record{}
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			s.opts.Logger.ErrorContext(r.Context(), "Broker panicked", "operation", string(rec.operation),
				"panic", p, "stack", string(debug.Stack()))
			s.fail(w, rec, errInternal)
		}
		s.finish(r, rec, info, s.opts.Now().Sub(start))
		if p == http.ErrAbortHandler { //nolint:errorlint // as above
			panic(p) // the broker wants the connection cut
		}
	}()
	r, err := s.admit(r, info)
	if err != nil {
		s.fail(w, rec, err)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), recordKey{}, rec))
	r.Body = http.MaxBytesReader(w, r.Body, s.opts.MaxBodyBytes)
	if p := r.URL.EscapedPath(); !strings.HasPrefix(p, "/") || path.Clean(p) != p {
		s.fail(w, rec, errNoRoute) // the mux would redirect, which no platform follows
		return
	}
	s.mux.ServeHTTP(w, r)
}

type recordKey struct{}

// admit lets a request pass or says why not, and puts what its headers tell into its context.
func (s *server) admit(r *http.Request, info requestInfo) (*http.Request, error) {
	if !s.opts.Auth(r) {
		return r, errUnauthorized
	}
	if err := checkVersion(info.apiVersion); err != nil {
		return r, err
	}
	id, err := parseIdentity(r.Header.Get(headerIdentity))
	if err != nil {
		return r, err
	}
	info.identity = id
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, info)), nil
}

// handle runs one operation and writes its answer.
func (s *server) handle(op osb.Operation, do operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec, _ := r.Context().Value(recordKey{}).(*record)
		rec.operation, rec.instanceID, rec.bindingID = op, r.PathValue("iid"), r.PathValue("bid")
		answer, err := do(r)
		if err != nil {
			s.fail(w, rec, err)
			return
		}
		s.succeed(w, rec, answer)
	})
}

// maxLogged is how many bytes of an id the log keeps. Who has not logged in can
// send one too, and would fill the log with it.
const maxLogged = 256

// finish writes the log line and tells the observer.
func (s *server) finish(r *http.Request, rec *record, info requestInfo, took time.Duration) {
	if s.opts.Observer != nil {
		s.opts.Observer(r.Context(), Observation{Operation: rec.operation, StatusCode: rec.status, Duration: took})
	}
	level := slog.LevelInfo
	switch {
	case rec.status >= 500 || rec.status == 0:
		level = slog.LevelError
	case r.Method == http.MethodGet:
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("operation", string(rec.operation)), slog.Int("statusCode", rec.status), slog.Duration("duration", took),
	}
	for _, a := range [][2]string{{"instanceID", rec.instanceID}, {"bindingID", rec.bindingID}, {"requestIdentity", info.requestID}} {
		if a[1] != "" {
			attrs = append(attrs, slog.String(a[0], a[1][:min(len(a[1]), maxLogged)]))
		}
	}
	if rec.err != nil {
		attrs = append(attrs, slog.String("error", rec.err.Error()))
	}
	s.opts.Logger.LogAttrs(r.Context(), level, "Answered request", attrs...)
}
