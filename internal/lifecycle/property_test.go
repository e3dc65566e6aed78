package lifecycle_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/lifecycle"
	"github.com/svc-cat/catalog/osb"
)

// fault is what goes wrong with one pass.
type fault string

const (
	fine         fault = "fine"
	dieBefore    fault = "the process dies before the call"
	dieAfter     fault = "the process dies after the call"
	dialFails    fault = "the broker cannot be reached"
	errorBefore  fault = "500 and nothing done"
	errorAfter   fault = "500 although it was done"
	answerLost   fault = "done, and the answer is lost"
	neverArrived fault = "timeout and nothing done"
	busy         fault = "422 ConcurrencyError"
)

var faults = []fault{fine, dieBefore, dieAfter, dialFails, errorBefore, errorAfter, answerLost, neverArrived, busy}

// world is one object and a broker. It carries out decisions as the engine
// does, with a fault in each pass.
type world struct {
	t *rapid.T
	// the broker: plan by id, ids it ever had, and what somebody else made
	holds    map[string]string
	seen     map[string]bool
	foreign  string
	refusing bool // ids that were seen are refused for ever
	// the object
	plan     string
	deleting bool
	given    bool
	released bool
	f        lifecycle.Facts
	created  bool
}

func (w *world) facts() lifecycle.Facts {
	f := w.f
	f.Deleting, f.Ours, f.Mitigate = w.deleting, !w.given || w.created, true
	f.Retain = w.given
	f.Wish = wish(w.plan)
	f.Token = w.plan
	return f
}

func (w *world) pass(what fault) {
	f := w.facts()
	next := lifecycle.Next(f)
	if next.Done {
		w.released = true
		return
	}
	if next.Action == "" {
		w.f.Now = w.f.Now.Add(next.Wait + time.Second)
		return
	}
	op := lifecycle.Intent(f, next, fmt.Sprintf("%d", w.f.Now.UnixNano()))
	w.f.Op = op
	if op.Action == v1beta1.ActionProvision {
		w.f.MayExist, w.f.Have = true, next.Request
	}
	w.f.Now = w.f.Now.Add(time.Second)
	if what == dieBefore {
		return
	}
	reply := w.call(op, what)
	if what == dieAfter {
		return
	}
	o := lifecycle.Absorb(f, op, reply)
	require.False(w.t, o.None)
	w.f.Op, w.f.Exists, w.f.MayExist, w.created, w.f.ExternalID = o.Op, o.Exists, o.MayExist, o.CreatedByUs, o.ExternalID
}

// call is the broker: what it does, and what is heard of it.
func (w *world) call(op *v1beta1.Operation, what fault) lifecycle.Reply {
	fail := func(k osb.Kind, change func(*osb.Error)) lifecycle.Reply {
		return lifecycle.Reply{Err: failure(k, change)}
	}
	creating := op.Action == v1beta1.ActionProvision
	orphan := func(e *osb.Error) { e.StatusCode, e.OrphanMitigation = 500, creating }
	lost := func(e *osb.Error) { e.Lost, e.OrphanMitigation = true, creating }
	switch what {
	case dialFails:
		return fail(osb.KindUnavailable, nil)
	case errorBefore:
		return fail(osb.KindUnavailable, orphan)
	case neverArrived:
		return fail(osb.KindTimeout, lost)
	case busy:
		return fail(osb.KindBusy, func(e *osb.Error) { e.StatusCode = 422 })
	}
	reply := w.carryOut(op, creating)
	switch what {
	case errorAfter:
		return fail(osb.KindUnavailable, orphan)
	case answerLost:
		return fail(osb.KindTimeout, lost)
	}
	return reply
}

func (w *world) carryOut(op *v1beta1.Operation, creating bool) lifecycle.Reply {
	if !creating {
		require.NotEqual(w.t, w.foreign, op.ExternalID, "what somebody else made was deleted")
		delete(w.holds, op.ExternalID)
		return lifecycle.Reply{}
	}
	plan, there := w.holds[op.ExternalID]
	switch {
	case there && plan == op.PlanID:
		return lifecycle.Reply{Existed: true}
	case there, w.refusing && w.seen[op.ExternalID]:
		return lifecycle.Reply{Err: failure(osb.KindConflict, nil)}
	case op.PlanID == "refused":
		return lifecycle.Reply{Err: failure(osb.KindRejected, nil)}
	}
	w.holds[op.ExternalID], w.seen[op.ExternalID] = op.PlanID, true
	return lifecycle.Reply{}
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, holds: map[string]string{}, seen: map[string]bool{}, plan: "small"}
	w.given = rapid.Bool().Draw(t, "the user gave the id")
	w.refusing = !w.given && rapid.Bool().Draw(t, "the broker refuses ids that it has seen")
	if w.given && rapid.Bool().Draw(t, "somebody else has made it") {
		w.foreign = id
		w.holds[id] = rapid.SampledFrom([]string{"small", "large"}).Draw(t, "its plan")
	}
	w.f = lifecycle.Facts{Kind: lifecycle.Instance, Now: now, ExternalID: id, BaseID: id}
	return w
}

// TestNothingIsLostAndNothingForeignIsTouched kills, disturbs and edits at
// random, then lets everything heal, and looks at what the broker holds.
func TestNothingIsLostAndNothingForeignIsTouched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		steps := rapid.IntRange(1, 25).Draw(t, "steps")
		for range steps {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				w.plan = rapid.SampledFrom([]string{"small", "large", "refused"}).Draw(t, "plan")
			case 1:
				w.deleting = w.deleting || rapid.IntRange(0, 3).Draw(t, "delete") == 0
			default:
				w.pass(rapid.SampledFrom(faults).Draw(t, "fault"))
			}
			if w.released {
				break
			}
		}
		for range 60 {
			if !w.released {
				w.pass(fine)
				w.f.Now = w.f.Now.Add(10 * time.Minute)
			}
		}
		w.check()
	})
}

func (w *world) check() {
	var own []string
	for held := range w.holds {
		if held != w.foreign {
			own = append(own, held)
		}
	}
	slices.Sort(own)
	if w.foreign != "" {
		require.Contains(w.t, w.holds, w.foreign)
	}
	switch {
	case w.deleting:
		require.True(w.t, w.released, "a deleted object goes")
		if !w.given {
			require.Empty(w.t, own, "a deleted object leaves nothing behind")
		}
	case w.f.Exists:
		require.Contains(w.t, w.holds, w.f.ExternalID, "what is said to exist exists")
		require.Equal(w.t, w.f.Have.PlanID, w.holds[w.f.ExternalID], "and is what was asked for")
		if !w.given {
			require.Equal(w.t, []string{w.f.ExternalID}, own, "and is all there is")
		}
	default:
		require.True(w.t, w.f.Op != nil && w.f.Op.Terminal, "what is not there was refused")
		if !w.given {
			require.Empty(w.t, own, "a refused create leaves nothing behind")
		}
	}
}
