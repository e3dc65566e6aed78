package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/webhook"
)

// TestMemoryIsForWhatCameNotForWhatWasAnnounced must run alone, as it measures.
//
//nolint:paralleltest // see above
func TestMemoryIsForWhatCameNotForWhatWasAnnounced(t *testing.T) {
	injector, err := webhook.NewInjector(webhook.InjectorOptions{Bindings: lookup(noBinding), Registerer: prometheus.NewRegistry()})
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhook.InjectPath, iotest.ErrReader(io.ErrUnexpectedEOF))
		req.Header.Set("Content-Type", "application/json")
		req.ContentLength = webhook.MaxBody
		answer := httptest.NewRecorder()
		injector.ServeHTTP(answer, req)
		require.Equal(t, http.StatusBadRequest, answer.Code)
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10*webhook.MaxBody/2))
}
