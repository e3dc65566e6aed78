//go:build integration

package api_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/market"
	"github.com/svc-cat/catalog/webhook"
)

// account is how the API server knows a ServiceAccount of the release.
func account(name string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + releaseSpace + ":" + release + "-" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + releaseSpace, "system:authenticated"},
	}
}

// startWebhook runs what `catalog webhook` runs, as the chart's account and so
// under the chart's rights, and leads the chart's configurations to it.
func (s *suite) startWebhook(ctx context.Context, at envtest.WebhookInstallOptions) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return err
	}
	cfg := rest.CopyConfig(s.cfg)
	cfg.Impersonate = account("webhook")
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Cache: cache.Options{ByObject: webhook.CacheByObject()},
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	if err := market.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	server, err := newServer(mgr, at)
	if err != nil {
		return err
	}
	if err := mgr.Add(server); err != nil {
		return err
	}
	for _, obj := range webhook.Cached() {
		if _, err := mgr.GetCache().GetInformer(ctx, obj, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	go func() {
		if err := mgr.Start(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "run the webhook:", err)
		}
	}()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return errors.New("the cache does not fill")
	}
	if err := waitFor(ctx, func() error { return server.Ready(nil) }); err != nil {
		return err
	}
	return s.redirect(ctx, at)
}

// newServer is the webhook with everything that it serves.
func newServer(mgr ctrl.Manager, at envtest.WebhookInstallOptions) (*webhook.Server, error) {
	live, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		return nil, err
	}
	injector, err := webhook.NewInjector(webhook.InjectorOptions{
		Bindings:   &webhook.CachedBindings{Cache: mgr.GetCache(), Live: live},
		Registerer: prometheus.NewRegistry(), Log: logr.Discard(),
	})
	if err != nil {
		return nil, err
	}
	admission := &webhook.Admission{Cache: mgr.GetCache(), Live: live, Log: logr.Discard()}
	others, err := admission.Handlers()
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(at.LocalServingCertDir, "tls.crt"), filepath.Join(at.LocalServingCertDir, "tls.key"))
	if err != nil {
		return nil, err
	}
	return webhook.NewServer(webhook.ServerOptions{
		Addr:           net.JoinHostPort(at.LocalServingHost, strconv.Itoa(at.LocalServingPort)),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil },
		Injector:       injector, Others: others, Log: logr.Discard(),
	})
}

// redirect changes one thing about the chart's webhook configurations: instead of
// to the Service they lead to this process, by its CA, which in a cluster the
// controllers write.
func (s *suite) redirect(ctx context.Context, at envtest.WebhookInstallOptions) error {
	local := func(c *admissionregistrationv1.WebhookClientConfig) {
		url := fmt.Sprintf("https://%s%s", net.JoinHostPort(at.LocalServingHost, strconv.Itoa(at.LocalServingPort)), *c.Service.Path)
		c.URL, c.Service, c.CABundle = &url, nil, at.LocalServingCAData
	}
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingWebhookConfigurationList{}
	if err := errors.Join(s.List(ctx, mutating), s.List(ctx, validating)); err != nil {
		return err
	}
	for _, c := range mutating.Items {
		for i := range c.Webhooks {
			local(&c.Webhooks[i].ClientConfig)
		}
		if err := s.Update(ctx, &c); err != nil {
			return err
		}
	}
	for _, c := range validating.Items {
		for i := range c.Webhooks {
			local(&c.Webhooks[i].ClientConfig)
		}
		if err := s.Update(ctx, &c); err != nil {
			return err
		}
	}
	return nil
}
