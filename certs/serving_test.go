package certs

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
)

// issued is a Secret with a certificate, and the CA that verifies it.
type issued struct {
	secret *corev1.Secret
	roots  *x509.CertPool
	leaf   *leaf
}

// issue makes a serving certificate that is valid from now on, signed by a CA of its own.
func issue(t *testing.T, now time.Time, cfg Config) issued {
	t.Helper()
	var c contents
	require.NoError(t, c.bootstrap(now, cfg))
	secret := &corev1.Secret{}
	c.store(secret)
	roots := x509.NewCertPool()
	roots.AddCert(c.active.cert)
	return issued{secret: secret, roots: roots, leaf: c.leaf}
}

func newServing(t *testing.T, now time.Time) (*Serving, *prometheus.Registry, *clocktesting.FakePassiveClock) {
	t.Helper()
	registry, clock := prometheus.NewRegistry(), clocktesting.NewFakePassiveClock(now)
	s, err := NewServing(&rest.Config{}, ServingConfig{
		Namespace: "ns", SecretName: "cert", Service: "hooks", Registerer: registry, Clock: clock,
	})
	require.NoError(t, err)
	return s, registry, clock
}

// serve listens with s on loopback and returns the address.
func serve(t *testing.T, s *Serving) string {
	t.Helper()
	config := &tls.Config{NextProtos: []string{"h2", "http/1.1"}, GetCertificate: s.GetCertificate, MinVersion: tls.VersionTLS13}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

// handshake connects as an API server does and returns the certificate that was served.
func handshake(address string, config *tls.Config) (*x509.Certificate, error) {
	config.ServerName = name
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func TestServingReloadsWithoutARestart(t *testing.T) {
	t.Parallel()
	s, _, _ := newServing(t, time.Now())
	address := serve(t, s)
	first, second := issue(t, time.Now(), testConfig()), issue(t, time.Now(), testConfig())

	_, err := handshake(address, &tls.Config{RootCAs: first.roots})
	require.Error(t, err, "nothing is served before a certificate is loaded")

	s.load(t.Context(), first.secret)
	got, err := handshake(address, &tls.Config{RootCAs: first.roots})
	require.NoError(t, err)
	assert.True(t, got.Equal(first.leaf.cert))

	// A connection made before the change outlives it.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: first.roots, ServerName: name}, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	requireHello(t, client, address)
	s.load(t.Context(), second.secret)
	requireHello(t, client, address)

	got, err = handshake(address, &tls.Config{RootCAs: second.roots})
	require.NoError(t, err)
	assert.True(t, got.Equal(second.leaf.cert))
	_, err = handshake(address, &tls.Config{RootCAs: first.roots})
	require.ErrorAs(t, err, &x509.UnknownAuthorityError{})
}

func requireHello(t *testing.T, client *http.Client, address string) {
	t.Helper()
	response, err := client.Get("https://" + address)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "hello", string(body))
	require.Equal(t, 2, response.ProtoMajor)
}

func TestServingFailsNoHandshakeWhileReloading(t *testing.T) {
	t.Parallel()
	s, _, _ := newServing(t, time.Now())
	first, second := issue(t, time.Now(), testConfig()), issue(t, time.Now(), testConfig())
	both := x509.NewCertPool()
	both.AppendCertsFromPEM(first.secret.Data[CACertKey])
	both.AppendCertsFromPEM(second.secret.Data[CACertKey])
	s.load(t.Context(), first.secret)
	address := serve(t, s)

	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 50 {
				_, err := handshake(address, &tls.Config{RootCAs: both})
				assert.NoError(t, err)
			}
		})
	}
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	for turn := 0; ; turn++ {
		select {
		case <-done:
			return
		default:
			s.load(t.Context(), []*corev1.Secret{second.secret, first.secret}[turn%2])
		}
	}
}

