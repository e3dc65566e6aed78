package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb/broker"
)

// newCommand is the command line. Log lines go to log, so that tests can read them.
func newCommand(log io.Writer) *cobra.Command {
	o := &options{}
	// A set of its own: cobra's --help and --version are not of the environment.
	flags := pflag.NewFlagSet("test-broker", pflag.ContinueOnError)
	o.bind(flags)
	cmd := &cobra.Command{
		Use:     "test-broker",
		Short:   "Serve an Open Service Broker that fails as it is told to",
		Version: version,
		Long: "Serve an Open Service Broker (API 2.17) for tests, which fails as it is told to.\n\n" +
			"Each flag can be given as an environment variable too: --admin-listen is TEST_BROKER_ADMIN_LISTEN.",
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

// run serves until ctx ends.
func run(ctx context.Context, o *options, w io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	log, err := o.logger(w)
	if err != nil {
		return err
	}
	auth, admin, err := o.logins()
	if err != nil {
		return err
	}
	cfg, err := o.broker(auth, log)
	if err != nil {
		return err
	}
	server := broker.ServerConfig{Logger: log, ShutdownTimeout: o.shutdownTimeout}
	if server.TLS, err = o.tlsConfig(); err != nil {
		return err
	}
	b, err := test.New(cfg)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer b.Close()
	fronts, err := o.listen(ctx, b, b.Admin(admin))
	if err != nil {
		return err
	}
	for _, f := range fronts {
		log.Info("Listening", "for", f.purpose, "version", version, "address", f.listener.Addr().String(), "tls", server.TLS != nil)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(ctx, b.Close) // requests that wait would keep the servers from stopping
	err = serve(ctx, stop, fronts, server)
	log.Info("Stopped")
	return err
}

// front is what is served on one listener.
type front struct {
	purpose  string
	listener net.Listener
	handler  http.Handler
}

// listen opens the listeners, all or none.
func (o *options) listen(ctx context.Context, platforms, admin http.Handler) ([]front, error) {
	var fronts []front
	for _, f := range []struct {
		name, address string
		handler       http.Handler
	}{{"platforms", o.address, platforms}, {"admin", o.adminAddress, admin}} {
		if f.address == "" {
			continue
		}
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.address)
		if err != nil {
			for _, opened := range fronts {
				err = errors.Join(err, opened.listener.Close())
			}
			return nil, fmt.Errorf("listen for %s: %w", f.name, err)
		}
		fronts = append(fronts, front{f.name, ln, f.handler})
	}
	return fronts, nil
}

// serve answers on all listeners until ctx ends, or one of them fails: that stops the others.
func serve(ctx context.Context, stop func(), fronts []front, cfg broker.ServerConfig) error {
	ended := make(chan error, len(fronts))
	for _, f := range fronts {
		cfg := cfg
		cfg.Listener = f.listener
		go func() { ended <- broker.Serve(ctx, f.handler, cfg) }()
	}
	var err error
	for range fronts {
		err = errors.Join(err, <-ended)
		stop()
	}
	return err
}

// broker is what the broker needs of the flags.
func (o *options) broker(auth broker.Authenticator, log *slog.Logger) (test.Options, error) {
	rules, err := o.rules()
	if err != nil {
		return test.Options{}, err
	}
	catalog, err := o.catalog()
	return test.Options{
		Auth: auth, Catalog: catalog, Rules: rules, AsyncDuration: o.asyncDuration,
		LedgerEntries: o.ledgerEntries, LedgerFile: o.ledgerFile, Logger: log,
	}, err
}

// rules are those of --rules-file.
func (o *options) rules() ([]test.Rule, error) {
	if o.rulesFile == "" {
		return nil, nil
	}
	file, err := os.Open(o.rulesFile)
	if err != nil {
		return nil, fmt.Errorf("read --rules-file: %w", err)
	}
	defer file.Close()
	rules, err := test.DecodeRules(file)
	if err != nil {
		return nil, fmt.Errorf("read --rules-file: %w", err)
	}
	return rules, nil
}

// catalog is that of --catalog-file, with the plans of --bulk-plans.
func (o *options) catalog() (test.CatalogSpec, error) {
	var spec test.CatalogSpec
	if o.catalogFile != "" {
		file, err := os.Open(o.catalogFile)
		if err != nil {
			return spec, fmt.Errorf("read --catalog-file: %w", err)
		}
		defer file.Close()
		if err := test.Decode(file, &spec); err != nil {
			return spec, fmt.Errorf("read --catalog-file: %w", err)
		}
	}
	if o.bulkPlans != 0 {
		spec.BulkPlans = o.bulkPlans
	}
	return spec, nil
}

// shutdownTimeout is how long answers under way may take when told to stop: what
// waits is ended at once, so nothing should.
const shutdownTimeout = 10 * time.Second
