//go:build integration

package controllers_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// operation is what a case is about.
type operation osb.Operation

const (
	provisions   = operation(osb.OpProvision)
	updates      = operation(osb.OpUpdate)
	deprovisions = operation(osb.OpDeprovision)
	binds        = operation(osb.OpBind)
	unbinds      = operation(osb.OpUnbind)
)

// ending is what the world does after the fault was seen.
type ending string

const (
	// heals: the fault goes; where a user must act, they do.
	heals ending = "heals"
	// edited: the user wants something else while the fault lasts.
	edited ending = "edited"
	// reverted: the user takes the update back while the fault lasts.
	reverted ending = "taken back"
	// deleted: the user deletes the object while the fault lasts.
	deleted ending = "deleted"
)

// scene is one case of the matrix.
type scene struct {
	op         operation
	background bool // the broker works in the background
	fault
	ending
}

func (c scene) name() string {
	mode := "sync"
	if c.background {
		mode = "async"
	}
	return fmt.Sprintf("%s %s, %s, %s", c.op, mode, c.fault.name, c.ending)
}

func (c scene) course() course { return c.fault.of(c.op) }

// endings are those that a case makes sense with.
func endings(o operation, f fault) []ending {
	switch c := f.of(o); {
	case c == passes || o == deprovisions || o == unbinds:
		return []ending{heals}
	case o == updates:
		return []ending{heals, reverted, deleted}
	case o == provisions && (f.unread || c == polls):
		return []ending{heals, edited, deleted}
	}
	return []ending{heals, deleted}
}

func scenes(background bool, ops ...operation) []scene {
	var all []scene
	for _, o := range ops {
		for _, f := range allFaults() {
			if f.of(o) == none {
				continue
			}
			for _, e := range endings(o, f) {
				all = append(all, scene{o, background, f, e})
			}
		}
	}
	return all
}

// Every answer to every call, by a broker that works at once.
func TestEveryAnswerToEveryCall(t *testing.T) {
	playAll(t, scenes(false, provisions, updates, deprovisions, binds, unbinds), scene.name, playScene(watch(t, shared)))
}

// Every answer to every call, by a broker that works in the background.
func TestEveryAnswerToEveryCallOfBackgroundWork(t *testing.T) {
	playAll(t, scenes(true, provisions, updates, deprovisions), scene.name, playScene(watch(t, shared)))
}

func playScene(watched client.Reader) func(*testing.T, scene) {
	return func(t *testing.T, c scene) {
		t.Helper()
		play(t, watched, c)
	}
}

// play goes through a case and looks at what must hold at its end.
func play(t *testing.T, watched client.Reader, c scene) {
	t.Helper()
	var background []osb.Operation
	if c.background {
		background = []osb.Operation{osb.OpProvision, osb.OpUpdate, osb.OpDeprovision}
	}
	var change func(*osb.Service)
	if len(c.says) > 0 {
		change = limited
	}
	s := newStage(t, shared, change, background...)
	s.watched = watched
	s.upTo(c)
	s.spoilFor(c)
	o := s.begin(c)
	s.sees(c, o)
	s.goOn(c, o)
	s.orderly()
	if !t.Failed() {
		s.finale(c)
	}
}

// upTo makes what the operation needs.
func (s *stage) upTo(c scene) {
	s.Helper()
	if c.op == provisions {
		return
	}
	s.create(s.i)
	s.works(s.i)
	if c.op == unbinds {
		s.create(s.sb)
		s.works(s.sb)
	}
}

func (s *stage) spoilFor(c scene) {
	s.Helper()
	dos := slices.Clone(c.dos)
	for n := range dos {
		switch a := dos[n].Async; {
		case !c.background || c.polled:
		case a == nil:
			dos[n].Async = s.base[0].Do.Async
		case a.Takes == 0:
			a.Takes = testbroker.Duration(backgroundWork)
		}
	}
	match := testbroker.Match{Operations: []osb.Operation{osb.Operation(c.op)}}
	if c.polled {
		match = testbroker.Match{Polled: match.Operations}
	}
	s.spoil(match, c.course() == passes && len(c.dos) > 0, dos...)
}

// begin has the operation asked for and returns the object that it is about.
func (s *stage) begin(c scene) client.Object {
	s.Helper()
	switch c.op {
	case provisions:
		s.create(s.i)
		return s.i
	case updates:
		s.unknownPlan = c.unread || c.course() == passes || c.course() == polls
		s.edit(s.i, func() {
			s.i.Spec.Parameters, s.i.Spec.ClusterServicePlanExternalName = parameters(`{"size":2}`), "large"
		})
		return s.i
	case binds:
		s.create(s.sb)
		return s.sb
	case unbinds:
		s.remove(s.sb)
		return s.sb
	}
	s.remove(s.i)
	return s.i
}

