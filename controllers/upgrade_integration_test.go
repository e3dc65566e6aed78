//go:build integration

package controllers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Objects whose status another version wrote are not updated at their brokers.
func TestAnUpgradeSendsNoUpdates(t *testing.T) {
	o := newOwn(t)
	w := o.world(t)
	stop := o.run()
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	i := w.instance("orders", "small")
	i.Spec.Parameters, i.Spec.UpdateRequests = parameters(`{"text":"<a>&b","count":1}`), 3
	w.create(i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	stop()

	// As v0.3 recorded it: an escaped checksum, and none of the fields that came later.
	sum := sha256.Sum256([]byte(`{"count":1,"text":"\u003ca\u003e\u0026b"}`))
	had := i.Status.ExternalProperties
	i.Status.ReconciledGeneration, i.Status.ObservedGeneration = i.Generation+5, i.Generation+5
	i.Status.ExternalProperties = &v1beta1.ServiceInstanceProperties{
		ClusterServicePlanExternalName: had.ClusterServicePlanExternalName, ClusterServicePlanExternalID: had.ClusterServicePlanExternalID,
		Parameters: had.Parameters, ParameterChecksum: hex.EncodeToString(sum[:]),
	}
	i.Status.BrokerRef = nil
	require.NoError(t, w.Status().Update(t.Context(), i))
	w.fake.set(func() { clear(w.fake.requests) })
	stop = o.run()
	defer func() { stop() }()
	w.eventually("the instance was looked at", func() bool {
		return !w.refresh(i) && i.Status.ReconciledGeneration == i.Generation && i.Status.ObservedGeneration == i.Generation
	})
	assert.Equal(t, metav1.ConditionTrue, condition(i.Status.Conditions, v1beta1.ConditionReady).Status)
	assert.Zero(t, w.fake.count("PATCH instance"))
	assert.Equal(t, w.fake.catalog.Services[0].ID, i.Status.ExternalProperties.ServiceExternalID, "what was missing is recorded")
	assert.EqualValues(t, 3, *i.Status.ExternalProperties.UpdateRequests)
	w.vanish(i)
	assert.Equal(t, 1, w.fake.count("DELETE instance"))
}

// What it costs the API server to bring an instance to Ready: the intent and the
// outcome. Admission has put id and finalizer there before.
func TestAProvisionCostsTwoStatusWrites(t *testing.T) {
	o := newOwn(t)
	w := o.world(t)
	stop := o.run()
	defer stop()
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	o.written()
	i := w.instance("orders", "small")
	i.Finalizers = []string{v1beta1.Finalizer}
	i.Spec.ExternalID, i.Spec.ExternalIDOrigin = "4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468", v1beta1.ExternalIDGenerated
	w.create(i)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	var status, spec []string
	for _, write := range o.written() {
		switch {
		case regexp.MustCompile(`serviceinstances/orders/status$`).MatchString(write):
			status = append(status, write)
		case regexp.MustCompile(`serviceinstances/orders$`).MatchString(write):
			spec = append(spec, write)
		default:
			assert.Regexp(t, "/events", write)
		}
	}
	assert.Len(t, status, 2)
	assert.Empty(t, spec)
}
