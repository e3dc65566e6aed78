package resolve_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/resolve"
)

func class(name, external string, removed bool) resolve.Class {
	return resolve.Class{Name: name, Broker: "b", Cluster: true, Removed: removed,
		Spec: &v1beta1.CommonServiceClassSpec{ExternalName: external, ExternalID: "id-" + name}}
}

func plan(class, name string, removed bool) resolve.Plan {
	return resolve.Plan{Name: class + "-" + name, Class: class, Removed: removed,
		Spec: &v1beta1.CommonServicePlanSpec{ExternalName: name, ExternalID: "id-" + name}}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	classes := []resolve.Class{class("c1", "pg", false), class("c2", "twin", false), class("c3", "twin", false),
		class("c4", "one", false), class("c5", "back", true), class("c6", "back", false), class("c7", "bare", false)}
	replaced := plan("c1", "reborn", true)
	replaced.Name = "a-former-plan"
	plans := []resolve.Plan{plan("c1", "small", false), plan("c1", "large", false), plan("c2", "small", false),
		plan("c4", "only", false), plan("c4", "old", true), plan("c6", "x", false),
		replaced, plan("c1", "reborn", false)}
	for name, tc := range map[string]struct {
		ref              v1beta1.PlanReference
		class, plan      string
		reason, sentence string
	}{
		"by external names":                          {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "pg", ClusterServicePlanExternalName: "large"}, class: "c1", plan: "c1-large"},
		"by external ids":                            {ref: v1beta1.PlanReference{ClusterServiceClassExternalID: "id-c1", ClusterServicePlanExternalID: "id-small"}, class: "c1", plan: "c1-small"},
		"by Kubernetes names":                        {ref: v1beta1.PlanReference{ClusterServiceClassName: "c2", ClusterServicePlanName: "c2-small"}, class: "c2", plan: "c2-small"},
		"the only plan on offer is the default":      {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "one"}, class: "c4", plan: "c4-only"},
		"a removed plan is found by its name":        {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "one", ClusterServicePlanExternalName: "old"}, class: "c4", plan: "c4-old"},
		"a removed class gives way to its successor": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "back"}, class: "c6", plan: "c6-x"},
		"several plans and none named": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "pg"},
			class: "c1", reason: v1beta1.ReasonPlanRequired, sentence: "choose one of: large, reborn, small."},
		"no plan on offer": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "bare"},
			class: "c7", reason: v1beta1.ReasonPlanRequired, sentence: "no plan on offer yet"},
		"a plan of a class without plans may come yet": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "bare", ClusterServicePlanExternalName: "small"},
			class: "c7", reason: v1beta1.ReasonReferencesNonexistentServicePlan, sentence: `no plan with external name "small" yet`},
		"an unknown plan lists those there are": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "pg", ClusterServicePlanExternalName: "huge"},
			class: "c1", reason: v1beta1.ReasonReferencesNonexistentServicePlan, sentence: `no plan with external name "huge"; choose one of: large, reborn, small.`},
		"a removed plan gives way to its successor": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "pg", ClusterServicePlanExternalName: "reborn"},
			class: "c1", plan: "c1-reborn"},
		"a plan of another class does not count": {ref: v1beta1.PlanReference{ClusterServiceClassName: "c1", ClusterServicePlanName: "c2-small"},
			class: "c1", reason: v1beta1.ReasonReferencesNonexistentServicePlan, sentence: "choose one of: c1-large, c1-reborn, c1-small."},
		"plans are listed as they are to be named": {ref: v1beta1.PlanReference{ClusterServiceClassExternalID: "id-c1"},
			class: "c1", reason: v1beta1.ReasonPlanRequired, sentence: "choose one of: id-large, id-reborn, id-small."},
		"an unknown class": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "nope"},
			reason: v1beta1.ReasonReferencesNonexistentServiceClass, sentence: `No ClusterServiceClass has the external name "nope" yet`},
		"the other scope's classes do not count": {ref: v1beta1.PlanReference{ServiceClassExternalName: "pg"},
			reason: v1beta1.ReasonReferencesNonexistentServiceClass, sentence: "No ServiceClass"},
		"two classes of one name": {ref: v1beta1.PlanReference{ClusterServiceClassExternalName: "twin"},
			reason: v1beta1.ReasonAmbiguousServiceClass, sentence: "name one by its Kubernetes name: c2, c3."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := resolve.Want(tc.ref)
			require.NoError(t, err)
			c, p, err := resolve.Resolve(w, classes, plans)
			assert.Equal(t, tc.class, c.Name)
			assert.Equal(t, tc.plan, p.Name)
			if tc.reason == "" {
				require.NoError(t, err)
				return
			}
			var e *resolve.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tc.reason, e.Reason)
			assert.Contains(t, e.Message, tc.sentence)
		})
	}
}

func TestWantNeedsAClass(t *testing.T) {
	t.Parallel()
	_, err := resolve.Want(v1beta1.PlanReference{ClusterServicePlanExternalName: "small"})
	require.ErrorContains(t, err, "No class is named")
}

// TestWantRefusesAPlanThatItWouldPassOver: the default plan instead of the one
// that was named would be somebody's wrong database.
func TestWantRefusesAPlanThatItWouldPassOver(t *testing.T) {
	t.Parallel()
	for name, ref := range map[string]v1beta1.PlanReference{
		"another style":                 {ClusterServiceClassExternalName: "pg", ClusterServicePlanName: "c1-small"},
		"another scope":                 {ClusterServiceClassName: "c1", ServicePlanName: "c1-small"},
		"another style, in a namespace": {ServiceClassExternalID: "id-c1", ServicePlanExternalName: "small"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := resolve.Want(ref)
			var e *resolve.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, v1beta1.ReasonReferencesNonexistentServicePlan, e.Reason)
			assert.Contains(t, e.Message, "name the plan in the same way")
		})
	}
	w, err := resolve.Want(v1beta1.PlanReference{ClusterServiceClassExternalName: "pg", ClusterServicePlanExternalName: "small", ClusterServicePlanName: "c1-small"})
	require.NoError(t, err, "what v0.3 would have read")
	assert.Equal(t, "small", w.Plan)
}

func TestWantTakesTheNamespacedScope(t *testing.T) {
	t.Parallel()
	w, err := resolve.Want(v1beta1.PlanReference{ServiceClassName: "c", ServicePlanName: "p"})
	require.NoError(t, err)
	assert.Equal(t, resolve.Wanted{Style: resolve.ByName, Class: "c", Plan: "p"}, w)
}
