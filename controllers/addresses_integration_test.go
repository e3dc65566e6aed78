//go:build integration

package controllers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// testAddresses are those of the tests' brokers, which are all at 127.0.0.1.
func testAddresses() osb.AddressGuard {
	return osb.AddressGuard{AllowLoopback: true, Denied: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}
}

func TestABrokerWhereNoneMayBeIsNotAsked(t *testing.T) {
	w := newWorld(t)
	w.broker.Spec.URL = strings.Replace(w.fake.url, "127.0.0.1", "127.0.0.2", 1)
	w.create(w.broker)
	assert.Contains(t, w.becomes(w.broker, metav1.ConditionFalse, v1beta1.ReasonErrorFetchingCatalog).Message,
		"127.0.0.2 is in the denied range 127.0.0.2/32")
	w.edit(w.broker, func() { w.broker.Spec.URL = "http://169.254.169.254" })
	w.eventually("metadata is told as such", func() bool {
		return !w.refresh(w.broker) && contains(condition(w.broker.Status.Conditions, v1beta1.ConditionReady).Message, "169.254.169.254 is a link-local address")
	})
	assert.Zero(t, w.fake.count("GET catalog"))
	w.edit(w.broker, func() { w.broker.Spec.URL = w.fake.url })
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
}

// A namespaced broker whose token is replaced, at the broker first and then in
// the Secret, as people rotate tokens.
func TestABearerTokenThatChangesIsUsedAtOnce(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	token := "one"
	tokens := map[string]int{}
	kit := broker.NewHandler(w.fake, broker.Options{Auth: func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		got := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		tokens[got]++
		return got == token
	}})
	server := httptest.NewServer(kit)
	t.Cleanup(server.Close)

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: w.namespace}, StringData: map[string]string{"token": "one"}}
	b := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "team", Namespace: w.namespace}}
	b.Spec.URL = server.URL
	b.Spec.AuthInfo = &v1beta1.ServiceBrokerAuthInfo{Bearer: &v1beta1.SecretReference{SecretRef: &v1beta1.LocalObjectReference{Name: "token"}}}
	w.create(secret, b)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)

	mu.Lock()
	token = "two"
	mu.Unlock()
	i := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: w.namespace}}
	i.Spec.ServiceClassExternalName, i.Spec.ServicePlanExternalName = w.fake.catalog.Services[0].Name, "small"
	w.create(i)
	assert.Contains(t, w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonProvisionCallFailed).Message, "401")
	began := time.Now()
	w.edit(secret, func() { secret.StringData = map[string]string{"token": "two"} })
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Less(t, time.Since(began), 10*time.Second)
	mu.Lock()
	defer mu.Unlock()
	assert.Len(t, tokens, 2, "no other token was ever sent")
	assert.NotZero(t, tokens["two"])
}

// A dashboard is a link that people follow; what is none, or is a page of its
// own, is not published.
func TestADashboardThatIsNoLinkIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		url  string
		want *string
	}{
		"a link":            {"https://db.example/orders", new("https://db.example/orders")},
		"two million bytes": {"https://db.example/" + strings.Repeat("x", 1_900_000), nil},
		"a script":          {"javascript:alert(1)", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fake.set(func() {
				w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
					if op != "PUT instance" {
						next(rw, r)
						return
					}
					rw.WriteHeader(http.StatusCreated)
					_, _ = io.WriteString(rw, `{"dashboard_url":"`+tc.url+`"}`)
				}
			})
			i := w.instance("orders", "small")
			w.create(w.broker, i)
			w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
			assert.Equal(t, tc.want, i.Status.DashboardURL)
		})
	}
}
