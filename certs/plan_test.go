package certs

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// renewing is a world in which the CA is due and a next one stands in all bundles since settled.
func renewing(t require.TestingT) *world {
	w := runningWorld(t)
	w.pass(DefaultCALifetime * 2 / 3)
	w.run(t)
	return w
}

// overlapping is a world in which the next CA has just taken over.
func overlapping(t require.TestingT) *world {
	w := renewing(t)
	w.pass(w.cfg.Settle)
	w.run(t)
	return w
}

// otherCA is a CA that was never ours.
func otherCA(now time.Time) *authority {
	ca, err := newAuthority(now, nil, testConfig())
	if err != nil {
		panic(err) // there is no randomness left
	}
	return ca
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		world   func(require.TestingT) *world
		arrange func(*world)
		want    action
		why     string
	}{
		"nothing exists and nothing is trusted: everything is made at once": {
			arrange: func(w *world) { w.secret = nil; w.configs = newWorld().configs }, want: bootstrap, why: "there was no Secret"},
		"no webhook configuration exists yet: the certificate is made all the same": {
			arrange: func(w *world) { w.secret = nil; w.configs = nil }, want: bootstrap},
		"the Secret vanished while its CA is trusted: a new CA is introduced, as replicas still serve": {
			arrange: func(w *world) { w.secret = nil }, want: introduce, why: "there was no Secret"},
		"the Secret vanished and what is published has expired: no call succeeds, so nothing is waited for": {
			arrange: func(w *world) { w.secret = nil; w.pass(2 * DefaultCALifetime) }, want: bootstrap},
		"the Secret is somebody else's": {
			arrange: func(w *world) { w.secret.Labels = nil }, want: leaveAlone},
		"the Secret is somebody else's and empty": {
			arrange: func(w *world) { w.secret.Labels = nil; w.secret.Data = nil }, want: leaveAlone},
		"all is well": {want: stay},

		"a caBundle was emptied": {
			arrange: func(w *world) { w.configs[1].webhooks()[0].CABundle = nil }, want: publish},
		"one of two webhooks of a configuration lost its caBundle": {
			arrange: func(w *world) { w.configs[0].webhooks()[1].CABundle = nil }, want: publish},
		"a caBundle holds something other than certificates": {
			arrange: func(w *world) {
				c := w.configs[0].webhooks()[0]
				c.CABundle = append(c.CABundle, "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"...)
			}, want: publish},
		"a caBundle has comments and line ends of its own": {
			arrange: func(w *world) {
				c := w.configs[0].webhooks()[0]
				c.CABundle = append([]byte("# ours\n\n"), c.CABundle...)
			}, want: stay},
		"a CA was added to a bundle of ours": {
			arrange: func(w *world) {
				w.publish(w.configs[0], append(w.contents().known(), otherCA(w.now).cert))
			}, want: publish},
		"a bundle was replaced by a CA we do not know: it stays trusted for the overlap": {
			arrange: func(w *world) { w.publish(w.configs[0], []*x509.Certificate{otherCA(w.now).cert}) }, want: adopt},
		"a bundle was replaced by an expired CA": {
			arrange: func(w *world) {
				w.publish(w.configs[0], []*x509.Certificate{otherCA(w.now.Add(-2 * DefaultCALifetime)).cert})
			}, want: publish},
		"a bundle was replaced by a public collection": {
			arrange: func(w *world) {
				var many []*x509.Certificate
				for range maxAdopted + 1 {
					many = append(many, otherCA(w.now).cert)
				}
				w.publish(w.configs[0], many)
			}, want: publish},
		"a webhook configuration came later": {
			arrange: func(w *world) { w.configs = append(w.configs, newWorld().configs...) }, want: publish},
		"a webhook configuration went away": {
			arrange: func(w *world) { w.configs = w.configs[:1] }, want: stay},

		"the serving certificate has more than a third of its life left": {
			arrange: func(w *world) { w.pass(DefaultLeafLifetime*2/3 - time.Hour) }, want: stay},
		"the serving certificate has a third of its life left": {
			arrange: func(w *world) { w.pass(DefaultLeafLifetime * 2 / 3) }, want: issueLeaf, why: "due for renewal"},
		"the serving certificate expired": {
			arrange: func(w *world) { w.pass(DefaultLeafLifetime + time.Hour) }, want: issueLeaf, why: "expired"},
		"the Service has another name now": {
			arrange: func(w *world) { w.cfg.Service = "other" }, want: issueLeaf, why: "not made for other"},
		"tls.crt and tls.key were removed": {
			arrange: func(w *world) { w.data("tls.crt", ""); w.data("tls.key", "") }, want: issueLeaf, why: "none that can be used"},
		"tls.crt is garbage": {arrange: func(w *world) { w.data("tls.crt", "garbage") }, want: issueLeaf},
		"tls.key belongs to another certificate": {
			arrange: func(w *world) { w.data("tls.key", string(otherCA(w.now).keyPEM)) }, want: issueLeaf},
		"the serving certificate is signed by somebody else": {
			arrange: func(w *world) {
				other, _ := newLeaf(w.now, otherCA(w.now), w.cfg)
				w.data("tls.crt", string(other.certPEM))
				w.data("tls.key", string(other.keyPEM))
			}, want: issueLeaf, why: "signed by our CA"},

		"ca.key was removed: a new CA is introduced": {
			arrange: func(w *world) { w.data(CAKeyKey, "") }, want: introduce, why: "key was lost"},
		"ca.key belongs to another CA": {
			arrange: func(w *world) { w.data(CAKeyKey, string(otherCA(w.now).keyPEM)) }, want: introduce, why: "key was lost"},
		"ca.crt is garbage": {
			arrange: func(w *world) { w.data(CACertKey, "garbage") }, want: introduce, why: "no CA certificate"},
		"ca.crt is no CA": {
			arrange: func(w *world) { w.data(CACertKey, string(w.secret.Data["tls.crt"])) }, want: introduce, why: "no CA certificate"},
		"the whole Secret was emptied while its CA is trusted": {
			arrange: func(w *world) { w.secret.Data = nil }, want: introduce},
		"the whole Secret and all bundles were emptied": {
			arrange: func(w *world) { w.secret.Data = nil; w.configs = newWorld().configs }, want: bootstrap},
		"garbage where no next CA is expected": {
			arrange: func(w *world) { w.data(NextCACertKey, "garbage") }, want: clean},
		"a key without its next CA": {
			arrange: func(w *world) { w.data(NextCAKeyKey, "garbage") }, want: clean},
		"garbage where no former CA is expected": {
			arrange: func(w *world) { w.data(PreviousCACertKey, "garbage") }, want: clean},
		"an unreadable time": {
			arrange: func(w *world) { w.secret.Annotations = map[string]string{SwitchedAnnotation: "yesterday"} }, want: clean},

		"the CA has a third of its life left": {
			arrange: func(w *world) {
				w.pass(DefaultCALifetime * 2 / 3)
				w.do(step{action: issueLeaf})
			}, want: introduce, why: "due for renewal"},
		"the CA expired with everything it signed: nothing is waited for": {
			arrange: func(w *world) { w.pass(DefaultCALifetime + time.Hour) }, want: bootstrap, why: "expired"},

		"the next CA is in all bundles, but not for long enough": {world: renewing, want: stay},
		"the next CA is in all bundles for long enough": {
			world: renewing, arrange: func(w *world) { w.pass(w.cfg.Settle) }, want: takeOver},
		"the next CA is missing in a mutating webhook's bundle": {
			world: renewing, arrange: func(w *world) {
				w.pass(w.cfg.Settle)
				w.publish(w.configs[0], w.contents().known()[:1])
			}, want: publish},
		"the next CA is missing in a validating webhook's bundle": {
			world: renewing, arrange: func(w *world) {
				w.pass(w.cfg.Settle)
				w.publish(w.configs[1], w.contents().known()[:1])
			}, want: publish},
		"a configuration without any webhook keeps nothing waiting": {
			world: renewing, arrange: func(w *world) {
				w.pass(w.cfg.Settle)
				w.configs = append(w.configs, newValidating("empty"))
			}, want: takeOver},
		"there is no webhook configuration that could refuse the next CA": {
			world: renewing, arrange: func(w *world) { w.configs = nil }, want: takeOver},
		"the serving certificate falls due while a next CA settles": {
			world: renewing, arrange: func(w *world) { w.data("tls.crt", "") }, want: issueLeaf},
		"the next CA's key was lost: another one is introduced": {
			world: renewing, arrange: func(w *world) { w.data(NextCAKeyKey, "") }, want: introduce},
		"the CA in force lost its key while the next one settles: the next one is waited for": {
			world: renewing, arrange: func(w *world) { w.data(CAKeyKey, "") }, want: stay},
		"the CA in force expired while the next one settles: it takes over at once": {
			world: renewing, arrange: func(w *world) {
				w.cfg.Settle = 200 * day
				w.pass(130 * day)
			}, want: takeOver},

		"all bundles were emptied while the next CA settles: they are mended before anything else": {
			world: renewing, arrange: func(w *world) { w.configs = newWorld().configs }, want: publish},
		"a next CA without a key is left over": {
			arrange: func(w *world) { w.data(NextCACertKey, string(encodeCertificates(otherCA(w.now).cert))) },
			want:    clean, why: "next CA could not be used"},

		"the former CA is in its overlap": {world: overlapping, want: stay},
		"the CA falls due in the overlap of its predecessor: one change at a time": {
			world: overlapping, arrange: func(w *world) { w.cfg.CALifetime *= 3 }, want: stay},
		"the CA loses its key in the overlap of its predecessor: that cannot wait": {
			world: overlapping, arrange: func(w *world) { w.data(CAKeyKey, "") }, want: introduce},
		"the overlap is over: the former CA leaves the bundles first": {
			world: overlapping, arrange: func(w *world) { w.pass(w.cfg.Overlap) }, want: publish},
		"the overlap is over and the former CA is in no bundle any more": {
			world: overlapping, arrange: func(w *world) {
				w.pass(w.cfg.Overlap)
				w.do(w.plan())
			}, want: retire},
		"nobody knows when the overlap began: it begins now": {
			world: overlapping, arrange: func(w *world) { w.secret.Annotations = nil; w.pass(w.cfg.Overlap) }, want: startOverlap},
		"the overlap began in the future: it begins now": {
			world: overlapping, arrange: func(w *world) { w.pass(-time.Hour) }, want: startOverlap},
		"the former CA was damaged in the Secret but is still published: it is kept": {
			world: overlapping, arrange: func(w *world) { w.data(PreviousCACertKey, "garbage") }, want: clean},

		"our clock is a little behind": {
			arrange: func(w *world) { w.seen = w.now.Add(DefaultClockSkew) }, want: stay},
		"our clock is far behind: nothing is made": {
			arrange: func(w *world) { w.seen = w.now.Add(DefaultClockSkew + time.Second); w.secret = nil }, want: waitForClock},
		"the CA begins in the future, but our clock is not known to be wrong": {
			arrange: func(w *world) { w.seen = w.now.Add(-40 * day); w.pass(-30 * day) }, want: introduce, why: "not valid yet"},
		"our clock jumped ahead by a month: the serving certificate is renewed early": {
			arrange: func(w *world) { w.pass(61 * day) }, want: issueLeaf},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			world := runningWorld
			if tc.world != nil {
				world = tc.world
			}
			w := world(t)
			if tc.arrange != nil {
				tc.arrange(w)
			}
			st := w.plan()
			assert.Equal(t, tc.want, st.action)
			assert.Contains(t, st.why, tc.why)
		})
	}
}
