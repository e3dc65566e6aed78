//go:build integration

package certs

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newWebhook is called for the making of a resource in p's namespace.
func (p *place) newWebhook(name, resource, path string) admissionregistrationv1.MutatingWebhook {
	return admissionregistrationv1.MutatingWebhook{
		Name: name,
		ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
			Namespace: p.namespace, Name: p.cfg.Service, Path: ptr.To(path),
		}},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{resource}},
		}},
		NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: p.namespace}},
		FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          ptr.To[int32](30),
		AdmissionReviewVersions: []string{"v1"},
	}
}

// newConfigurations are one of each kind. The ConfigMaps of the namespace are mutated and then
// checked; a second mutating webhook is never called.
func (p *place) newConfigurations() []configuration {
	configs := p.cfg.configurations()
	configs[0].Object.(*admissionregistrationv1.MutatingWebhookConfiguration).Webhooks = []admissionregistrationv1.MutatingWebhook{
		p.newWebhook("mutate.example.com", "configmaps", mutatePath), p.newWebhook("never.example.com", "podtemplates", mutatePath),
	}
	check := p.newWebhook("check.example.com", "configmaps", checkPath)
	configs[1].Object.(*admissionregistrationv1.ValidatingWebhookConfiguration).Webhooks = []admissionregistrationv1.ValidatingWebhook{{
		Name: check.Name, ClientConfig: check.ClientConfig, Rules: check.Rules, NamespaceSelector: check.NamespaceSelector,
		FailurePolicy: check.FailurePolicy, SideEffects: check.SideEffects, TimeoutSeconds: check.TimeoutSeconds,
		AdmissionReviewVersions: check.AdmissionReviewVersions,
	}}
	return configs
}

// register makes the configurations of both kinds.
func (p *place) register(t *testing.T) {
	t.Helper()
	for _, config := range p.newConfigurations() {
		require.NoError(t, p.admin.Create(t.Context(), config.Object))
	}
}

// registered are the configurations that exist.
func (p *place) registered(t require.TestingT) []configuration {
	var found []configuration
	for _, config := range p.cfg.configurations() {
		err := p.admin.Get(p.ctx(), client.ObjectKeyFromObject(config), config.Object)
		require.NoError(t, client.IgnoreNotFound(err))
		if err == nil {
			found = append(found, config)
		}
	}
	return found
}

// trustStores are what the configurations that exist trust.
func (p *place) trustStores(t require.TestingT) []trustStore {
	var stores []trustStore
	for _, config := range p.registered(t) {
		stores = append(stores, newTrustStore(config))
	}
	return stores
}

// generations are how often the configurations that exist were written, but for their metadata.
func (p *place) generations(t require.TestingT) []int64 {
	var all []int64
	for _, config := range p.registered(t) {
		all = append(all, config.GetGeneration())
	}
	return all
}

// mayPatch grants the manager's account the right to patch the configuration, or takes it away, and
// waits until the API server knows.
func (p *place) mayPatch(t *testing.T, config configuration, may bool) {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	require.NoError(t, p.admin.Get(t.Context(), client.ObjectKey{Name: p.namespace + "-controllers-certs"}, role))
	i := slices.IndexFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.ResourceNames, config.GetName()) })
	role.Rules[i].Verbs = slices.DeleteFunc(role.Rules[i].Verbs, func(verb string) bool { return verb == "patch" })
	if may {
		role.Rules[i].Verbs = append(role.Rules[i].Verbs, "patch")
	}
	require.NoError(t, p.admin.Update(t.Context(), role))
	account := p.as(t, p.managerAccount)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		patch := client.RawPatch("application/merge-patch+json", []byte(`{}`))
		err := account.Patch(p.ctx(), config.DeepCopyObject().(client.Object), patch, client.DryRunAll)
		require.Equal(t, !may, apierrors.IsForbidden(err), "%v", err)
	}, soon, tick)
}

func TestANewCASignsOnlyWhenEveryConfigurationHoldsIt(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		namespace string
		held      int // which of newConfigurations cannot be written
	}{
		"a mutating configuration cannot be written":   {namespace: "held-mutating", held: 0},
		"a validating configuration cannot be written": {namespace: "held-validating", held: 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, tc.namespace)
			m := p.settledManager(t)
			held := p.cfg.configurations()[tc.held]
			p.mayPatch(t, held, false)
			p.clock.jump(DefaultCALifetime * 2 / 3)
			_, err := m.Reconcile(t.Context(), ctrl.Request{})
			require.ErrorContains(t, err, held.String(), "the error names what is missing")
			before := parseContents(p.secret(t))
			require.NotNil(t, before.next)
			assert.False(t, p.trustStores(t)[tc.held].holdsAny(before.next.cert))
			assert.True(t, p.trustStores(t)[1-tc.held].holds(before.next.cert), "the other one is not held up")

			p.clock.jump(10 * p.cfg.Settle)
			_, err = m.Reconcile(t.Context(), ctrl.Request{})
			require.True(t, apierrors.IsForbidden(err), "%v", err)
			assert.Equal(t, before, parseContents(p.secret(t)), "the old CA signs as long as it takes")

			p.mayPatch(t, held, true)
			reconcileOnce(t, m)
			assert.Equal(t, before, parseContents(p.secret(t)), "the API servers get the whole settle time")
			p.clock.jump(p.cfg.Settle)
			reconcileOnce(t, m)
			after := parseContents(p.secret(t))
			assert.True(t, after.active.cert.Equal(before.next.cert))
			for _, store := range p.trustStores(t) {
				assert.True(t, store.isExactly(after.known()))
			}
		})
	}
}

func TestAMissingConfigurationKeepsNothingWaiting(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		namespace string
		missing   int // which of newConfigurations does not exist
	}{
		"there is no mutating configuration":   {namespace: "no-mutating", missing: 0},
		"there is no validating configuration": {namespace: "no-validating", missing: 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, tc.namespace)
			configs := p.newConfigurations()
			require.NoError(t, p.admin.Create(t.Context(), configs[1-tc.missing].Object))
			m := p.manager(t, "", func() {})
			reconcileOnce(t, m)
			first := parseContents(p.requireSettled(t))

			p.clock.jump(DefaultCALifetime * 2 / 3)
			for range 3 { // introduction, settling, overlap
				reconcileOnce(t, m)
				p.clock.jump(p.cfg.Overlap)
			}
			secret := p.requireSettled(t)
			assert.False(t, parseContents(secret).active.cert.Equal(first.active.cert), "the CA was renewed")
			written := p.generations(t)

			require.NoError(t, p.admin.Create(t.Context(), configs[tc.missing].Object))
			reconcileOnce(t, m)
			assert.Equal(t, secret.ResourceVersion, p.requireSettled(t).ResourceVersion, "the late one gets the bundle, and no more happens")
			assert.Contains(t, p.generations(t), written[0])
			assert.Len(t, p.trustStores(t), 2)
		})
	}
}
