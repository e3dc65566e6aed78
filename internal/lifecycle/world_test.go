package lifecycle_test

import (
	"fmt"
	"maps"
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
	notKnown     fault = "404"
	asyncDone    fault = "202 and done later"
	asyncFails   fault = "202 and failed later"
	asyncNever   fault = "202 and never done"
	asyncLost    fault = "202 that is lost, and done later"
)

func faults() []fault {
	return []fault{
		fine, fine, dieBefore, dieAfter, dialFails, errorBefore, errorAfter, answerLost, neverArrived, busy, notKnown,
		asyncDone, asyncDone, asyncFails, asyncNever, asyncLost,
	}
}

// content is what can be asked for.
type content struct{ plan, params string }

// work is what the broker does in the background.
type work struct {
	kind    v1beta1.Action
	to      content
	polls   int
	outcome fault
}

// thing is what the broker has under an id.
type thing struct {
	is   content
	made bool // false while it is being made
	work *work
}

// world is one object and a broker. It carries out decisions as the engine does,
// with a fault in each pass.
type world struct {
	t *rapid.T
	// the broker: things by id, ids it ever had, and what somebody else made
	holds   map[string]*thing
	seen    map[string]bool
	foreign string
	// refusing: ids that were seen are refused for ever. stubborn: what is being
	// made cannot be deleted.
	refusing, stubborn bool
	// unsettled are contents by id that may have been taken on although no answer
	// says so.
	unsettled map[string]map[content]int
	// the object
	wish content
	// reconciled is the wish that the broker last accepted, or had already.
	reconciled content
	poked      int
	deleting   bool
	given      bool
	released   bool
	f          lifecycle.Facts
	created    bool
	calls      int
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, holds: map[string]*thing{}, seen: map[string]bool{}, unsettled: map[string]map[content]int{}, wish: content{plan: "small"}}
	w.given = rapid.Bool().Draw(t, "the user gave the id")
	w.refusing = !w.given && rapid.Bool().Draw(t, "the broker refuses ids that it has seen")
	w.stubborn = rapid.Bool().Draw(t, "the broker deletes nothing half made")
	if w.given && rapid.Bool().Draw(t, "somebody else has made it") {
		w.foreign = id
		w.holds[id] = &thing{is: content{plan: rapid.SampledFrom([]string{"small", "large"}).Draw(t, "its plan")}, made: true}
	}
	w.f = lifecycle.Facts{Kind: lifecycle.Instance, Now: now, ExternalID: id, BaseID: id, Background: true, PollLimit: time.Hour}
	return w
}

func (w *world) facts() lifecycle.Facts {
	f := w.f
	f.Deleting, f.Ours, f.Mitigate = w.deleting, !w.given || w.created, true
	f.Retain = w.given
	f.Wish = &lifecycle.Request{ServiceID: "svc", PlanID: w.wish.plan, Checksum: w.wish.params, Generation: 1}
	if f.Exists && w.wish == w.reconciled { // nothing was asked for since
		have := f.Have
		f.Wish = &have
	}
	f.Token = fmt.Sprint(w.wish, w.poked)
	return f
}

func (w *world) pass(what fault) {
	f := w.facts()
	next := lifecycle.Next(f)
	switch {
	case next.Done:
		w.released = true
		return
	case next.Clear:
		w.f.Op = nil
		return
	case next.Action == "":
		w.f.Now = w.f.Now.Add(next.Wait + time.Second)
		return
	case next.Poll:
		w.poll(f, next, what)
		return
	}
	w.calls++
	op := lifecycle.Intent(f, next, fmt.Sprint(w.calls))
	w.f.Op = op
	if op.Action == v1beta1.ActionProvision {
		w.f.MayExist, w.f.Have = true, next.Request
	}
	w.f.Now = w.f.Now.Add(time.Second)
	if what == dieBefore {
		return
	}
	w.about(op)
	reply := w.call(op, what)
	if what == dieAfter {
		return
	}
	w.heard(op, reply)
	w.take(op, lifecycle.Absorb(f, op, reply))
}

