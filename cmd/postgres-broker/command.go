package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb/broker"
)

func newCommand(log io.Writer) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "postgres-broker",
		Short: "Offer databases of a PostgreSQL server as an Open Service Broker",
		Long: "Offer databases of a PostgreSQL server as an Open Service Broker (API 2.17).\n\n" +
			"Each flag can be given as an environment variable too: --public-host is POSTGRES_BROKER_PUBLIC_HOST.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), os.LookupEnv); err != nil {
				return err
			}
			return run(cmd.Context(), o, log)
		},
	}
	o.bind(cmd.Flags())
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
	log.Info("Listening", "address", o.listen, "tls", tlsConfig != nil)
	err = broker.Serve(ctx, front, broker.ServerConfig{
		Addr: o.listen, TLS: tlsConfig, ShutdownTimeout: o.shutdownTimeout, Logger: log,
	})
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

func (o *options) config(s secrets, log *slog.Logger) postgres.Config {
	return postgres.Config{
		DSN: s.dsn, Keys: s.keys, PublicHost: o.publicHost, PublicPort: o.publicPort, SSLMode: o.sslMode,
		Extensions: o.extensions, OperationTimeout: o.operationTimeout, Log: log,
	}
}
