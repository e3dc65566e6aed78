//go:build integration

package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// bound is a world with a binding that works.
func bound(t *testing.T) (*world, *v1beta1.ServiceBinding) {
	w := newWorld(t)
	b := w.binding()
	w.create(w.broker, w.instance("orders", "small"), b)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	return w, b
}

// rotate asks for new credentials by the annotation.
func (w *world) rotate(b *v1beta1.ServiceBinding, value string) {
	w.edit(b, func() { metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.AnnotationRotate, value) })
}

// rotated waits until others than the credentials given are in force.
func (w *world) rotated(b *v1beta1.ServiceBinding, than string) {
	w.Helper()
	w.eventually("there are new credentials", func() bool {
		return !w.refresh(b) && b.Status.ExternalID != than && b.Status.Operation == nil
	})
}

// secretValue is what a Secret of the namespace holds under a key.
func (w *world) secretValue(name, key string) string {
	s := &corev1.Secret{}
	require.NoError(w, w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, s))
	return string(s.Data[key])
}

// bindings is how many the broker has.
func (w *world) bindings() int {
	_, n := w.fake.held()
	return n
}

// endOverlap lets the time of old credentials be over.
func (w *world) endOverlap(b *v1beta1.ServiceBinding) {
	require.Eventually(w, func() bool {
		if w.refresh(b) || b.Status.Rotation == nil {
			return false
		}
		for n := range b.Status.Rotation.Predecessors {
			b.Status.Rotation.Predecessors[n].RevokeAfter = metav1.NewTime(time.Now().Add(-time.Second))
		}
		return w.Status().Update(w.Context(), b) == nil
	}, 10*time.Second, 20*time.Millisecond)
}

// neverUnready watches a binding until the test ends: its Ready must stay True.
func (w *world) neverUnready(b *v1beta1.ServiceBinding) *atomic.Bool {
	var bad atomic.Bool
	ctx, cancel := context.WithCancel(w.Context())
	w.Cleanup(cancel)
	seen, key := b.DeepCopy(), client.ObjectKeyFromObject(b)
	go func() {
		for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			if w.Get(ctx, key, seen) == nil && seen.DeletionTimestamp.IsZero() &&
				condition(seen.Status.Conditions, v1beta1.ConditionReady).Status != metav1.ConditionTrue {
				bad.Store(true)
			}
		}
	}()
	return &bad
}

func TestCredentialsAreRotatedWithoutAnOutage(t *testing.T) {
	w, b := bound(t)
	first := b.Status.ExternalID
	unready := w.neverUnready(b)
	w.rotate(b, "1")
	w.rotated(b, first)
	second := b.Status.ExternalID
	assert.Equal(t, "p-"+second, w.secretValue("orders-db", "password"))
	assert.Equal(t, "p-"+second, w.secretValue("orders-db-env", "PASSWORD"))
	require.Len(t, b.Status.Rotation.Predecessors, 1)
	assert.Equal(t, first, b.Status.Rotation.Predecessors[0].ExternalID)
	assert.WithinDuration(t, time.Now().Add(10*time.Minute), b.Status.Rotation.Predecessors[0].RevokeAfter.Time, 20*time.Second)
	assert.Equal(t, 2, w.bindings(), "both are valid")
	w.eventually("all ids are written down", func() bool {
		ids := b.Annotations[v1beta1.AnnotationCredentialIDs]
		return !w.refresh(b) && strings.Contains(ids, first) && strings.Contains(ids, `"inForce":"`+second)
	})

	w.endOverlap(b)
	w.eventually("the old ones are revoked", func() bool {
		return w.bindings() == 1 && !w.refresh(b) && len(b.Status.Rotation.Predecessors) == 0 && b.Status.Operation == nil
	})
	assert.EqualValues(t, 1, b.Status.Rotation.Generation)

	w.rotate(b, "2")
	w.rotated(b, second)
	assert.Equal(t, 3, w.fake.count("PUT binding"))
	assert.False(t, unready.Load(), "Ready stays True throughout")
	w.vanish(b)
	assert.Zero(t, w.bindings(), "a deleted binding leaves none of its credentials")
}

func TestARefusedRotationHarmsNothing(t *testing.T) {
	w, b := bound(t)
	first := b.Status.ExternalID
	unready := w.neverUnready(b)
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "PUT binding" {
				rw.WriteHeader(http.StatusBadRequest)
				_, _ = rw.Write([]byte(`{"description":"no more users"}`))
				return
			}
			next(rw, r)
		}
	})
	failed := func() metav1.Condition {
		require.False(t, w.refresh(b))
		return condition(b.Status.Conditions, v1beta1.ConditionRotationFailed)
	}
	w.rotate(b, "1")
	w.eventually("it is said", func() bool { return failed().Status == metav1.ConditionTrue })
	assert.Contains(t, failed().Message, "no more users")
	assert.Equal(t, first, b.Status.ExternalID)
	assert.Equal(t, "p-"+first, w.secretValue("orders-db", "password"))
	asked := w.fake.count("PUT binding")
	w.fake.set(func() { w.fake.fault = nil })
	w.rotate(b, "2")
	w.rotated(b, first)
	assert.Equal(t, asked+1, w.fake.count("PUT binding"), "the refusal was not tried again and again")
	assert.Empty(t, failed().Type)
	assert.False(t, unready.Load())
	w.vanish(b)
	assert.Zero(t, w.bindings())
}

