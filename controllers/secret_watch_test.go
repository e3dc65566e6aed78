package controllers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// watchServer is as much of an API server as the stream asks for: each watch gets the
// next of its scripts and ends after it.
type watchServer struct {
	mu      sync.Mutex
	scripts [][]string // lines of events
	from    []string   // the versions that watches asked for
	lists   []string   // the limits that lists asked for
}

func (s *watchServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	q := r.URL.Query()
	s.mu.Lock()
	if q.Get("watch") == "" {
		s.lists = append(s.lists, q.Get("limit"))
		s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
			"metadata": map[string]any{"resourceVersion": "100"}, "items": []any{}})
		return
	}
	var lines []string
	if len(s.scripts) > 0 {
		lines, s.scripts = s.scripts[0], s.scripts[1:]
	}
	s.from = append(s.from, q.Get("resourceVersion"))
	s.mu.Unlock()
	for _, l := range lines {
		_, _ = w.Write([]byte(l + "\n"))
	}
	if lines == nil {
		<-r.Context().Done()
	}
}

func secretEvent(kind, name, version string) string {
	return `{"type":"` + kind + `","object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"namespace":"shop","name":"` + name + `","resourceVersion":"` + version + `"}}}`
}

const expired = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old"}}`

func TestTheStreamOfSecrets(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scripts [][]string
		from    []string
		lists   int
		woken   []string
	}{
		"each event wakes who reads the Secret": {
			scripts: [][]string{{secretEvent("ADDED", "a", "101"), secretEvent("MODIFIED", "b", "102"), secretEvent("DELETED", "c", "103")}},
			from:    []string{"100", "103"}, lists: 1, woken: []string{"all", "a", "b", "c"}},
		"a watch that ends goes on from what it saw last": {
			scripts: [][]string{{secretEvent("ADDED", "a", "101"), secretEvent("BOOKMARK", "", "150")}, {secretEvent("ADDED", "b", "151")}},
			from:    []string{"100", "150", "151"}, lists: 1, woken: []string{"all", "a", "b"}},
		"where changes were missed all readers are woken": {
			scripts: [][]string{{secretEvent("ADDED", "a", "101"), expired}, {secretEvent("ADDED", "b", "102")}},
			from:    []string{"100", "100", "102"}, lists: 2, woken: []string{"all", "a", "all", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &watchServer{scripts: tc.scripts}
			server := httptest.NewServer(api)
			t.Cleanup(server.Close)
			s, err := newSecretStream(&rest.Config{Host: server.URL}, clock.RealClock{})
			require.NoError(t, err)
			var mu sync.Mutex
			var woken []string
			wake := func(name string) []reconcile.Request {
				mu.Lock()
				defer mu.Unlock()
				woken = append(woken, name)
				return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
			}
			queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
			t.Cleanup(queue.ShutDown)
			of := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request { return wake(o.GetName()) })
			require.NoError(t, s.source(of, func(context.Context) ([]reconcile.Request, error) { return wake("all"), nil }).Start(t.Context(), queue))

			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Start(ctx) }()
			require.Eventually(t, func() bool {
				api.mu.Lock()
				defer api.mu.Unlock()
				return len(api.from) == len(tc.from)
			}, 20*time.Second, 10*time.Millisecond)
			cancel()
			require.NoError(t, <-done)
			assert.Equal(t, tc.woken, woken)
			assert.Equal(t, tc.from, api.from)
			assert.Len(t, api.lists, tc.lists)
			assert.Subset(t, []string{"1"}, api.lists, "no list is longer than one")
			assert.Positive(t, queue.Len())
		})
	}
}
