package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb/broker"
)

// newCommand is the command line. Log lines go to log, so that tests can read them.
func newCommand(log io.Writer) *cobra.Command {
	o := &options{}
	// A set of its own: cobra's --help and --version are not of the environment,
	// where POSTGRES_BROKER_VERSION may well mean something else.
	flags := pflag.NewFlagSet("postgres-broker", pflag.ContinueOnError)
	o.bind(flags)
	cmd := &cobra.Command{
		Use:     "postgres-broker",
		Short:   "Offer databases of a PostgreSQL server as an Open Service Broker",
		Version: version,
		Long: "Offer databases of a PostgreSQL server as an Open Service Broker (API 2.17).\n\n" +
			"Each flag can be given as an environment variable too: --public-host is POSTGRES_BROKER_PUBLIC_HOST.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(flags, os.LookupEnv); err != nil {
				return err
			}
			return run(cmd.Context(), o, log)
		},
	}
	cmd.Flags().AddFlagSet(flags)
	return cmd
}

// run serves until ctx ends. Probes are answered from the first moment,
// platforms as soon as PostgreSQL is there.
func run(ctx context.Context, o *options, w io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	log, err := o.logger(w)
	if err != nil {
		return err
	}
	s, err := o.readSecrets(os.LookupEnv)
	if err != nil {
		return err
	}
	tlsConfig, err := o.tlsConfig()
	if err != nil {
		return err
	}

	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	front := postgres.NewFront()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	opened := make(chan *postgres.Broker, 1)
	go func() {
		defer close(opened)
		b, err := open(ctx, front, o.config(s, log), s)
		if err != nil {
			stop(err)
			return
		}
		opened <- b
	}()
	log.Info("Listening", "version", version, "address", ln.Addr().String(), "tls", tlsConfig != nil)
	server := o.server(log)
	server.Listener, server.TLS = ln, tlsConfig
	err = broker.Serve(ctx, front, server)
	// Whatever ended the serving, the search for PostgreSQL ends with it, and the
	// connections are closed after the last request, not under it.
	stop(nil)
	if b := <-opened; b != nil {
		b.Close()
	}
	if err == nil {
		err = startFailure(ctx)
	}
	log.Info("Stopped")
	return err
}

// startFailure is why the broker could not be opened, nil if it was merely told to stop.
func startFailure(ctx context.Context) error {
	if cause := context.Cause(ctx); postgres.IsPermanent(cause) {
		return fmt.Errorf("start: %w", cause)
	}
	return nil
}

// open waits for PostgreSQL and lets platforms in.
func open(ctx context.Context, front *postgres.Front, cfg postgres.Config, s secrets) (*postgres.Broker, error) {
	b, err := postgres.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	front.Open(b, broker.NewHandler(b, broker.Options{
		Auth:     broker.BasicAuth(map[string]string{s.username: s.password}),
		Validate: b.Validate,
		Logger:   cfg.Log,
	}))
	return b, nil
}

// server says where and how long to serve. The HTTP server's own limit must not
// be the shorter one: it would cut off an answer after the work was done.
func (o *options) server(log *slog.Logger) broker.ServerConfig {
	return broker.ServerConfig{
		Logger: log, ShutdownTimeout: o.shutdownTimeout, WriteTimeout: o.operationTimeout + time.Minute,
	}
}

// config is what the broker needs of the flags and the secrets.
func (o *options) config(s secrets, log *slog.Logger) postgres.Config {
	return postgres.Config{
		DSN: s.dsn, Keys: s.keys, PublicHost: o.publicHost, PublicPort: o.publicPort, SSLMode: o.sslMode,
		Extensions: o.extensions, OperationTimeout: o.operationTimeout, Log: log,
	}
}
