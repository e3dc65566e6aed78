//go:build integration

package certs

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const tick = 20 * time.Millisecond

// requireSettled waits until the Secret is complete and every webhook that there is trusts exactly
// its CA.
func (p *place) requireSettled(t *testing.T) *corev1.Secret {
	t.Helper()
	var settled *corev1.Secret
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		secret := p.secret(t)
		require.NotNil(t, secret)
		c := parseContents(secret)
		require.Empty(t, c.flaws)
		require.NotNil(t, c.leaf)
		require.Nil(t, c.next)
		require.Empty(t, c.previous)
		for _, store := range p.trustStores(t) {
			require.True(t, store.isExactly(c.known()))
		}
		settled = secret
	}, soon, tick)
	return settled
}

func TestManagerMakesEverythingInAnyOrder(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "anyorder")
	p.lead(t)

	// No webhook configuration yet: the Secret is made, the configurations waited for in silence.
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		require.NotNil(t, p.secret(t))
		require.Len(t, p.log.find("Waiting for a webhook configuration"), 2)
	}, soon, tick)
	secret := p.requireSettled(t)
	for i, config := range p.newConfigurations() { // the events of their making are enough
		require.NoError(t, p.admin.Create(t.Context(), config.Object))
		assert.Equal(t, secret.ResourceVersion, p.requireSettled(t).ResourceVersion)
		assert.Len(t, p.trustStores(t), i+1)
	}

	assert.Equal(t, corev1.SecretTypeTLS, secret.Type)
	assert.Equal(t, OwnedValue, secret.Labels[OwnedLabel])
	assert.Len(t, p.log.find("Waiting for a webhook configuration"), 2)
	assert.Empty(t, p.log.find(`"error"`))
	for _, line := range p.log.find("") {
		assert.NotContains(t, line, "PRIVATE")
	}
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		require.Len(t, p.events(t, ReasonCertificateIssued), 1)
		notes := strings.Join(p.events(t, ReasonCABundlePublished), "\n")
		for _, config := range p.cfg.configurations() {
			require.Equal(t, 1, strings.Count(notes, "caBundle of "+config.String()+" now holds"))
		}
	}, soon, tick)
}

func TestManagerWritesNothingWhenNothingChanged(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "quiet")
	p.register(t)
	stop := p.lead(t)
	secret := p.requireSettled(t)
	written := p.generations(t)
	stop()

	p.lead(t)
	for _, config := range p.cfg.configurations() { // a label makes the new leader look again
		require.NoError(t, p.admin.Patch(t.Context(), config.Object, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))))
	}
	ctx := context.WithoutCancel(t.Context()) // Never may leave its last look behind
	require.Never(t, func() bool {
		now := &corev1.Secret{}
		err := p.admin.Get(ctx, client.ObjectKeyFromObject(secret), now)
		return apierrors.IsNotFound(err) || err == nil && now.ResourceVersion != secret.ResourceVersion
	}, 2*time.Second, tick)
	assert.Equal(t, []int64{2, 2}, written, "made, published")
	assert.Equal(t, written, p.generations(t))
}

func TestManagerMendsAnEmptiedCABundleAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "emptied")
	p.register(t)
	p.lead(t)
	secret := p.requireSettled(t)

	for i, config := range p.registered(t) {
		hooks := config.webhooks()
		hooks[len(hooks)-1].CABundle = nil
		require.NoError(t, p.admin.Update(t.Context(), config.Object))
		assert.Equal(t, secret.ResourceVersion, p.requireSettled(t).ResourceVersion)

		require.NoError(t, p.admin.Delete(t.Context(), config.Object))
		require.NoError(t, p.admin.Create(t.Context(), p.newConfigurations()[i].Object))
		assert.Equal(t, secret.ResourceVersion, p.requireSettled(t).ResourceVersion)
	}
}

func TestManagerReplacesADeletedSecretAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "deleted")
	p.register(t)
	p.lead(t)
	secret := p.requireSettled(t)
	old := parseContents(secret)

	require.NoError(t, p.admin.Delete(t.Context(), secret))
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		secret := p.secret(t)
		require.NotNil(t, secret)
		c := parseContents(secret)
		require.Len(t, c.known(), 2)
		for _, store := range p.trustStores(t) {
			require.True(t, store.holds(old.active.cert), "replicas still serve what it signed")
			require.True(t, store.isExactly(c.known()))
		}
	}, soon, tick)
	mended := parseContents(p.requireSettled(t))
	assert.False(t, mended.active.cert.Equal(old.active.cert))
}

