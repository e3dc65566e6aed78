//go:build integration

package controllers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/controllers"
	"github.com/svc-cat/catalog/osb"
)

func derive(o *controllers.Options) { o.DeriveIDs = true }

// livedOn is newLived in a cluster of its own whose controllers run by options.
func livedOn(t *testing.T, o *own, from *lived) *lived {
	t.Helper()
	l := *from
	w := *from.world
	l.world, w.suite = &w, o.suite
	w.broker = &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: from.broker.Name}}
	w.broker.Spec = *from.broker.Spec.DeepCopy()
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: w.namespace},
		StringData: map[string]string{"username": "catalog", "password": "right"},
	})
	w.create(w.broker)
	return &l
}

// The same manifests, applied to a second cluster that is configured with the same
// id, find what the first one made: nothing is made twice and nothing is lost when
// the first one's objects go.
func TestTheSameManifestsFindTheirInstancesOnANewCluster(t *testing.T) {
	l := newLived(t, nil)
	old, fresh := newOwn(t), newOwn(t)
	old.options, fresh.options = append(old.options, derive), append(fresh.options, derive)
	first, second := livedOn(t, old, l), livedOn(t, fresh, l)
	stopOld := old.run()
	i := first.instance("orders", "small")
	first.create(i)
	first.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Equal(t, v1beta1.ExternalIDDerived, i.Spec.ExternalIDOrigin)
	assert.Equal(t, v1beta1.DerivedID("cluster-1", "ServiceInstance", l.namespace, "orders"), i.Status.ExternalID)

	stop := fresh.run()
	defer func() { stop() }()
	again := second.instance("orders", "small")
	second.create(again)
	second.becomes(again, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Equal(t, i.Status.ExternalID, again.Status.ExternalID)
	assert.NotEmpty(t, condition(again.Status.Conditions, v1beta1.ConditionAdopted).Type, "its namespace has another UID, so the broker said 409")
	first.vanish(i)
	stopOld()
	assert.Len(t, l.b.State().Instances, 1)
	assert.Empty(t, l.sent(osb.OpDeprovision))
	b := second.binding()
	second.create(b)
	second.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	second.vanish(b, again)
	l.blameless()
}

// A process that never had the credentials of a broker cannot make do without them;
// it says what is missing and how to let go.
func TestADeletionWithoutCredentialsSaysHowToGoOn(t *testing.T) {
	o := newOwn(t)
	w := o.world(t)
	stop := o.run()
	i := w.instance("orders", "small")
	w.create(w.broker, i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	stop()
	require.NoError(t, w.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: w.namespace}}))
	require.NoError(t, w.Delete(t.Context(), i))
	stop = o.run()
	defer func() { stop() }()
	message := w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonErrorGettingAuthCredentials).Message
	assert.Contains(t, message, "create it")
	assert.Contains(t, message, v1beta1.AnnotationPurge)
	w.edit(i, func() { i.Annotations = map[string]string{v1beta1.AnnotationPurge: "true"} })
	w.eventually("it goes", func() bool { return w.refresh(i) })
}