// discard is an answer that nobody hears.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestALostAnswerToARotationLeavesNothing(t *testing.T) {
	w, b := bound(t)
	first := b.Status.ExternalID
	var once atomic.Bool
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "PUT binding" && once.CompareAndSwap(false, true) {
				next(discard{http.Header{}}, r)
				panic(http.ErrAbortHandler)
			}
			next(rw, r)
		}
	})
	w.rotate(b, "1")
	w.rotated(b, first)
	assert.Equal(t, 2, w.bindings(), "the old and the new, and nothing of the lost attempt")
	assert.Equal(t, "p-"+b.Status.ExternalID, w.secretValue("orders-db", "password"))
	w.endOverlap(b)
	w.eventually("one is left", func() bool { return w.bindings() == 1 })
}

func TestADeletionDuringARotationLeavesNothing(t *testing.T) {
	w, b := bound(t)
	release := make(chan struct{})
	var hangs atomic.Bool
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			next(rw, r)
			if op == "PUT binding" {
				hangs.Store(true)
				<-release
			}
		}
	})
	w.rotate(b, "1")
	w.eventually("the broker makes new ones", hangs.Load)
	require.NoError(t, w.Delete(t.Context(), b))
	close(release)
	w.eventually("it goes", func() bool { return w.refresh(b) })
	assert.Zero(t, w.bindings())
}

func TestSecretsThatCannotBeSwappedStayAsTheyAre(t *testing.T) {
	w, b := bound(t)
	first := b.Status.ExternalID
	env := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-db-env", Namespace: w.namespace}}
	require.False(t, w.refresh(env))
	env.Immutable = new(true)
	require.NoError(t, w.Update(t.Context(), env))
	w.rotate(b, "1")
	w.eventually("it is said", func() bool {
		return !w.refresh(b) && b.Status.Operation != nil && b.Status.Operation.Reason == v1beta1.ReasonErrorInjectingBindResult && w.bindings() == 1
	})
	assert.Equal(t, first, b.Status.ExternalID)
	assert.Equal(t, "p-"+first, w.secretValue("orders-db", "password"), "not one Secret with old credentials and one with new ones")
	assert.Equal(t, metav1.ConditionTrue, condition(b.Status.Conditions, v1beta1.ConditionReady).Status)
}

func TestABindingRestoredWithoutStatusKnowsItsCredentials(t *testing.T) {
	w, b := bound(t)
	first := b.Status.ExternalID
	for _, value := range []string{"1", "2"} {
		before := b.Status.ExternalID
		w.rotate(b, value)
		w.rotated(b, before)
	}
	third := b.Status.ExternalID
	w.eventually("the annotation is up to date", func() bool {
		ids := b.Annotations[v1beta1.AnnotationCredentialIDs]
		return !w.refresh(b) && strings.Contains(ids, first) && strings.Contains(ids, `"inForce":"`+third)
	})
	require.Equal(t, 3, w.bindings())
	// The loss: what the broker has stays, the object and its Secrets go.
	restored := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Name: b.Name, Namespace: b.Namespace, Annotations: b.Annotations}, Spec: *b.Spec.DeepCopy()}
	w.edit(b, func() { metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.AnnotationPurge, "true") })
	w.vanish(b)
	require.Equal(t, 3, w.bindings())

	w.create(restored)
	w.becomes(restored, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	assert.Equal(t, third, restored.Status.ExternalID, "the id in force, not the first one")
	assert.Equal(t, "p-"+third, w.secretValue("orders-db", "password"))
	assert.Equal(t, 3, w.bindings())
	w.endOverlap(restored)
	w.eventually("exactly one is live", func() bool { return w.bindings() == 1 })
	require.False(t, w.refresh(restored))
	assert.Equal(t, third, restored.Status.ExternalID)
}

func TestASecretThatNobodyCanGiveAgainIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() { w.fake.catalog.Services[0].BindingsRetrievable = false })
	b := w.binding()
	w.create(w.broker, w.instance("orders", "small"), b)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	first := b.Status.ExternalID
	require.NoError(t, w.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-db", Namespace: w.namespace}}))
	w.rotated(b, first)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	assert.Equal(t, "p-"+b.Status.ExternalID, w.secretValue("orders-db", "password"))
	assert.Equal(t, "p-"+b.Status.ExternalID, w.secretValue("orders-db-env", "PASSWORD"))
	w.vanish(b)
	assert.Zero(t, w.bindings())
}
