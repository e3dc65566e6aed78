//go:build integration

package controllers_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestOfTwoInstancesWithOneIDTheSecondWaitsForTheFirstToGo(t *testing.T) {
	w := newWorld(t)
	first, second := w.instance("first", "small"), w.instance("second", "small")
	first.Spec.ExternalID, second.Spec.ExternalID = "shared-"+w.namespace, "shared-"+w.namespace
	w.create(w.broker, first)
	w.becomes(first, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.create(second)
	assert.Contains(t, w.becomes(second, metav1.ConditionFalse, v1beta1.ReasonIDInUse).Message, "/first")
	assert.Equal(t, 1, w.fake.count("PUT instance"))

	w.vanish(first) // a given id is retained at the broker
	w.becomes(second, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Zero(t, w.fake.count("DELETE instance"))
}

func TestARefusedSecondInstanceLeavesTheFirstAlone(t *testing.T) {
	w := newWorld(t)
	first, second := w.instance("first", "small"), w.instance("second", "small")
	first.Spec.ExternalID, second.Spec.ExternalID = "shared-"+w.namespace, "shared-"+w.namespace
	second.Spec.DeletionPolicy = v1beta1.DeletionPolicyDelete
	w.create(w.broker, first)
	w.becomes(first, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.create(second)
	w.becomes(second, metav1.ConditionFalse, v1beta1.ReasonIDInUse)
	w.vanish(second)
	instances, _ := w.fake.held()
	assert.Equal(t, 1, instances)
	assert.Zero(t, w.fake.count("DELETE instance"))
}

func TestABrokerRegisteredTwiceIsOneBroker(t *testing.T) {
	w := newWorld(t)
	own := &v1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "own", Namespace: w.namespace}}
	own.Spec.URL = w.fake.url + "/"
	own.Spec.AuthInfo = &v1beta1.ServiceBrokerAuthInfo{Basic: &v1beta1.SecretReference{SecretRef: &v1beta1.LocalObjectReference{Name: "auth"}}}
	first, second := w.instance("first", "small"), w.instance("second", "small")
	first.Spec.ExternalID, second.Spec.ExternalID = "shared-"+w.namespace, "shared-"+w.namespace
	second.Spec.PlanReference = v1beta1.PlanReference{
		ServiceClassExternalName: first.Spec.ClusterServiceClassExternalName, ServicePlanExternalName: "small"}
	w.create(w.broker, own, first)
	w.becomes(first, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.create(second)
	w.becomes(second, metav1.ConditionFalse, v1beta1.ReasonIDInUse)
	assert.Equal(t, 1, w.fake.count("PUT instance"))
}

func TestOfTwoBindingsWithOneIDTheSecondWaitsForTheFirstToGo(t *testing.T) {
	w := newWorld(t)
	first, second := w.binding(), w.binding()
	first.Name, second.Name = "first", "second"
	first.Spec.ExternalID, second.Spec.ExternalID = "shared-"+w.namespace, "shared-"+w.namespace
	w.create(w.broker, w.instance("orders", "small"), first)
	w.becomes(first, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	w.create(second)
	assert.Contains(t, w.becomes(second, metav1.ConditionFalse, v1beta1.ReasonIDInUse).Message, "/first")
	assert.Equal(t, 1, w.fake.count("PUT binding"))

	w.vanish(first)
	w.becomes(second, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
}
