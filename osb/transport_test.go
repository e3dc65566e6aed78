package osb_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

func writeGzip(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
}

// hijack serves raw bytes, then cuts the connection.
func hijack(t *testing.T, raw string) *fakeBroker {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, raw)
		_ = conn.Close()
	})
}

// TestLostAnswers tells a request that never left from one whose answer never came.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	type want struct {
		kind         osb.Kind
		status       int
		lost, orphan bool
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refusing := "http://" + closed.Addr().String()
	require.NoError(t, closed.Close())

	for name, tc := range map[string]struct {
		url  string
		want want
	}{
		"nothing listens: nothing was sent":         {refusing, want{osb.KindUnavailable, 0, false, false}},
		"the name does not resolve":                 {"http://no-such-host.invalid", want{osb.KindUnavailable, 0, false, false}},
		"plain HTTP behind an https URL":            {"https://" + answering(t, 201, `{}`).Listener.Addr().String(), want{osb.KindUnavailable, 0, false, false}},
		"cut before the status line":                {hijack(t, "").URL, want{osb.KindUnavailable, 0, true, true}},
		"no HTTP at all":                            {hijack(t, "SSH-2.0-x\r\n").URL, want{osb.KindUnavailable, 0, true, true}},
		"a 201 cut in its body":                     {hijack(t, "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"dash").URL, want{osb.KindUnavailable, 201, true, true}},
		"a 200 cut in its body":                     {hijack(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"dash").URL, want{osb.KindUnavailable, 200, true, false}},
		"a 409 cut in its body is still a conflict": {hijack(t, "HTTP/1.1 409 Conflict\r\nContent-Length: 100\r\n\r\n{").URL, want{osb.KindConflict, 409, false, false}},
		"a 422 cut in its body says nothing":        {hijack(t, "HTTP/1.1 422 X\r\nContent-Length: 100\r\n\r\n{\"error\":").URL, want{osb.KindUnavailable, 422, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, tc.url).Provision(t.Context(), provisionRequest())
			e := osb.AsError(err)
			require.NotNil(t, e, "%v", err)
			assert.Equal(t, tc.want, want{e.Kind, e.StatusCode, e.Lost, e.OrphanMitigation}, "%v", err)
			assert.NotContains(t, err.Error(), "service_instances", "the URL is no part of the text")
		})
	}
}

// TestTheSameFaultHasTheSameText: conditions and events repeat it, and one that
// names the port of our own side would be news each time.
func TestTheSameFaultHasTheSameText(t *testing.T) {
	t.Parallel()
	f := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // Close resets
		}
		_ = conn.Close()
	})
	c := newClient(t, f.URL)
	_, first := c.Provision(t.Context(), provisionRequest())
	_, second := c.Provision(t.Context(), provisionRequest())
	require.ErrorContains(t, first, "reset by peer")
	assert.Equal(t, first.Error(), second.Error())
	assert.Contains(t, first.Error(), f.Listener.Addr().String(), "the broker's side is told")
}

// hanging answers nothing, or only the head, until the test is over.
func hanging(t *testing.T, head bool) *fakeBroker {
	t.Helper()
	stop := make(chan struct{})
	f := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if head {
			w.WriteHeader(http.StatusCreated)
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(stop) }) // before the server's Close, which waits for it
	return f
}

// switching answers 101 and keeps the connection, which is then no part of HTTP
// any more: the deadline of the request does not end it.
func switching(t *testing.T) *fakeBroker {
	t.Helper()
	stop := make(chan struct{})
	f := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		<-stop
		_ = conn.Close()
	})
	t.Cleanup(func() { close(stop) })
	return f
}

func TestTimeoutAndCancel(t *testing.T) {
	t.Parallel()
	short := func(c *osb.Config) { c.Timeout = 100 * time.Millisecond }
	t.Run("no answer in time (P14, P138)", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, hanging(t, false).URL, short).Provision(t.Context(), provisionRequest())
		e := osb.AsError(err)
		require.NotNil(t, e)
		assert.Equal(t, osb.KindTimeout, e.Kind)
		assert.True(t, e.Lost)
		assert.True(t, e.OrphanMitigation)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("a body that never ends", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, hanging(t, true).URL, short).Provision(t.Context(), provisionRequest())
		e := osb.AsError(err)
		require.NotNil(t, e)
		assert.Equal(t, osb.KindTimeout, e.Kind)
		assert.Equal(t, 201, e.StatusCode)
		assert.True(t, e.OrphanMitigation)
	})
	t.Run("an answer that takes the connection for itself", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, switching(t).URL, short)
		done := make(chan error, 1)
		go func() {
			_, err := c.Provision(t.Context(), provisionRequest())
			done <- err
		}()
		select {
		case err := <-done:
			e := osb.AsError(err)
			require.NotNil(t, e)
			assert.Equal(t, osb.KindMalformed, e.Kind)
			assert.Equal(t, 101, e.StatusCode)
		case <-time.After(5 * time.Second):
			assert.Fail(t, "the call outlives its timeout")
		}
	})
	t.Run("the caller's own deadline is a timeout", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := newClient(t, hanging(t, false).URL).Bind(ctx, bindRequest())
		assert.True(t, osb.IsKind(err, osb.KindTimeout), "%v", err)
	})
	t.Run("the caller's cancel is no timeout", func(t *testing.T) {
		t.Parallel()
		f := hanging(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-f.arrived
			cancel()
		}()
		_, err := newClient(t, f.URL).Unbind(ctx, &osb.UnbindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s", PlanID: "p"})
		e := osb.AsError(err)
		require.NotNil(t, e)
		assert.Equal(t, osb.KindCanceled, e.Kind)
		assert.True(t, e.Lost)
		assert.False(t, e.OrphanMitigation)
		assert.ErrorIs(t, err, context.Canceled)
	})
	t.Run("canceled before the call sends nothing", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 201, `{}`)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newClient(t, f.URL).Provision(ctx, provisionRequest())
		e := osb.AsError(err)
		require.NotNil(t, e)
		assert.Equal(t, osb.KindCanceled, e.Kind)
		assert.False(t, e.Lost)
		assert.False(t, e.OrphanMitigation)
		assert.Empty(t, f.seen)
	})
}

