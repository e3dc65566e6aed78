//go:build integration

package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// agree: what the broker has is what the objects of the cluster stand for, with
// the plans and parameters of their specs, and the credentials that work are those
// in their Secrets.
func (s *stage) agree() {
	s.Helper()
	instances, bindings := &v1beta1.ServiceInstanceList{}, &v1beta1.ServiceBindingList{}
	require.NoError(s, s.List(s.Context(), instances, client.InNamespace(s.namespace)))
	require.NoError(s, s.List(s.Context(), bindings, client.InNamespace(s.namespace)))
	want, have := []string{}, []string{}
	for _, i := range instances.Items {
		if i.Status.ProvisionStatus == v1beta1.ProvisionStatusProvisioned {
			want = append(want, strings.Join([]string{"instance", i.Status.ExternalID, s.planID(i.Spec.ClusterServicePlanExternalName), compactJSON(i.Spec.Parameters.Raw), "ready"}, " "))
		}
	}
	for _, b := range bindings.Items {
		if b.Status.Binding != nil {
			want = append(want, "binding "+b.Status.ExternalID+" ready", "credentials "+s.stored(b))
		}
	}
	state := s.b.State()
	for _, i := range state.Instances {
		have = append(have, strings.Join([]string{"instance", i.ID, i.PlanID, compactJSON(i.Parameters), string(i.Phase)}, " "))
	}
	for _, b := range state.Bindings {
		have = append(have, "binding "+b.ID+" "+string(b.Phase))
		if slices.Contains(state.LiveCredentials, b.InstanceID+"/"+b.ID) {
			have = append(have, "credentials "+passwordOf(b.Credentials))
		}
	}
	assert.ElementsMatch(s, want, have, "the objects of the cluster, and what the broker has")
}

func (s *stage) planID(name string) string {
	for _, p := range s.fake.catalog.Services[0].Plans {
		if p.Name == name {
			return p.ID
		}
	}
	return "none"
}

// stored is the password in a binding's Secret.
func (s *stage) stored(b v1beta1.ServiceBinding) string {
	secret := &corev1.Secret{}
	if err := s.Get(s.Context(), client.ObjectKey{Namespace: b.Namespace, Name: b.Status.Binding.Name}, secret); err != nil {
		return err.Error()
	}
	return string(secret.Data["password"])
}

func passwordOf(credentials osb.RawJSON) string {
	var c struct {
		Password string `json:"password"`
	}
	_ = json.Unmarshal(credentials, &c) // the test broker made it
	return c.Password
}

// compactJSON makes equal values equal texts.
func compactJSON(raw []byte) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	out, _ := json.Marshal(v) // it was JSON before
	return string(out)
}

// empty: nothing is left at the broker, and all credentials it ever gave are revoked.
func (s *stage) empty() {
	s.Helper()
	state := s.b.State()
	assert.Empty(s, state.Instances, "instances are left at the broker")
	assert.Empty(s, state.Bindings, "bindings are left at the broker")
	assert.Equal(s, state.Issued, state.Revoked, "credentials issued and revoked")
	secrets := &corev1.SecretList{}
	require.NoError(s, s.List(s.Context(), secrets, client.InNamespace(s.namespace)))
	assert.Empty(s, secrets.Items, "Secrets are left in the namespace")
}

// orderly: what the platform sent breaks no rule of the API, no two requests about
// one thing were under way at a time, and no two wishes met under one id.
func (s *stage) orderly() {
	s.Helper()
	for _, e := range s.b.Ledger(testbroker.Filter{Complaints: true}).Entries {
		if e.Method == "PRI" {
			continue // another test's etcd is gone, and its API server still looks for it on what is our port now
		}
		assert.Empty(s, slices.DeleteFunc(e.Complaints, s.excused), "what the broker complains of: %s %s", e.Method, e.Path)
	}
	things := map[string]*thing{}
	for _, e := range s.b.Ledger(testbroker.Filter{}).Entries {
		if e.Method == http.MethodGet || e.Method == "PRI" {
			continue
		}
		id := e.InstanceID + "/" + e.BindingID
		if things[id] == nil {
			things[id] = &thing{}
		}
		if fault := things[id].take(e); fault != "" {
			assert.Fail(s, fault, "%s: request %d", id, e.Seq)
		}
	}
}

// excused: which plan is in force nobody can know after an update whose answer was
// lost; the platform names the last one that it knows of.
func (s *stage) excused(complaint string) bool {
	return s.unknownPlan && (strings.HasPrefix(complaint, "P85:") || strings.HasPrefix(complaint, "P105:") || strings.HasPrefix(complaint, "P43:"))
}

// thing is an instance or binding in the ledger.
type thing struct {
	last testbroker.Entry
	// open is what was asked for by a create whose outcome the platform cannot
	// know; "" for nothing.
	open string
}

// take looks at the next request about a thing and says what is wrong with it.
func (t *thing) take(e testbroker.Entry) (fault string) {
	was := t.last
	t.last = e
	answered := e.Outcome == testbroker.OutcomeAnswered
	spoiled := strings.HasPrefix(e.Rule, faultRule)
	if was.Outcome == testbroker.OutcomeAnswered && !strings.HasSuffix(was.Rule, afterRule) && was.Finished.After(e.Time) {
		return fmt.Sprintf("it was sent while request %d was under way", was.Seq)
	}
	switch wish := wishOf(e); {
	case e.Method == http.MethodDelete:
		if answered && (e.Status < http.StatusMultipleChoices || e.Status == http.StatusGone) {
			t.open = ""
		}
	case e.Method != http.MethodPut:
	case t.open != "" && t.open != wish:
		return fmt.Sprintf("it asks for %s while what became of %s is not known", wish, t.open)
	case answered && e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError: // settles nothing that was open
	case answered && e.Status < http.StatusBadRequest && !spoiled:
		t.open = ""
	default:
		t.open = wish
	}
	return ""
}

// wishOf is what a create asks for.
func wishOf(e testbroker.Entry) string {
	var body struct {
		PlanID     string          `json:"plan_id"`
		Parameters json.RawMessage `json:"parameters"`
	}
	_ = json.Unmarshal(e.Body, &body) // the kit read it before
	return body.PlanID + compactJSON(body.Parameters)
}

// count is how many requests of operations were sent.
func (s *stage) count(ops ...osb.Operation) int {
	return len(s.b.Ledger(testbroker.Filter{Operations: ops}).Entries)
}

// tellAll prints what a failed case looks like.
func (s *stage) tellAll() {
	var out strings.Builder
	ctx := context.WithoutCancel(s.Context())
	for _, o := range []client.Object{s.i, s.sb} {
		if o.GetUID() == "" || s.Get(ctx, client.ObjectKeyFromObject(o), o) != nil {
			fmt.Fprintf(&out, "%T: none\n", o)
			continue
		}
		raw, _ := json.Marshal(conditionsOf(o)) // it came as JSON
		op, _ := json.Marshal(operationOf(o))
		fmt.Fprintf(&out, "%T generation %d deleted %v\n  %s\n  %s\n", o, o.GetGeneration(), o.GetDeletionTimestamp(), raw, op)
	}
	for _, e := range s.b.Ledger(testbroker.Filter{}).Entries {
		fmt.Fprintf(&out, "%3d %s %-14s %.8s %.8s rule=%s effect=%d status=%d %s %s\n", e.Seq, e.Time.Format("05.000"), e.Operation, e.InstanceID, e.BindingID, e.Rule, e.Effect, e.Status, e.Outcome, wishOf(e))
	}
	s.Log(out.String())
}
