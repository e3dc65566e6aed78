//go:build integration

package controllers_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// bigCatalog has so many services with five plans each, with metadata and schemas
// as real ones have.
func bigCatalog(name string, services int) *osb.Catalog {
	text := strings.Repeat("What it is and what it is good for. ", 8)
	c := &osb.Catalog{}
	for n := range services {
		s := osb.Service{
			ID: fmt.Sprintf("%s-%d", name, n), Name: fmt.Sprintf("%s-service-%d", name, n), Description: text, Bindable: true,
			Tags: []string{"sql", "relational"}, Metadata: osb.RawJSON(`{"displayName":"A service","longDescription":"` + text + `","imageUrl":"https://example.com/i.png"}`),
		}
		for p := range 5 {
			s.Plans = append(s.Plans, osb.Plan{
				ID: fmt.Sprintf("%s-%d-%d", name, n, p), Name: fmt.Sprintf("plan-%d", p), Description: text,
				Metadata: osb.RawJSON(`{"bullets":["one","two","three"],"costs":[{"amount":{"usd":9.99},"unit":"MONTHLY"}]}`),
				Schemas: &osb.Schemas{ServiceInstance: &osb.InstanceSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(
					`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"size":{"type":"integer","minimum":1},"zone":{"type":"string"}}}`)}}},
			})
		}
		c.Services = append(c.Services, s)
	}
	return c
}

// BenchmarkBigCatalog lists 2,000 services with 10,000 plans, and then lists them
// again unchanged: no class and no plan is written then.
func BenchmarkBigCatalog(b *testing.B) {
	const services = 2000
	for b.Loop() {
		o := newOwn(b)
		w := o.world(b)
		w.fake.set(func() { w.fake.catalog = bigCatalog(w.fake.name, services) })
		stop := o.run()
		began := time.Now()
		w.create(w.broker)
		listed := func(after time.Time) time.Duration {
			require.Eventually(b, func() bool {
				return !w.refresh(w.broker) && w.broker.Status.PlanCount == 5*services && w.broker.Status.LastCatalogRetrievalTime.After(after)
			}, 10*time.Minute, 100*time.Millisecond)
			return time.Since(began)
		}
		first := listed(time.Time{})
		writes := len(o.written())
		<-time.After(1100 * time.Millisecond) // the time of a fetch is kept in seconds
		fetched := w.broker.Status.LastCatalogRetrievalTime.Time
		began = time.Now()
		w.edit(w.broker, func() { metav1.SetMetaDataAnnotation(&w.broker.ObjectMeta, v1beta1.AnnotationReconcile, "1") })
		again := listed(fetched)
		entries := 0
		for _, write := range o.written() {
			if strings.Contains(write, "serviceclasses") || strings.Contains(write, "serviceplans") {
				entries++
			}
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(first.Seconds(), "s/first")
		b.ReportMetric(float64(writes), "writes/first")
		b.ReportMetric(again.Seconds(), "s/relist")
		b.ReportMetric(float64(entries), "entrywrites/relist")
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB/heap")
		require.Zero(b, entries)
		stop()
	}
}