func (w *world) poll(f lifecycle.Facts, next lifecycle.Decision, what fault) {
	op := w.f.Op
	if op.Action == v1beta1.ActionUpdate {
		require.Equal(w.t, w.f.Have.PlanID, next.Request.PlanID, "a poll names the plan before the update")
	}
	w.f.Now = w.f.Now.Add(time.Second)
	if what == dieBefore {
		return
	}
	p := w.progress(op, what)
	if what == dieAfter {
		return
	}
	o := lifecycle.AbsorbPoll(f, op, p)
	w.f.NextPoll = w.f.Now.Add(o.Wait)
	if o.Op == nil || o.Op.BrokerOperation == nil {
		w.f.NextPoll = time.Time{}
	}
	if p.State == osb.StateSucceeded {
		w.heard(op, lifecycle.Reply{})
	}
	w.take(op, o)
}

// take stores an outcome as the engine does.
func (w *world) take(op *v1beta1.Operation, o lifecycle.Outcome) {
	require.False(w.t, o.None)
	w.f.Op, w.f.Exists, w.f.MayExist, w.created, w.f.ExternalID = o.Op, o.Exists, o.MayExist, o.CreatedByUs, o.ExternalID
	if o.Accepted {
		w.f.Have = lifecycle.Request{ServiceID: op.ServiceID, PlanID: op.PlanID, Checksum: op.ParameterChecksum}
	}
	if o.Accepted {
		w.reconciled = content{op.PlanID, op.ParameterChecksum}
	}
	if o.Adopted != nil { // by a look: its parameters are not known
		w.f.Have.PlanID, w.f.Have.Checksum = o.Adopted.PlanID, "unknown"
		delete(w.unsettled, op.ExternalID)
	}
}

// about checks a request that is about to be sent against those whose outcome is
// not known.
func (w *world) about(op *v1beta1.Operation) {
	want := content{op.PlanID, op.ParameterChecksum}
	before := w.unsettled[op.ExternalID]
	if before == nil {
		before = map[content]int{}
		w.unsettled[op.ExternalID] = before
	}
	others := maps.Clone(before)
	delete(others, want)
	switch op.Action {
	case v1beta1.ActionProvision:
		if !w.given {
			require.Empty(w.t, others, "two wishes meet under one id")
		}
		before[want]++
	case v1beta1.ActionUpdate:
		if len(others) > 0 {
			require.Equal(w.t, lifecycle.Change{Plan: true, Parameters: true}, lifecycle.ChangeOf(w.f.Have, op), "what follows on something unsure states all")
		}
		before[want]++
	}
}

// heard settles what an answer settles.
func (w *world) heard(op *v1beta1.Operation, r lifecycle.Reply) {
	before, want := w.unsettled[op.ExternalID], content{op.PlanID, op.ParameterChecksum}
	e := osb.AsError(r.Err)
	switch {
	case e == nil && !r.Async:
		delete(w.unsettled, op.ExternalID) // it is what was asked for now, or gone
	case e != nil && !e.Lost && e.StatusCode < 500 && before[want] > 0:
		if before[want]--; before[want] == 0 {
			delete(before, want)
		}
	}
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
	case notKnown:
		return fail(osb.KindNotFound, func(e *osb.Error) { e.StatusCode, e.Operation = 404, osb.OpUpdate })
	}
	reply := w.carryOut(op, what)
	switch what {
	case errorAfter:
		return fail(osb.KindUnavailable, orphan)
	case answerLost, asyncLost:
		return fail(osb.KindTimeout, lost)
	}
	return reply
}

func (w *world) carryOut(op *v1beta1.Operation, what fault) lifecycle.Reply {
	there := w.holds[op.ExternalID]
	switch op.Action {
	case v1beta1.ActionProvision:
		return w.provision(op, there, what)
	case v1beta1.ActionUpdate:
		return w.update(op, there, what)
	}
	require.NotEqual(w.t, w.foreign, op.ExternalID, "what somebody else made was deleted")
	switch {
	case there == nil:
		return lifecycle.Reply{}
	case there.work != nil && there.work.kind == v1beta1.ActionDeprovision:
		return lifecycle.Reply{Async: true}
	case there.work != nil && (w.stubborn || there.made):
		return lifecycle.Reply{Err: failure(osb.KindBusy, func(e *osb.Error) { e.StatusCode = 422 })}
	}
	return w.begin(op.ExternalID, there, what, work{kind: v1beta1.ActionDeprovision})
}

