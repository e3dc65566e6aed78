package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
)

// ServingConfig says which certificate a webhook replica serves.
type ServingConfig struct {
	// Namespace and SecretName name the Secret, of which tls.crt and tls.key are read. Required.
	Namespace, SecretName string
	// Service is the Service that API servers call: the certificate must hold
	// <Service>.<Namespace>.svc. If it is empty, any name that ends in .<Namespace>.svc will do.
	Service string
	// Registerer takes the metric catalog_webhook_cert_expiry_timestamp_seconds. Required.
	Registerer prometheus.Registerer
	// Clock tells the time; nil stands for the real one.
	Clock clock.PassiveClock
}

// Serving gives a TLS server the certificate of one Secret and follows its changes. It is a Runnable
// that needs no leader election; all methods may be called at any time from any goroutine.
type Serving struct {
	config ServingConfig
	rest   *rest.Config
	// current is replaced as a whole, so that a handshake sees the old pair or the new one.
	current atomic.Pointer[tls.Certificate]
	// trouble says why there is no current certificate.
	trouble atomic.Pointer[string]
}

// NewServing returns a Serving that will read its Secret with restConfig. It fails if the
// configuration lacks a name or the metric is registered already.
func NewServing(restConfig *rest.Config, config ServingConfig) (*Serving, error) {
	if config.Namespace == "" || config.SecretName == "" || config.Registerer == nil {
		return nil, errors.New("serving certificate: namespace, Secret name and registerer are required")
	}
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	s := &Serving{config: config, rest: restConfig}
	s.setTrouble("it was not read yet: it is made by the leader of the controllers, whose log tells more")
	if err := config.Registerer.Register(newExpiryCollector(s)); err != nil {
		return nil, fmt.Errorf("register serving certificate's metric: %w", err)
	}
	return s, nil
}

// NeedLeaderElection is false: every replica serves.
func (s *Serving) NeedLeaderElection() bool { return false }

// Start watches the Secret until ctx ends. When the Secret vanishes, or holds nothing that can be
// served, the loaded certificate stays.
func (s *Serving) Start(ctx context.Context) error {
	httpClient, err := rest.HTTPClientFor(s.rest)
	if err != nil {
		return fmt.Errorf("serving certificate: %w", err)
	}
	load := func(obj any) {
		if secret, ok := obj.(*corev1.Secret); ok {
			s.load(ctx, secret)
		}
	}
	watch := watcher{config: s.rest, http: httpClient, onError: s.watchFailed}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.config.Namespace, Name: s.config.SecretName}}
	err = watch.start(ctx, secret, toolscache.ResourceEventHandlerFuncs{
		AddFunc:    load,
		UpdateFunc: func(_, obj any) { load(obj) },
		DeleteFunc: func(any) {
			ctrl.LoggerFrom(ctx).Info("Secret with the serving certificate was deleted, kept the loaded certificate",
				"secret", s.secretName())
		},
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// watchFailed remembers what only an administrator can mend; everything else is retried.
func (s *Serving) watchFailed(ctx context.Context, r *toolscache.Reflector, err error) {
	if apierrors.IsForbidden(err) && s.current.Load() == nil {
		s.setTrouble("this account may not list and watch it; grant list and watch on this Secret by resourceNames")
	}
	toolscache.DefaultWatchErrorHandler(ctx, r, err)
}

// load takes over the Secret's certificate if it can be served.
func (s *Serving) load(ctx context.Context, secret *corev1.Secret) {
	log := ctrl.LoggerFrom(ctx).WithValues("secret", s.secretName())
	if len(secret.Data[corev1.TLSCertKey]) == 0 {
		s.setTrouble("it holds no certificate yet: the leader of the controllers adds one once all API servers trust its CA")
		return
	}
	pair, err := s.parse(secret)
	if err != nil {
		s.setTrouble(err.Error())
		log.Error(err, "Refused the Secret's serving certificate", "keptOld", s.current.Load() != nil)
		return
	}
	old := s.current.Swap(pair)
	if old != nil && bytes.Equal(old.Leaf.Raw, pair.Leaf.Raw) {
		return
	}
	log.Info("Loaded serving certificate", "certificate", fingerprint(pair.Leaf), "expires", pair.Leaf.NotAfter)
}

// parse returns the Secret's certificate, or why it cannot be served.
func (s *Serving) parse(secret *corev1.Secret) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("its tls.crt and tls.key are not a pair: %w", err)
	}
	if !s.named(pair.Leaf) {
		return nil, fmt.Errorf("its certificate is not for %s", s.wantedName())
	}
	if expired(pair.Leaf, s.config.Clock.Now()) {
		return nil, fmt.Errorf("its certificate expired at %s", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return &pair, nil
}

func (s *Serving) wantedName() string {
	if s.config.Service == "" {
		return "*." + s.config.Namespace + ".svc"
	}
	return s.config.Service + "." + s.config.Namespace + ".svc"
}

// named says whether the certificate is for the name that API servers call.
func (s *Serving) named(crt *x509.Certificate) bool {
	if s.config.Service != "" {
		return crt.VerifyHostname(s.wantedName()) == nil
	}
	suffix := "." + s.config.Namespace + ".svc"
	return slices.ContainsFunc(crt.DNSNames, func(name string) bool { return strings.HasSuffix(name, suffix) })
}

// GetCertificate is for the field of that name of a tls.Config. It fails, and with it the handshake,
// while no certificate is loaded.
func (s *Serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := s.current.Load(); pair != nil {
		return pair, nil
	}
	return nil, s.missing()
}

// Ready is a readiness check: it is nil while a certificate for our name is loaded and valid, and
// says otherwise what is missing and who supplies it.
func (s *Serving) Ready(*http.Request) error {
	pair := s.current.Load()
	if pair == nil {
		return s.missing()
	}
	now := s.config.Clock.Now()
	if expired(pair.Leaf, now) {
		return fmt.Errorf("serving certificate expired at %s; the leader of the controllers renews it in Secret %s, see its log",
			pair.Leaf.NotAfter.UTC().Format(time.RFC3339), s.secretName())
	}
	if now.Before(pair.Leaf.NotBefore) {
		return fmt.Errorf("serving certificate is valid from %s only; check the clock of this node",
			pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

func (s *Serving) missing() error {
	return fmt.Errorf("no serving certificate loaded from Secret %s: %s", s.secretName(), *s.trouble.Load())
}

func (s *Serving) setTrouble(why string) { s.trouble.Store(&why) }

func (s *Serving) secretName() string { return s.config.Namespace + "/" + s.config.SecretName }

// expiryCollector tells when the loaded certificate ends, and nothing before one is loaded: a zero
// would look like one that expired in 1970.
type expiryCollector struct {
	serving *Serving
	desc    *prometheus.Desc
}

func newExpiryCollector(s *Serving) *expiryCollector {
	return &expiryCollector{serving: s, desc: prometheus.NewDesc("catalog_webhook_cert_expiry_timestamp_seconds",
		"When the loaded serving certificate expires, in seconds since 1970.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (c *expiryCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c *expiryCollector) Collect(ch chan<- prometheus.Metric) {
	if pair := c.serving.current.Load(); pair != nil {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(pair.Leaf.NotAfter.Unix()))
	}
}
