//go:build integration

package controllers_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// fetches notes when the catalog is fetched, and what the fetch was conditional on.
type fetches struct {
	mu   sync.Mutex
	at   []time.Time
	tags []string
}

func (w *world) fetches() *fetches {
	f := &fetches{}
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "GET catalog" {
				f.mu.Lock()
				f.at, f.tags = append(f.at, time.Now()), append(f.tags, r.Header.Get("If-None-Match"))
				f.mu.Unlock()
			}
			next(rw, r)
		}
	})
	return f
}

func (f *fetches) all() ([]time.Time, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.tags
}

func TestWhatHasACatalogFetched(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"relistRequests is raised": func(w *world) { w.edit(w.broker, func() { w.broker.Spec.RelistRequests++ }) },
		"the annotation reconcile gets a new value": func(w *world) {
			w.edit(w.broker, func() { metav1.SetMetaDataAnnotation(&w.broker.ObjectMeta, v1beta1.AnnotationReconcile, "now") })
		},
		"the spec changes": func(w *world) {
			w.edit(w.broker, func() { w.broker.Spec.OSB = &v1beta1.OSBSettings{APIVersion: "2.16"} })
		},
		"the Secret changes": func(w *world) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: w.namespace}}
			w.edit(secret, func() { secret.StringData = map[string]string{"token": "x"} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.broker.Spec.RelistBehavior = v1beta1.RelistBehaviorManual
			w.broker.Spec.RelistDuration = &metav1.Duration{Duration: time.Second}
			f := w.fetches()
			w.listed()
			// Another broker's second fetch by the clock shows that this one has none.
			other := w.world(t)
			other.broker.Spec.RelistDuration = &metav1.Duration{Duration: time.Second}
			g := other.fetches()
			other.listed()
			other.eventually("the other is relisted", func() bool { at, _ := g.all(); return len(at) >= 3 })
			at, _ := f.all()
			assert.Len(t, at, 1, "Manual means not by the clock")

			change(w)
			w.eventually("it is fetched again", func() bool { at, _ := f.all(); return len(at) == 2 })
			seen, _ := g.all()
			other.eventually("the other is relisted", func() bool { at, _ := g.all(); return len(at) >= len(seen)+2 })
			at, tags := f.all()
			assert.Len(t, at, 2, "once")
			assert.Equal(t, []string{"", ""}, tags, "whole")
		})
	}
}

func TestACatalogIsFetchedByTheClock(t *testing.T) {
	w := newWorld(t)
	w.broker.Spec.RelistDuration = &metav1.Duration{Duration: 3 * time.Second}
	f := w.fetches()
	w.listed()
	first := w.broker.Status.LastCatalogRetrievalTime.Time
	w.eventually("it is relisted", func() bool { at, _ := f.all(); return len(at) == 3 })
	at, tags := f.all()
	for i := range 2 {
		gap := at[i+1].Sub(at[i])
		// A tenth is the spread; times are stored in whole seconds.
		assert.Greater(t, gap, 1600*time.Millisecond)
		assert.Less(t, gap, 4*time.Second)
	}
	assert.Empty(t, tags[0])
	assert.NotEmpty(t, tags[1], "by the tag that the broker gave")
	w.eventually("that it was fetched is noted, although it had not changed", func() bool {
		return !w.refresh(w.broker) && w.broker.Status.LastCatalogRetrievalTime.After(first)
	})
	require.Len(t, w.entries(), 3)

	// What somebody deleted by hand comes back, though the broker's catalog is as it was.
	plans := &v1beta1.ClusterServicePlanList{}
	require.NoError(t, w.List(t.Context(), plans, client.MatchingFields{"spec.clusterServiceBrokerName": w.broker.Name}))
	require.NoError(t, w.Delete(t.Context(), &plans.Items[0]))
	w.eventually("the plan is back", func() bool { return len(w.entries()) == 3 })
	_, tags = f.all()
	assert.Contains(t, tags[3:], "", "it was asked for the whole of it")
}
