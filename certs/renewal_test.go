package certs

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func TestPlanOrderOfARenewal(t *testing.T) {
	t.Parallel()
	w := runningWorld(t)
	requireAtRest(t, w)
	first := w.contents().active.cert
	served := w.contents().leaf.cert

	w.pass(DefaultCALifetime * 2 / 3)
	// The serving certificate was left alone for 240 days here, so it is renewed by the old CA first.
	require.Equal(t, []action{issueLeaf, introduce, publish}, w.run(t))
	assert.True(t, w.contents().active.cert.Equal(first), "the old CA is in force")
	assert.NoError(t, verify(w.contents().leaf.cert, []*x509.Certificate{first}, w.now))
	for _, bundle := range w.bundles() {
		assert.Len(t, bundle, 2)
	}

	w.pass(w.cfg.Settle - time.Nanosecond)
	require.Empty(t, w.run(t), "the settle time is waited for in full")
	w.pass(time.Nanosecond)
	require.Equal(t, []action{takeOver}, w.run(t))
	assert.False(t, w.contents().active.cert.Equal(first))
	assert.Error(t, verify(w.contents().leaf.cert, []*x509.Certificate{first}, w.now), "the new CA signs")
	assert.NotContains(t, string(w.secret.Data[PreviousCACertKey]), "KEY", "the old CA's key is gone")
	for _, bundle := range w.bundles() {
		assert.True(t, contains(bundle, first), "the old CA is still trusted")
	}

	w.pass(w.cfg.Overlap - time.Nanosecond)
	require.Empty(t, w.run(t), "the overlap is waited for in full")
	w.pass(time.Nanosecond)
	require.Equal(t, []action{publish, retire}, w.run(t))
	requireAtRest(t, w)
	assert.NotEqual(t, served, w.contents().leaf.cert)
}

func TestPlanResumesAfterACrashInEveryGap(t *testing.T) {
	t.Parallel()
	for sentence, begin := range map[string]func(require.TestingT) *world{
		"a first installation": func(require.TestingT) *world { return newWorld() },
		"a renewal of the CA": func(t require.TestingT) *world {
			w := runningWorld(t)
			w.pass(DefaultCALifetime * 2 / 3)
			return w
		},
		"a Secret that was deleted": func(t require.TestingT) *world {
			w := runningWorld(t)
			w.secret = nil
			return w
		},
		"a provider of the certificate before us": func(require.TestingT) *world {
			w := newWorld()
			for _, config := range w.configs {
				w.publish(config, []*x509.Certificate{otherCA(w.now).cert})
			}
			return w
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			// gap counts the single writes that are made before the crash; a publish is two of them.
			for gap := range 12 {
				w := begin(t)
				for range gap {
					oneWrite(w)
				}
				w.crash()
				for range 4 { // introduction, settling, overlap
					w.run(t)
					w.pass(w.cfg.Overlap)
				}
				requireAtRest(t, w)
			}
		})
	}
}

// oneWrite makes the next write; if there is none, time passes until there is.
func oneWrite(w *world) {
	st := w.plan()
	if st.action == stay {
		w.pass(st.wait)
		return
	}
	if st.action == publish {
		for _, config := range w.configs {
			if !newTrustStore(config).isExactly(st.bundle) {
				w.publish(config, st.bundle)
				return
			}
		}
	}
	w.do(st)
}

func TestPlanWaitsUntilSomethingIsDue(t *testing.T) {
	t.Parallel()
	w := runningWorld(t)
	assert.Equal(t, maxIdle, w.plan().wait, "the clock may be set meanwhile")

	w.now = renewalTime(w.contents().leaf.cert, w.cfg.LeafLifetime).Add(-time.Second)
	assert.Equal(t, time.Second, w.plan().wait)

	w = renewing(t)
	w.pass(time.Second)
	assert.Equal(t, w.cfg.Settle-time.Second, w.plan().wait)

	w = overlapping(t)
	w.pass(w.cfg.Overlap - time.Second)
	assert.Equal(t, time.Second, w.plan().wait)
}

func TestPlanSettlesAnewInANewLeader(t *testing.T) {
	t.Parallel()
	w := renewing(t)
	w.pass(w.cfg.Settle)
	w.crash()
	require.Equal(t, stay, w.plan().action, "a new leader does not rely on what the last one saw")
	w.pass(w.cfg.Settle)
	require.Equal(t, takeOver, w.plan().action)
}

func TestPlanSettlesAnewForAnotherNextCA(t *testing.T) {
	t.Parallel()
	w := renewing(t)
	var memory settling
	require.Equal(t, w.now, memory.observe(w.now, w.state()))
	// Another leader replaces the next CA while this one does not look.
	w.data(NextCACertKey, "")
	w.run(t)
	later := w.now.Add(w.cfg.Settle)
	assert.Equal(t, later, memory.observe(later, w.state()))
}

func TestPlanSettlesAnewWhenABundleLostTheNextCA(t *testing.T) {
	t.Parallel()
	for sentence, lost := range map[string]func(*world){
		"one of two webhooks of a mutating configuration": func(w *world) {
			w.configs[0].webhooks()[1].CABundle = encodeCertificates(w.contents().active.cert)
		},
		"a validating configuration": func(w *world) {
			w.publish(w.configs[1], []*x509.Certificate{w.contents().active.cert})
		},
		"a validating configuration that has only just been created": func(w *world) {
			w.configs = append(w.configs, newWorld().configs[1])
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := renewing(t)
			w.pass(w.cfg.Settle - time.Second)
			lost(w)
			require.Equal(t, []action{publish}, w.run(t))
			w.pass(time.Second)
			require.Equal(t, stay, w.plan().action)
			w.pass(w.cfg.Settle - time.Second)
			require.Equal(t, takeOver, w.plan().action)
		})
	}
}

