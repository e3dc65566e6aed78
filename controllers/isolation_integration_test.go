//go:build integration

package controllers_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// hang lets requests about instances wait until the channel is closed, and counts
// how many wait at a time, at most.
func (w *world) hang() (release chan struct{}, most *atomic.Int32) {
	release, most = make(chan struct{}), &atomic.Int32{}
	var now atomic.Int32
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "PUT instance" {
				n := now.Add(1)
				for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
				}
				<-release
				now.Add(-1)
			}
			next(rw, r)
		}
	})
	return release, most
}

// There are four workers and more than four calls that hang: none is held up.
func TestABrokerThatHangsDelaysNobodyElse(t *testing.T) {
	w := newWorld(t)
	w.broker.Spec.OSB = &v1beta1.OSBSettings{Timeout: &metav1.Duration{Duration: time.Minute}, MaxConcurrent: new(int32(6))}
	release, most := w.hang()
	t.Cleanup(func() { // else the fake's server waits for them
		select {
		case <-release:
		default:
			close(release)
		}
	})
	w.create(w.broker)
	var stuck []*v1beta1.ServiceInstance
	for n := range 12 {
		i := w.instance(fmt.Sprintf("stuck-%d", n), "small")
		w.create(i)
		stuck = append(stuck, i)
	}
	w.eventually("six calls hang", func() bool { return most.Load() == 6 })

	other := w.world(t)
	i, b := other.instance("orders", "small"), other.binding()
	other.create(other.broker, i, b)
	other.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)

	close(release)
	for _, i := range stuck {
		w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	}
	assert.EqualValues(t, 6, most.Load(), "no more at a time than spec.osb.maxConcurrent")
	assert.Equal(t, 12, w.fake.count("PUT instance"), "each was called once")
}

// A broker that is not there is left alone, says so, and is found again.
func TestABrokerThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	w.fake.set(func() {
		w.fake.fault = func(_ string, _ http.HandlerFunc, rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusBadGateway)
		}
	})
	for n := range 5 {
		w.create(w.instance(fmt.Sprintf("early-%d", n), "small"))
	}
	open := func() metav1.Condition {
		require.False(t, w.refresh(w.broker))
		return condition(w.broker.Status.Conditions, v1beta1.ConditionCircuitOpen)
	}
	w.eventually("the circuit opens", func() bool { return open().Status == metav1.ConditionTrue })
	assert.Contains(t, open().Message, "Look whether the broker runs")
	late := w.instance("late", "small")
	w.create(late)
	assert.Contains(t, w.becomes(late, metav1.ConditionFalse, v1beta1.ReasonBrokerNotResponding).Message, w.broker.Name)

	w.fake.set(func() { w.fake.fault = nil })
	w.edit(w.broker, func() { w.broker.Annotations = map[string]string{v1beta1.AnnotationReconcile: "now"} })
	w.becomes(late, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	w.eventually("the circuit closes", func() bool { return open().Type == "" })
}

// A broker that asks to be left alone is, and all goes on after it.
func TestABrokerThatThrottlesIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.create(w.broker)
	w.becomes(w.broker, metav1.ConditionTrue, v1beta1.ReasonFetchedCatalog)
	var first atomic.Bool
	w.fake.set(func() {
		w.fake.fault = func(_ string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if first.CompareAndSwap(false, true) {
				rw.Header().Set("Retry-After", "6")
				rw.WriteHeader(http.StatusTooManyRequests)
				return
			}
			next(rw, r)
		}
	})
	i := w.instance("first", "small")
	w.create(i)
	w.eventually("the broker is left alone", func() bool {
		return !w.refresh(w.broker) && condition(w.broker.Status.Conditions, v1beta1.ConditionCircuitOpen).Reason == v1beta1.ReasonBrokerThrottles
	})
	second := w.instance("second", "small")
	w.create(second)
	w.becomes(second, metav1.ConditionFalse, v1beta1.ReasonBrokerThrottles)
	assert.Equal(t, 1, w.fake.count("PUT instance"))
	for _, o := range []client.Object{i, second} {
		w.becomes(o, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	}
}
