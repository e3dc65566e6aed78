package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/svc-cat/catalog/certs"
	"github.com/svc-cat/catalog/internal/market"
	"github.com/svc-cat/catalog/webhook"
)

// drainGrace is what shutdown allows beyond the drain period, for the requests
// in flight.
const drainGrace = 15 * time.Second

type webhookOptions struct {
	process
	service     string
	port        int
	drainPeriod time.Duration
	clusterID   string
	deriveIDs   bool
}

func newWebhook(log io.Writer) *cobra.Command {
	o := &webhookOptions{}
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Inject credentials into annotated Pods",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), log) },
	}
	f := cmd.Flags()
	o.bind(f)
	f.StringVar(&o.service, "webhook-service", "", "Service that the certificate must be for; empty takes any of the namespace")
	f.StringVar(&o.clusterID, "cluster-id", "", "id that ids are derived from, the same as that of the controllers")
	f.BoolVar(&o.deriveIDs, "derive-ids", false, "make ids that users leave out follow from --cluster-id, namespace and name")
	f.IntVar(&o.port, "port", 9443, "port to serve HTTPS on")
	f.DurationVar(&o.drainPeriod, "drain-period", webhook.DefaultDrainPeriod, "time to go on serving after the end was announced")
	return cmd
}

func (o *webhookOptions) run(ctx context.Context, log io.Writer) error {
	cfg, err := o.start(log)
	if err != nil {
		return err
	}
	if o.deriveIDs && o.clusterID == "" {
		return errDeriveFromNothing
	}
	if o.certSecret == "" {
		return errors.New("--cert-secret is empty; name the Secret with the serving certificate")
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	grace := o.drainPeriod + drainGrace
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Cache: cache.Options{ByObject: webhook.CacheByObject()},
		Metrics: metricsserver.Options{BindAddress: o.metricsAddr}, HealthProbeBindAddress: o.probeAddr,
		GracefulShutdownTimeout: &grace,
	})
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	serving, err := certs.NewServing(cfg, certs.ServingConfig{
		Namespace: o.namespace, SecretName: o.certSecret, Service: o.service, Registerer: metrics.Registry})
	if err != nil {
		return fmt.Errorf("set up certificate: %w", err)
	}
	if err := market.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("set up cache: %w", err)
	}
	server, err := o.server(mgr, cfg, serving)
	if err != nil {
		return err
	}
	for _, r := range []interface {
		Start(ctx context.Context) error
	}{serving, server} {
		if err := mgr.Add(r); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	if err := addProbes(ctx, mgr, serving.Ready, server.Ready); err != nil {
		return err
	}
	ctrl.Log.Info("Starting webhook", "version", version)
	return mgr.Start(ctx)
}

// server is the webhook over the manager's cache, and over live reads that wait
// behind no rate limiter.
func (o *webhookOptions) server(mgr ctrl.Manager, cfg *rest.Config, serving *certs.Serving) (*webhook.Server, error) {
	live := rest.CopyConfig(cfg)
	live.QPS = -1
	reader, err := client.New(live, client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		return nil, fmt.Errorf("set up client: %w", err)
	}
	injector, err := webhook.NewInjector(webhook.InjectorOptions{
		Bindings:   &webhook.CachedBindings{Cache: mgr.GetCache(), Live: reader},
		Registerer: metrics.Registry, Log: ctrl.Log.WithName("inject"),
	})
	if err != nil {
		return nil, err
	}
	admission := &webhook.Admission{Cache: mgr.GetCache(), Live: reader, Log: ctrl.Log.WithName("admission")}
	if o.deriveIDs {
		admission.DeriveFrom = o.clusterID
	}
	others, err := admission.Handlers()
	if err != nil {
		return nil, err
	}
	return webhook.NewServer(webhook.ServerOptions{
		Addr: net.JoinHostPort("", strconv.Itoa(o.port)), GetCertificate: serving.GetCertificate,
		Injector: injector, Others: others, DrainPeriod: o.drainPeriod, Log: ctrl.Log.WithName("webhook"),
	})
}

// addProbes makes the replica ready only when certificate, listener and cache
// are up: before that the API server must not call it.
func addProbes(ctx context.Context, mgr ctrl.Manager, certificate, listener healthz.Checker) error {
	// Asking for the informers now makes the manager wait for them.
	for _, o := range webhook.Cached() {
		if _, err := mgr.GetCache().GetInformer(ctx, o, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("set up cache: %w", err)
		}
	}
	var synced atomic.Bool
	cached := func(*http.Request) error {
		if !synced.Load() {
			return errors.New("bindings, classes and plans are not listed yet")
		}
		return nil
	}
	wait := func(ctx context.Context) error {
		synced.Store(mgr.GetCache().WaitForCacheSync(ctx))
		return nil
	}
	if err := mgr.Add(everywhere(wait)); err != nil {
		return fmt.Errorf("set up probes: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("set up probes: %w", err)
	}
	for name, check := range map[string]healthz.Checker{"certificate": certificate, "listener": listener, "cache": cached} {
		if err := mgr.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("set up probes: %w", err)
		}
	}
	return nil
}

// everywhere is a runnable that needs no leader.
type everywhere func(context.Context) error

// Start runs it.
func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection is false.
func (everywhere) NeedLeaderElection() bool { return false }