func TestServingKeepsWhatIsGood(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		bad  func(t *testing.T, good issued) *corev1.Secret
		want string
	}{
		"a Secret without data": {
			bad: func(*testing.T, issued) *corev1.Secret { return &corev1.Secret{} }, want: "holds no certificate yet"},
		"an empty pair": {
			bad: func(_ *testing.T, good issued) *corev1.Secret {
				good.secret.Data["tls.crt"], good.secret.Data["tls.key"] = nil, nil
				return good.secret
			}, want: "holds no certificate yet"},
		"garbage": {
			bad: func(_ *testing.T, good issued) *corev1.Secret {
				good.secret.Data["tls.crt"] = []byte("garbage")
				return good.secret
			}, want: "not a pair"},
		"the key of another certificate": {
			bad: func(t *testing.T, good issued) *corev1.Secret {
				t.Helper()
				good.secret.Data["tls.key"] = issue(t, start, testConfig()).secret.Data["tls.key"]
				return good.secret
			}, want: "not a pair"},
		"a certificate for another Service": {
			bad: func(t *testing.T, _ issued) *corev1.Secret {
				t.Helper()
				cfg := testConfig()
				cfg.Service = "other"
				return issue(t, start, cfg).secret
			}, want: "not for hooks.ns.svc"},
		"a certificate that has expired": {
			bad: func(t *testing.T, _ issued) *corev1.Secret {
				t.Helper()
				return issue(t, start.Add(-DefaultLeafLifetime-time.Hour), testConfig()).secret
			}, want: "expired at"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s, _, _ := newServing(t, start)
			s.load(t.Context(), tc.bad(t, issue(t, start, testConfig())))
			err := s.Ready(nil)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "ns/cert")
			require.NotContains(t, err.Error(), "BEGIN")

			good := issue(t, start, testConfig())
			s.load(t.Context(), good.secret)
			require.NoError(t, s.Ready(nil))
			s.load(t.Context(), tc.bad(t, issue(t, start, testConfig())))
			require.NoError(t, s.Ready(nil), "the loaded certificate is kept")
			pair, err := s.GetCertificate(nil)
			require.NoError(t, err)
			assert.True(t, pair.Leaf.Equal(good.leaf.cert))
		})
	}
}

func TestServingIsReadyWhileItsCertificateIsValid(t *testing.T) {
	t.Parallel()
	s, registry, clock := newServing(t, start)
	require.ErrorContains(t, s.Ready(nil), "was not read yet")
	metrics, err := registry.Gather()
	require.NoError(t, err)
	require.Empty(t, metrics, "no expiry is told before there is one")

	only := issue(t, start, testConfig())
	s.load(t.Context(), only.secret)
	require.NoError(t, s.Ready(nil))
	metrics, err = registry.Gather()
	require.NoError(t, err)
	require.Len(t, metrics, 1)
	assert.Equal(t, "catalog_webhook_cert_expiry_timestamp_seconds", metrics[0].GetName())
	assert.InDelta(t, start.Add(DefaultLeafLifetime).Unix(), metrics[0].GetMetric()[0].GetGauge().GetValue(), 0)

	clock.SetTime(start.Add(DefaultLeafLifetime + time.Second))
	require.ErrorContains(t, s.Ready(nil), "expired at 2026-05-30")
	clock.SetTime(start.Add(-DefaultClockSkew - time.Second))
	require.ErrorContains(t, s.Ready(nil), "check the clock")
}

func TestServingWithoutAServiceAsksForANameOfItsNamespace(t *testing.T) {
	t.Parallel()
	s, err := NewServing(&rest.Config{}, ServingConfig{
		Namespace: "ns", SecretName: "cert", Registerer: prometheus.NewRegistry(), Clock: clocktesting.NewFakePassiveClock(start),
	})
	require.NoError(t, err)
	cfg := testConfig()
	cfg.Namespace = "elsewhere"
	s.load(t.Context(), issue(t, start, cfg).secret)
	require.ErrorContains(t, s.Ready(nil), "not for *.ns.svc")
	s.load(t.Context(), issue(t, start, testConfig()).secret)
	require.NoError(t, s.Ready(nil))
}

func TestNewServingRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	_, err := NewServing(&rest.Config{}, ServingConfig{Namespace: "ns", SecretName: "cert"})
	require.Error(t, err)
	config := ServingConfig{Namespace: "ns", SecretName: "cert", Registerer: prometheus.NewRegistry()}
	_, err = NewServing(&rest.Config{}, config)
	require.NoError(t, err)
	_, err = NewServing(&rest.Config{}, config)
	require.ErrorAs(t, err, &prometheus.AlreadyRegisteredError{})
}