func tlsBroker(t *testing.T) (url string, ca []byte) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"services":[]}`)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	url, ca := tlsBroker(t)
	ask := func(t *testing.T, change func(*osb.Config)) error {
		t.Helper()
		_, err := newClient(t, url, change).GetCatalog(t.Context(), &osb.CatalogRequest{})
		return err
	}
	t.Run("with its CA bundle the broker is trusted (P3)", func(t *testing.T) {
		t.Parallel()
		assert.NoError(t, ask(t, func(c *osb.Config) { c.CABundle = ca }))
	})
	t.Run("without it is not", func(t *testing.T) {
		t.Parallel()
		err := ask(t, func(*osb.Config) {})
		assert.True(t, osb.IsKind(err, osb.KindUntrusted), "%v", err)
		assert.Equal(t, osb.ActorPlatformTeam, osb.AsError(err).Actor())
		assert.False(t, osb.AsError(err).Lost)
	})
	t.Run("with another CA it is not", func(t *testing.T) {
		t.Parallel()
		other := otherCA(t)
		err := ask(t, func(c *osb.Config) { c.CABundle = other })
		assert.True(t, osb.IsKind(err, osb.KindUntrusted), "%v", err)
	})
	t.Run("unless verification is switched off", func(t *testing.T) {
		t.Parallel()
		assert.NoError(t, ask(t, func(c *osb.Config) { c.InsecureSkipTLSVerify = true }))
	})
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	cert, caPEM := selfSigned(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"services":[]}`)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := newClient(t, s.URL, func(c *osb.Config) { c.InsecureSkipTLSVerify = true }).GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.Error(t, err)
	_, err = newClient(t, s.URL, func(c *osb.Config) { c.InsecureSkipTLSVerify, c.ClientCertificate = true, &cert }).GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
}

// TestRefusedClientCertificates: under TLS 1.3 a client may send before the
// server has looked at its certificate, so the refusal comes where an answer
// would. It is none, and nothing was carried out.
func TestRefusedClientCertificates(t *testing.T) {
	t.Parallel()
	_, caPEM := selfSigned(t)
	stranger, _ := selfSigned(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		for which, cert := range map[string]*tls.Certificate{"none": nil, "one of a stranger": &stranger} {
			t.Run(name+", "+which, func(t *testing.T) {
				t.Parallel()
				s := httptest.NewUnstartedServer(http.NotFoundHandler())
				s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
				s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: version, MaxVersion: version}
				s.StartTLS()
				t.Cleanup(s.Close)
				c := newClient(t, s.URL, func(c *osb.Config) { c.InsecureSkipTLSVerify, c.ClientCertificate = true, cert })
				for range 10 { // the refusal races with the request
					_, err := c.Provision(t.Context(), provisionRequest())
					requireNothingDone(t, err)
					if version == tls.VersionTLS12 && cert == nil {
						continue // its alert says no more than that the handshake failed
					}
					require.True(t, osb.IsKind(err, osb.KindUnauthorized), "%v", err)
					require.ErrorContains(t, err, "refused our client certificate")
					require.Contains(t, osb.AsError(err).Hint(), "client certificate")
				}
				large := provisionRequest()
				large.Parameters = osb.RawJSON(`"` + strings.Repeat("x", 1<<20) + `"`)
				for range 5 { // the refusal cuts it off
					_, err := c.Provision(t.Context(), large)
					requireNothingDone(t, err)
				}
			})
		}
	}
}

func requireNothingDone(t *testing.T, err error) {
	t.Helper()
	e := osb.AsError(err)
	require.NotNil(t, e, "%v", err)
	require.False(t, e.Lost, "%v", err)
	require.False(t, e.OrphanMitigation, "%v", err)
}

// TestARequestThatCouldNotBeWrittenWholeIsNotSent: what the last byte is missing
// of is no JSON, so no broker carried it out.
func TestARequestThatCouldNotBeWrittenWholeIsNotSent(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 100))
			_ = conn.Close() // with most of it unread: a reset
		}
	}()
	large := provisionRequest()
	large.Parameters = osb.RawJSON(`"` + strings.Repeat("x", 10<<20) + `"`)
	c := newClient(t, "http://"+listener.Addr().String(), func(c *osb.Config) { c.MaxBodyBytes = 20 << 20 })
	for range 2 {
		_, err := c.Provision(t.Context(), large)
		requireNothingDone(t, err)
		require.True(t, osb.IsKind(err, osb.KindUnavailable), "%v", err)
	}
}

func TestOneConnectionIsReused(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	opened := map[string]bool{}
	f := serving(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		opened[r.RemoteAddr] = true
		mu.Unlock()
		_, _ = io.WriteString(w, `{"services":[]}`)
	})
	c := newClient(t, f.URL)
	for range 5 {
		_, err := c.GetCatalog(t.Context(), &osb.CatalogRequest{})
		require.NoError(t, err)
	}
	assert.Len(t, opened, 1)
}

// TestNoProxyFromTheEnvironment cannot run in parallel: it sets the environment.
func TestNoProxyFromTheEnvironment(t *testing.T) {
	proxy := answering(t, 502, `{}`)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	// Loopback is never proxied by net/http, so the broker has another name.
	_, err := newClient(t, "http://broker.invalid").GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.Error(t, err)
	assert.Empty(t, proxy.seen)
}
