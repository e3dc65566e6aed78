package broker_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// start serves b until the returned function is called, which tells how Serve ended.
func start(t *testing.T, h http.Handler, cfg broker.ServerConfig) (url string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg.Listener = listener
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- broker.Serve(ctx, h, cfg) }()
	return "http://" + listener.Addr().String(), func() error { cancel(); return <-done }
}

// blocking is a broker whose Provision waits until it is let go.
func blocking() (b *scripted, begun, release chan struct{}) {
	begun, release = make(chan struct{}), make(chan struct{})
	b = &scripted{provision: func(ctx context.Context, _ *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
		close(begun)
		select {
		case <-release:
			return &osb.ProvisionResponse{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	return b, begun, release
}

func provision(ctx context.Context, t *testing.T, url string) chan error {
	t.Helper()
	client, err := osb.NewClient(osb.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	done := make(chan error, 1)
	go func() {
		_, err := client.Provision(ctx, &osb.ProvisionRequest{InstanceID: "i-1", ServiceID: "db", PlanID: "small", OrganizationGUID: "o", SpaceGUID: "s"})
		done <- err
	}()
	return done
}

// wait returns when the broker is at work, and fails if the answer is there before.
func wait(t *testing.T, begun chan struct{}, answer chan error) {
	t.Helper()
	select {
	case <-begun:
	case err := <-answer:
		t.Fatalf("answered without work: %v", err)
	}
}

func TestServeFinishesWhatItBegan(t *testing.T) {
	t.Parallel()
	b, begun, release := blocking()
	url, stop := start(t, broker.NewHandler(b, broker.Options{Auth: broker.NoAuth()}), broker.ServerConfig{})
	answer := provision(t.Context(), t, url)
	wait(t, begun, answer)
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	require.Eventually(t, func() bool { // new connections are refused while the old request goes on
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 5*time.Second, time.Millisecond)
	close(release)
	assert.NoError(t, <-answer)
	assert.NoError(t, <-ended)
}

func TestServeGivesUpAfterTheShutdownTimeout(t *testing.T) {
	t.Parallel()
	b, begun, _ := blocking()
	url, stop := start(t, broker.NewHandler(b, broker.Options{Auth: broker.NoAuth()}), broker.ServerConfig{ShutdownTimeout: 50 * time.Millisecond})
	answer := provision(t.Context(), t, url)
	wait(t, begun, answer)
	require.ErrorContains(t, stop(), "shut down in 50ms")
	assert.True(t, osb.AsError(<-answer).Lost)
}

// TestSlowWorkOutlivesTheReadTimeout: the read timeout is for the request, not for the broker's work on it.
func TestSlowWorkOutlivesTheReadTimeout(t *testing.T) {
	t.Parallel()
	b, begun, release := blocking()
	url, stop := start(t, broker.NewHandler(b, broker.Options{Auth: broker.NoAuth()}), broker.ServerConfig{ReadTimeout: 50 * time.Millisecond})
	answer := provision(t.Context(), t, url)
	wait(t, begun, answer)
	select {
	case err := <-answer:
		t.Errorf("the work was cut off: %v", err)
	case <-time.After(300 * time.Millisecond):
		close(release)
		assert.NoError(t, <-answer)
	}
	assert.NoError(t, stop())
}

// TestSlowBodiesAreCutOff: a request that never arrives whole does not stay.
func TestSlowBodiesAreCutOff(t *testing.T) {
	t.Parallel()
	url, stop := start(t, broker.NewHandler(&scripted{}, broker.Options{Auth: broker.NoAuth()}), broker.ServerConfig{ReadTimeout: 100 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PUT "+instancePath+" HTTP/1.1\r\nHost: x\r\nX-Broker-API-Version: 2.17\r\nContent-Length: 100\r\n\r\n{\"serv")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	answer, err := io.ReadAll(conn)
	require.NoError(t, err, "the server hangs up by itself")
	assert.Contains(t, string(answer), "could not be read")
	assert.NoError(t, stop())
}

// once hands out one connection, then fails.
type once struct {
	net.Listener
	given bool
}

func (l *once) Accept() (net.Conn, error) {
	if l.given {
		return nil, net.ErrClosed
	}
	l.given = true
	return l.Listener.Accept()
}

func TestServeThatFailsLeavesNoConnectionOpen(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	err = broker.Serve(t.Context(), http.NotFoundHandler(), broker.ServerConfig{Listener: &once{Listener: listener}})
	require.ErrorContains(t, err, "serve platforms")
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "hung up at once")
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	borrowed := httptest.NewTLSServer(nil)
	defer borrowed.Close()
	url, stop := start(t, broker.NewHandler(&scripted{}, broker.Options{Auth: broker.NoAuth()}),
		broker.ServerConfig{TLS: &tls.Config{Certificates: borrowed.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	client, err := osb.NewClient(osb.Config{URL: strings.Replace(url, "http:", "https:", 1), InsecureSkipTLSVerify: true})
	require.NoError(t, err)
	_, err = client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	assert.NoError(t, err)
	client.Close()
	assert.NoError(t, stop())
}

// TestServeTakesTheLongestOperation: 10,000 characters of four bytes each are
// 120,000 in a URL (P42).
func TestServeTakesTheLongestOperation(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("😀", osb.MaxOperationLength)
	got := make(chan string, 1)
	b := &complete{poll: func(r *osb.LastOperationRequest) (*osb.LastOperationResponse, error) {
		got <- r.Operation
		return &osb.LastOperationResponse{State: osb.StateSucceeded}, nil
	}}
	url, stop := start(t, broker.NewHandler(b, broker.Options{Auth: broker.NoAuth()}), broker.ServerConfig{})
	client, err := osb.NewClient(osb.Config{URL: url})
	require.NoError(t, err)
	_, err = client.LastOperation(t.Context(), &osb.LastOperationRequest{InstanceID: "i", ServiceID: "db", PlanID: "small", Operation: longest})
	require.NoError(t, err)
	assert.Equal(t, longest, <-got)
	client.Close()
	assert.NoError(t, stop())
}

func TestServeSaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	err = broker.Serve(t.Context(), http.NotFoundHandler(), broker.ServerConfig{Addr: taken.Addr().String()})
	require.ErrorContains(t, err, "listen for platforms")

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	err = broker.Serve(t.Context(), http.NotFoundHandler(), broker.ServerConfig{Listener: closed})
	require.ErrorContains(t, err, "serve platforms")
}
