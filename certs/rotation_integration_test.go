//go:build integration

package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// mutated is what the webhook of this test writes under one path, and asks for under the other.
const (
	mutated    = "example.com/mutated"
	mutatePath = "/mutate"
	checkPath  = "/check"
)

// TestNoCallIsRefusedWhileCertificatesChange has a real API server call two replicas of a real
// webhook, mutating and validating, each call with a handshake of its own, while CAs are replaced,
// the Secret is deleted and damaged, and leaders come, go and even stand beside one another.
func TestNoCallIsRefusedWhileCertificatesChange(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "rotation")
	port, checks := p.serveTwice(t)
	require.NoError(t, p.admin.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.cfg.Service},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "localhost",
			Ports: []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromInt32(port)}},
		},
	}))
	for _, config := range p.newConfigurations() {
		for _, webhook := range config.webhooks() {
			webhook.Service.Port = &port
		}
		require.NoError(t, p.admin.Create(t.Context(), config.Object))
	}
	stop := p.lead(t)
	p.requireSettled(t)
	require.Eventually(t, func() bool { return p.call(t.Context(), "first") == nil }, soon, tick)

	before := checks.Load()
	caller := p.callSteadily(t)
	p.changeEverything(t, stop)
	calls, refused := caller()

	checked := checks.Load() - before
	t.Logf("%d calls, %d of them checked, %d refused", calls, checked, len(refused))
	assert.EqualValues(t, calls, checked, "every call went through both kinds of webhook")
	assert.Empty(t, refused[:min(3, len(refused))])
	assert.Greater(t, calls, 100)
}

// changeEverything replaces the CA four times in different ways.
func (p *place) changeEverything(t *testing.T, stop func()) {
	t.Helper()
	ca := parseContents(p.requireSettled(t)).active.cert
	changed := func(how string) {
		t.Helper()
		now := parseContents(p.requireSettled(t)).active.cert
		require.False(t, now.Equal(ca), how)
		ca = now
	}

	stop()
	p.clock.jump(DefaultCALifetime * 2 / 3)
	stop = p.lead(t)
	p.requireChange(t, ca)
	changed("the CA was due")

	stop()
	p.clock.jump(DefaultCALifetime * 2 / 3)
	for range 8 { // a crash every 400 ms or so, in all gaps
		p.lead(t)()
	}
	stop = p.lead(t)
	p.lead(t) // one that does not know it was deposed
	p.requireChange(t, ca)
	changed("the CA was due and leaders crashed")

	require.NoError(t, p.admin.Delete(t.Context(), p.secret(t)))
	changed("the Secret was deleted")

	stop()
	secret := p.secret(t)
	secret.Data[CAKeyKey], secret.Data[corev1.TLSCertKey] = nil, []byte("garbage")
	require.NoError(t, p.admin.Update(t.Context(), secret))
	p.lead(t)
	changed("the CA's key and the serving certificate were damaged")
}

// requireChange waits until a CA other than this one is in force.
func (p *place) requireChange(t *testing.T, from *x509.Certificate) {
	t.Helper()
	require.Eventually(t, func() bool {
		secret := p.secret(t)
		return secret != nil && parseContents(secret).active != nil && !from.Equal(parseContents(secret).active.cert)
	}, soon, tick)
}

// call creates a ConfigMap and says why the webhook did not mutate it.
func (p *place) call(ctx context.Context, name string) error {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}}
	if err := p.admin.Create(ctx, cm, client.DryRunAll); err != nil {
		return err
	}
	if cm.Annotations[mutated] != "true" {
		return errors.New("created without mutation")
	}
	return nil
}

// callSteadily calls the webhook from two goroutines until the returned function is called, which
// gives the number of calls and the failed ones.
func (p *place) callSteadily(t *testing.T) func() (int, []error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	var mu sync.Mutex
	var refused []error
	var callers sync.WaitGroup
	for caller := range 2 {
		callers.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for ; ctx.Err() == nil; <-pace.C {
				n := calls.Add(1)
				err := p.call(t.Context(), fmt.Sprintf("call-%d-%d", caller, n))
				if err != nil {
					mu.Lock()
					refused = append(refused, err)
					mu.Unlock()
				}
			}
		})
	}
	return func() (int, []error) {
		cancel()
		callers.Wait()
		return int(calls.Load()), refused
	}
}

// serveTwice starts two replicas of a webhook behind one port, which it returns with the number of
// calls that the validating half has answered; connections take turns.
func (p *place) serveTwice(t *testing.T) (int32, *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	checks := &atomic.Int64{}
	handler := http.NewServeMux()
	handler.Handle(mutatePath, &admission.Webhook{Handler: admission.HandlerFunc(mutate)})
	handler.Handle(checkPath, &admission.Webhook{Handler: check(checks)})
	var replicas []chan net.Conn
	for range 2 {
		serving, err := NewServing(p.webhookAccount, ServingConfig{
			Namespace: p.namespace, SecretName: p.cfg.SecretName, Service: p.cfg.Service, Registerer: prometheus.NewRegistry(),
		})
		require.NoError(t, err)
		go func() { assert.NoError(t, serving.Start(t.Context())) }()
		config := &tls.Config{GetCertificate: serving.GetCertificate, MinVersion: tls.VersionTLS13}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
		server.SetKeepAlivesEnabled(false) // a handshake for every call
		share := &sharedListener{Listener: listener, conns: make(chan net.Conn), closed: make(chan struct{})}
		go func() { _ = server.Serve(tls.NewListener(share, config)) }()
		t.Cleanup(func() { _ = server.Close() })
		replicas = append(replicas, share.conns)
	}
	go func() {
		for turn := 0; ; turn++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			replicas[turn%2] <- conn
		}
	}()
	address, err := net.ResolveTCPAddr("tcp", listener.Addr().String())
	require.NoError(t, err)
	return int32(address.Port), checks
}

// mutate annotates a ConfigMap.
func mutate(_ context.Context, request admission.Request) admission.Response {
	var cm corev1.ConfigMap
	if err := json.Unmarshal(request.Object.Raw, &cm); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	metav1.SetMetaDataAnnotation(&cm.ObjectMeta, mutated, "true")
	after, err := json.Marshal(&cm)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, after)
}

// check refuses what mutate has not seen, and counts.
func check(calls *atomic.Int64) admission.HandlerFunc {
	return func(_ context.Context, request admission.Request) admission.Response {
		calls.Add(1)
		var cm corev1.ConfigMap
		if err := json.Unmarshal(request.Object.Raw, &cm); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if cm.Annotations[mutated] == "" {
			return admission.Denied("not mutated")
		}
		return admission.Allowed("")
	}
}

// sharedListener accepts what it is given of another listener's connections.
type sharedListener struct {
	net.Listener
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *sharedListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *sharedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
