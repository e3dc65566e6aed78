package test_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// admin is the endpoint over real HTTP, for who has the token.
type admin struct {
	t   *testing.T
	url string
}

func (f *fixture) admin() *admin {
	f.t.Helper()
	server := httptest.NewServer(f.Admin(broker.BearerAuth("token")))
	f.t.Cleanup(server.Close)
	return &admin{f.t, server.URL}
}

func (a *admin) send(method, path, body, token string) (int, string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(a.t, err)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	require.NoError(a.t, err)
	return resp.StatusCode, string(all)
}

// ok sends a request that must succeed, and reads the answer.
func (a *admin) ok(method, path, body string, into any) {
	a.t.Helper()
	code, text := a.send(method, path, body, "token")
	require.Equal(a.t, http.StatusOK, code, text)
	if into != nil {
		require.NoError(a.t, json.Unmarshal([]byte(text), into))
	}
}

func TestTheAdminEndpoint(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	a, p := f.admin(), f.platform("test-service")

	var made struct{ ID string }
	a.ok("POST", "/admin/rules", `{"match":{"operations":["provision"]},"times":1,"do":{"status":503,"effect":"before"}}`, &made)
	_, err := p.provision()
	require.True(t, osb.IsKind(err, osb.KindUnavailable), "%v", err)
	var rules struct{ Rules, Named []test.RuleStatus }
	a.ok("GET", "/admin/rules", "", &rules)
	require.Len(t, rules.Rules, 1)
	assert.Equal(t, made.ID, rules.Rules[0].ID)
	assert.Equal(t, 1, rules.Rules[0].Applied)
	assert.NotEmpty(t, rules.Named)

	var state test.State
	a.ok("GET", "/admin/state", "", &state)
	require.Len(t, state.Instances, 1, "the effect came before the answer")
	require.NoError(t, p.call(osb.OpBind))
	a.ok("DELETE", "/admin/state/i-1/b-1", "", nil)
	a.ok("GET", "/admin/state", "", &state)
	assert.Empty(t, state.Bindings)
	a.ok("DELETE", "/admin/state/i-1", "", nil)

	var ledger test.Records
	a.ok("GET", "/admin/ledger?operation=provision,bind&instance=i-1&after=1&limit=5&complaints=false&service=test-service", "", &ledger)
	require.Len(t, ledger.Entries, 2)
	assert.Equal(t, [2]int{201, 503}, [2]int{ledger.Entries[0].Effect, ledger.Entries[0].Status})
	a.ok("GET", "/admin/ledger?binding=b-1&complaints=true", "", &ledger)
	assert.Empty(t, ledger.Entries)

	a.ok("DELETE", "/admin/rules/"+made.ID, "", nil)
	a.ok("PUT", "/admin/rules", `{"rules":[{"id":"x","do":{"async":{"takes":"90s","result":"failed"}}},{"id":"y"}]}`, &rules)
	assert.Equal(t, []string{"x", "y"}, []string{rules.Rules[0].ID, rules.Rules[1].ID})
	a.ok("DELETE", "/admin/rules", "", nil)
	assert.Empty(t, f.Rules())

	a.ok("PUT", "/admin/catalog", `{"bulkPlans":10000,"without":["test-service"]}`, nil)
	var spec test.CatalogSpec
	a.ok("GET", "/admin/catalog", "", &spec)
	assert.Equal(t, test.CatalogSpec{BulkPlans: 10_000, Without: []string{"test-service"}}, spec)

	a.ok("DELETE", "/admin/ledger", "", nil)
	assert.Empty(t, f.Ledger(test.Filter{}).Entries)
	a.ok("POST", "/admin/reset", "", nil)
	assert.Equal(t, test.CatalogSpec{}, f.Catalog())
}

func TestTheAdminEndpointRefusesWithASentence(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	a := f.admin()
	for name, tc := range map[string]struct {
		method, path, body string
		code               int
		says               string
	}{
		"a misspelt field":          {"POST", "/admin/rules", `{"do":{"statsu":500}}`, 400, "statsu"},
		"a misspelt duration":       {"POST", "/admin/rules", `{"do":{"latency":"5"}}`, 400, `\"5\" is no duration such as`},
		"a negative duration":       {"POST", "/admin/rules", `{"do":{"latency":"-5s"}}`, 400, "no duration"},
		"a rule that cannot be":     {"POST", "/admin/rules", `{"do":{"status":99}}`, 400, "200 to 599"},
		"more than one":             {"POST", "/admin/rules", `{}{}`, 400, "more after its end"},
		"no JSON":                   {"PUT", "/admin/rules", `status: 500`, 400, "read JSON"},
		"rules of which one is bad": {"PUT", "/admin/rules", `{"rules":[{"id":"bad","times":-1}]}`, 400, `rule \"bad\"`},
		"a rule that is not there":  {"DELETE", "/admin/rules/none", "", 404, "no such thing"},
		"an instance that is not":   {"DELETE", "/admin/state/none", "", 404, "no such thing"},
		"a query that is not":       {"GET", "/admin/ledger?instanc=x", "", 400, `\"instanc\"`},
		"a number that is none":     {"GET", "/admin/ledger?limit=x", "", 400, "limit"},
		"a name without a meaning":  {"PUT", "/admin/catalog", `{"names":["test-service-what"]}`, 400, `\"what\"`},
		"a misspelt catalog":        {"PUT", "/admin/catalog", `{"bulk":1}`, 400, "bulk"},
		"another path":              {"GET", "/admin", "", 404, ""},
		"another method":            {"PATCH", "/admin/rules", "", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, text := a.send(tc.method, tc.path, tc.body, "token")
			assert.Equal(t, tc.code, code)
			assert.Contains(t, text, tc.says)
		})
	}
	assert.Empty(t, f.Rules())
	for _, token := range []string{"", "another"} {
		code, text := a.send("GET", "/admin/state", "", token)
		assert.Equal(t, http.StatusUnauthorized, code)
		assert.Contains(t, text, "admin token")
	}
	w := httptest.NewRecorder()
	f.Admin(nil).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/admin/state", http.NoBody))
	assert.Equal(t, http.StatusUnauthorized, w.Code, "nil lets nobody in")
}

