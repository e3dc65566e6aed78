package postgres

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// probeTimeout is below the time that a kubelet's probe takes by the chart.
const probeTimeout = 2 * time.Second

// Front is what the broker's port answers: probes at any time, platforms once
// there is a Broker. Until then they are told to come again, with 503.
type Front struct {
	mux   *http.ServeMux
	ready atomic.Pointer[opened]
}

type opened struct {
	broker *Broker
	api    http.Handler
}

// NewFront returns a Front without a Broker.
func NewFront() *Front {
	f := &Front{mux: http.NewServeMux()}
	f.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { tell(w, http.StatusOK, "ok") })
	f.mux.HandleFunc("GET /readyz", f.readyz)
	f.mux.HandleFunc("/", f.serveAPI)
	return f
}

// Open lets platforms in: api is the HTTP side of b.
func (f *Front) Open(b *Broker, api http.Handler) { f.ready.Store(&opened{b, api}) }

// ServeHTTP answers a probe or a platform.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

// serveAPI asks nobody to log in while there is no Broker: a 401 would tell a
// platform that its credentials are wrong, and it learns nothing but to wait.
func (f *Front) serveAPI(w http.ResponseWriter, r *http.Request) {
	o := f.ready.Load()
	if o == nil {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error":"Starting","description":"the broker waits for its PostgreSQL server; whoever runs the broker finds the reason in its log"}`)
		return
	}
	o.api.ServeHTTP(w, r)
}

// readyz takes the Pod out of the Service while PostgreSQL does not answer. It
// tells a caller that it fails, and the log why: who asks has not logged in.
func (f *Front) readyz(w http.ResponseWriter, r *http.Request) {
	o := f.ready.Load()
	if o == nil {
		tell(w, http.StatusServiceUnavailable, "waiting for PostgreSQL; the log has the reason")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	if err := o.broker.Ready(ctx); err != nil {
		tell(w, http.StatusServiceUnavailable, "PostgreSQL does not answer; the log has the reason")
		o.broker.log.Warn("Found PostgreSQL not answering", "reason", err.Error())
		return
	}
	tell(w, http.StatusOK, "ok")
}

func tell(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}
