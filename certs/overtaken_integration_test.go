//go:build integration

package certs

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// frozen is a Manager outside any controller that is stopped once, after it has read an object of
// this type, while meanwhile happens.
func (p *place) frozen(t *testing.T, after client.Object, meanwhile func()) *Manager {
	t.Helper()
	m, err := NewManager(p.cfg)
	require.NoError(t, err)
	live, err := client.NewWithWatch(p.managerAccount, client.Options{Scheme: newScheme(), Mapper: newMapper()})
	require.NoError(t, err)
	once := sync.OnceFunc(meanwhile)
	m.client = interceptor.NewClient(live, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, obj, opts...)
			if _, isSecret := obj.(*corev1.Secret); isSecret == (after.GetName() == p.cfg.SecretName) {
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
	require.NoError(t, p.admin.Create(t.Context(), p.newHooks()))
	m := p.frozen(t, p.newHooks(), func() {})
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
		namespace string
		secret    bool
	}{
		"after it read a webhook configuration": {namespace: "frozen-hooks"},
		"after it read the Secret":              {namespace: "frozen-secret", secret: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, tc.namespace)
			leader := p.settledManager(t)
			var after client.Object = p.newHooks()
			if tc.secret {
				after = leader.newSecret()
			}
			var bundle trustStore
			deposed := p.frozen(t, after, func() {
				p.clock.jump(DefaultCALifetime * 2 / 3)
				reconcileOnce(t, leader) // introduces and publishes the next CA
				bundle = p.trustStore(t)
				assert.Len(t, bundle.all(), 4)
			})
			deposed.cfg.Clock = &shiftedClock{} // for it nothing is due, so it would only look after the bundles
			reconcileOnce(t, deposed)

			c := parseContents(p.secret(t))
			require.NotNil(t, c.next)
			assert.True(t, p.trustStore(t).isExactly(c.known()))
			assert.Equal(t, bundle, p.trustStore(t), "not even for a moment")
			assert.EqualValues(t, 3, p.generation(t), "made, published, published with the next CA")
		})
	}
}

func TestManagerLooksAgainWhenSomebodyWroteTheSecret(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "overtaken")
	p.settledManager(t)
	p.clock.jump(DefaultCALifetime * 2 / 3)
	m := p.frozen(t, &corev1.Secret{ObjectMeta: p.secret(t).ObjectMeta}, func() {
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

// generation is how often the webhook configuration's spec was written.
func (p *place) generation(t *testing.T) int64 {
	t.Helper()
	hooks := p.newHooks()
	require.NoError(t, p.admin.Get(p.ctx(), client.ObjectKeyFromObject(hooks), hooks))
	return hooks.Generation
}
