package controllers

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/svc-cat/catalog/osb"
)

// Metrics are what is measured of each broker. The counts of requests, classes and
// plans have the names that they had in v0.3. The zero pointer measures nothing.
type Metrics struct {
	clock     clock.PassiveClock
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	fetches   *prometheus.HistogramVec
	classes   *prometheus.GaugeVec
	plans     *prometheus.GaugeVec
	skipped   *prometheus.GaugeVec
	circuits  *prometheus.GaugeVec
	age       *prometheus.Desc

	mu sync.Mutex
	// retrieved is when a broker's catalog was last had, by the values of brokerLabels.
	retrieved map[[3]string]time.Time
}

// brokerLabels tell brokers apart; the namespace of a cluster-wide one is empty.
var brokerLabels = []string{"broker_kind", "namespace", "broker"} //nolint:gochecknoglobals // a constant list

// NewMetrics registers the metrics of brokers.
func NewMetrics(r prometheus.Registerer, c clock.PassiveClock) (*Metrics, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, brokerLabels)
	}
	m := &Metrics{
		clock: c,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{ //nolint:promlinter // v0.3's name, which dashboards have
			Name: "servicecatalog_osb_request_count",
			Help: "Requests to brokers, by class of status (2xx to 5xx, client-error without one), status code and kind of failure.",
		}, append(brokerLabels[:3:3], "method", "status", "code", "failure")),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "servicecatalog_osb_request_duration_seconds",
			Help:    "How long requests to brokers took.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 60, 120},
		}, append(brokerLabels[:3:3], "method")),
		fetches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "servicecatalog_broker_catalog_fetch_duration_seconds",
			Help:    "How long it took to fetch a catalog and to take it over, by outcome (success or failure).",
			Buckets: []float64{.1, .3, 1, 3, 10, 30, 60, 120, 300},
		}, append(brokerLabels[:3:3], "outcome")),
		classes:  gauge("servicecatalog_broker_service_class_count", "Classes that a broker offers."),
		plans:    gauge("servicecatalog_broker_service_plan_count", "Plans that a broker offers."),
		skipped:  gauge("servicecatalog_broker_catalog_skipped_entries", "Entries of a broker's catalog that were left out; its conditions name them."),
		circuits: gauge("servicecatalog_broker_circuit_open", "1 while a broker is left alone because it does not answer, or asked for it."),
		age: prometheus.NewDesc("servicecatalog_broker_catalog_age_seconds",
			"How long ago a broker's catalog was last fetched.", brokerLabels, nil),
		retrieved: map[[3]string]time.Time{},
	}
	for _, c := range []prometheus.Collector{m.requests, m.durations, m.fetches, m.classes, m.plans, m.skipped, m.circuits, ages{m}} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of brokers: %w", err)
		}
	}
	return m, nil
}

// ages tells how old each catalog is at the moment of being asked.
type ages struct{ *Metrics }

// Describe implements prometheus.Collector.
func (a ages) Describe(ch chan<- *prometheus.Desc) { ch <- a.age }

// Collect implements prometheus.Collector.
func (a ages) Collect(ch chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	for labels, at := range a.retrieved {
		ch <- prometheus.MustNewConstMetric(a.age, prometheus.GaugeValue, now.Sub(at).Seconds(), labels[:]...)
	}
}

func labelsOf(b broker) [3]string { return [3]string{b.kind, b.GetNamespace(), b.GetName()} }

// observer counts the requests to a broker.
func (m *Metrics) observer(b broker) osb.Observer {
	if m == nil {
		return func(context.Context, osb.Observation) {}
	}
	labels := labelsOf(b)
	return func(_ context.Context, o osb.Observation) {
		method, status, code := methodName(o.Operation), "client-error", ""
		if o.StatusCode != 0 {
			status, code = strconv.Itoa(o.StatusCode/100)+"xx", strconv.Itoa(o.StatusCode)
		}
		m.requests.WithLabelValues(append(labels[:3:3], method, status, code, string(o.Kind))...).Inc()
		m.durations.WithLabelValues(append(labels[:3:3], method)...).Observe(o.Duration.Seconds())
	}
}

// methodName is a call's name in v0.3's metrics.
func methodName(o osb.Operation) string {
	switch o {
	case osb.OpCatalog:
		return "GetCatalog"
	case osb.OpProvision:
		return "ProvisionInstance"
	case osb.OpGetInstance:
		return "GetInstance"
	case osb.OpUpdate:
		return "UpdateInstance"
	case osb.OpDeprovision:
		return "DeprovisionInstance"
	case osb.OpBind:
		return "Bind"
	case osb.OpGetBinding:
		return "GetBinding"
	case osb.OpUnbind:
		return "Unbind"
	case osb.OpLastOperation:
		return "PollLastOperation"
	}
	return string(o)
}

// fetched notes how a fetch of a catalog went.
func (m *Metrics) fetched(b broker, took time.Duration, err error) {
	if m == nil {
		return
	}
	outcome, labels := "success", labelsOf(b)
	if err != nil {
		outcome = "failure"
	}
	m.fetches.WithLabelValues(append(labels[:3:3], outcome)...).Observe(took.Seconds())
}

// looked notes, with each pass over a broker, how old its catalog is, what it
// offers, and whether it is left alone.
func (m *Metrics) looked(b broker, circuitOpen bool) {
	if m == nil {
		return
	}
	labels := labelsOf(b)
	open := 0.
	if circuitOpen {
		open = 1
	}
	m.circuits.WithLabelValues(labels[:]...).Set(open)
	m.classes.WithLabelValues(labels[:]...).Set(float64(b.status.ClassCount))
	m.plans.WithLabelValues(labels[:]...).Set(float64(b.status.PlanCount))
	m.skipped.WithLabelValues(labels[:]...).Set(float64(b.status.SkippedCount))
	if at := b.status.LastCatalogRetrievalTime; at != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.retrieved[labels] = at.Time
	}
}

// forget drops the series of a broker that is gone.
func (m *Metrics) forget(b broker) {
	if m == nil {
		return
	}
	labels := labelsOf(b)
	gone := prometheus.Labels{brokerLabels[0]: labels[0], brokerLabels[1]: labels[1], brokerLabels[2]: labels[2]}
	for _, v := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.requests, m.durations, m.fetches, m.classes, m.plans, m.skipped, m.circuits} {
		v.DeletePartialMatch(gone)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.retrieved, labels)
}
