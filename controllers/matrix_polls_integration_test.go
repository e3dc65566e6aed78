//go:build integration

package controllers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// maxPollingSeconds is the plans' maximum_polling_duration in the matrix of polls.
const maxPollingSeconds = 4

// pollFaults are odd answers to polls: none of them ends anything (OSB 2.17, P45,
// P46), but for what says that a deletion has ended.
func pollFaults() []fault {
	odd := func(name string, d testbroker.Do) fault {
		return fault{name: name, polled: true, dos: one(d), provision: polls, update: polls, remove: polls}
	}
	notFound, gone := odd("404", refused(404)), odd("410", refused(410))
	notFound.remove, gone.remove = repeats, passes
	return []fault{
		notFound, gone,
		odd("400", refused(400)), odd("401", refused(401)), odd("422", refused(422)), odd("ConcurrencyError", word("ConcurrencyError")),
		odd("500", refused(500)), odd("503 at another time", testbroker.Do{Status: 503, Header: map[string]string{"Retry-After": "soon"}}),
		odd("202", testbroker.Do{Status: 202}), odd("204", testbroker.Do{Status: 204}),
		odd("a page", testbroker.Do{Body: testbroker.BodyHTML}), odd("an empty body", testbroker.Do{Body: testbroker.BodyEmpty}),
		odd("null", testbroker.Do{Body: testbroker.BodyNull}), odd("half an object", testbroker.Do{Body: testbroker.BodyMalformed}),
		odd("another state", testbroker.Do{Body: testbroker.BodyRaw, Raw: `{"state":"done"}`}),
		odd("404 of a router", testbroker.Do{Status: 404, Body: testbroker.BodyHTML}),
		odd("410 of a router", testbroker.Do{Status: 410, Body: testbroker.BodyHTML}),
		odd("a reset", testbroker.Do{Cut: testbroker.CutReset}), odd("no answer", testbroker.Do{Hang: true}),
	}
}

// workFaults are ends of work in the background.
func workFaults() []fault {
	with := func(a testbroker.Async) []testbroker.Do { return one(testbroker.Do{Async: &a}) }
	odd, nothing := `tf:1/+=&ü {}"%2B`, ""
	timedOut := map[operation]string{provisions: v1beta1.ReasonPollingTimedOut, updates: v1beta1.ReasonPollingTimedOut}
	return []fault{
		{name: "it fails", dos: with(testbroker.Async{Result: testbroker.ResultFailed, Description: "no room"}), provision: cleansAndRests, update: rests, remove: repeats,
			says: map[operation]string{provisions: v1beta1.ReasonProvisionCallFailed}},
		{name: "it takes too long", dos: with(testbroker.Async{Takes: testbroker.Duration(2 * maxPollingSeconds * time.Second)}), provision: cleans, update: rests, remove: repeats,
			says: timedOut, unread: true},
		{name: "it ends with 410", dos: with(testbroker.Async{Gone: true}), remove: passes},
		{name: "it has an odd name", dos: with(testbroker.Async{Operation: &odd}), provision: passes, update: passes, remove: passes},
		{name: "it has no name", dos: with(testbroker.Async{Operation: &nothing}), provision: passes, update: passes, remove: passes},
		{name: "it says when to ask", dos: with(testbroker.Async{Takes: testbroker.Duration(1500 * time.Millisecond), RetryAfter: testbroker.Duration(time.Second)}), provision: passes, update: passes, remove: passes},
	}
}

// Every answer to every poll, and every end of what is polled for.
func TestEveryAnswerToEveryPoll(t *testing.T) {
	var all []scene
	for _, o := range []operation{provisions, updates, deprovisions} {
		for _, f := range append(pollFaults(), workFaults()...) {
			if f.of(o) == none {
				continue
			}
			for _, e := range endings(o, f) {
				all = append(all, scene{o, true, f, e})
			}
		}
	}
	playAll(t, all, scene.name, playScene(watch(t, shared)))
}

// limited is a catalog whose plans bound how long work takes.
func limited(s *osb.Service) {
	seconds := int64(maxPollingSeconds)
	for n := range s.Plans {
		s.Plans[n].MaximumPollingDuration = &seconds
	}
}

// seesPolls waits for an answer to a poll, and that it has changed nothing.
func (s *stage) seesPolls(c scene) {
	s.Helper()
	s.await("the odd answer to a poll is told", func() bool {
		return s.look(s.i) && contains(condition(s.i.Status.Conditions, v1beta1.ConditionReady).Message, "Asking it how far it is failed")
	})
	assert.Equal(s, 1, s.count(osb.Operation(c.op)), "what is worked on is not asked for again")
}
