//go:build integration

package controllers_test

import (
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// BenchmarkBrokersBesideOnesThatHang lists 45 brokers alone and then 45 beside 5
// that never answer. The figure that counts is the ratio of the two times.
func BenchmarkBrokersBesideOnesThatHang(b *testing.B) {
	listing(b, 45, 0) // the first time everything is slower
	for b.Loop() {
		alone := listing(b, 45, 0)
		beside := listing(b, 45, 5)
		b.ReportMetric(alone.Seconds(), "s/alone")
		b.ReportMetric(beside.Seconds(), "s/beside")
		b.ReportMetric(beside.Seconds()/alone.Seconds(), "ratio")
	}
}

// listing is how long it takes until so many brokers are listed, beside others
// that hang.
func listing(b *testing.B, well, hanging int) time.Duration {
	b.Helper()
	never := make(chan struct{})
	defer close(never)
	for range hanging {
		w := shared.world(b)
		w.broker.Spec.OSB = &v1beta1.OSBSettings{Timeout: &metav1.Duration{Duration: time.Minute}}
		w.fake.set(func() {
			w.fake.fault = func(_ string, _ http.HandlerFunc, _ http.ResponseWriter, r *http.Request) {
				select {
				case <-never:
				case <-r.Context().Done():
				}
			}
		})
		w.create(w.broker)
		w.eventually("it hangs", func() bool { return w.fake.count("GET catalog") == 1 })
	}
	var all []*world
	for range well {
		w := shared.world(b)
		w.fake.set(func() {
			w.fake.fault = func(_ string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
				<-time.After(50 * time.Millisecond) // a broker at some distance
				next(rw, r)
			}
		})
		all = append(all, w)
	}
	began := time.Now()
	for _, w := range all {
		w.create(w.broker)
	}
	for _, w := range all {
		w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	}
	return time.Since(began)
}
