package test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
)

// namePrefix begins the names of services that state their behaviour. What comes
// after it, and the whole name of a plan, reads as follows; all parts are joined
// by hyphens.
//
//	name     = part…              all parts hold at once
//	part     = trait | operation fault [modifier…]
//	trait    = async | async-binding | multiple-plans | with-schemas | …   (traits below)
//	operation= provision | update | deprovision | bind | unbind |
//	           get-instance | get-binding | last-operation
//	fault    = fail400, fail500, … | fail | hang | reset | lost | …        (faults below)
//	modifier = 5x   the first five requests for each instance or binding
//	           30s  this latency, or for asynchronous work this duration
//	           unusable | unrepeatable   instance_usable or update_repeatable is false
//
// "fail" alone is the end of asynchronous work: state "failed".
const namePrefix = "test-service"

// Latencies and durations that a name does not tell.
const (
	slowLatency = 5 * time.Second
	dripPause   = 200 * time.Millisecond
)

// traits are what a name says beside faults. Most show in the catalog.
type traits struct {
	async          bool // instances
	asyncBinding   bool
	asyncOptional  bool
	never          bool
	gone           bool // ends of asynchronous deletes
	oddOperation   bool
	noOperation    bool
	retryAfter     bool
	notBindable    bool
	notUpdateable  bool
	notRetrievable bool
	rotatable      bool
	expiring       bool
	multiplePlans  bool
	byPlan         bool
	schemas        bool
	maintenance    bool
	contextUpdates bool
	pollingLimit   bool
	requiresApp    bool
	refuseUsedID   bool
	cascade        bool
	withheld       bool
}

// names are the words for traits; a longer one wins over its beginning.
func (t *traits) names() map[string]*bool {
	return map[string]*bool{
		"async":            &t.async,
		"async-binding":    &t.asyncBinding,
		"async-optional":   &t.asyncOptional,
		"async-never":      &t.never,
		"async-gone":       &t.gone,
		"odd-operation":    &t.oddOperation,
		"no-operation":     &t.noOperation,
		"retry-after":      &t.retryAfter,
		"not-bindable":     &t.notBindable,
		"not-updateable":   &t.notUpdateable,
		"not-retrievable":  &t.notRetrievable,
		"rotatable":        &t.rotatable,
		"expiring":         &t.expiring,
		"multiple-plans":   &t.multiplePlans,
		"behavior-by-plan": &t.byPlan,
		"with-schemas":     &t.schemas,
		"with-maintenance": &t.maintenance,
		"context-updates":  &t.contextUpdates,
		"polling-limit":    &t.pollingLimit,
		"requires-app":     &t.requiresApp,
		"refuse-used-id":   &t.refuseUsedID,
		"cascade":          &t.cascade,
		"withhold-on-get":  &t.withheld,
		"default":          new(bool), // two plans' names that say nothing
		"premium":          new(bool),
	}
}

// operationNames are the words for operations.
func operationNames() map[string]osb.Operation {
	return map[string]osb.Operation{
		"provision": osb.OpProvision, "update": osb.OpUpdate, "deprovision": osb.OpDeprovision,
		"bind": osb.OpBind, "unbind": osb.OpUnbind, "get-instance": osb.OpGetInstance,
		"get-binding": osb.OpGetBinding, "last-operation": osb.OpLastOperation,
	}
}

// faultNames are the words for faults. Those that end in a code, such as fail503,
// lost500 and late500, are in numberedFault.
func faultNames() map[string]Do {
	return map[string]Do{
		"fail":                 {Async: &Async{Result: ResultFailed, Description: "it fails, as the name of the service or plan says"}},
		"never":                {Async: &Async{Result: ResultNever}},
		"hang":                 {Hang: true},
		"reset":                {Cut: CutReset},
		"close":                {Cut: CutClose},
		"midway":               {Cut: CutMidway, Effect: EffectBefore},
		"lost":                 {Cut: CutReset, Effect: EffectBefore},
		"late":                 {Cut: CutReset, Effect: EffectAfter},
		"malformed":            {Body: BodyMalformed},
		"empty":                {Body: BodyEmpty},
		"null":                 {Body: BodyNull},
		"html":                 {Body: BodyHTML},
		"huge":                 {Body: BodyHuge},
		"drip":                 {Drip: Duration(dripPause)},
		"slow":                 {Latency: Duration(slowLatency)},
		"busy":                 {Error: "ConcurrencyError"},
		"async-required":       {Error: "AsyncRequired"},
		"maintenance-conflict": {Error: "MaintenanceInfoConflict"},
		"needs-app":            {Error: "RequiresApp"},
	}
}

// numberedFault reads fail503 (no effect), lost500 (the effect comes before the
// answer) and late500 (it comes after).
func numberedFault(word string) (Do, bool) {
	for prefix, effect := range map[string]Effect{"fail": EffectNone, "lost": EffectBefore, "late": EffectAfter} {
		digits, ok := strings.CutPrefix(word, prefix)
		status, err := strconv.Atoi(digits)
		if ok && err == nil && len(digits) == 3 && status >= 200 && status <= 599 {
			return Do{Status: status, Effect: effect}, true
		}
	}
	return Do{}, false
}

