//go:build integration

package controllers_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

const (
	// wide is how many cases of a matrix are played at a time: most of each is waiting.
	wide = 32
	// backgroundWork is how long a broker takes that works in the background: less
	// than the first poll, more than an answer.
	backgroundWork = 500 * time.Millisecond
	// faultRule and afterRule begin and end the ids of rules: those that spoil
	// requests, and those that carry them out after the answer.
	faultRule = "fault"
	afterRule = "-after"
)

// stage is a world of one case, with a broker and a namespace of its own.
type stage struct {
	*lived
	base []testbroker.Rule // how the broker is without a fault
	// watched has instances and bindings at hand; nil where each look is a request.
	watched client.Reader
	i       *v1beta1.ServiceInstance
	sb      *v1beta1.ServiceBinding
	poked   int
	// unknownPlan: a change of plan was asked for, and its answer lost.
	unknownPlan bool
}

// newStage registers a broker in s. Its requests of the given operations go on in
// the background.
func newStage(t *testing.T, s suite, change func(*osb.Service), background ...osb.Operation) *stage {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "case-"}}
	require.NoError(t, s.Create(t.Context(), ns))
	name, yes := "m"+uuid.NewString()[:8], true
	plan := func(n string) osb.Plan {
		return osb.Plan{ID: name + "-" + n, Name: n, Description: "a plan", PlanUpdateable: &yes}
	}
	service := osb.Service{
		ID: name + "-db", Name: name + "-db", Description: "a database", Bindable: true, InstancesRetrievable: true, BindingsRetrievable: true,
		Plans: []osb.Plan{plan("small"), plan("large")},
	}
	if change != nil {
		change(&service)
	}
	b, err := testbroker.New(testbroker.Options{Catalog: testbroker.CatalogSpec{Services: []osb.Service{service}}})
	require.NoError(t, err)
	server := httptest.NewServer(b)
	t.Cleanup(func() { b.Close(); server.Close() })
	w := &world{suite: s, TB: t, namespace: ns.Name, fake: &fakeBroker{catalog: &osb.Catalog{Services: []osb.Service{service}}}}
	w.broker = &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: ns.Name}}
	w.broker.Spec.URL = server.URL
	st := &stage{lived: &lived{w, b}}
	if len(background) > 0 {
		st.base = []testbroker.Rule{{
			ID: "background", Match: testbroker.Match{Operations: background},
			Do: testbroker.Do{Async: &testbroker.Async{Takes: testbroker.Duration(backgroundWork)}},
		}}
	}
	st.mend()
	t.Cleanup(func() {
		if t.Failed() {
			st.tellAll()
		}
	})
	st.i, st.sb = w.instance("orders", "small"), w.binding()
	st.i.Spec.Parameters = parameters(`{"size":1}`)
	w.create(w.broker)
	return st
}

// spoil lets the broker do dos, one after the other, to requests that match; the
// last one stays until the broker is mended unless all pass.
func (s *stage) spoil(m testbroker.Match, passes bool, dos ...testbroker.Do) {
	s.Helper()
	rules := make([]testbroker.Rule, 0, len(dos)+1)
	for n, do := range dos {
		times := 1
		if n == len(dos)-1 && !passes {
			times = 0
		}
		id := fmt.Sprintf("%s-%d", faultRule, n+1)
		if do.Effect == testbroker.EffectAfter {
			id += afterRule
		}
		rules = append(rules, testbroker.Rule{ID: id, Match: m, Times: times, Do: do})
	}
	require.NoError(s, s.b.SetRules(append(rules, s.base...)...))
}

// mend takes the fault away, and lets go what hung by it.
func (s *stage) mend() {
	s.Helper()
	require.NoError(s, s.b.SetRules(s.base...))
}

