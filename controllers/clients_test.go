package controllers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// secretStore is a client.Reader that knows Secrets only, and gives each change a
// version, as the API server does.
type secretStore struct {
	client.Reader
	version int
	secrets map[types.NamespacedName]*corev1.Secret
}

func (s *secretStore) put(name string, data map[string][]byte) {
	s.version++
	if s.secrets == nil {
		s.secrets = map[types.NamespacedName]*corev1.Secret{}
	}
	key := types.NamespacedName{Namespace: "ns", Name: name}
	s.secrets[key] = &corev1.Secret{Data: data, ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: name, UID: types.UID("uid-" + name), ResourceVersion: fmt.Sprint(s.version)}}
}

func (s *secretStore) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	found, ok := s.secrets[key]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
	}
	found.DeepCopyInto(into.(*corev1.Secret))
	return nil
}

// asked is what a broker was sent: how the platform proves itself, and over which connection.
type asked struct{ authorization, connection string }

// listening is a broker with an empty catalog that notes who asks.
func listening(t *testing.T) (url string, all func() []asked) {
	t.Helper()
	var mu sync.Mutex
	var seen []asked
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, asked{r.Header.Get("Authorization"), r.RemoteAddr})
		_, _ = io.WriteString(w, `{"services":[]}`)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []asked {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

func registered(url string, change func(*v1beta1.ServiceBroker)) broker {
	b := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b"}}
	b.Spec.URL = url
	if change != nil {
		change(b)
	}
	return brokerOf(b)
}

// fetch asks a broker for its catalog through the pool, as each pass does.
func fetch(t *testing.T, c *Clients, b broker) (token string, err error) {
	t.Helper()
	made, token, err := c.get(t.Context(), b)
	if err != nil {
		return token, err
	}
	_, err = made.GetCatalog(t.Context(), &osb.CatalogRequest{})
	return token, err
}

func TestChangedCredentialsAreUsedAtOnce(t *testing.T) {
	t.Parallel()
	bearer := func(b *v1beta1.ServiceBroker) {
		b.Spec.AuthInfo = &v1beta1.ServiceBrokerAuthInfo{Bearer: &v1beta1.SecretReference{SecretRef: &v1beta1.LocalObjectReference{Name: "auth"}}}
	}
	basic := func(b *v1beta1.ServiceBroker) {
		b.Spec.AuthInfo = &v1beta1.ServiceBrokerAuthInfo{Basic: &v1beta1.SecretReference{SecretRef: &v1beta1.LocalObjectReference{Name: "auth"}}}
	}
	for name, tc := range map[string]struct {
		auth        func(*v1beta1.ServiceBroker)
		before, now map[string][]byte
		first, then string
	}{
		"a bearer token (P2)": {bearer, map[string][]byte{"token": []byte("one\n")}, map[string][]byte{"token": []byte("two")}, "Bearer one", "Bearer two"},
		"a password (P2)": {basic, map[string][]byte{"username": []byte("u"), "password": []byte("one")},
			map[string][]byte{"username": []byte("u"), "password": []byte("two")}, "Basic dTpvbmU=", "Basic dTp0d28="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, seen := listening(t)
			store := &secretStore{}
			store.put("auth", tc.before)
			c := &Clients{Reader: store, Addresses: osb.AddressGuard{AllowLoopback: true}}
			b := registered(url, tc.auth)
			token, err := fetch(t, c, b)
			require.NoError(t, err)
			same, err := fetch(t, c, b)
			require.NoError(t, err)
			store.put("auth", tc.now)
			other, err := fetch(t, c, b)
			require.NoError(t, err)

			got := seen()
			require.Len(t, got, 3)
			assert.Equal(t, []string{tc.first, tc.first, tc.then}, []string{got[0].authorization, got[1].authorization, got[2].authorization})
			assert.Equal(t, got[0].connection, got[1].connection, "nothing changed, so the connection is used again")
			assert.NotEqual(t, got[1].connection, got[2].connection, "what the old credentials opened is not used with the new")
			assert.Equal(t, token, same)
			assert.NotEqual(t, same, other, "who waits after a refusal is woken")

			delete(store.secrets, types.NamespacedName{Namespace: "ns", Name: "auth"})
			_, err = fetch(t, c, b)
			assert.Contains(t, authSentence(err), `Secret "ns/auth"`, "a Secret that is gone is not remembered")
			assert.Len(t, seen(), 3)
		})
	}
}

// keyPair is a client certificate that signs itself, as a Secret holds it.
func keyPair(t *testing.T, serial int64) (data map[string][]byte, der []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}, der
}

func TestAChangedClientCertificateIsShownAtOnce(t *testing.T) {
	t.Parallel()
	shown := make(chan []byte, 2)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- r.TLS.PeerCertificates[0].Raw
		_, _ = io.WriteString(w, `{"services":[]}`)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	store := &secretStore{}
	c := &Clients{Reader: store, Addresses: osb.AddressGuard{AllowLoopback: true}}
	b := registered(server.URL, func(b *v1beta1.ServiceBroker) {
		b.Spec.ClientCertificate = &v1beta1.SecretReference{SecretRef: &v1beta1.LocalObjectReference{Name: "cert"}}
		b.Spec.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	})
	for serial := range int64(2) {
		data, der := keyPair(t, serial+1)
		store.put("cert", data)
		_, err := fetch(t, c, b)
		require.NoError(t, err)
		assert.Equal(t, der, <-shown)
	}
}

func TestBrokersAddresses(t *testing.T) {
	t.Parallel()
	url, seen := listening(t)
	for name, tc := range map[string]struct {
		url   string
		guard osb.AddressGuard
		want  string
	}{
		"loopback is refused, and it is said how to allow it": {url, osb.AddressGuard{}, "127.0.0.1 is a loopback address, which the controllers refuse unless they run with --allow-loopback-brokers"},
		"a denied range":                {url, osb.AddressGuard{AllowLoopback: true, Denied: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "127.0.0.1 is in the denied range 127.0.0.0/8"},
		"metadata, whatever is allowed": {"http://169.254.169.254", osb.AddressGuard{AllowLoopback: true}, "169.254.169.254 is a link-local address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := fetch(t, &Clients{Reader: &secretStore{}, Addresses: tc.guard}, registered(tc.url, nil))
			require.ErrorContains(t, err, tc.want)
			assert.True(t, osb.IsKind(err, osb.KindAddressRefused))
		})
	}
	t.Cleanup(func() { assert.Empty(t, seen()) })
}
