//go:build integration

package controllers_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// foreignSecrets is how many Secrets, of 1 KiB each, have nothing to do with us.
const foreignSecrets = 20_000

// BenchmarkForeignSecrets is what the Secrets of others cost in the controllers'
// memory: the heap of controllers that just started in a cluster with them, against
// one without, and its peak on the way. It fails beyond 5 MiB.
func BenchmarkForeignSecrets(b *testing.B) {
	for b.Loop() {
		o := newOwn(b)
		o.heap() // the first start fills pools that stay
		without, peakWithout := o.heap()
		o.fill()
		with, peakWith := o.heap()
		const mib = 1 << 20
		b.ReportMetric(without/mib, "MiB/without")
		b.ReportMetric(with/mib, "MiB/with")
		b.ReportMetric((with-without)/mib, "MiB/cost")
		b.ReportMetric((peakWith-peakWithout)/mib, "MiB/peak-cost")
		assert.Less(b, with-without, 5.0*mib)
	}
}

// heap starts the controllers, lets them settle, and measures.
func (o *own) heap() (settled, peak float64) {
	o.Helper()
	runtime.GC() // what the test itself left behind
	ctx, cancel := context.WithCancel(o.Context())
	mgr, err := manager(ctx, o.user, o.scheme)
	require.NoError(o, err)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	require.True(o, mgr.GetCache().WaitForCacheSync(ctx))
	var m runtime.MemStats
	for began := time.Now(); time.Since(began) < 5*time.Second; {
		runtime.ReadMemStats(&m)
		peak = max(peak, float64(m.HeapAlloc))
		<-time.After(20 * time.Millisecond)
	}
	runtime.GC()
	runtime.GC() // what the first one's finalizers held
	runtime.ReadMemStats(&m)
	settled = float64(m.HeapAlloc)
	cancel()
	require.NoError(o, <-done)
	return settled, peak
}

// fill creates the foreign Secrets, some workers at a time.
func (o *own) fill() {
	o.Helper()
	value := strings.Repeat("x", 1<<10)
	names := make(chan int)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for n := range names {
				assert.NoError(o, o.Create(o.Context(), &corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("foreign-%d", n), Labels: map[string]string{"app": "other"}},
					StringData: map[string]string{"value": value},
				}))
			}
		})
	}
	for n := range foreignSecrets {
		names <- n
	}
	close(names)
	wait.Wait()
	one := &metav1.PartialObjectMetadataList{}
	one.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	require.NoError(o, o.List(o.Context(), one, client.InNamespace("default")))
	require.GreaterOrEqual(o, len(one.Items), foreignSecrets)
}
