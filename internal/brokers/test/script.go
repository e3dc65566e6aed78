package test

import (
	"fmt"
	"slices"

	"github.com/svc-cat/catalog/osb"
)

// maxRules bounds the script, maxCounters the resources that one rule counts.
const (
	maxRules    = 1000
	maxCounters = 10_000
)

// RuleStatus is a rule and what has come of it.
type RuleStatus struct {
	Rule
	// Matched is how many requests it matched, Applied how many it decided.
	Matched int `json:"matched"`
	Applied int `json:"applied"`
	// Forgotten is how many resources are counted from zero again, because too
	// many others came after them.
	Forgotten int `json:"forgotten,omitempty"`
}

// active is a rule at work. The broker's lock guards it.
type active struct {
	RuleStatus
	counts map[string]int // resource → matching requests
	order  []string       // the resources, oldest first
	gone   chan struct{}  // closed when the rule is removed
}

func activate(r Rule) *active {
	return &active{RuleStatus: RuleStatus{Rule: r}, counts: map[string]int{}, gone: make(chan struct{})}
}

// take counts a matching request and says whether the rule applies to it.
func (a *active) take(resource string, chance func() float64) bool {
	if a.Chance > 0 && chance() >= a.Chance {
		return false
	}
	if a.Per != PerResource {
		resource = ""
	}
	if _, known := a.counts[resource]; !known {
		if a.order = append(a.order, resource); len(a.order) > maxCounters {
			delete(a.counts, a.order[0])
			a.order = a.order[1:]
			a.Forgotten++
		}
	}
	n := a.counts[resource]
	a.counts[resource]++
	a.Matched++
	if n < a.Skip || a.Times > 0 && n >= a.Skip+a.Times {
		return false
	}
	a.Applied++
	return true
}

// script is all rules, in the order in which they are asked.
type script struct {
	rules  []*active // added at run time
	named  []*active // from names of services and plans
	made   int       // ids made up so far
	chance func() float64
}

// pick returns the rule that decides a request, nil if none does.
func (s *script) pick(c *call) *active {
	for _, all := range [][]*active{s.rules, s.named} {
		for _, a := range all {
			if a.Match.covers(c) && a.take(c.resource(), s.chance) {
				return a
			}
		}
	}
	return nil
}

// covers says whether a request is of the chosen kind.
func (m *Match) covers(c *call) bool {
	e := c.entry
	return has(m.Operations, e.Operation) && has(m.Instances, e.InstanceID) && has(m.Bindings, e.BindingID) &&
		(len(m.Polled) == 0 || e.Operation == osb.OpLastOperation && slices.Contains(m.Polled, e.Polled)) &&
		has(m.Services, e.ServiceID, e.Service) && has(m.Plans, e.PlanID, e.Plan)
}

// has is true for an empty list, and for one that holds one of the values.
func has[T ~string](wanted []T, values ...T) bool {
	return len(wanted) == 0 || slices.ContainsFunc(values, func(v T) bool { return v != "" && slices.Contains(wanted, v) })
}

// prepare checks rules and gives those an id that have none.
func (s *script) prepare(rules []Rule) ([]*active, error) {
	taken, given := map[string]bool{}, s.ids(rules)
	out := make([]*active, 0, len(rules))
	for i := range rules {
		r, made := rules[i], false
		for r.ID == "" || made && given[r.ID] {
			s.made++
			made, r.ID = true, fmt.Sprintf("rule-%d", s.made)
		}
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.ID, err)
		}
		if taken[r.ID] {
			return nil, fmt.Errorf("two rules have the id %q", r.ID)
		}
		taken[r.ID] = true
		out = append(out, activate(r))
	}
	if len(out) > maxRules {
		return nil, fmt.Errorf("%d rules are more than the %d that there may be", len(out), maxRules)
	}
	return out, nil
}

// ids are all that are in use or asked for; none of them is made up again.
func (s *script) ids(rules []Rule) map[string]bool {
	all := map[string]bool{}
	for i := range rules {
		all[rules[i].ID] = true
	}
	for _, a := range s.rules {
		all[a.ID] = true
	}
	return all
}

// release lets those go on who wait for the end of a rule.
func release(rules []*active) {
	for _, a := range rules {
		close(a.gone)
	}
}

func statuses(rules []*active) []RuleStatus {
	out := make([]RuleStatus, len(rules))
	for i, a := range rules {
		out[i] = a.RuleStatus
	}
	return out
}

// Add puts a rule before all others and returns its id. A rule with an id that
// there is takes that rule's place at the front, and counts from zero.
func (b *Broker) Add(r Rule) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	added, err := b.script.prepare([]Rule{r})
	if err != nil {
		return "", err
	}
	kept := b.script.without(added[0].ID)
	if len(kept) >= maxRules {
		return "", fmt.Errorf("there are %d rules already, and may not be more; remove one", maxRules)
	}
	b.script.rules = slices.Concat(added, kept)
	return added[0].ID, nil
}

// without removes a rule and returns those that are left.
func (s *script) without(id string) []*active {
	kept, removed := []*active{}, []*active{}
	for _, a := range s.rules {
		if a.ID == id {
			removed = append(removed, a)
		} else {
			kept = append(kept, a)
		}
	}
	release(removed)
	return kept
}

// Remove takes a rule away, and lets go whom it held or hung. It says whether
// there was one of that id.
func (b *Broker) Remove(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.script.rules)
	b.script.rules = b.script.without(id)
	return len(b.script.rules) < before
}

// SetRules takes the place of all rules that were added at run time.
func (b *Broker) SetRules(rules ...Rule) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	prepared, err := b.script.prepare(rules)
	if err != nil {
		return err
	}
	release(b.script.rules)
	b.script.rules = prepared
	return nil
}

// Rules are the rules added at run time, in the order in which they are asked.
func (b *Broker) Rules() []RuleStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return statuses(b.script.rules)
}

// NamedRules are those that names of services and plans stand for. They come
// after those that were added.
func (b *Broker) NamedRules() []RuleStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return statuses(b.script.named)
}
