package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// InjectPath is where the Injector is served.
const InjectPath = "/inject"

// DefaultDrainPeriod is how long a Server goes on serving after it said that it
// is not ready: time for every API server's routes to it to go away.
const DefaultDrainPeriod = 10 * time.Second

// Timeouts of the server. The API server's calls take at most 5 s; its idle
// connections are kept longer than it keeps them itself (90 s), so that it is
// never the one to find a connection closed.
const (
	headerTimeout   = 5 * time.Second
	requestTimeout  = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
	maxHeaderBytes  = 64 << 10
)

// ServerOptions are what a Server needs.
type ServerOptions struct {
	// Addr is host:port to listen on; port 0 takes a free one.
	Addr string
	// GetCertificate is asked at each handshake, so that a rotated certificate
	// is used at once. Required.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Injector serves InjectPath. Required.
	Injector http.Handler
	// Others serve further paths.
	Others map[string]http.Handler
	// DrainPeriod is how long to serve on after the end was announced. The
	// manager's graceful shutdown timeout must be longer by 10 s.
	DrainPeriod time.Duration
	// Log gets faults of the server and, at V(1), of connections.
	Log logr.Logger
}

// Server serves the webhook over TLS 1.3 and HTTP/2. It is a Runnable for a
// manager, on every replica.
type Server struct {
	opts  ServerOptions
	state atomic.Int32
	addr  atomic.Pointer[net.TCPAddr]
}

var (
	_ manager.Runnable               = (*Server)(nil)
	_ manager.LeaderElectionRunnable = (*Server)(nil)
)

// The states of a Server.
const (
	stateNew int32 = iota
	stateServing
	stateDraining
	stateStopped
)

// NewServer makes a Server; Start runs it.
func NewServer(opts ServerOptions) (*Server, error) {
	if opts.GetCertificate == nil || opts.Injector == nil {
		return nil, errors.New("make webhook server: GetCertificate and Injector are required")
	}
	return &Server{opts: opts}, nil
}

// NeedLeaderElection is false: every replica serves.
func (s *Server) NeedLeaderElection() bool { return false }

// Ready is a check for /readyz. It passes while the listener is up and the end
// is not announced. It says nothing about certificate and cache.
func (s *Server) Ready(*http.Request) error {
	switch s.state.Load() {
	case stateServing:
		return nil
	case stateNew:
		return errors.New("the webhook's listener is not up yet")
	case stateDraining:
		return errors.New("the webhook is shutting down")
	}
	return errors.New("the webhook's listener is closed")
}

// Addr is where the Server listens; nil before Ready.
func (s *Server) Addr() net.Addr {
	if addr := s.addr.Load(); addr != nil {
		return addr
	}
	return nil
}

// Start serves until ctx is done, and then drains: it is not Ready any more but
// serves for DrainPeriod, then it closes the listener, tells clients to go
// elsewhere and waits for the requests in flight.
func (s *Server) Start(ctx context.Context) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.opts.Addr)
	if err != nil {
		return fmt.Errorf("listen for admission reviews: %w", err)
	}
	if addr, ok := ln.Addr().(*net.TCPAddr); ok {
		s.addr.Store(addr)
	}
	srv := s.httpServer()
	served := make(chan error, 1)
	go func() { served <- srv.ServeTLS(ln, "", "") }()
	s.state.Store(stateServing)
	defer s.state.Store(stateStopped)
	s.opts.Log.Info("Serving admission reviews", "address", ln.Addr().String())

	select {
	case err := <-served:
		return fmt.Errorf("serve admission reviews: %w", err)
	case <-ctx.Done():
	}
	s.state.Store(stateDraining)
	s.opts.Log.Info("Draining admission reviews", "period", s.opts.DrainPeriod.String())
	drained := time.NewTimer(s.opts.DrainPeriod)
	defer drained.Stop()
	select {
	case err := <-served:
		return fmt.Errorf("serve admission reviews: %w", err)
	case <-drained.C:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop serving admission reviews: %w", err)
	}
	return nil
}

func (s *Server) httpServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle(InjectPath, s.opts.Injector)
	for path, h := range s.opts.Others {
		mux.Handle(path, h)
	}
	return &http.Server{
		Handler: mux,
		TLSConfig: &tls.Config{
			// The only client is an API server of 1.32 or later.
			MinVersion:     tls.VersionTLS13,
			GetCertificate: s.opts.GetCertificate,
			NextProtos:     []string{"h2", "http/1.1"},
		},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(connectionLog{s.opts.Log.V(1)}, "", 0),
	}
}

// connectionLog takes net/http's own messages, such as failed handshakes of
// those who only look whether the port is open.
type connectionLog struct{ log logr.Logger }

func (l connectionLog) Write(line []byte) (int, error) {
	l.log.Info("Connection failed", "detail", strings.TrimSpace(string(line)))
	return len(line), nil
}
