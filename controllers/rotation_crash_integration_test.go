//go:build integration

package controllers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// deaths let the controllers die, as far as a namespace can tell, before one of
// their writes in it: from then on they can write nothing more there. As nothing is
// asked of a broker that was not written down, it is asked nothing either.
type deaths struct {
	next http.RoundTripper
	mu   sync.Mutex
	left map[string]int // by namespace, the writes before the death
}

func (d *deaths) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/events") || !d.dies(r.URL.Path) {
		return d.next.RoundTrip(r)
	}
	const body = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"the process is dead"}`
	return &http.Response{StatusCode: http.StatusUnprocessableEntity, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewBufferString(body)), Request: r}, nil
}

func (d *deaths) dies(path string) bool {
	_, ns, found := strings.Cut(path, "/namespaces/")
	if !found {
		return false
	}
	ns, _, _ = strings.Cut(ns, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	left, doomed := d.left[ns]
	if !doomed {
		return false
	}
	if left > 0 {
		d.left[ns] = left - 1
	}
	return left == 0
}

func (d *deaths) doom(namespace string, writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left[namespace] = writes
}

// dead says whether a namespace has seen as many writes as it may.
func (d *deaths) dead(namespace string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left[namespace] == 0
}

func (d *deaths) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.left)
}

// meanwhile is what happens between the death of a process and the next one.
type meanwhile struct {
	name        string
	retrievable bool
	do          func(*stage)
}

func meanwhiles() []meanwhile {
	moved := func(s *stage) {
		secret := s.world.secret("params")
		secret.Data["json"] = []byte(`{"role":"writer"}`)
		require.NoError(s, s.Update(s.Context(), secret))
	}
	return []meanwhile{
		{"nothing happens", true, func(*stage) {}},
		{"the parameters change", true, moved},
		{"the parameters change, and nothing can be fetched again", false, moved},
		{"the broker refuses", false, func(s *stage) { s.refuse() }},
		{"the binding is deleted", true, func(s *stage) { s.remove(s.sb) }},
		{"it is paused for a while", true, func(s *stage) { s.pause("true") }},
		{"the status is lost", true, func(s *stage) { s.loseStatus() }},
	}
}

// refuse has the broker refuse the next bind.
func (s *stage) refuse() {
	s.Helper()
	s.spoil(testbroker.Match{Operations: []osb.Operation{osb.OpBind}}, true, testbroker.Do{Status: http.StatusBadRequest})
}

func (s *stage) pause(value string) {
	s.Helper()
	s.edit(s.sb, func() { metav1.SetMetaDataAnnotation(&s.sb.ObjectMeta, v1beta1.AnnotationPaused, value) })
}

// loseStatus is what a restore does that leaves the object and its Secrets alone.
func (s *stage) loseStatus() {
	s.Helper()
	require.Eventually(s, func() bool {
		if s.refresh(s.sb) {
			return false
		}
		s.sb.Status = v1beta1.ServiceBindingStatus{}
		return s.Status().Update(s.Context(), s.sb) == nil
	}, 10*time.Second, 20*time.Millisecond)
}

// A rotation that is interrupted before any of its writes, whatever happens before
// it goes on, leaves no credential behind, and none in a Secret that is dead.
func TestARotationThatIsCutOffAnywhereLeavesNothing(t *testing.T) {
	o := newOwn(t)
	d := &deaths{left: map[string]int{}}
	o.user.Wrap(func(next http.RoundTripper) http.RoundTripper { d.next = next; return d })
	stop := o.run()
	for writes := 0; ; writes++ {
		stages := make([]*stage, 0, len(meanwhiles()))
		for _, m := range meanwhiles() {
			s := newStage(t, o.suite, func(s *osb.Service) { s.BindingsRetrievable = m.retrievable })
			s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "params", Namespace: s.namespace}, Data: map[string][]byte{"json": []byte(`{"role":"reader"}`)}})
			s.sb.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "params", Key: "json"}}}
			s.create(s.i, s.sb)
			stages = append(stages, s)
		}
		for _, s := range stages {
			s.works(s.sb)
			d.doom(s.namespace, writes)
			s.rotate(s.sb, "1")
		}
		whole := 0
		for _, s := range stages {
			s.await("the process dies, or the rotation ends", func() bool {
				return d.dead(s.namespace) || !s.refresh(s.sb) && s.rotatedTo("1")
			})
			if !d.dead(s.namespace) {
				whole++
			}
		}
		stop()
		d.forget()
		for n, m := range meanwhiles() {
			stages[n].live(fmt.Sprintf("%d writes, then %s, at the death", writes, m.name))
			m.do(stages[n])
		}
		stop = o.run()
		for n, m := range meanwhiles() {
			stages[n].recovers(fmt.Sprintf("%d writes, then %s", writes, m.name), m)
		}
		if whole == len(stages) {
			assert.Greater(t, writes, 6, "annotation, intent, both Secrets, outcome, annotation")
			break
		}
	}
	stop()
}

// rotatedTo says whether a rotation that was asked for has come to its end.
func (s *stage) rotatedTo(value string) bool {
	r := s.sb.Status.Rotation
	return s.sb.Status.Operation == nil && s.sb.Status.Binding != nil && r != nil && r.Handled == value &&
		!strings.Contains(s.sb.Annotations[v1beta1.AnnotationCredentialIDs], `"next"`)
}

// live: what the Secrets hold, the broker takes.
func (s *stage) live(when string) {
	s.Helper()
	state := s.b.State()
	for _, key := range []struct{ secret, key string }{{"orders-db", "password"}, {"orders-db-env", "PASSWORD"}} {
		secret := &corev1.Secret{}
		if s.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: key.secret}, secret) != nil {
			continue // a deleted binding's
		}
		works := false
		for _, b := range state.Bindings {
			works = works || passwordOf(b.Credentials) == string(secret.Data[key.key])
		}
		assert.True(s, works, "%s: Secret %s holds dead credentials", when, key.secret)
	}
}

// recovers waits until all is well again, and looks that it is.
func (s *stage) recovers(when string, m meanwhile) {
	s.Helper()
	if m.name == "it is paused for a while" {
		s.await(when+": it rests", func() bool {
			return !s.refresh(s.sb) && condition(s.sb.Status.Conditions, v1beta1.ConditionReady).Reason == v1beta1.ReasonPaused
		})
		s.pause("false")
	}
	s.await(when+": it ends", func() bool {
		if s.refresh(s.sb) {
			return true
		}
		if s.sb.DeletionTimestamp.IsZero() {
			s.live(when)
		}
		return s.sb.DeletionTimestamp.IsZero() && s.rotatedTo("1")
	})
	if !s.sb.DeletionTimestamp.IsZero() || s.refresh(s.sb) {
		s.revoked(when)
		return
	}
	want := []string{s.sb.Status.ExternalID}
	if r := s.sb.Status.Rotation; r != nil {
		for _, p := range r.Predecessors {
			want = append(want, p.ExternalID)
		}
	}
	var have []string
	for _, b := range s.b.State().Bindings {
		have = append(have, b.ID)
	}
	assert.Subset(s, want, have, "%s: the broker has what the binding does not know of", when)
	assert.Contains(s, have, s.sb.Status.ExternalID, "%s", when)
	s.endOverlap(s.sb)
	s.await(when+": one is left", func() bool { return len(s.b.State().Bindings) == 1 && !s.refresh(s.sb) && operationOf(s.sb) == nil })
	assert.Equal(s, s.sb.Status.ExternalID, s.b.State().Bindings[0].ID, "%s", when)
	s.live(when)
	require.NoError(s, s.b.SetRules())
	s.remove(s.sb)
	s.ends(s.sb)
	s.revoked(when)
}

// revoked: the broker has no binding, and all credentials are revoked.
func (s *stage) revoked(when string) {
	s.Helper()
	state := s.b.State()
	assert.Empty(s, state.Bindings, "%s: bindings are left at the broker", when)
	assert.Equal(s, state.Issued, state.Revoked, "%s: credentials issued and revoked", when)
}