func TestManagerRepairsADamagedSecretAndSaysSo(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "damaged")
	p.register(t)
	p.lead(t)
	secret := p.requireSettled(t)
	ca := secret.Data[CACertKey]

	secret.Data["tls.key"] = []byte("garbage")
	secret.Data["mine"] = []byte("left alone")
	require.NoError(t, p.admin.Update(t.Context(), secret))
	mended := p.requireSettled(t)
	assert.Equal(t, ca, mended.Data[CACertKey], "a sound CA is kept")
	assert.Equal(t, []byte("left alone"), mended.Data["mine"])
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		notes := p.events(t, ReasonSecretRepaired)
		require.Len(t, notes, 1)
		require.Contains(t, notes[0], "tls.crt and tls.key are not a pair")
		require.NotContains(t, notes[0], "garbage")
	}, soon, tick)
}

func TestManagerLeavesAForeignSecretAlone(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "foreign")
	foreign := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.cfg.SecretName},
		Data:       map[string][]byte{"password": []byte("theirs")},
	}
	require.NoError(t, p.admin.Create(t.Context(), foreign))
	p.register(t)
	p.lead(t)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		notes := p.events(t, ReasonSecretNotOurs)
		require.Len(t, notes, 1)
		require.Contains(t, notes[0], "delete it, or choose another name")
	}, soon, tick)
	assert.Equal(t, foreign.ResourceVersion, p.secret(t).ResourceVersion)
	assert.Len(t, p.log.find("Serving certificates need attention"), 1)

	// The way out that the event names.
	require.NoError(t, p.admin.Delete(t.Context(), foreign))
	p.requireSettled(t)
}

func TestManagerDoesNotFightForEver(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "contested")
	p.register(t)
	p.lead(t)
	p.requireSettled(t)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		contested := p.registered(t)[1]
		contested.webhooks()[0].CABundle = nil
		require.NoError(t, p.admin.Update(p.ctx(), contested.Object))
		require.Len(t, p.log.find(ReasonCABundleContested), 1)
	}, soon, tick)
	told := p.log.find(ReasonCABundleContested)[0]
	assert.Contains(t, told, "a caBundle of ValidatingWebhookConfiguration contested-validate;")
	assert.NotContains(t, told, mutatingKind, "nobody touches that one")
	written := p.generations(t)
	assert.EqualValues(t, 2, written[0], "made, published")
	assert.Less(t, written[1], int64(3*publishBurst))
	p.requireSettled(t)
}

func TestManagersAccountReachesNothingElse(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "rbac")
	for account, config := range map[string]client.Client{
		"controllers": p.as(t, p.managerAccount), "webhook": p.as(t, p.webhookAccount),
	} {
		assert.True(t, apierrors.IsForbidden(config.List(t.Context(), &corev1.SecretList{})), account)
		assert.True(t, apierrors.IsForbidden(config.List(t.Context(), &corev1.SecretList{}, client.InNamespace(p.namespace))), account)
		assert.True(t, apierrors.IsForbidden(config.List(t.Context(), &admissionregistrationv1.MutatingWebhookConfigurationList{})), account)
		assert.True(t, apierrors.IsForbidden(config.List(t.Context(), &admissionregistrationv1.ValidatingWebhookConfigurationList{})), account)
		other := &corev1.Secret{}
		assert.True(t, apierrors.IsForbidden(config.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "other"}, other)), account)
	}
}

func (p *place) as(t *testing.T, account *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(account, client.Options{})
	require.NoError(t, err)
	return c
}

func TestServingFollowsItsSecret(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "serving")
	serving, err := NewServing(p.webhookAccount, ServingConfig{
		Namespace: p.namespace, SecretName: p.cfg.SecretName, Service: p.cfg.Service, Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	go func() { assert.NoError(t, serving.Start(t.Context())) }()
	require.ErrorContains(t, serving.Ready(nil), "leader of the controllers")

	p.register(t)
	p.lead(t)
	require.Eventually(t, func() bool { return serving.Ready(nil) == nil }, soon, tick)
	first, err := serving.GetCertificate(nil)
	require.NoError(t, err)

	secret := p.requireSettled(t)
	require.NoError(t, p.admin.Delete(t.Context(), secret))
	require.Eventually(t, func() bool {
		require.NoError(t, serving.Ready(nil), "the loaded certificate is served on")
		now, err := serving.GetCertificate(nil)
		require.NoError(t, err)
		return !now.Leaf.Equal(first.Leaf)
	}, soon, tick)
}

func TestServingSaysWhatItMayNotRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "forbidden")
	serving, err := NewServing(p.webhookAccount, ServingConfig{
		Namespace: p.namespace, SecretName: "another", Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	go func() { assert.NoError(t, serving.Start(t.Context())) }()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		require.ErrorContains(t, serving.Ready(nil), "grant list and watch")
	}, soon, tick)
}
