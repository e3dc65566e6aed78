//go:build integration

package controllers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// schemas gives the plan "small" schemas for provision and bind.
func (w *world) schemas(instance, binding string) {
	w.fake.catalog.Services[0].Plans[0].Schemas = &osb.Schemas{
		ServiceInstance: &osb.InstanceSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(instance)}},
		ServiceBinding:  &osb.BindingSchemas{Create: &osb.InputSchema{Parameters: osb.RawJSON(binding)}},
	}
}

func TestWrongParametersAreToldAndHeal(t *testing.T) {
	w := newWorld(t)
	w.schemas(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"size":{"type":"integer"}}}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"role":{"enum":["reader"]}}}`)
	i, b := w.instance("orders", "small"), w.binding()
	i.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"size":"big"}`)}
	b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"role":"owner"}`)}
	w.create(w.broker, i, b)
	assert.Contains(t, w.becomes(i, metav1.ConditionFalse, v1beta1.ReasonErrorWithParameters).Message, `parameter "size" must be of type integer`)
	assert.Zero(t, w.fake.count("PUT instance"))

	w.edit(i, func() { i.Spec.Parameters.Raw = []byte(`{"size":5}`) })
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Contains(t, w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorWithParameters).Message, `parameter "role" must be one of [reader]`)
	assert.Zero(t, w.fake.count("PUT binding"))
}

func TestAnUnusableSchemaStopsNothing(t *testing.T) {
	w := newWorld(t)
	w.schemas(`{"$ref":"http://127.0.0.1:1/schema.json"}`, `{"type":7}`)
	i, b := w.instance("orders", "small"), w.binding()
	i.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"size":"big"}`)}
	w.create(w.broker, i, b)
	w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	for _, kind := range []string{"ServiceInstance", "ServiceBinding"} {
		w.eventually("a warning on the "+kind, func() bool {
			var list eventsv1.EventList
			require.NoError(t, w.List(t.Context(), &list, client.InNamespace(w.namespace)))
			for _, e := range list.Items {
				if e.Regarding.Kind == kind && e.Reason == v1beta1.ReasonSchemaUnusable {
					return e.Type == "Warning" && strings.Contains(e.Note, "unchecked")
				}
			}
			return false
		})
	}
}
