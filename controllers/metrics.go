package controllers

import (
	"context"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/svc-cat/catalog/osb"
)

// ObserveBrokers registers the metrics of calls to brokers and returns the
// observer for Options: servicecatalog_osb_request_count, as in v0.3, and
// servicecatalog_osb_request_duration_seconds.
func ObserveBrokers(r prometheus.Registerer) (func(brokerKind, brokerName string) osb.Observer, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{ //nolint:promlinter // v0.3's name, which dashboards have
		Name: "servicecatalog_osb_request_count",
		Help: "Calls to brokers, by class of status (2xx to 5xx) or kind of failure.",
	}, []string{"broker_kind", "broker", "method", "status"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "servicecatalog_osb_request_duration_seconds",
		Help:    "How long calls to brokers took.",
		Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 60, 120},
	}, []string{"broker_kind", "broker", "method"})
	for _, c := range []prometheus.Collector{requests, durations} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of brokers: %w", err)
		}
	}
	return func(kind, name string) osb.Observer {
		return func(_ context.Context, o osb.Observation) {
			status := string(o.Kind)
			if o.StatusCode != 0 {
				status = strconv.Itoa(o.StatusCode/100) + "xx"
			}
			requests.WithLabelValues(kind, name, string(o.Operation), status).Inc()
			durations.WithLabelValues(kind, name, string(o.Operation)).Observe(o.Duration.Seconds())
		}
	}, nil
}