// behavior is what a name says.
type behavior struct {
	traits traits
	rules  []Rule // faults, without their service or plan
}

// nameReader reads the words of a name.
type nameReader struct {
	words []string
	out   behavior
}

// readName reads the part of a name that states behaviour.
func readName(stated string) (behavior, error) {
	r := &nameReader{}
	if stated != "" {
		r.words = strings.Split(stated, "-")
	}
	for len(r.words) > 0 {
		if !r.trait() && !r.fault() {
			return behavior{}, fmt.Errorf("nobody knows what %q means in a name", strings.Join(r.words, "-"))
		}
	}
	return r.out, nil
}

// longest takes the longest run of words that is a key of known.
func longest[V any](r *nameReader, known map[string]V) (v V, ok bool) {
	for n := min(len(r.words), 3); n > 0; n-- {
		if v, ok = known[strings.Join(r.words[:n], "-")]; ok {
			r.words = r.words[n:]
			return v, true
		}
	}
	return v, false
}

func (r *nameReader) trait() bool {
	set, ok := longest(r, r.out.traits.names())
	if ok {
		*set = true
	}
	return ok
}

// fault takes an operation, what happens to it, and how.
func (r *nameReader) fault() bool {
	before := r.words
	op, ok := longest(r, operationNames())
	if !ok {
		return false
	}
	do, ok := longest(r, faultNames())
	if !ok && len(r.words) > 0 {
		if do, ok = numberedFault(r.words[0]); ok {
			r.words = r.words[1:]
		}
	}
	if !ok {
		r.words = before
		return false
	}
	rule := Rule{Match: Match{Operations: []osb.Operation{op}}, Per: PerResource, Do: do}
	for len(r.words) > 0 && modify(&rule, r.words[0]) {
		r.words = r.words[1:]
	}
	r.out.rules = append(r.out.rules, rule)
	return true
}

// modify takes one modifier.
func modify(rule *Rule, word string) bool {
	no := false
	usable, repeatable := &rule.Do.InstanceUsable, &rule.Do.UpdateRepeatable
	if rule.Do.Async != nil {
		usable, repeatable = &rule.Do.Async.InstanceUsable, &rule.Do.Async.UpdateRepeatable
	}
	switch word {
	case "unusable":
		*usable = &no
		return true
	case "unrepeatable":
		*repeatable = &no
		return true
	}
	digits := word[:len(word)-min(1, len(word))]
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 {
		return false
	}
	switch word[len(word)-1] {
	case 'x':
		rule.Times = n
	case 's':
		if rule.Do.Async != nil {
			rule.Do.Async.Takes = Duration(time.Duration(n) * time.Second)
		} else {
			rule.Do.Latency = Duration(time.Duration(n) * time.Second)
		}
	default:
		return false
	}
	return true
}

// oddOperation has every kind of character that an URL must escape (P42, P9).
const oddOperation = `a b+c/d?e=f&g#h%2B"ü"`

// allRules are the faults of a name and, after them, what its traits do. Work that
// the name says is asynchronous takes the given time.
func (n *behavior) allRules(takes time.Duration) []Rule {
	t := &n.traits
	rules := slices.Clone(n.rules)
	for i := range rules {
		if a := rules[i].Do.Async; a != nil {
			rules[i].Do.Async = t.asynchronous(*a, takes)
		}
	}
	base := Do{RefuseUsedID: t.refuseUsedID, Cascade: t.cascade, WithholdCredentials: t.withheld, RequiresApp: t.requiresApp}
	if t.expiring {
		base.ExpiresIn, base.RenewIn = Duration(time.Hour), Duration(time.Hour/2)
	}
	if t.async || t.never || t.gone {
		do := base
		do.Async = t.asynchronous(Async{}, takes)
		rules = append(rules, Rule{Match: Match{Operations: []osb.Operation{osb.OpProvision, osb.OpUpdate, osb.OpDeprovision}}, Do: do})
	}
	if t.asyncBinding {
		do := base
		do.Async = t.asynchronous(Async{}, takes)
		rules = append(rules, Rule{Match: Match{Operations: []osb.Operation{osb.OpBind, osb.OpUnbind}}, Do: do})
	}
	if base.any() {
		rules = append(rules, Rule{Do: base})
	}
	return rules
}

// any says whether a broker without faults would act otherwise.
func (d *Do) any() bool {
	return d.RefuseUsedID || d.Cascade || d.WithholdCredentials || d.RequiresApp || d.ExpiresIn > 0
}

// asynchronous fills in what the traits say of asynchronous work.
func (t *traits) asynchronous(a Async, takes time.Duration) *Async {
	if a.Takes == 0 {
		a.Takes = Duration(takes)
	}
	a.Gone, a.Optional = t.gone, t.asyncOptional
	if t.never {
		a.Result = ResultNever
	}
	if t.retryAfter {
		a.RetryAfter = Duration(2 * time.Second)
	}
	switch {
	case t.oddOperation:
		odd := oddOperation
		a.Operation = &odd
	case t.noOperation:
		none := ""
		a.Operation = &none
	}
	return &a
}
