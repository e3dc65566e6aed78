package controllers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

func TestKubernetesNameFollowsTheOldRule(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ id, want string }{
		"a GUID in small letters stays":            {"4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468", "4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468"},
		"capitals and z are escaped, as seen live": {"4F6E6cf6-24zz", "4z46z6z45z6cf6-24z7azz7az"},
		"dots inside stay":                         {"a.b", "a.b"},
		"a dot at an end is escaped":               {".a.", "z2eza" + "z2ez"},
		"a dot after a dash is escaped":            {"a-.b", "a-z2ezb"},
		"a dash after a dot is escaped":            {"a.-b", "a.z2dzb"},
		"an underscore is escaped":                 {"a_b", "az5fzb"},
		"a long name is cut and gets the MD5":      {strings.Repeat("a", 64), strings.Repeat("a", 30) + "-014842d480b571495a4a0363793f7367"},
		"a cut does not end in a dot":              {strings.Repeat("a", 29) + "." + strings.Repeat("b", 40), strings.Repeat("a", 29) + "-4d2c07b1b0ad90b1c2fe5d9ba4d7ba25"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := kubernetesName(tc.id)
			if strings.Contains(name, "does not end in a dot") {
				assert.Regexp(t, "^a{29}-[0-9a-f]{32}$", got)
				return
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestOfferOf(t *testing.T) {
	t.Parallel()
	no := false
	o := offerOf(&osb.CatalogResponse{
		Catalog: &osb.Catalog{Services: []osb.Service{{
			ID: "SVC", Name: "db", Description: strings.Repeat("x", 5000), Bindable: true, Metadata: osb.RawJSON(`{"a":1}`),
			Plans: []osb.Plan{{ID: "p1", Name: "small", Free: &no}, {ID: "p2", Name: "large", Metadata: osb.RawJSON(`"text"`)}},
		}}},
		Problems: []osb.CatalogProblem{{Skipped: true, ServiceID: "bad", Reason: `service "bad" has no plans`}, {Skipped: true, ServiceID: "SVC", PlanID: "P3", Reason: "plan without name"}},
	})
	require.Len(t, o.Classes, 1)
	assert.Equal(t, "z53zz56zz43z", o.Classes[0].Name)
	assert.Less(t, len(o.Classes[0].Spec.Description), 4200)
	assert.JSONEq(t, `{"a":1}`, string(o.Classes[0].Spec.ExternalMetadata.Raw))
	require.Len(t, o.Plans, 2)
	assert.Equal(t, "z53zz56zz43z", o.Plans[0].Class)
	assert.False(t, o.Plans[0].Spec.Free)
	assert.True(t, o.Plans[1].Spec.Free, "a plan that does not say is free")
	assert.Nil(t, o.Plans[1].Spec.ExternalMetadata, "what is no object cannot be kept")
	assert.True(t, o.Keep["bad"] && o.Keep["z50z3"], "what could not be read was not removed")
	assert.Equal(t, "The broker offers 1 class with 2 plans.", o.fetchedMessage())
	assert.Equal(t, `2 faults were found in entries of the broker's catalog: service "bad" has no plans; plan without name. All else is offered; the broker's operator should correct these.`, skippedMessage(o.Problems))
}

func TestTakeKeepsWhatAnOperatorSet(t *testing.T) {
	t.Parallel()
	b := brokerOf(&v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: "b"}})
	offered := offeredClass{Name: "c", Spec: v1beta1.CommonServiceClassSpec{ExternalName: "db", ExternalID: "c"}}
	have := b.newClass(offered)
	have.class.DefaultProvisionParameters = &runtime.RawExtension{Raw: []byte(`{"a":1}`)}
	have.SetLabels(map[string]string{"mine": "yes", v1beta1.LabelExternalName: labelValue("db"), v1beta1.LabelExternalID: labelValue("c"), v1beta1.LabelClusterBrokerName: labelValue("b")})
	assert.False(t, have.differs(b.newClass(offered)), "nothing changed")
	offered.Spec.Description = "new"
	assert.True(t, have.differs(b.newClass(offered)))
	have.take(b.newClass(offered))
	assert.False(t, have.differs(b.newClass(offered)))
	assert.Equal(t, "new", have.class.Description)
	assert.NotNil(t, have.class.DefaultProvisionParameters)
	assert.Equal(t, "yes", have.GetLabels()["mine"])
}

func TestLabelValueIsTheOldOne(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f", labelValue(""), "SHA-224 of nothing")
	assert.Len(t, labelValue("user-provided-service"), 56)
}

func TestShow(t *testing.T) {
	t.Parallel()
	at := metav1.Now().Time
	c := &v1beta1.CommonStatus{}
	types := func() []string {
		var out []string
		for _, x := range c.Conditions {
			out = append(out, x.Type)
		}
		return out
	}
	show(c, 1, at, state{ready: metav1.ConditionFalse, reason: "Waiting", message: "m", working: true})
	assert.Equal(t, []string{"Ready", "Reconciling"}, types())
	assert.Equal(t, "Waiting", c.LastConditionState)
	show(c, 2, at, state{ready: metav1.ConditionFalse, reason: "Refused", message: strings.Repeat("ü", 1000), failed: true, working: true})
	assert.ElementsMatch(t, []string{"Ready", "Failed", "Stalled"}, types())
	assert.LessOrEqual(t, len(c.Conditions[0].Message), 1024)
	assert.True(t, strings.HasSuffix(c.Conditions[0].Message, "ü..."), "cut between letters")
	show(c, 2, at, state{ready: metav1.ConditionFalse, reason: "Cleaning", message: "m", working: true, mitigating: true})
	assert.Equal(t, []string{"Ready", "Reconciling", "OrphanMitigation"}, types())
	show(c, 3, at, state{ready: metav1.ConditionTrue, reason: "Fine", message: "m"})
	assert.Equal(t, []string{"Ready"}, types())
	assert.Equal(t, "Ready", c.LastConditionState)
	assert.EqualValues(t, 3, c.Conditions[0].ObservedGeneration)
}
