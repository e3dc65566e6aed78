//go:build integration

package controllers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestAForeignSecretIsNeverTouched(t *testing.T) {
	w := newWorld(t)
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-db", Namespace: w.namespace}, StringData: map[string]string{"mine": "yes"}}
	i, b := w.instance("orders", "small"), w.binding()
	w.create(foreign, w.broker, i, b)
	assert.Contains(t, w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorInjectingBindResult).Message, `Secret "orders-db" exists`)
	assert.Zero(t, w.fake.count("PUT binding"), "no credentials were asked for")
	w.vanish(b)
	require.False(t, w.refresh(foreign))
	assert.Equal(t, "yes", string(foreign.Data["mine"]))

	b = w.binding()
	w.create(b)
	w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorInjectingBindResult)
	require.NoError(t, w.Delete(t.Context(), foreign))
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
}

func TestCredentialsThatCannotBeStoredAreGivenBack(t *testing.T) {
	w := newWorld(t)
	i, b := w.instance("orders", "small"), w.binding()
	w.create(w.broker, i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none", Namespace: w.namespace}}
	quota.Spec.Hard = corev1.ResourceList{"count/secrets": resource.MustParse("1")} // the second one cannot be stored
	w.create(quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{"count/secrets": resource.MustParse("0")}}
	require.NoError(t, w.Status().Update(t.Context(), quota))
	w.create(b)
	w.eventually("the credentials are given back", func() bool {
		_, bindings := w.fake.held()
		return w.fake.count("DELETE binding") >= 1 && bindings == 0
	})
	first := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: b.Name, Namespace: b.Namespace}}
	w.eventually("and none are left in a Secret", func() bool { return w.refresh(first) })
	message := w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorInjectingBindResult).Message
	assert.Contains(t, message, "quota")
	assert.NotContains(t, message, "p-"+b.Status.ExternalID)
	require.NoError(t, w.Delete(t.Context(), quota))
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
}

func TestWhileNoSecretCanBeStoredTheBrokerIsSpared(t *testing.T) {
	w := newWorld(t)
	i, b := w.instance("orders", "small"), w.binding()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none", Namespace: w.namespace}}
	quota.Spec.Hard = corev1.ResourceList{"count/secrets": resource.MustParse("0")}
	w.create(w.broker, i, quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: quota.Spec.Hard}
	require.NoError(t, w.Status().Update(t.Context(), quota))
	w.create(b)
	w.eventually("a dry run fails", func() bool {
		return !w.refresh(b) && contains(condition(b.Status.Conditions, v1beta1.ConditionReady).Message, "cannot be written")
	})
	assert.Equal(t, 1, w.fake.count("PUT binding"))
	assert.Equal(t, metav1.ConditionTrue, condition(b.Status.Conditions, v1beta1.ConditionStalled).Status)
	require.NoError(t, w.Delete(t.Context(), quota))
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	assert.Equal(t, 2, w.fake.count("PUT binding"))
}
