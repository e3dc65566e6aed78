package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/svc-cat/catalog/certs"
	"github.com/svc-cat/catalog/controllers"
	"github.com/svc-cat/catalog/osb"
)

// Times of leader election. A leader that cannot renew within renewDeadline
// stops; a saved intent may be acted on only while it is surely still leading.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// saveGrace is what shutdown allows beyond a broker call, for its outcome.
const saveGrace = 20 * time.Second

// errDeriveFromNothing: an id that was made up here is another one elsewhere.
var errDeriveFromNothing = errors.New("--derive-ids needs --cluster-id: ids that follow from a cluster's id are found again only by one that is configured with the same")

type controllersOptions struct {
	process
	leaderElect       bool
	leaseName         string
	clusterID         string
	deriveIDs         bool
	webhookService    string
	mutatingConfigs   []string
	validatingConfigs []string
	concurrent        int
	brokerConcurrency int
	brokerRate        int
	rotationRate      int
	osbTimeout        time.Duration
	relistInterval    time.Duration
	maxPolling        time.Duration
	allowLoopback     bool
	deniedRanges      []string
}

func newControllers(log io.Writer) *cobra.Command {
	o := &controllersOptions{}
	cmd := &cobra.Command{
		Use:   "controllers",
		Short: "Register brokers, provision instances, bind, write Secrets",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), log) },
	}
	o.process.bind(cmd.Flags())
	o.bind(cmd.Flags())
	return cmd
}

func (o *controllersOptions) bind(f *pflag.FlagSet) {
	f.BoolVar(&o.leaderElect, "leader-elect", true, "let one of several replicas work")
	f.StringVar(&o.leaseName, "lease-name", "catalog-controllers", "Lease that the leader holds")
	f.StringVar(&o.clusterID, "cluster-id", "", "id that brokers know this cluster by; made once and kept in ConfigMap cluster-info if empty")
	f.BoolVar(&o.deriveIDs, "derive-ids", false, "make ids that users leave out follow from --cluster-id, namespace and name, so that manifests applied to a new cluster find their instances")
	f.StringVar(&o.webhookService, "webhook-service", "", "Service of the webhook, for its certificate")
	f.StringArrayVar(&o.mutatingConfigs, "webhook-configuration", nil, "MutatingWebhookConfiguration whose caBundle is ours (repeatable)")
	f.StringArrayVar(&o.validatingConfigs, "validating-webhook-configuration", nil, "ValidatingWebhookConfiguration whose caBundle is ours (repeatable)")
	f.IntVar(&o.concurrent, "concurrent-reconciles", 10, "objects of a kind worked on at once")
	f.IntVar(&o.brokerConcurrency, "broker-concurrency", 10, "requests at a time to a broker that names no number")
	f.IntVar(&o.brokerRate, "broker-rate", 50, "requests that begin in a second at a broker that names no number")
	f.IntVar(&o.rotationRate, "rotation-rate", 20, "bindings a minute whose credentials begin to be renewed because they are due")
	f.DurationVar(&o.osbTimeout, "osb-timeout", time.Minute, "time for one request to a broker that names none")
	f.DurationVar(&o.maxPolling, "max-polling-duration", 7*24*time.Hour, "time that a broker may work in the background on one request, where its plan does not say less")
	f.DurationVar(&o.relistInterval, "relist-interval", 24*time.Hour, "time between fetches of a catalog whose broker names none")
	f.BoolVar(&o.allowLoopback, "allow-loopback-brokers", false, "let brokers be on this very host, as in tests; link-local and metadata addresses stay refused")
	f.StringArrayVar(&o.deniedRanges, "deny-broker-range", nil, "range of addresses in which no broker may be, such as 10.96.0.0/12 (repeatable)")
}

// addresses are where brokers may be.
func (o *controllersOptions) addresses() (osb.AddressGuard, error) {
	guard := osb.AddressGuard{AllowLoopback: o.allowLoopback}
	for _, text := range o.deniedRanges {
		denied, err := netip.ParsePrefix(text)
		if err != nil {
			return guard, fmt.Errorf("--deny-broker-range=%s is no range of addresses: give it as 10.96.0.0/12 or fd00::/8", text)
		}
		guard.Denied = append(guard.Denied, denied.Masked())
	}
	return guard, nil
}

func (o *controllersOptions) run(ctx context.Context, log io.Writer) error {
	if o.deriveIDs && o.clusterID == "" {
		return errDeriveFromNothing
	}
	addresses, err := o.addresses()
	if err != nil {
		return err
	}
	cfg, err := o.start(log)
	if err != nil {
		return err
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	grace := o.osbTimeout + saveGrace
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(), Client: controllers.ClientOptions(),
		Metrics: metricsserver.Options{BindAddress: o.metricsAddr}, HealthProbeBindAddress: o.probeAddr,
		LeaderElection: o.leaderElect, LeaderElectionID: o.leaseName, LeaderElectionNamespace: o.namespace,
		// The lease is given back only after all work has stopped.
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 new(leaseDuration), RenewDeadline: new(renewDeadline), RetryPeriod: new(retryPeriod),
		GracefulShutdownTimeout: &grace,
	})
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	if err := o.addCerts(mgr); err != nil {
		return err
	}
	live, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("set up client: %w", err)
	}
	id, err := controllers.EnsureClusterID(ctx, live, o.namespace, o.clusterID)
	if err != nil {
		return err
	}
	observed, err := controllers.NewMetrics(metrics.Registry, clock.RealClock{})
	if err != nil {
		return err
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		ClusterID: id, DeriveIDs: o.deriveIDs, Concurrent: o.concurrent, OSBTimeout: o.osbTimeout, Addresses: addresses, RelistInterval: o.relistInterval, MaxPolling: o.maxPolling,
		BrokerConcurrency: o.brokerConcurrency, BrokerRate: o.brokerRate, RotationRate: o.rotationRate, IntentTTL: renewDeadline - retryPeriod, Metrics: observed,
	}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("set up probes: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("set up probes: %w", err)
	}
	ctrl.Log.Info("Starting controllers", "version", version, "clusterID", id)
	return mgr.Start(ctx)
}

// addCerts lets the leader keep the webhook's certificate.
func (o *controllersOptions) addCerts(mgr ctrl.Manager) error {
	if o.certSecret == "" {
		return nil
	}
	m, err := certs.NewManager(certs.Config{
		Namespace: o.namespace, SecretName: o.certSecret, Service: o.webhookService,
		MutatingConfigurations: o.mutatingConfigs, ValidatingConfigurations: o.validatingConfigs,
	})
	if err != nil {
		return fmt.Errorf("set up certificates: %w", err)
	}
	return m.SetupWithManager(mgr)
}
