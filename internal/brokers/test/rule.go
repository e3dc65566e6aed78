package test

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
)

// Rule says what happens to some requests. The first rule that applies to a
// request decides all of it; rules never add up. The rules that were added at run
// time come before those that names of services and plans stand for.
type Rule struct {
	// ID names the rule in the ledger and for removal; one is made up if it is empty.
	ID string `json:"id,omitempty"`
	// Match says which requests; the zero value matches all.
	Match Match `json:"match,omitzero"`
	// Skip lets so many matching requests pass before the rule applies; Times is
	// how many it applies to after them, 0 for all.
	Skip  int `json:"skip,omitempty"`
	Times int `json:"times,omitempty"`
	// Per says what Skip and Times count: PerRule (the default) all matching
	// requests together, PerResource those for each instance or binding apart.
	Per Per `json:"per,omitempty"`
	// Chance applies the rule with this probability, from 0 to 1; 0 means always.
	// A request that it passes by is not counted.
	Chance float64 `json:"chance,omitempty"`
	// Do is what happens; the zero value is what a faultless broker does.
	Do Do `json:"do,omitzero"`
}

// Match chooses requests. Each list that is not empty must hold what the request has.
type Match struct {
	// Operations are the API's calls; a poll is "last_operation", for instances and
	// bindings alike.
	Operations []osb.Operation `json:"operations,omitempty"`
	// Polled are the operations that a poll asks for; only polls match it.
	Polled []osb.Operation `json:"polled,omitempty"`
	// Services and Plans are names or ids. A request that names none has those of
	// its instance or binding; an update has the plan that it asks for, if it does.
	Services []string `json:"services,omitempty"`
	Plans    []string `json:"plans,omitempty"`
	// Instances and Bindings are ids.
	Instances []string `json:"instances,omitempty"`
	Bindings  []string `json:"bindings,omitempty"`
}

// Do is what happens to a request, in this order: wait (Latency, Hold), take
// effect, answer. Any field may be left out.
type Do struct {
	// Latency is waited for and the request then carried out, even if the platform
	// has hung up by then: so do slow brokers.
	Latency Duration `json:"latency,omitzero"`
	// Hold waits until the rule is removed, and then goes on.
	Hold bool `json:"hold,omitempty"`
	// Effect is when the request takes effect. The default is EffectBefore if the
	// answer is a success, and EffectNone if it is not.
	Effect Effect `json:"effect,omitempty"`

	// Hang gives no answer and keeps the connection until the platform hangs up,
	// the rule is removed or the broker closes.
	Hang bool `json:"hang,omitempty"`
	// Cut ends the connection in place of an answer, or in the middle of it.
	Cut Cut `json:"cut,omitempty"`
	// Status takes the place of the broker's own code, 200 to 599.
	Status int `json:"status,omitempty"`
	// Error is the word of an error body: "ConcurrencyError", "AsyncRequired",
	// "MaintenanceInfoConflict", "RequiresApp" or any other. It makes Status 422
	// unless that is set. Description goes with it.
	Error       string `json:"error,omitempty"`
	Description string `json:"description,omitempty"`
	// InstanceUsable and UpdateRepeatable stand in the error body if set (P88, P89).
	InstanceUsable   *bool `json:"instanceUsable,omitempty"`
	UpdateRepeatable *bool `json:"updateRepeatable,omitempty"`
	// RetryAfter is the header as it is sent: seconds, an HTTP date, or nonsense.
	RetryAfter string `json:"retryAfter,omitempty"`
	// Header is set on the answer, over the broker's own.
	Header map[string]string `json:"header,omitempty"`
	// Body takes the place of the broker's own body.
	Body Body `json:"body,omitempty"`
	// Raw is the text that BodyRaw sends.
	Raw string `json:"raw,omitempty"`
	// BodyBytes is the size of BodyHuge, 64 MiB by default.
	BodyBytes int64 `json:"bodyBytes,omitempty"`
	// Drip sends the body one byte at a time, with this pause before each.
	Drip Duration `json:"drip,omitzero"`

	// Async makes the broker answer 202 and work on.
	Async *Async `json:"async,omitempty"`
	// Credentials are handed out by a bind, in place of made-up ones.
	Credentials osb.RawJSON `json:"credentials,omitempty"`
	// ExpiresIn and RenewIn set expires_at and renew_before of a bind, counted from its end (P95).
	ExpiresIn Duration `json:"expiresIn,omitzero"`
	RenewIn   Duration `json:"renewIn,omitzero"`
	// RequiresApp refuses a bind without app_guid, with 422 RequiresApp (B17).
	RequiresApp bool `json:"requiresApp,omitempty"`
	// RefuseUsedID refuses with 409 to provision or bind an id that was deleted
	// here before, as some brokers do (P60).
	RefuseUsedID bool `json:"refuseUsedID,omitempty"`
	// Cascade lets a deprovision take the instance's bindings along. Otherwise it
	// is refused with 400 while there are any (P101).
	Cascade bool `json:"cascade,omitempty"`
	// WithholdCredentials leaves the credentials out of a fetched binding.
	WithholdCredentials bool `json:"withholdCredentials,omitempty"`
}

