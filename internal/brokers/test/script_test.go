package test_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// fails sends provisions for the ids and says which of them failed, as x and o.
func (p *platform) fails(ids ...string) string {
	p.f.t.Helper()
	out := ""
	for _, id := range ids {
		p.instance = id
		if _, err := p.provision(); err != nil {
			out += "x"
		} else {
			out += "o"
		}
	}
	return out
}

func TestHowOftenARuleApplies(t *testing.T) {
	t.Parallel()
	dice := []float64{0.9, 0.1, 0.5, 0.49}
	for name, tc := range map[string]struct {
		rule test.Rule
		ids  []string
		want string
	}{
		"always":                     {test.Rule{}, []string{"a", "b", "a"}, "xxx"},
		"twice, then never":          {test.Rule{Times: 2}, []string{"a", "b", "a", "b"}, "xxoo"},
		"once for each":              {test.Rule{Times: 1, Per: test.PerResource}, []string{"a", "b", "a", "b"}, "xxoo"},
		"twice for each":             {test.Rule{Times: 2, Per: test.PerResource}, []string{"a", "a", "b", "a", "b", "b"}, "xxxoxo"},
		"after the first two":        {test.Rule{Skip: 2}, []string{"a", "b", "c", "d"}, "ooxx"},
		"the third":                  {test.Rule{Skip: 2, Times: 1}, []string{"a", "b", "c", "d"}, "ooxo"},
		"the second of each":         {test.Rule{Skip: 1, Times: 1, Per: test.PerResource}, []string{"a", "b", "b", "a", "a"}, "ooxxo"},
		"by chance":                  {test.Rule{Chance: 0.5}, []string{"a", "b", "c", "d"}, "oxox"},
		"once, by chance":            {test.Rule{Chance: 0.5, Times: 1}, []string{"a", "b", "c", "d"}, "oxoo"},
		"only that instance":         {test.Rule{Match: test.Match{Instances: []string{"b"}}}, []string{"a", "b"}, "ox"},
		"only that service":          {test.Rule{Match: test.Match{Services: []string{"test-service"}}}, []string{"a"}, "x"},
		"only another service":       {test.Rule{Match: test.Match{Services: []string{"test-service-async"}}}, []string{"a"}, "o"},
		"only that plan":             {test.Rule{Match: test.Match{Plans: []string{"default"}}}, []string{"a"}, "x"},
		"only another plan":          {test.Rule{Match: test.Match{Plans: []string{"premium"}}}, []string{"a"}, "o"},
		"only another operation":     {test.Rule{Match: test.Match{Operations: []osb.Operation{osb.OpBind}}}, []string{"a"}, "o"},
		"only polls":                 {test.Rule{Match: test.Match{Polled: []osb.Operation{osb.OpProvision}}}, []string{"a"}, "o"},
		"only what has that binding": {test.Rule{Match: test.Match{Bindings: []string{"b-1"}}}, []string{"a"}, "o"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			thrown := 0
			f := start(t, test.Options{Chance: func() float64 { thrown++; return dice[thrown-1] }})
			p := f.platform("test-service")
			tc.rule.Do = test.Do{Status: 400}
			f.script(tc.rule)
			assert.Equal(t, tc.want, p.fails(tc.ids...))
		})
	}
}

func TestTheFirstRuleThatAppliesDecides(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service-provision-fail400")
	status := func() int {
		_, err := p.provision()
		require.Error(t, err)
		return osb.AsError(err).StatusCode
	}
	assert.Equal(t, 400, status(), "what the name says")
	f.script(test.Rule{ID: "a", Do: test.Do{Status: 401}})
	assert.Equal(t, 401, status(), "a rule comes before names")
	f.script(test.Rule{ID: "b", Times: 1, Do: test.Do{Status: 402}})
	assert.Equal(t, 402, status(), "the newest comes first")
	assert.Equal(t, 401, status(), "until it is used up")
	f.script(test.Rule{ID: "a", Do: test.Do{Status: 403}})
	assert.Equal(t, 403, status(), "the same id takes its place")
	rules := f.Rules()
	require.Len(t, rules, 2)
	assert.Equal(t, "a", rules[0].ID)
	assert.Equal(t, [4]int{1, 1, 2, 1}, [4]int{rules[0].Matched, rules[0].Applied, rules[1].Matched, rules[1].Applied})
	require.NoError(t, f.SetRules(test.Rule{Do: test.Do{Status: 404, Body: test.BodyValid}}, test.Rule{Do: test.Do{Status: 405}}))
	assert.Equal(t, 404, status(), "a list is asked in its order")
	assert.NotEqual(t, f.Rules()[0].ID, f.Rules()[1].ID, "ids are made up")
	require.NoError(t, f.Reset())
	assert.Equal(t, 400, status(), "a reset leaves what names say")
}

func TestMadeUpIDsAreNobodyElses(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	f.script(test.Rule{ID: "rule-1"})
	assert.Equal(t, "rule-2", f.script(test.Rule{}))
	assert.Len(t, f.Rules(), 2)
}

// What a rule counts by is bounded; what it forgot, it says.
func TestARuleForgetsTheOldestOfTooMany(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service")
	f.script(test.Rule{Match: test.Match{Operations: []osb.Operation{osb.OpGetInstance}}, Times: 1, Per: test.PerResource, Do: test.Do{Status: 418}})
	ask := func(id string) int {
		p.instance = id
		_, err := p.getInstance()
		require.Error(t, err)
		return osb.AsError(err).StatusCode
	}
	require.Equal(t, []int{418, 404}, []int{ask("first"), ask("first")})
	handler := http.Handler(f.Broker) // ten thousand requests need no network
	for i := range 10_000 {
		serve(t, handler, http.MethodGet, fmt.Sprintf("/v2/service_instances/i-%d", i))
	}
	assert.Equal(t, 1, f.Rules()[0].Forgotten)
	assert.Equal(t, 418, ask("first"), "it is counted from zero again")
	assert.Len(t, f.Ledger(test.Filter{}).Entries, test.DefaultLedgerEntries)
	assert.Positive(t, f.Ledger(test.Filter{}).Dropped)
}

func TestPollsAreMatchedByWhatTheyAskFor(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	f.script(on(test.Do{Async: &test.Async{Takes: test.Duration(time.Hour)}}, osb.OpProvision))
	f.script(test.Rule{Match: test.Match{Polled: []osb.Operation{osb.OpDeprovision}}, Do: test.Do{Status: 500}})
	p := f.platform("test-service")
	operation, poll := p.begin(osb.OpProvision)
	_, err := poll(osb.OpProvision, operation)
	require.NoError(t, err)
	assert.Equal(t, osb.OpProvision, f.last(osb.OpLastOperation).Polled)
	f.script(on(test.Do{Async: &test.Async{}}, osb.OpDeprovision))
	operation, poll = p.begin(osb.OpDeprovision)
	_, err = poll(osb.OpDeprovision, operation)
	require.True(t, osb.IsKind(err, osb.KindUnavailable), "%v", err)
}
