//go:build integration

package controllers_test

import (
	"context"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/controllers"
)

// own is an API server of a test's own, on which the test starts and stops the
// controllers, and sees what they write.
type own struct {
	suite
	testing.TB
	user   *rest.Config
	scheme *runtime.Scheme
	// options are what the controllers run with, beside what all tests have.
	options []func(*controllers.Options)

	mu     sync.Mutex
	writes []string
}

func newOwn(t testing.TB) *own {
	t.Helper()
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(chartFiles, "crds")}}
	cfg, err := env.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, env.Stop()) })
	admin, err := client.New(cfg, client.Options{Scheme: shared.Scheme()})
	require.NoError(t, err)
	user, err := controllersUser(t.Context(), env, admin)
	require.NoError(t, err)
	o := &own{suite: suite{admin, cfg}, TB: t, user: user, scheme: shared.Scheme()}
	o.user.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodGet {
				o.mu.Lock()
				o.writes = append(o.writes, r.Method+" "+r.URL.Path)
				o.mu.Unlock()
			}
			return next.RoundTrip(r)
		})
	})
	return o
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// run starts the controllers and returns what stops them.
func (o *own) run() (stop func()) {
	o.Helper()
	ctx, cancel := context.WithCancel(o.Context())
	mgr, err := manager(ctx, o.user, o.scheme, o.options...)
	require.NoError(o, err)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	require.True(o, mgr.GetCache().WaitForCacheSync(ctx))
	return func() {
		cancel()
		require.NoError(o, <-done)
	}
}

// written are the writes since the last time of asking.
func (o *own) written() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.writes
	o.writes = nil
	return was
}

// A restart in a world where all is well asks brokers nothing and writes nothing.
func TestARestartInAQuietWorldDoesNothing(t *testing.T) {
	o := newOwn(t)
	w := o.world(t)
	stop := o.run()
	i, b := w.instance("orders", "small"), w.binding()
	w.create(w.broker, i, b)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	stop()
	o.written()
	w.fake.set(func() { clear(w.fake.requests) })

	stop = o.run()
	// What is made now is served after all that there was.
	later := w.instance("later", "small")
	w.create(later)
	w.becomes(later, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	stop()
	w.fake.set(func() { assert.Equal(t, map[string]int{"PUT instance": 1}, w.fake.requests) })
	for _, write := range o.written() {
		assert.Regexp(t, "serviceinstances/later|/events", write)
	}
}
