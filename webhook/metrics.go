package webhook

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a review; a label of the metrics.
type outcome string

const (
	// outcomeInjected: the Pod got its credentials.
	outcomeInjected outcome = "injected"
	// outcomeWaiting: so it did, and waits for them to be stored.
	outcomeWaiting outcome = "waiting"
	// outcomeUnchanged: the Pod was as it should be, as in a second pass.
	outcomeUnchanged outcome = "unchanged"
	// outcomeIgnored: the review was for nothing of ours.
	outcomeIgnored outcome = "ignored"
	// outcomeRefused: the Pod cannot be injected as it asks; reason says why.
	outcomeRefused outcome = "refused"
	// outcomeFailed: the fault is ours, or the caller's; reason says which.
	outcomeFailed outcome = "failed"
)

// Reasons of outcomeWaiting, outcomeIgnored and outcomeFailed; those of
// outcomeRefused are inject.Reason. Other outcomes have none.
const (
	reasonBindingMissing = "BindingMissing"
	reasonNotStored      = "NotStored"
	reasonGated          = "AlreadyGated"
	reasonNoPod          = "NoPodCreation"
	reasonStaticPod      = "StaticPod"
	reasonNotAnnotated   = "NotAnnotated"
	reasonLookup         = "Lookup"
	reasonMalformed      = "Malformed"
	reasonTooLarge       = "TooLarge"
	reasonRead           = "Read"
	reasonBug            = "Bug"
)

type metrics struct {
	total    *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "catalog_injection_total",
			Help: "Reviews of Pods by outcome (injected, waiting, unchanged, ignored, refused, failed) and reason.",
		}, []string{"outcome", "reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "catalog_injection_duration_seconds",
			Help:    "Time from a review's first byte to its answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
	}
	for _, c := range []prometheus.Collector{m.total, m.duration} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of injection: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) observe(o outcome, reason string, took time.Duration) {
	m.total.WithLabelValues(string(o), reason).Inc()
	m.duration.Observe(took.Seconds())
}
