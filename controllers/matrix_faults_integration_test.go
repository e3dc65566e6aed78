//go:build integration

package controllers_test

import (
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
)

// course is what comes of a fault while it lasts.
type course string

const (
	// passes: nobody notices, or it heals by itself.
	passes course = "passes"
	// rests: the broker refused, and a user must act. One request, no DELETE.
	rests course = "rests"
	// waits: the broker is busy. The same again, nothing is wrong, no DELETE.
	waits course = "waits"
	// repeats: the same again by itself, no DELETE.
	repeats course = "repeats"
	// cleans: a DELETE first, and then the same again.
	cleans course = "cleans"
	// cleansAndRests: a DELETE, and then a user must act.
	cleansAndRests course = "cleans and rests"
	// polls: asked on.
	polls course = "polls"
	// none: the row makes no sense for the operation.
	none course = ""
)

// fault is what a broker does to requests of one operation, and the course that
// OSB 2.17 (§Orphan Mitigation, and the tables of each call) asks for then.
type fault struct {
	name string
	// dos happen one after the other; the last one to all requests from then on.
	dos                             []testbroker.Do
	provision, update, remove, bind course
	// silent: no status line came, so the object gives another reason.
	silent bool
	// refusal: it is said as a refusal, although it is tried again.
	refusal bool
	// throttles: the broker is left alone for a while as a whole.
	throttles bool
	// polled: the fault is of polls for the operation.
	polled bool
	// says is the reason of an operation where it is another than the course has.
	says map[operation]string
	// unread: what became of the request is not known.
	unread bool
}

func one(d testbroker.Do) []testbroker.Do { return []testbroker.Do{d} }

// refused is an answer that changes nothing at the broker.
func refused(status int) testbroker.Do { return testbroker.Do{Status: status} }

// done is an answer of a request that was carried out.
func done(status int, b testbroker.Body) testbroker.Do {
	return testbroker.Do{Status: status, Body: b, Effect: testbroker.EffectBefore}
}

func word(w string) testbroker.Do { return testbroker.Do{Error: w} }

const (
	before = testbroker.EffectBefore
	late   = testbroker.EffectAfter
)

