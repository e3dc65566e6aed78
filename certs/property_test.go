package certs

import (
	"crypto/x509"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// maxLeaderSkew is how far the clocks of the leaders in the property test are off, either way.
const maxLeaderSkew = time.Hour

// version is something that was in force since a time, until the next version.
type version[T any] struct {
	since time.Time
	value T
}

// inForce returns what was in force at some instant since then.
func inForce[T any](history []version[T], then time.Time) []T {
	var values []T
	for i, v := range history {
		if i+1 == len(history) || history[i+1].since.After(then) {
			values = append(values, v.value)
		}
	}
	return values
}

// history is a world with its past: what API servers and replicas that lag behind may still hold.
type history struct {
	*world
	skew    time.Duration                    // of the leader's clock
	served  []version[*x509.Certificate]     // certificates that could be loaded
	bundles [][]version[[]*x509.Certificate] // by webhook
}

// record notes what is in force from now on.
func (h *history) record(at time.Time) {
	for i, bundle := range h.world.bundles() {
		if past := h.bundles[i]; len(past) > 0 && slices.EqualFunc(past[len(past)-1].value, bundle, (*x509.Certificate).Equal) {
			continue
		}
		h.bundles[i] = append(h.bundles[i], version[[]*x509.Certificate]{at, bundle})
	}
	if h.secret == nil {
		return // replicas keep what they have
	}
	c := h.contents()
	if c.leaf == nil || !verifyName(c.leaf.cert, at) {
		return
	}
	if len(h.served) == 0 || !h.served[len(h.served)-1].value.Equal(c.leaf.cert) {
		h.served = append(h.served, version[*x509.Certificate]{at, c.leaf.cert})
	}
}

// verifyName is what a replica asks of a certificate before it loads it.
func verifyName(crt *x509.Certificate, at time.Time) bool {
	return crt.VerifyHostname(name) == nil && !expired(crt, at)
}

// requireNoRefusal fails if any API server that lags by up to Settle refuses any replica that lags by
// up to Overlap.
func (h *history) requireNoRefusal(t *rapid.T, at time.Time, doing string) {
	// Leaders with different clocks take turns in the middle of an overlap.
	replicasLag := h.cfg.Overlap - 2*maxLeaderSkew
	for _, crt := range inForce(h.served, at.Add(-replicasLag)) {
		for i, webhook := range h.bundles {
			for _, bundle := range inForce(webhook, at.Add(-h.cfg.Settle)) {
				require.NoError(t, verify(crt, bundle, at), "webhook %d after %s at %s", i, doing, at.Sub(start))
			}
		}
	}
}

// lead makes up to limit writes as the leader does, and checks after each. It says whether there was
// nothing left to do.
func (h *history) lead(t *rapid.T, limit int) bool {
	right := h.now
	defer func() { h.now = right }()
	for range limit {
		h.now = right.Add(h.skew)
		st := h.plan()
		if st.action == stay {
			return true
		}
		h.now = right
		if st.action == publish && rapid.Bool().Draw(t, "one configuration only") {
			i := rapid.IntRange(0, len(h.configs)-1).Draw(t, "configuration")
			h.publish(h.configs[i], st.bundle)
		} else {
			h.now = right.Add(h.skew)
			h.do(st)
			h.now = right
		}
		h.record(right)
		h.requireNoRefusal(t, right, string(st.action))
		right = right.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "milliseconds")) * time.Millisecond)
	}
	return false
}

// damages are what people and tools do to the Secret. None of them may refuse a call, as replicas
// keep a certificate that they have loaded.
var damages = map[string]func(*history){
	"delete the Secret":          func(h *history) { h.secret = nil },
	"empty the Secret":           func(h *history) { h.secret.Data = nil },
	"remove ca.crt":              func(h *history) { h.data(CACertKey, "") },
	"garbage in ca.crt":          func(h *history) { h.data(CACertKey, "x") },
	"remove ca.key":              func(h *history) { h.data(CAKeyKey, "") },
	"garbage in ca.key":          func(h *history) { h.data(CAKeyKey, "x") },
	"garbage in ca-next.crt":     func(h *history) { h.data(NextCACertKey, "x") },
	"garbage in ca-next.key":     func(h *history) { h.data(NextCAKeyKey, "x") },
	"remove the CA":              func(h *history) { h.data(CACertKey, ""); h.data(CAKeyKey, "") },
	"remove ca-next.key":         func(h *history) { h.data(NextCAKeyKey, "") },
	"remove the next CA":         func(h *history) { h.data(NextCACertKey, ""); h.data(NextCAKeyKey, "") },
	"garbage in ca-previous.crt": func(h *history) { h.data(PreviousCACertKey, "x") },
	"remove tls.crt":             func(h *history) { h.data("tls.crt", "") },
	"garbage in tls.crt":         func(h *history) { h.data("tls.crt", "x") },
	"garbage in tls.key":         func(h *history) { h.data("tls.key", "x") },
	"remove all annotations":     func(h *history) { h.secret.Annotations = nil },
	"garbage in the annotation":  func(h *history) { h.secret.Annotations = map[string]string{SwitchedAnnotation: "x"} },
	"an annotation from next year": func(h *history) {
		h.secret.Annotations = map[string]string{SwitchedAnnotation: h.now.Add(DefaultCALifetime).Format(time.RFC3339)}
	},
}

func TestNoCallIsEverRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := &history{world: runningWorld(t)}
		h.bundles = make([][]version[[]*x509.Certificate], len(h.world.bundles()))
		h.record(h.now)
		kinds := rapid.SampledFrom(slices.Sorted(maps.Keys(damages)))
		lastLed := h.now
		for range rapid.IntRange(1, 40).Draw(t, "turns") {
			h.pass(drawPeriod(t))
			h.requireNoRefusal(t, h.now, "time passed")
			switch rapid.IntRange(0, 3).Draw(t, "turn") {
			case 0:
				if h.secret != nil {
					damages[kinds.Draw(t, "damage")](h)
					h.record(h.now)
				}
			case 1:
				h.crash()
				h.skew = time.Duration(rapid.IntRange(-60, 60).Draw(t, "leader's clock, minutes")) * time.Minute
				h.lead(t, rapid.IntRange(0, 4).Draw(t, "writes before the crash"))
			default:
				h.lead(t, maxSteps*2)
				lastLed = h.now
			}
			if h.now.Sub(lastLed) > 5*day { // no leader for longer is not what is promised
				h.lead(t, maxSteps*2)
				lastLed = h.now
			}
		}
		h.requireComesToRest(t)
	})
}

// requireComesToRest lets time pass undisturbed and expects one CA and one certificate, all well.
func (h *history) requireComesToRest(t *rapid.T) {
	for range 5 {
		require.True(t, h.lead(t, maxSteps*2), "a leader comes to an end")
		h.pass(h.cfg.Overlap + 2*maxLeaderSkew)
		h.requireNoRefusal(t, h.now, "time passed at the end")
	}
	require.True(t, h.trusts(h.now))
	c := h.contents()
	require.Empty(t, c.flaws)
	require.True(t, c.active.canSign(h.now))
	require.LessOrEqual(t, len(c.known()), 2, "former CAs do not pile up")
}

// drawPeriod draws periods of all sizes.
func drawPeriod(t *rapid.T) time.Duration {
	unit := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour, day}).Draw(t, "unit")
	return time.Duration(rapid.IntRange(0, 5).Draw(t, "units")) * unit
}
