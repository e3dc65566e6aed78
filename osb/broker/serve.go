package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServerConfig says where and how to serve. The zero value serves plain HTTP on :8080.
type ServerConfig struct {
	// Listener is served if set, else Addr is listened on.
	Listener net.Listener
	Addr     string
	// TLS serves HTTPS; it must hold or get a certificate.
	TLS *tls.Config
	// ReadTimeout bounds the reading of a request (default 30 s), WriteTimeout
	// the whole of it up to the last byte of the answer (default 5 min),
	// IdleTimeout an idle connection (default 2 min).
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	IdleTimeout  time.Duration
	// ShutdownTimeout is how long requests under way may still take when the
	// context ends (default 65 s: a platform's call, and a little).
	ShutdownTimeout time.Duration
	// Logger gets what the HTTP server itself has to say. Nil means no log.
	Logger *slog.Logger
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Addr == "" {
		c.Addr = ":8080"
	}
	for _, d := range []struct {
		p *time.Duration
		v time.Duration
	}{
		{&c.ReadTimeout, 30 * time.Second}, {&c.WriteTimeout, 5 * time.Minute},
		{&c.IdleTimeout, 2 * time.Minute}, {&c.ShutdownTimeout, 65 * time.Second},
	} {
		if *d.p == 0 {
			*d.p = d.v
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxHeader bounds the head of a request. Its line may carry an operation of
// 10,000 characters in 12 bytes each (P42), and the rest a large identity.
const maxHeader = 192 << 10

// Serve answers requests until ctx ends, then finishes those under way and
// returns nil. A request's context does not end with ctx, so that a half-made
// instance can be completed.
func Serve(ctx context.Context, h http.Handler, cfg ServerConfig) error {
	cfg = cfg.withDefaults()
	listener := cfg.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr); err != nil {
			return fmt.Errorf("listen for platforms: %w", err)
		}
	}
	if cfg.TLS != nil {
		listener = tls.NewListener(listener, cfg.TLS)
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: min(10*time.Second, cfg.ReadTimeout), ReadTimeout: cfg.ReadTimeout,
		WriteTimeout: cfg.WriteTimeout, IdleTimeout: cfg.IdleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return errors.Join(fmt.Errorf("serve platforms: %w", err), server.Close()) // connections that are open end too
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("shut down in %s: %w", cfg.ShutdownTimeout, err), server.Close())
	}
	return nil
}