// statusFaults are the rows P120 to P137 of the orphan table, and the error words.
func statusFaults() []fault {
	return []fault{
		{name: "200 malformed", dos: one(done(200, testbroker.BodyMalformed)), provision: repeats, bind: repeats, update: repeats, remove: repeats, unread: true},
		{name: "201 malformed", dos: one(done(201, testbroker.BodyMalformed)), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "202 malformed", dos: one(done(202, testbroker.BodyMalformed)), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "204", dos: one(done(204, "")), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "302", dos: one(refused(302)), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "400", dos: one(refused(400)), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "401", dos: one(refused(401)), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "403", dos: one(refused(403)), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "404", dos: one(refused(404)), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "408", dos: one(refused(408)), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "409", dos: one(refused(409)), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "410", dos: one(refused(410)), provision: repeats, bind: repeats, update: repeats},
		{name: "410 of what was done", dos: one(done(410, testbroker.BodyNull)), remove: passes},
		{name: "412", dos: one(refused(412)), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "413", dos: one(refused(413)), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "422", dos: one(refused(422)), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "429", dos: one(refused(429)), provision: waits, bind: waits, update: waits, remove: waits, throttles: true},
		{name: "ConcurrencyError", dos: one(word("ConcurrencyError")), provision: waits, bind: waits, update: waits, remove: waits},
		{name: "AsyncRequired", dos: one(word("AsyncRequired")), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "MaintenanceInfoConflict", dos: one(word("MaintenanceInfoConflict")), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "RequiresApp", dos: one(word("RequiresApp")), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "a word of its own", dos: one(word("QuotaExceeded")), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "500", dos: one(refused(500)), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "500 carried out", dos: one(done(500, "")), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "500 carried out after", dos: one(testbroker.Do{Status: 500, Effect: late}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "502", dos: one(refused(502)), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "503 carried out, later", dos: one(testbroker.Do{Status: 503, Effect: before, RetryAfter: "1"}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true, throttles: true},
		{name: "504 carried out", dos: one(done(504, testbroker.BodyEmpty)), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "599", dos: one(refused(599)), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
	}
}

// bodyFaults are answers of the right status and another body.
func bodyFaults() []fault {
	return []fault{
		{name: "an empty body", dos: one(testbroker.Do{Body: testbroker.BodyEmpty}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "a page", dos: one(testbroker.Do{Body: testbroker.BodyHTML}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "a huge body", dos: one(testbroker.Do{Body: testbroker.BodyHuge}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "an array", dos: one(testbroker.Do{Body: testbroker.BodyRaw, Raw: "[]"}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "a wrong type", dos: one(testbroker.Do{Body: testbroker.BodyRaw, Raw: `{"dashboard_url":7,"operation":7,"credentials":7}`}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
		{name: "400 with a page", dos: one(testbroker.Do{Status: 400, Body: testbroker.BodyHTML}), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "400 with nothing", dos: one(testbroker.Do{Status: 400, Body: testbroker.BodyEmpty}), provision: rests, bind: rests, update: rests, remove: repeats},
		{name: "404 of a router", dos: one(testbroker.Do{Status: 404, Body: testbroker.BodyHTML}), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "410 of a router", dos: one(testbroker.Do{Status: 410, Body: testbroker.BodyHTML}), provision: repeats, bind: repeats, update: repeats, remove: repeats},
		{name: "500 with a page", dos: one(testbroker.Do{Status: 500, Body: testbroker.BodyHTML}), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true},
	}
}

// lostAnswers are those that never come, or not whole.
func lostAnswers() []fault {
	row := func(name string, d testbroker.Do) fault {
		return fault{name: name, dos: one(d), provision: cleans, bind: cleans, update: repeats, remove: repeats, unread: true, silent: d.Cut != testbroker.CutMidway}
	}
	return []fault{
		row("no answer", testbroker.Do{Hang: true}),
		row("no answer, carried out", testbroker.Do{Hang: true, Effect: before}),
		row("no answer, carried out after", testbroker.Do{Hang: true, Effect: late}),
		row("a reset", testbroker.Do{Cut: testbroker.CutReset}),
		row("a reset, carried out", testbroker.Do{Cut: testbroker.CutReset, Effect: before}),
		row("a reset, carried out after", testbroker.Do{Cut: testbroker.CutReset, Effect: late}),
		row("a close, carried out", testbroker.Do{Cut: testbroker.CutClose, Effect: before}),
		row("half an answer", testbroker.Do{Cut: testbroker.CutMidway, Effect: before}),
	}
}

// passing are faults of the first requests that heal by themselves.
func passing() []fault {
	row := func(name string, dos ...testbroker.Do) fault {
		return fault{name: name, dos: dos, provision: passes, bind: passes, update: passes, remove: passes}
	}
	return []fault{
		row("two 500s", refused(500), refused(500)),
		row("a lost answer", testbroker.Do{Cut: testbroker.CutReset, Effect: before}),
		row("no answer, then busy", testbroker.Do{Hang: true, Effect: before}, word("ConcurrencyError")),
		row("busy twice", word("ConcurrencyError"), word("ConcurrencyError")),
		row("408, then 500 carried out", refused(408), done(500, "")),
	}
}

// repeated are refusals of a request whose first answer was lost: they settle
// nothing by themselves (OSB 2.17, pitfall 18).
func repeated() []fault {
	unreadable, ignored := done(200, testbroker.BodyMalformed), testbroker.Do{Status: 200, Body: testbroker.BodyHTML, Effect: testbroker.EffectNone}
	return []fault{
		{name: "unreadable, then 409", dos: []testbroker.Do{unreadable, refused(409)}, provision: passes, bind: passes},
		{name: "unreadable, then 400", dos: []testbroker.Do{unreadable, refused(400)}, provision: passes, bind: cleansAndRests},
		{name: "ignored, then 400", dos: []testbroker.Do{ignored, refused(400)}, provision: cleansAndRests, bind: cleansAndRests},
		{name: "ignored, then 409", dos: []testbroker.Do{ignored, refused(409)}, provision: cleans, bind: cleans, refusal: true},
	}
}

func allFaults() []fault {
	var all []fault
	for _, some := range [][]fault{statusFaults(), bodyFaults(), lostAnswers(), passing(), repeated()} {
		all = append(all, some...)
	}
	return all
}

func (f fault) of(o operation) course {
	switch o {
	case provisions:
		return f.provision
	case updates:
		return f.update
	case binds:
		return f.bind
	}
	return f.remove
}
