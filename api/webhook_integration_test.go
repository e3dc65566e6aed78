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
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	s.scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s.scheme), v1beta1.AddToScheme(s.scheme)); err != nil {
		return err
	}
	cfg := rest.CopyConfig(s.cfg)
	cfg.Impersonate = account("webhook")
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: s.scheme, Cache: cache.Options{ByObject: webhook.CacheByObject()},
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
	if err := s.redirect(ctx, at); err != nil {
		return err
	}
	return s.waitForWebhook(ctx, true)
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

// withoutWebhook takes the two configurations for our own kinds away until the test
// ends.
func withoutWebhook(t *testing.T) {
	t.Helper()
	name := func(what string) client.ObjectKey { return client.ObjectKey{Name: release + "-" + what} }
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	require.NoError(t, shared.Get(t.Context(), name("defaults"), mutating))
	require.NoError(t, shared.Get(t.Context(), name("validate"), validating))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, obj := range []client.Object{mutating, validating} {
			obj.SetResourceVersion("")
			require.NoError(t, shared.Create(ctx, obj))
		}
		require.NoError(t, shared.waitForWebhook(ctx, true))
	})
	for _, obj := range []client.Object{mutating, validating} {
		require.NoError(t, shared.Delete(t.Context(), obj))
	}
	require.NoError(t, shared.waitForWebhook(t.Context(), false))
}

// waitForWebhook returns when the API server asks both paths, or neither.
func (s *suite) waitForWebhook(ctx context.Context, there bool) error {
	return waitFor(ctx, func() error {
		probe := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: teamSpace, Name: "probe"}}
		probe.Spec.ClusterServiceClassExternalName = "probe" // which the second warns of
		user := &actor{}
		cfg := rest.CopyConfig(s.cfg)
		cfg.WarningHandlerWithContext = user
		c, err := client.New(cfg, client.Options{Scheme: s.scheme, Mapper: s.mapper})
		if err != nil {
			return err
		}
		if err := c.Create(ctx, probe, client.DryRunAll); err != nil {
			return err
		}
		if filled, warned := probe.Spec.ExternalID != "", len(user.warnings()) > 0; filled != there || warned != there {
			return fmt.Errorf("the webhook should be asked: %t; filled in: %t, warned: %t", there, filled, warned)
		}
		return nil
	})
}