func (w *world) provision(op *v1beta1.Operation, there *thing, what fault) lifecycle.Reply {
	want := content{op.PlanID, op.ParameterChecksum}
	conflict := lifecycle.Reply{Err: failure(osb.KindConflict, nil)}
	switch {
	case there != nil && there.made && there.work == nil && there.is == want:
		return lifecycle.Reply{Existed: true}
	case there != nil && !there.made && there.work != nil && there.work.kind == v1beta1.ActionProvision && there.work.to == want:
		return lifecycle.Reply{Async: true}
	case there != nil && there.made && there.work == nil:
		conflict.Found = &lifecycle.Found{PlanID: there.is.plan}
		return conflict
	case there != nil && !there.made && there.work != nil && there.work.kind == v1beta1.ActionProvision:
		conflict.Found = &lifecycle.Found{Pending: true}
		return conflict
	case there != nil && there.work != nil:
		return lifecycle.Reply{Err: failure(osb.KindBusy, func(e *osb.Error) { e.StatusCode = 422 })}
	case there != nil, w.refusing && w.seen[op.ExternalID]:
		return conflict
	case op.PlanID == "refused":
		return lifecycle.Reply{Err: failure(osb.KindRejected, nil)}
	}
	made := &thing{}
	w.holds[op.ExternalID], w.seen[op.ExternalID] = made, true
	return w.begin(op.ExternalID, made, what, work{kind: v1beta1.ActionProvision, to: want})
}

func (w *world) update(op *v1beta1.Operation, there *thing, what fault) lifecycle.Reply {
	if there == nil || !there.made {
		w.t.Fatal("an update of what is not there")
	}
	to, change := there.is, lifecycle.ChangeOf(w.f.Have, op)
	if change.Plan {
		to.plan = op.PlanID
	}
	if change.Parameters {
		to.params = op.ParameterChecksum
	}
	switch k := there.work; {
	case k != nil && k.kind == v1beta1.ActionUpdate && k.to == to:
		return lifecycle.Reply{Async: true, Operation: "op"}
	case k != nil:
		return lifecycle.Reply{Err: failure(osb.KindBusy, func(e *osb.Error) { e.StatusCode = 422 })}
	case to.plan == "refused":
		return lifecycle.Reply{Err: failure(osb.KindRejected, func(e *osb.Error) { e.StatusCode = 422 })}
	}
	return w.begin(op.ExternalID, there, what, work{kind: v1beta1.ActionUpdate, to: to})
}

// begin does the work, or goes on with it in the background.
func (w *world) begin(id string, t *thing, what fault, k work) lifecycle.Reply {
	switch what {
	case asyncDone, asyncFails, asyncNever, asyncLost:
		k.outcome, k.polls = what, rapid.IntRange(0, 2).Draw(w.t, "polls until it is done")
		t.work = &k
		return lifecycle.Reply{Async: true, Operation: "op"}
	}
	w.end(id, t, k)
	return lifecycle.Reply{}
}

func (w *world) end(id string, t *thing, k work) {
	if t.work = nil; k.kind == v1beta1.ActionDeprovision {
		delete(w.holds, id)
		return
	}
	t.is, t.made = k.to, true
}

// progress is the broker's answer to a poll.
func (w *world) progress(op *v1beta1.Operation, what fault) lifecycle.Progress {
	switch what {
	case dialFails, errorBefore, errorAfter, answerLost, neverArrived, asyncLost:
		return lifecycle.Progress{Err: failure(osb.KindUnavailable, nil)}
	case notKnown:
		return lifecycle.Progress{Err: failure(osb.KindNotFound, func(e *osb.Error) { e.StatusCode = 404 })}
	}
	there := w.holds[op.ExternalID]
	removing := op.Action != v1beta1.ActionProvision && op.Action != v1beta1.ActionUpdate
	switch {
	case there == nil && removing:
		return lifecycle.Progress{State: osb.StateSucceeded}
	case there == nil:
		return lifecycle.Progress{Err: failure(osb.KindGone, func(e *osb.Error) { e.StatusCode = 410 })}
	case there.work == nil && (!there.made || removing):
		return lifecycle.Progress{State: osb.StateFailed}
	case there.work == nil:
		state := osb.StateSucceeded
		if (content{op.PlanID, op.ParameterChecksum}) != there.is {
			state = osb.StateFailed
		}
		return lifecycle.Progress{State: state}
	case there.work.outcome == asyncNever || there.work.polls > 0:
		there.work.polls--
		return lifecycle.Progress{State: osb.StateInProgress}
	case there.work.outcome == asyncFails:
		there.work = nil
		return lifecycle.Progress{State: osb.StateFailed}
	}
	w.end(op.ExternalID, there, *there.work)
	return lifecycle.Progress{State: osb.StateSucceeded}
}
