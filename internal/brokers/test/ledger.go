package test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/svc-cat/catalog/osb"
)

// Entry is one request in the ledger. It is there from the moment on that the
// request was read; Status, Outcome and Finished come later.
type Entry struct {
	// Seq counts requests from 1.
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	Finished time.Time `json:"finished,omitzero"`

	Method string `json:"method"`
	// Path is as it was sent, with its query, cut to 4 KiB.
	Path string `json:"path"`
	// Operation is empty for what the API does not know. Polled is the operation
	// that a poll asks for.
	Operation  osb.Operation `json:"operation,omitempty"`
	Polled     osb.Operation `json:"polled,omitempty"`
	InstanceID string        `json:"instanceID,omitempty"`
	BindingID  string        `json:"bindingID,omitempty"`
	ServiceID  string        `json:"serviceID,omitempty"`
	PlanID     string        `json:"planID,omitempty"`
	Service    string        `json:"service,omitempty"` // its name
	Plan       string        `json:"plan,omitempty"`

	AcceptsIncomplete bool   `json:"acceptsIncomplete,omitempty"`
	APIVersion        string `json:"apiVersion,omitempty"`
	RequestIdentity   string `json:"requestIdentity,omitempty"`
	// Platform and Identity are the two parts of the originating identity (P5).
	Platform  string      `json:"platform,omitempty"`
	Identity  osb.RawJSON `json:"identity,omitempty"`
	UserAgent string      `json:"userAgent,omitempty"`
	// Body is what was sent if it is JSON, Text if it is not; a long one is left
	// out (BodyBytes has its size). It is told as it was, parameters included.
	Body      osb.RawJSON `json:"body,omitempty"`
	Text      string      `json:"text,omitempty"`
	BodyBytes int         `json:"bodyBytes,omitempty"`

	// Rule is the id of the rule that decided the request, empty if none did.
	Rule string `json:"rule,omitempty"`
	// Effect is the code that the broker itself came to, whatever was answered:
	// 200, 201 or 202 for a request that took effect; 0 if it was not carried out.
	Effect int `json:"effect,omitempty"`
	// Status is the code that was sent; 0 if there was no answer.
	Status  int     `json:"status,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	// Complaints are the API's rules that the platform broke with this request.
	Complaints []string `json:"complaints,omitempty"`

	counted int // of its size, in the ledger
}

// Outcome is what came of the answer.
type Outcome string

// The outcomes. Without one the request is still under way.
const (
	OutcomeAnswered Outcome = "answered"
	OutcomeHung     Outcome = "hung"   // no answer until the platform hung up, or was let go
	OutcomeCut      Outcome = "cut"    // by a rule
	OutcomeLost     Outcome = "lost"   // the platform had hung up before the answer was out
	OutcomeClosed   Outcome = "closed" // the broker stopped first; without Effect there was none
)

// Limits of the ledger. What is older goes, and is counted.
const (
	DefaultLedgerEntries = 10_000
	DefaultLedgerBytes   = 64 << 20
	maxEntryBody         = 16 << 10
	maxEntryText         = 4 << 10
)

// size is what counts against the ledger's bytes.
func (e *Entry) size() int {
	n := 512 + len(e.Path) + len(e.InstanceID) + len(e.BindingID) + len(e.ServiceID) + len(e.PlanID) +
		len(e.APIVersion) + len(e.RequestIdentity) + len(e.Platform) + len(e.Identity) + len(e.UserAgent) + len(e.Body) + len(e.Text)
	for _, c := range e.Complaints {
		n += len(c)
	}
	return n
}

// ledger keeps the newest requests. The broker's lock guards it.
type ledger struct {
	entries  []*Entry
	max      int
	maxBytes int
	bytes    int
	dropped  uint64
	last     uint64
}

// add takes in a request.
func (l *ledger) add(e *Entry) {
	l.entries = append(l.entries, e)
	e.counted = e.size()
	l.bytes += e.counted
	l.last = max(l.last, e.Seq)
	for len(l.entries) > l.max || l.bytes > l.maxBytes && len(l.entries) > 1 {
		l.bytes -= l.entries[0].counted
		l.entries[0] = nil // or its memory stays as long as the array
		l.entries = l.entries[1:]
		l.dropped++
	}
}

// take adds a request that was in a file, or says what came of one that is there.
func (l *ledger) take(e *Entry) {
	i, there := slices.BinarySearchFunc(l.entries, e.Seq, func(x *Entry, seq uint64) int { return cmp.Compare(x.Seq, seq) })
	switch {
	case there:
		e.counted = l.entries[i].counted
		*l.entries[i] = *e
	case e.Seq > l.last:
		l.add(e)
	} // else it was dropped before it was over
}

// Filter chooses entries; empty fields choose all.
type Filter struct {
	// After leaves out everything up to this Seq.
	After      uint64
	Operations []osb.Operation
	// Service is a name or an id.
	Service    string
	InstanceID string
	BindingID  string
	// Complaints chooses only requests with complaints.
	Complaints bool
	// Limit is the most entries returned, the newest ones; 0 for all.
	Limit int
}

// Records are entries of the ledger, oldest first.
type Records struct {
	Entries []Entry `json:"entries"`
	// Dropped is how many requests are no longer in the ledger, Last the Seq of
	// the newest one.
	Dropped uint64 `json:"dropped"`
	Last    uint64 `json:"last"`
}

// Ledger returns the requests that the filter chooses.
func (b *Broker) Ledger(f Filter) Records {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := Records{Entries: []Entry{}, Dropped: b.ledger.dropped, Last: b.ledger.last}
	for _, e := range b.ledger.entries {
		if f.chooses(e) {
			c := *e
			c.counted = 0
			c.Complaints = append([]string(nil), e.Complaints...)
			out.Entries = append(out.Entries, c)
		}
	}
	if n := len(out.Entries); f.Limit > 0 && n > f.Limit {
		out.Entries = out.Entries[n-f.Limit:]
	}
	return out
}

func (f *Filter) chooses(e *Entry) bool {
	return e.Seq > f.After && has(f.Operations, e.Operation) &&
		(f.Service == "" || f.Service == e.Service || f.Service == e.ServiceID) &&
		(f.InstanceID == "" || f.InstanceID == e.InstanceID) && (f.BindingID == "" || f.BindingID == e.BindingID) &&
		(!f.Complaints || len(e.Complaints) > 0)
}

// newEntry writes down what a request says. Authorization is not among it.
func newEntry(r *http.Request, body []byte, now time.Time) *Entry {
	e := &Entry{
		Time: now, Method: r.Method, Path: cut(r.URL.RequestURI()), BodyBytes: len(body),
		AcceptsIncomplete: r.URL.Query().Get("accepts_incomplete") == "true",
		APIVersion:        cut(r.Header.Get("X-Broker-API-Version")),
		RequestIdentity:   cut(r.Header.Get("X-Broker-API-Request-Identity")),
		UserAgent:         cut(r.UserAgent()),
	}
	if at, encoded, ok := strings.Cut(r.Header.Get("X-Broker-API-Originating-Identity"), " "); ok {
		e.Platform = cut(at)
		if raw, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			e.Identity = compact(raw)
		}
	}
	switch {
	case len(body) > maxEntryBody:
	case json.Valid(body):
		e.Body = compact(body)
	default:
		e.Text = cut(strings.ToValidUTF8(string(body), "\ufffd"))
	}
	return e
}

// cut bounds a text, between two characters.
func cut(s string) string {
	if len(s) <= maxEntryText {
		return s
	}
	n := maxEntryText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// call is a request on its way through the broker.
type call struct {
	entry *Entry
	body  []byte
	do    Do
	rule  *active // nil if none decides
}

// resource is what rules that count PerResource count by.
func (c *call) resource() string {
	ids := c.entry.InstanceID + "\x00" + c.entry.BindingID
	if len(ids) > maxID {
		return identifier(ids) // as good, and short: rules remember many
	}
	return ids
}

// complainIf notes down a rule of the API that the platform broke.
func (c *call) complainIf(broke bool, rule string) {
	if broke {
		c.entry.Complaints = append(c.entry.Complaints, rule)
	}
}

// complainOfHeaders notes down what every request must have.
func (c *call) complainOfHeaders() {
	e := c.entry
	changes := e.Method != http.MethodGet && e.Operation != ""
	c.complainIf(e.APIVersion == "", "P1: no X-Broker-API-Version")
	c.complainIf(changes && e.Platform != "" && e.Identity == nil, "P5: an originating identity that is not base64 of JSON")
	if changes && e.Method != http.MethodDelete && len(e.Body) > 0 {
		c.complainOfContext()
	}
}

// complainOfContext holds the context against the Kubernetes profile. Other
// platforms have theirs, and a request may be without one.
func (c *call) complainOfContext() {
	var sent struct {
		Context map[string]any `json:"context"`
	}
	if json.Unmarshal(c.entry.Body, &sent) != nil || sent.Context == nil {
		return
	}
	platform, _ := sent.Context["platform"].(string)
	c.complainIf(platform == "", "P62: a context without platform")
	c.complainIf(c.entry.Platform != "" && platform != c.entry.Platform, "P5: another platform in the context than in the originating identity")
	if platform != "kubernetes" {
		return
	}
	needed := []string{"namespace", "clusterid"}
	if c.entry.Operation == osb.OpProvision || c.entry.Operation == osb.OpUpdate {
		needed = append(needed, "instance_name")
	}
	for _, name := range needed {
		value, _ := sent.Context[name].(string)
		c.complainIf(value == "", "P62: a context for kubernetes without "+name)
	}
}