// await is eventually for many cases at a time: it asks the API server less often.
func (s *stage) await(why string, ok func() bool) {
	s.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			require.FailNow(s, "it does not come to this: "+why)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// says waits for a Ready condition, of an answer that is known.
func (s *stage) says(o client.Object, status metav1.ConditionStatus, reason string) metav1.Condition {
	s.Helper()
	var ready metav1.Condition
	s.await(fmt.Sprintf("%T is Ready=%s, %s", o, status, reason), func() bool {
		if !s.look(o) {
			return false
		}
		ready = condition(conditionsOf(o), v1beta1.ConditionReady)
		op := operationOf(o)
		return ready.Status == status && ready.Reason == reason && (op == nil || op.Answered)
	})
	return ready
}

// works waits until the object is ready with its newest spec and nothing goes on.
func (s *stage) works(o client.Object) {
	s.Helper()
	s.await(fmt.Sprintf("%T works", o), func() bool {
		if !s.look(o) || operationOf(o) != nil {
			return false
		}
		all := conditionsOf(o)
		ready := condition(all, v1beta1.ConditionReady)
		return ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == o.GetGeneration() &&
			condition(all, v1beta1.ConditionReconciling).Type == "" && condition(all, v1beta1.ConditionFailed).Type == ""
	})
}

func operationOf(o client.Object) *v1beta1.Operation {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		return o.Status.Operation
	case *v1beta1.ServiceBinding:
		return o.Status.Operation
	}
	return nil
}

// ends waits until an object that is being deleted is gone.
func (s *stage) ends(o client.Object) {
	s.Helper()
	s.await(fmt.Sprintf("%T goes", o), func() bool { return !s.look(o) && s.refresh(o) })
}

// look reads an object anew, and says whether there is one at least as new as the
// one at hand.
func (s *stage) look(o client.Object) bool {
	if s.watched == nil {
		return !s.refresh(o)
	}
	got := o.DeepCopyObject().(client.Object)
	if s.watched.Get(s.Context(), client.ObjectKeyFromObject(o), got) != nil {
		return false
	}
	if order, err := resourceversion.CompareResourceVersion(got.GetResourceVersion(), o.GetResourceVersion()); err != nil || order < 0 {
		return false
	}
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		got.(*v1beta1.ServiceInstance).DeepCopyInto(o)
	case *v1beta1.ServiceBinding:
		got.(*v1beta1.ServiceBinding).DeepCopyInto(o)
	}
	return true
}

// watch keeps instances and bindings at hand, so that the many who wait cost the
// API server nothing.
func watch(t *testing.T, s suite) client.Reader {
	t.Helper()
	c, err := cache.New(s.cfg, cache.Options{Scheme: s.Scheme()})
	require.NoError(t, err)
	for _, o := range []client.Object{&v1beta1.ServiceInstance{}, &v1beta1.ServiceBinding{}} {
		_, err := c.GetInformer(t.Context(), o)
		require.NoError(t, err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { ended <- c.Start(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	require.True(t, c.WaitForCacheSync(t.Context()))
	return c
}

// poke ends a wait, as users can.
func (s *stage) poke(o client.Object) {
	s.Helper()
	s.poked++
	s.edit(o, func() {
		if o.GetAnnotations() == nil {
			o.SetAnnotations(map[string]string{})
		}
		o.GetAnnotations()[v1beta1.AnnotationReconcile] = fmt.Sprint(s.poked)
	})
}

// remove asks for the deletion of what is there.
func (s *stage) remove(objs ...client.Object) {
	s.Helper()
	for _, o := range objs {
		require.NoError(s, client.IgnoreNotFound(s.Delete(s.Context(), o)))
	}
}

// playAll plays cases by name, many at a time, and none beside other tests.
func playAll[C any](t *testing.T, cases []C, name func(C) string, play func(*testing.T, C)) {
	t.Helper()
	queue := make(chan C)
	var all sync.WaitGroup
	for range wide {
		all.Go(func() {
			for c := range queue {
				t.Run(name(c), func(t *testing.T) { play(t, c) })
			}
		})
	}
	for _, c := range cases {
		queue <- c
	}
	close(queue)
	all.Wait()
}