// Async is how asynchronous work goes on. With neither Takes nor Polls the first
// poll finds it done.
type Async struct {
	// Takes is how long the work takes; Polls is how many polls find it in
	// progress, before the one that ends it. If both are set, both must be over.
	Takes Duration `json:"takes,omitzero"`
	Polls int      `json:"polls,omitempty"`
	// Result is how it ends, ResultSucceeded by default.
	Result Result `json:"result,omitempty"`
	// Description is told with each poll.
	Description string `json:"description,omitempty"`
	// InstanceUsable and UpdateRepeatable are told with a failed update or deprovision.
	InstanceUsable   *bool `json:"instanceUsable,omitempty"`
	UpdateRepeatable *bool `json:"updateRepeatable,omitempty"`
	// Operation is the operation string of the 202, "" for none; nil makes one up (P42).
	Operation *string `json:"operation,omitempty"`
	// RetryAfter is the header of polls in progress, in whole seconds.
	RetryAfter Duration `json:"retryAfter,omitzero"`
	// Gone lets polls of a finished delete end with 410, in place of 200 with
	// state "succeeded" (P45).
	Gone bool `json:"gone,omitempty"`
	// Optional lets requests without accepts_incomplete be done at once, in place
	// of 422 AsyncRequired (B11).
	Optional bool `json:"optional,omitempty"`
}

// Per is what a rule counts by.
type Per string

// The two ways to count.
const (
	PerRule     Per = "rule"
	PerResource Per = "resource"
)

// Effect is when a request takes effect.
type Effect string

// The times of an effect. EffectFirst is before Latency and Hold, EffectBefore
// between them and the answer: with a failing answer, or none, it makes a lost
// answer. EffectAfter is after the answer has been sent in full, or cut off.
const (
	EffectNone   Effect = "none"
	EffectFirst  Effect = "first"
	EffectBefore Effect = "before"
	EffectAfter  Effect = "after"
)

// Cut is how a connection ends.
type Cut string

// The ends of connections: CutReset with a TCP reset and CutClose in good order,
// both before the first byte; CutMidway after the headers and half of the body.
const (
	CutReset  Cut = "reset"
	CutClose  Cut = "close"
	CutMidway Cut = "midway"
)

// Body is what the answer's body is.
type Body string

// The bodies. BodyValid is the broker's own, BodyMalformed its first half.
const (
	BodyValid     Body = "valid"
	BodyMalformed Body = "malformed"
	BodyEmpty     Body = "empty"
	BodyNull      Body = "null"
	BodyHTML      Body = "html"
	BodyHuge      Body = "huge"
	BodyRaw       Body = "raw"
)