func TestPlanKeepsWhatReplicasMayServe(t *testing.T) {
	t.Parallel()
	w := runningWorld(t)
	served, ca := w.contents().leaf.cert, w.contents().active.cert
	w.secret = nil
	require.Equal(t, []action{introduce, publish}, w.run(t))
	assert.Nil(t, w.contents().leaf, "no certificate is shown before its CA is trusted")
	for _, bundle := range w.bundles() {
		require.NoError(t, verify(served, bundle, w.now), "replicas that serve from memory are trusted")
	}
	w.pass(w.cfg.Settle)
	require.Equal(t, []action{takeOver}, w.run(t))
	assert.True(t, contains(w.contents().previous, ca))
	w.pass(w.cfg.Overlap)
	w.run(t)
	requireAtRest(t, w)
}

func TestPlanKeepsACAThatOnlyTheBundlesRemember(t *testing.T) {
	t.Parallel()
	for sentence, damage := range map[string]func(*world){
		"the CA in force was removed":     func(w *world) { w.data(CACertKey, ""); w.data(CAKeyKey, "") },
		"the CA in force was damaged":     func(w *world) { w.data(CACertKey, "garbage") },
		"the former CA was damaged":       func(w *world) { w.data(PreviousCACertKey, "garbage") },
		"both were damaged":               func(w *world) { w.data(CACertKey, "garbage"); w.data(PreviousCACertKey, "garbage") },
		"the whole Secret was taken away": func(w *world) { w.secret = nil },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := overlapping(t)
			published := w.bundles()[0]
			require.Len(t, published, 2)
			damage(w)
			w.run(t)
			for _, bundle := range w.bundles() {
				for _, ca := range published {
					require.True(t, contains(bundle, ca), "replicas may serve what it signed")
				}
			}
		})
	}
}

func TestPlanGivesAnAdoptedCATheWholeOverlap(t *testing.T) {
	t.Parallel()
	w := overlapping(t)
	w.pass(w.cfg.Overlap - time.Hour)
	stranger := otherCA(w.now).cert
	w.publish(w.configs[1], []*x509.Certificate{stranger})
	require.Equal(t, []action{adopt, publish, startOverlap}, w.run(t))
	w.pass(w.cfg.Overlap - time.Second)
	require.Empty(t, w.run(t))
	for _, bundle := range w.bundles() {
		assert.True(t, contains(bundle, stranger))
	}
	w.pass(time.Second)
	w.run(t)
	requireAtRest(t, w)
}

func TestPlanSurvivesALeaderWhoseClockJumpsAhead(t *testing.T) {
	t.Parallel()
	for sentence, jump := range map[string]time.Duration{
		"a serving certificate later": 61 * day,
		"a CA later":                  250 * day,
		"two CAs later":               800 * day,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := runningWorld(t)
			w.pass(jump)
			w.run(t)
			assert.True(t, w.trusts(start), "trusted by an API server with a right clock")
			w.pass(w.cfg.Settle)
			w.run(t)
			assert.True(t, w.trusts(start))
			w.pass(w.cfg.Overlap)
			w.run(t)
			w.secret = nil // and the only trace of the right time is in the bundles
			for range 3 {
				w.run(t)
				w.pass(w.cfg.Overlap)
			}
			assert.True(t, w.trusts(start))
			w.now = start
			w.run(t)
			requireAtRest(t, w)
		})
	}
}

func TestPlanNeverSignsInCirclesAtTheEndOfACA(t *testing.T) {
	t.Parallel()
	w := runningWorld(t)
	// A renewal that cannot end: the next CA never settles.
	w.cfg.Settle = 1000 * day
	var leaves []*x509.Certificate
	for w.pass(200 * day); w.now.Before(start.Add(DefaultCALifetime)); w.pass(day) {
		w.run(t)
		if crt := w.contents().leaf.cert; !contains(leaves, crt) {
			leaves = append(leaves, crt)
		}
		require.True(t, w.trusts(w.now))
	}
	assert.Less(t, len(leaves), 6)
	assert.True(t, slices.IsSortedFunc(leaves, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }))
}

func TestBundlePatchTouchesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	for kind, config := range map[string]configuration{
		mutatingKind: {Object: &admissionregistrationv1.MutatingWebhookConfiguration{
			Webhooks: make([]admissionregistrationv1.MutatingWebhook, 2),
		}},
		validatingKind: {Object: &admissionregistrationv1.ValidatingWebhookConfiguration{
			Webhooks: make([]admissionregistrationv1.ValidatingWebhook, 2),
		}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := runningWorld(t)
			want := w.contents().known()
			w.publish(config, want)
			config.SetResourceVersion("7")

			patch, err := bundlePatch(config, want)
			require.NoError(t, err)
			assert.Nil(t, patch)

			config.webhooks()[1].CABundle = nil
			patch, err = bundlePatch(config, want)
			require.NoError(t, err)
			assert.Contains(t, string(patch), `{"op":"test","path":"/metadata/resourceVersion","value":"7"}`)
			assert.Contains(t, string(patch), "/webhooks/1/clientConfig/caBundle")
			assert.NotContains(t, string(patch), "/webhooks/0")
		})
	}
}

func TestPlanDoesNotTakeOverUntoldSinceWhenTheNextCAIsPublished(t *testing.T) {
	t.Parallel()
	w := renewing(t)
	w.pass(w.cfg.Settle)
	s := w.state() // without what the leader remembers
	assert.Equal(t, stay, plan(w.now, s, w.cfg).action)
}
