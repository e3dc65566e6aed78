package certs

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
)

// start is when the tests' worlds begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	day  = 24 * time.Hour
	name = "hooks.ns.svc" // what the API server calls
)

func testConfig() Config {
	return Config{Namespace: "ns", SecretName: "cert", Service: "hooks", MutatingConfigurations: []string{"a"}, ValidatingConfigurations: []string{"b"}}.withDefaults()
}

// world is a cluster in memory: one Secret, webhook configurations, and a leader that looks at them.
type world struct {
	cfg      Config
	now      time.Time
	secret   *corev1.Secret // nil if there is none
	configs  []configuration
	seen     time.Time
	settling settling // the leader's memory
}

// newWorld has a webhook configuration of each kind with empty bundles, of three webhooks in all.
func newWorld() *world {
	w := &world{cfg: testConfig(), now: start}
	w.configs = w.cfg.configurations()
	w.configs[0].Object.(*admissionregistrationv1.MutatingWebhookConfiguration).Webhooks = make([]admissionregistrationv1.MutatingWebhook, 2)
	w.configs[1].Object.(*admissionregistrationv1.ValidatingWebhookConfiguration).Webhooks = make([]admissionregistrationv1.ValidatingWebhook, 1)
	return w
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

func (w *world) publish(config configuration, bundle []*x509.Certificate) {
	for _, webhook := range config.webhooks() {
		webhook.CABundle = encodeCertificates(bundle...)
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