// sees waits until the object says what the fault comes to.
func (s *stage) sees(c scene, o client.Object) {
	s.Helper()
	if c.course() == passes {
		return
	}
	status, reason := c.meanwhile()
	ready := s.says(o, status, reason)
	assert.NotEmpty(s, ready.Message)
	if c.course() == polls {
		s.seesPolls(c)
	}
	must := c.course() == rests || c.course() == cleansAndRests
	failed := condition(conditionsOf(o), v1beta1.ConditionFailed).Status == metav1.ConditionTrue
	assert.Equal(s, must, failed, "Failed says whether a user must act")
	if c.course() == rests {
		assert.Equal(s, 1, s.count(osb.Operation(c.op)), "a refused request is not repeated")
	}
	if c.op == unbinds {
		secret := &corev1.Secret{}
		assert.NoError(s, s.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: "orders-db"}, secret), "the Secret stays until its credentials are revoked")
	}
}

// reasons are what an operation says by the course of its fault.
type reasons struct{ waits, repeats, silent, rests, polls string }

func (c scene) meanwhile() (metav1.ConditionStatus, string) {
	r := map[operation]reasons{
		provisions:   {v1beta1.ReasonProvisionRequestInFlight, v1beta1.ReasonProvisionCallFailed, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonBrokerReturnedFailure, v1beta1.ReasonProvisioning},
		updates:      {v1beta1.ReasonUpdateRequestInFlight, v1beta1.ReasonUpdateCallFailed, v1beta1.ReasonErrorCallingUpdate, v1beta1.ReasonUpdateCallFailed, v1beta1.ReasonUpdating},
		deprovisions: {v1beta1.ReasonDeprovisionRequestInFlight, v1beta1.ReasonDeprovisionCallFailed, v1beta1.ReasonDeprovisionCallFailed, "", v1beta1.ReasonDeprovisioning},
		binds:        {v1beta1.ReasonBindingRequestInFlight, v1beta1.ReasonBindCallFailed, v1beta1.ReasonBindCallFailed, v1beta1.ReasonBindingReturnedFailure, v1beta1.ReasonBinding},
		unbinds:      {v1beta1.ReasonUnbindingRequestInFlight, v1beta1.ReasonUnbindCallFailed, v1beta1.ReasonUnbindCallFailed, "", v1beta1.ReasonUnbinding},
	}[c.op]
	status, reason := metav1.ConditionFalse, r.repeats
	switch c.course() {
	case waits:
		reason = r.waits
	case polls:
		reason = r.polls
	case rests, cleansAndRests:
		reason = r.rests
	default:
		switch {
		case c.refusal:
			reason = r.rests
		case c.silent:
			reason = r.silent
		}
		if c.op == deprovisions || c.op == unbinds {
			status = metav1.ConditionUnknown // whether it still works is not known
		}
	}
	if other := c.says[c.op]; other != "" {
		reason = other
	}
	if c.op == updates {
		status = metav1.ConditionTrue // it works as before
	}
	return status, reason
}

// goOn plays the ending.
func (s *stage) goOn(c scene, o client.Object) {
	s.Helper()
	switch c.ending {
	case deleted:
		s.remove(o)
		s.mayEnd(c)
		s.ends(o)
		return
	case edited, reverted:
		plan, text := "large", `{"size":3}`
		if c.ending == reverted {
			plan, text = "small", `{"size":1}`
		}
		s.edit(s.i, func() { s.i.Spec.Parameters, s.i.Spec.ClusterServicePlanExternalName = parameters(text), plan })
	}
	if c.course() != passes {
		s.mend()
		s.unthrottle(c)
	}
	switch {
	case c.op == deprovisions || c.op == unbinds:
		if c.course() != passes && c.course() != polls {
			s.poke(o)
		}
		s.ends(o)
		return
	case c.ending == heals && c.course() == rests && c.op != binds:
		s.edit(s.i, func() { s.i.Spec.Parameters = parameters(`{"size":3}`) })
	case c.course() != passes && c.course() != polls:
		s.poke(o)
	}
	s.works(o)
	s.removedOnly(c)
}

// mayEnd lets what a deletion waits for come to its end.
func (s *stage) mayEnd(c scene) {
	s.Helper()
	if c.throttles {
		s.mend()
		s.unthrottle(c)
	}
}

// unthrottle has the broker asked again at once.
func (s *stage) unthrottle(c scene) {
	s.Helper()
	if c.throttles {
		s.poke(s.broker)
	}
}

// removedOnly: a DELETE was sent where the course says so, and nowhere else.
func (s *stage) removedOnly(c scene) {
	s.Helper()
	remove := osb.OpDeprovision
	if c.op == binds {
		remove = osb.OpUnbind
	}
	switch c.course() {
	case cleans, cleansAndRests:
		assert.NotZero(s, s.count(remove), "what may be left of a failed attempt is removed")
	case passes: // as far as it needs
	default:
		if c.ending != edited { // then an attempt of unknown outcome must go first
			assert.Zero(s, s.count(remove), "nothing is removed after such an answer")
		}
	}
}

// finale compares broker and cluster, and once more when all is deleted.
func (s *stage) finale(c scene) {
	s.Helper()
	s.agree()
	s.remove(s.sb)
	if s.sb.UID != "" {
		s.ends(s.sb)
	}
	s.remove(s.i)
	s.ends(s.i)
	s.empty()
	s.orderly()
	if c.ending == deleted && (c.course() == rests || c.course() == waits) && c.op == provisions {
		assert.Zero(s, s.count(osb.OpDeprovision), "nothing was made, so nothing is removed")
	}
	s.remove(s.broker)
	require.NoError(s, s.b.SetRules())
}