// Result is how asynchronous work ends.
type Result string

// The ends of asynchronous work; ResultNever stays "in progress" for ever.
const (
	ResultSucceeded Result = "succeeded"
	ResultFailed    Result = "failed"
	ResultNever     Result = "never"
)

// Duration is a time.Duration that JSON knows as a string such as "1.5s".
type Duration time.Duration

var (
	_ encoding.TextMarshaler   = Duration(0)
	_ encoding.TextUnmarshaler = (*Duration)(nil)
)

// MarshalText writes it as Go does: "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does, but nothing negative.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q is no duration such as \"1.5s\"", text)
	}
	*d = Duration(parsed)
	return nil
}

// maxBodyBytes is the largest body that a rule may ask for.
const maxBodyBytes = 1 << 30

// check says everything that is wrong with the rule.
func (r *Rule) check() error {
	var faults []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for _, op := range slices.Concat(r.Match.Operations, r.Match.Polled) {
		bad(!slices.Contains(operations(), op), "there is no operation %q; there are: %s", op, list(operations()))
	}
	bad(r.Skip < 0 || r.Times < 0, "skip and times are not negative")
	bad(r.Chance < 0 || r.Chance > 1, "chance is between 0 and 1")
	bad(!oneOf(r.Per, "", PerRule, PerResource), "per is %q or %q", PerRule, PerResource)
	d := &r.Do
	bad(!oneOf(d.Effect, "", EffectNone, EffectFirst, EffectBefore, EffectAfter), "there is no effect %q", d.Effect)
	bad(!oneOf(d.Cut, "", CutReset, CutClose, CutMidway), "there is no cut %q", d.Cut)
	bad(!oneOf(d.Body, "", BodyValid, BodyMalformed, BodyEmpty, BodyNull, BodyHTML, BodyHuge, BodyRaw), "there is no body %q", d.Body)
	bad(d.Status != 0 && (d.Status < 200 || d.Status > 599), "status is 200 to 599")
	bad(d.BodyBytes < 0 || d.BodyBytes > maxBodyBytes, "bodyBytes is at most %d", maxBodyBytes)
	bad(d.Raw != "" && d.Body != BodyRaw, "raw needs body %q", BodyRaw)
	bad(d.Hang && d.Cut != "", "hang and cut exclude each other")
	bad(d.Credentials != nil && (d.Credentials[0] != '{' || !json.Valid(d.Credentials)), "credentials are a JSON object")
	if a := d.Async; a != nil {
		bad(!oneOf(a.Result, "", ResultSucceeded, ResultFailed, ResultNever), "there is no result %q", a.Result)
		bad(a.Polls < 0, "polls is not negative")
	}
	for name, value := range d.Header {
		bad(!isToken(name) || hasControl(value), "header %q is none that HTTP could send", name)
	}
	bad(hasControl(d.RetryAfter), "retryAfter holds control characters")
	return errors.Join(faults...)
}

// operations are those that a rule can match.
func operations() []osb.Operation {
	return []osb.Operation{
		osb.OpCatalog, osb.OpProvision, osb.OpGetInstance, osb.OpUpdate, osb.OpDeprovision,
		osb.OpBind, osb.OpGetBinding, osb.OpUnbind, osb.OpLastOperation,
	}
}

func list[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, v := range all {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}

func oneOf[T comparable](v T, all ...T) bool { return slices.Contains(all, v) }

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) })
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// effect is when the request takes effect, by default or as asked.
func (d *Do) effect() Effect {
	switch {
	case d.Effect != "":
		return d.Effect
	case d.Hang || d.Cut != "" || d.status() >= http.StatusMultipleChoices:
		return EffectNone
	}
	return EffectBefore
}

// status is the code that takes the place of the broker's own, 0 for none.
func (d *Do) status() int {
	if d.Status == 0 && d.Error != "" {
		return http.StatusUnprocessableEntity
	}
	return d.Status
}