// Every JSON example that people are shown is accepted as it stands.
func TestTheExamplesOfTheREADME(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := strings.Split(string(raw), "```json\n")[1:]
	require.Greater(t, len(blocks), 10)
	for _, block := range blocks {
		example, _, _ := strings.Cut(block, "```")
		f := start(t, test.Options{})
		if strings.Contains(example, `"rules"`) {
			rules, err := test.DecodeRules(strings.NewReader(example))
			require.NoError(t, err, example)
			require.NoError(t, f.SetRules(rules...), example)
			continue
		}
		var spec test.CatalogSpec
		if test.Decode(strings.NewReader(example), &spec) == nil {
			require.NoError(t, f.SetCatalog(spec), example)
			continue
		}
		var rule test.Rule
		require.NoError(t, test.Decode(strings.NewReader(example), &rule), example)
		f.script(rule)
	}
}

// A platform that cleans up after every failure leaves nothing behind, whatever
// fails; and the broker's own counts agree. Many at once.
func TestAPlatformThatCleansUpLeavesNothing(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	for _, do := range []test.Do{
		{Status: 500, Effect: test.EffectBefore}, {Status: 500}, {Cut: test.CutReset, Effect: test.EffectBefore}, {Cut: test.CutMidway, Effect: test.EffectBefore},
		{Body: test.BodyMalformed}, {Cut: test.CutClose}, {Error: "ConcurrencyError"}, {Async: &test.Async{Polls: 1, Result: test.ResultFailed}},
	} {
		f.script(test.Rule{Match: test.Match{Operations: allOperations[1:]}, Chance: 0.08, Do: do})
	}
	p := f.platform("test-service")
	ended := make(chan error, 8)
	for worker := range cap(ended) {
		own := *p
		own.instance = "i-" + string(rune('a'+worker))
		go func() { ended <- own.liveAndDie(t.Context()) }()
	}
	for range cap(ended) {
		require.NoError(t, <-ended)
	}
	s := f.State()
	assert.Empty(t, s.Instances)
	assert.Empty(t, s.Bindings)
	assert.Empty(t, s.LiveCredentials)
	assert.Equal(t, s.Issued, s.Revoked)
	assert.GreaterOrEqual(t, s.Issued, cap(ended)*3)
}

// liveAndDie makes an instance and a binding, and deletes both, three times.
func (p *platform) liveAndDie(ctx context.Context) error {
	for range 3 {
		for _, pair := range [][2]osb.Operation{
			{osb.OpProvision, osb.OpDeprovision}, {osb.OpBind, osb.OpUnbind}, {osb.OpUnbind, osb.OpUnbind}, {osb.OpDeprovision, osb.OpDeprovision},
		} {
			for ctx.Err() == nil && !p.settled(pair[0]) {
				for ctx.Err() == nil && !p.settled(pair[1]) {
					continue // until the broker has confirmed that it is gone
				}
			}
		}
	}
	return ctx.Err()
}

// settled does an operation and says whether it has certainly succeeded.
func (p *platform) settled(op osb.Operation) bool {
	var err error
	var async bool
	poll := p.poll
	switch op {
	case osb.OpProvision:
		var r *osb.ProvisionResponse
		if r, err = p.provision(); err == nil {
			async = r.Async
		}
	case osb.OpDeprovision:
		var r *osb.DeprovisionResponse
		if r, err = p.deprovision(); err == nil {
			async = r.Async
		}
	case osb.OpBind:
		var r *osb.BindResponse
		if r, err = p.bind(); err == nil {
			async, poll = r.Async, p.pollBinding
		}
	case osb.OpUnbind:
		var r *osb.UnbindResponse
		if r, err = p.unbind(); err == nil {
			async, poll = r.Async, p.pollBinding
		}
	}
	if err != nil || !async {
		return err == nil
	}
	for range 100 {
		answer, err := poll(op, "")
		if err == nil && answer.State != osb.StateInProgress {
			return answer.State == osb.StateSucceeded
		}
	}
	return false
}
