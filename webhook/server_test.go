package webhook_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/webhook"
)

// client talks to a server as an API server does.
type client struct {
	url  string
	http *http.Client
}

func (c *client) post(t *testing.T, body []byte) (int, []byte) {
	t.Helper()
	status, answer, err := c.try(t.Context(), body)
	require.NoError(t, err)
	return status, answer
}

// try is post for where a test must not end.
func (c *client) try(ctx context.Context, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+webhook.InjectPath+"?timeout=5s", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		return 0, nil, errors.New("the server does not speak HTTP/2")
	}
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// served is a running Server.
type served struct {
	*client
	server *webhook.Server
	cert   *tls.Certificate
	roots  *x509.CertPool
	stop   context.CancelFunc
	ended  <-chan error
}

// newCertificate makes a certificate for 127.0.0.1 that signs itself.
func newCertificate(serial int64) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "webhook"}, IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// newServed makes a Server on a free port, with a certificate of its own unless
// it brings one.
func newServed(opts webhook.ServerOptions) (*served, error) {
	s := &served{roots: x509.NewCertPool()}
	var err error
	if s.cert, err = newCertificate(1); err != nil {
		return nil, err
	}
	if opts.GetCertificate == nil {
		s.roots.AddCert(s.cert.Leaf)
		opts.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert, nil }
	}
	opts.Addr = "127.0.0.1:0"
	s.server, err = webhook.NewServer(opts)
	return s, err
}

// serve runs a Server until the test ends.
func serve(t *testing.T, opts webhook.ServerOptions) *served {
	t.Helper()
	s, err := newServed(opts)
	require.NoError(t, err)
	require.ErrorContains(t, s.server.Ready(nil), "not up yet")
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.server.Start(ctx) }()
	s.stop, s.ended = stop, ended
	t.Cleanup(stop)
	require.Eventually(t, func() bool { return s.server.Ready(nil) == nil }, 10*time.Second, time.Millisecond)
	s.client = s.newClient(t)
	return s
}

// newClient is a client with connections of its own.
func (s *served) newClient(t *testing.T) *client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{url: "https://" + s.server.Addr().String(), http: &http.Client{Transport: transport}}
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })

func TestServerTakesANewCertificateAtOnce(t *testing.T) {
	t.Parallel()
	var current atomic.Pointer[tls.Certificate]
	first, err := newCertificate(1)
	require.NoError(t, err)
	second, err := newCertificate(2)
	require.NoError(t, err)
	current.Store(first)
	s := serve(t, webhook.ServerOptions{Injector: ok, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return current.Load(), nil
	}})
	s.roots.AddCert(first.Leaf)
	s.roots.AddCert(second.Leaf)
	serial := func() int64 {
		resp, err := s.newClient(t).http.Get(s.url + webhook.InjectPath)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	assert.EqualValues(t, 1, serial())
	current.Store(second)
	assert.EqualValues(t, 2, serial())
}

func TestServerWithoutACertificateFailsTheHandshakeOnly(t *testing.T) {
	t.Parallel()
	s := serve(t, webhook.ServerOptions{Injector: ok, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return nil, errors.New("not there yet")
	}})
	_, err := s.newClient(t).http.Get(s.url) //nolint:bodyclose // it fails
	require.Error(t, err)
	require.NoError(t, s.server.Ready(nil), "the listener is up; the certificate has a check of its own")
}

func TestServerSpeaksNothingOlderThanTLS13(t *testing.T) {
	t.Parallel()
	s := serve(t, webhook.ServerOptions{Injector: ok})
	_, err := tls.Dial("tcp", s.server.Addr().String(), &tls.Config{RootCAs: s.roots, MaxVersion: tls.VersionTLS12})
	require.ErrorContains(t, err, "protocol version")
}

func TestServerServesNothingElse(t *testing.T) {
	t.Parallel()
	s := serve(t, webhook.ServerOptions{Injector: ok})
	resp, err := s.http.Get(s.url + "/debug/pprof/")
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
}

// TestServerDrains holds the order of an end: first it says that it is not
// ready, and serves on; then the listener closes, and a request in flight is
// still answered.
func TestServerDrains(t *testing.T) {
	t.Parallel()
	inFlight, release := make(chan struct{}), make(chan struct{})
	hold := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Length") == "4" {
			close(inFlight)
			<-release
		}
		_, _ = w.Write([]byte("ok"))
	})
	s := serve(t, webhook.ServerOptions{Injector: hold, DrainPeriod: 3 * time.Second})
	status := make(chan int, 1)
	slow := s.newClient(t)
	go func() {
		code, _, err := slow.try(t.Context(), []byte("slow"))
		assert.NoError(t, err)
		status <- code
	}()
	<-inFlight

	s.stop()
	require.Eventually(t, func() bool { return s.server.Ready(nil) != nil }, 10*time.Second, time.Millisecond)
	require.ErrorContains(t, s.server.Ready(nil), "shutting down")
	code, _ := s.newClient(t).post(t, []byte("new"))
	assert.Equal(t, http.StatusOK, code, "a new connection while routes to it are still going away")

	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", s.server.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 10*time.Second, 10*time.Millisecond, "the listener closes after the drain period")
	close(release)
	assert.Equal(t, http.StatusOK, <-status, "what was in flight")
	require.NoError(t, <-s.ended)
	require.ErrorContains(t, s.server.Ready(nil), "closed")
}

func TestServerSaysThatItsPortIsTaken(t *testing.T) {
	t.Parallel()
	first := serve(t, webhook.ServerOptions{Injector: ok})
	second, err := webhook.NewServer(webhook.ServerOptions{
		Addr: first.server.Addr().String(), Injector: ok,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }, //nolint:nilnil // never called
	})
	require.NoError(t, err)
	require.ErrorContains(t, second.Start(t.Context()), "listen for admission reviews")
	require.Error(t, second.Ready(nil))
	assert.False(t, second.NeedLeaderElection())
}

func TestAServerNeedsItsParts(t *testing.T) {
	t.Parallel()
	_, err := webhook.NewServer(webhook.ServerOptions{})
	require.ErrorContains(t, err, "GetCertificate and Injector are required")
}
