//go:build integration

package certs

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// manager is a Manager outside any controller. After it has read the object of this name for the
// first time, it is frozen while meanwhile happens.
func (p *place) manager(t *testing.T, after string, meanwhile func()) *Manager {
	t.Helper()
	m, err := NewManager(p.cfg)
	require.NoError(t, err)
	live, err := client.NewWithWatch(p.managerAccount, client.Options{Scheme: newScheme(), Mapper: newMapper()})
	require.NoError(t, err)
	once := sync.OnceFunc(meanwhile)
	m.client = interceptor.NewClient(live, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, obj, opts...)
			if key.Name == after {
				once()
			}
			return err
		},
	})
	m.recorder = events.NewFakeRecorder(100)
	return m
}

// settledManager has been set up by a Manager of its own, which is returned.
func (p *place) settledManager(t *testing.T) *Manager {
	t.Helper()
	p.register(t)
	m := p.manager(t, "", func() {})
	reconcileOnce(t, m)
	p.requireSettled(t)
	return m
}

func reconcileOnce(t *testing.T, m *Manager) {
	t.Helper()
	_, err := m.Reconcile(t.Context(), ctrl.Request{})
	require.NoError(t, err)
}

func TestALeaderThatWasFrozenUndoesNothing(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		namespace, after string
	}{
		"after it read the mutating configuration":   {namespace: "frozen-mutating", after: "frozen-mutating-inject"},
		"after it read the validating configuration": {namespace: "frozen-validating", after: "frozen-validating-validate"},
		"after it read the Secret":                   {namespace: "frozen-secret", after: "webhook-cert"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, tc.namespace)
			leader := p.settledManager(t)
			var bundles []trustStore
			deposed := p.manager(t, tc.after, func() {
				p.clock.jump(DefaultCALifetime * 2 / 3)
				reconcileOnce(t, leader) // introduces and publishes the next CA
				bundles = p.trustStores(t)
			})
			deposed.cfg.Clock = &shiftedClock{} // for it nothing is due, so it would only look after the bundles
			reconcileOnce(t, deposed)

			c := parseContents(p.secret(t))
			require.NotNil(t, c.next)
			require.Len(t, bundles, 2, "it was frozen")
			for _, bundle := range bundles {
				assert.True(t, bundle.isExactly(c.known()))
			}
			assert.Equal(t, bundles, p.trustStores(t), "not even for a moment")
			assert.Equal(t, []int64{3, 3}, p.generations(t), "made, published, published with the next CA")
		})
	}
}

func TestManagerLooksAgainWhenSomebodyWroteTheSecret(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "overtaken")
	p.settledManager(t)
	p.clock.jump(DefaultCALifetime * 2 / 3)
	m := p.manager(t, p.cfg.SecretName, func() {
		secret := p.secret(t)
		secret.Annotations = map[string]string{"example.com/note": "kept"}
		require.NoError(t, p.admin.Update(p.ctx(), secret))
	})
	reconcileOnce(t, m)
	secret := p.secret(t)
	require.NotNil(t, parseContents(secret).next)
	assert.Equal(t, "kept", secret.Annotations["example.com/note"])
}

func TestManagerSaysWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "immutable")
	m := p.settledManager(t)
	secret := p.secret(t)
	secret.Immutable = new(bool)
	*secret.Immutable = true
	require.NoError(t, p.admin.Update(t.Context(), secret))
	p.clock.jump(DefaultLeafLifetime)
	_, err := m.Reconcile(t.Context(), ctrl.Request{})
	require.ErrorContains(t, err, "immutable")
	assert.NotContains(t, err.Error(), "PRIVATE")
}
