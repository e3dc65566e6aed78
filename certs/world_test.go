package certs

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// start is when the tests' worlds begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	day  = 24 * time.Hour
	name = "hooks.ns.svc" // what the API server calls
)

func testConfig() Config {
	return Config{Namespace: "ns", SecretName: "cert", Service: "hooks", WebhookConfigurations: []string{"a", "b"}}.withDefaults()
}

// world is a cluster in memory: one Secret, webhook configurations, and a leader that looks at them.
type world struct {
	cfg      Config
	now      time.Time
	secret   *corev1.Secret // nil if there is none
	configs  []*admissionregistrationv1.MutatingWebhookConfiguration
	seen     time.Time
	settling settling // the leader's memory
}

// newWorld has two webhook configurations with empty bundles, of three webhooks in all.
func newWorld() *world {
	hooks := func(name string, n int) *admissionregistrationv1.MutatingWebhookConfiguration {
		return &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Webhooks:   make([]admissionregistrationv1.MutatingWebhook, n),
		}
	}
	return &world{cfg: testConfig(), now: start, configs: []*admissionregistrationv1.MutatingWebhookConfiguration{hooks("a", 2), hooks("b", 1)}}
}

// runningWorld has been set up and has nothing left to do.
func runningWorld(t require.TestingT) *world {
	w := newWorld()
	w.run(t)
	return w
}

func (w *world) state() state {
	s := state{seen: w.seen}
	if w.secret != nil {
		s.exists, s.ours = true, w.secret.Labels[OwnedLabel] == OwnedValue
		s.contents = parseContents(w.secret)
	}
	for _, config := range w.configs {
		s.stores = append(s.stores, newTrustStore(config))
	}
	return s
}

// plan is what the leader decides to do next.
func (w *world) plan() step {
	s := w.state()
	s.settled = w.settling.observe(w.now, s)
	return plan(w.now, s, w.cfg)
}

// do makes a step.
func (w *world) do(st step) {
	switch st.action {
	case stay, leaveAlone, waitForClock:
	case publish:
		for _, config := range w.configs {
			w.publish(config, st.bundle)
		}
	default:
		after, err := w.state().apply(w.now, st, w.cfg)
		if err != nil {
			panic(err) // there is no randomness left
		}
		if w.secret == nil {
			w.secret = &corev1.Secret{}
		}
		after.store(w.secret)
	}
}

func (w *world) publish(config *admissionregistrationv1.MutatingWebhookConfiguration, bundle []*x509.Certificate) {
	for i := range config.Webhooks {
		config.Webhooks[i].ClientConfig.CABundle = encodeCertificates(bundle...)
	}
}

// run makes steps until there is nothing to do, as one Reconcile does, and returns them.
func (w *world) run(t require.TestingT) []action {
	var made []action
	for range maxSteps {
		st := w.plan()
		if st.action == stay {
			return made
		}
		w.do(st)
		made = append(made, st.action)
	}
	require.Failf(t, "steps without end", "%v", made)
	return nil
}

// crash is a new leader.
func (w *world) crash() { w.settling = settling{} }

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// data replaces a key of the Secret; an empty value removes it.
func (w *world) data(key, value string) {
	if w.secret.Data == nil {
		w.secret.Data = map[string][]byte{}
	}
	if value == "" {
		delete(w.secret.Data, key)
		return
	}
	w.secret.Data[key] = []byte(value)
}

// trusts says whether every webhook's caBundle verifies the Secret's serving certificate at t.
func (w *world) trusts(t time.Time) bool {
	c := parseContents(w.secret)
	if c.leaf == nil {
		return false
	}
	return !slices.ContainsFunc(w.bundles(), func(bundle []*x509.Certificate) bool {
		return verify(c.leaf.cert, bundle, t) != nil
	})
}

// bundles are the caBundles of all webhooks.
func (w *world) bundles() [][]*x509.Certificate {
	var all [][]*x509.Certificate
	for _, config := range w.configs {
		for _, entry := range newTrustStore(config).entries {
			all = append(all, entry.certs)
		}
	}
	return all
}

// verify checks a certificate as an API server does.
func verify(crt *x509.Certificate, bundle []*x509.Certificate, at time.Time) error {
	roots := x509.NewCertPool()
	for _, ca := range bundle {
		roots.AddCert(ca)
	}
	_, err := crt.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at})
	return err
}

func (w *world) contents() contents { return parseContents(w.secret) }

func requireAtRest(t *testing.T, w *world) {
	t.Helper()
	require.Equal(t, stay, w.plan().action)
	require.True(t, w.trusts(w.now), "the serving certificate is trusted by every bundle")
	c := w.contents()
	require.Empty(t, c.flaws)
	require.Nil(t, c.next)
	require.Empty(t, c.previous)
	for _, bundle := range w.bundles() {
		require.Len(t, bundle, 1)
	}
}
