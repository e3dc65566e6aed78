package test_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

var allOperations = []osb.Operation{
	osb.OpCatalog, osb.OpProvision, osb.OpGetInstance, osb.OpUpdate, osb.OpDeprovision,
	osb.OpBind, osb.OpGetBinding, osb.OpUnbind, osb.OpLastOperation,
}

// Every fault, of every operation, over real HTTP: what the client makes of it,
// and what the ledger says was done.
func TestEveryFaultOfEveryOperation(t *testing.T) {
	t.Parallel()
	type want struct {
		kind    osb.Kind
		effect  bool
		outcome test.Outcome
	}
	const served = test.OutcomeAnswered
	rows := map[string]struct {
		do        test.Do
		impatient bool
		want      want
	}{
		"a refusal":                          {test.Do{Status: 400}, false, want{osb.KindRejected, false, served}},
		"a server error":                     {test.Do{Status: 503}, false, want{osb.KindUnavailable, false, served}},
		"a server error after the effect":    {test.Do{Status: 500, Effect: test.EffectBefore}, false, want{osb.KindUnavailable, true, served}},
		"a server error before the effect":   {test.Do{Status: 500, Effect: test.EffectAfter}, false, want{osb.KindUnavailable, true, served}},
		"too many requests":                  {test.Do{Status: 429}, false, want{osb.KindBusy, false, served}},
		"a redirect":                         {test.Do{Status: 302, Header: map[string]string{"Location": "https://elsewhere.example"}}, false, want{osb.KindRedirect, false, served}},
		"no login":                           {test.Do{Status: 401}, false, want{osb.KindUnauthorized, false, served}},
		"an unsupported version":             {test.Do{Status: 412}, false, want{osb.KindVersionUnsupported, false, served}},
		"a code of success that is none":     {test.Do{Status: 299}, false, want{osb.KindMalformed, true, served}},
		"busy":                               {test.Do{Error: "ConcurrencyError"}, false, want{osb.KindBusy, false, served}},
		"only asynchronously":                {test.Do{Error: "AsyncRequired"}, false, want{osb.KindAsyncRequired, false, served}},
		"another maintenance version":        {test.Do{Error: "MaintenanceInfoConflict"}, false, want{osb.KindMaintenanceInfoConflict, false, served}},
		"only for apps":                      {test.Do{Error: "RequiresApp"}, false, want{osb.KindRequiresApp, false, served}},
		"malformed JSON":                     {test.Do{Body: test.BodyMalformed}, false, want{osb.KindMalformed, true, served}},
		"an HTML page with a success":        {test.Do{Body: test.BodyHTML}, false, want{osb.KindMalformed, true, served}},
		"an HTML page that says 404":         {test.Do{Status: 404, Body: test.BodyHTML}, false, want{osb.KindUnavailable, false, served}},
		"more than anybody should read":      {test.Do{Body: test.BodyHuge}, false, want{osb.KindMalformed, true, test.OutcomeLost}},
		"no answer":                          {test.Do{Hang: true}, true, want{osb.KindTimeout, false, test.OutcomeHung}},
		"no answer, but the effect":          {test.Do{Hang: true, Effect: test.EffectBefore}, true, want{osb.KindTimeout, true, test.OutcomeHung}},
		"no answer, and the effect later":    {test.Do{Hang: true, Effect: test.EffectAfter}, true, want{osb.KindTimeout, true, test.OutcomeHung}},
		"a connection reset":                 {test.Do{Cut: test.CutReset}, false, want{osb.KindUnavailable, false, test.OutcomeCut}},
		"a connection reset, but the effect": {test.Do{Cut: test.CutReset, Effect: test.EffectBefore}, false, want{osb.KindUnavailable, true, test.OutcomeCut}},
		"a reset, and the effect later":      {test.Do{Cut: test.CutReset, Effect: test.EffectAfter}, false, want{osb.KindUnavailable, true, test.OutcomeCut}},
		"a close, and the effect later":      {test.Do{Cut: test.CutClose, Effect: test.EffectAfter}, false, want{osb.KindUnavailable, true, test.OutcomeCut}},
		"a connection closed":                {test.Do{Cut: test.CutClose}, false, want{osb.KindUnavailable, false, test.OutcomeCut}},
		"a connection closed midway":         {test.Do{Cut: test.CutMidway, Effect: test.EffectBefore}, false, want{osb.KindUnavailable, true, test.OutcomeCut}},
		"a body too slow to wait for":        {test.Do{Drip: test.Duration(time.Minute)}, true, want{osb.KindTimeout, true, test.OutcomeLost}},
		"an answer too late to be waited for": {test.Do{Latency: test.Duration(2 * impatient)}, true,
			want{osb.KindTimeout, true, test.OutcomeLost}},
	}
	for name, tc := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, test.Options{})
			for _, op := range allOperations {
				require.NoError(t, f.SetRules())
				require.NoError(t, f.Reset())
				p := f.platform("test-service")
				p.prepare(op)
				f.script(on(tc.do, op))
				if tc.impatient {
					p.client = f.dial(impatient)
				}
				err := p.call(op)
				require.True(t, osb.IsKind(err, tc.want.kind), "%s: want %s, got %v", op, tc.want.kind, err)
				e := f.finished(op)
				assert.Equal(t, tc.want.outcome, e.Outcome, op)
				assert.Equal(t, tc.want.effect, e.Effect != 0, "%s: effect %d", op, e.Effect)
				assert.Equal(t, "rule-", e.Rule[:5], op)
				requireEffect(t, f, op, tc.want.effect)
			}
		})
	}
}

// requireEffect looks at what exists, not at what the ledger says.
func requireEffect(t *testing.T, f *fixture, op osb.Operation, effect bool) {
	t.Helper()
	s := f.State()
	switch op {
	case osb.OpProvision:
		require.Equal(t, effect, len(s.Instances) == 1)
	case osb.OpUpdate:
		require.Equal(t, effect, bytes.Contains(s.Instances[0].Parameters, []byte("size")))
	case osb.OpDeprovision:
		require.Equal(t, effect, len(s.Instances) == 0)
	case osb.OpBind:
		require.Equal(t, effect, len(s.LiveCredentials) == 1)
	case osb.OpUnbind:
		require.Equal(t, effect, len(s.LiveCredentials) == 0)
	}
}

// reply is an answer as it came.
type reply struct {
	code   int
	header http.Header
	body   string
}

// raw sends a request as it is and returns what comes back, byte for byte.
func raw(ctx context.Context, method, url, body string) (got reply, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewBufferString(body))
	if err != nil {
		return got, err
	}
	r.Header.Set("X-Broker-API-Version", "2.17")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return got, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(all)}, err
}

func TestAnswersByteForByte(t *testing.T) {
	t.Parallel()
	no := false
	rows := map[string]struct {
		do          test.Do
		status      int
		body        string
		contentType string
		retryAfter  string
	}{
		"an empty body":                 {test.Do{Status: 502, Body: test.BodyEmpty}, 502, "", "", ""},
		"null":                          {test.Do{Status: 410, Body: test.BodyNull}, 410, "null", "application/json", ""},
		"raw text of another type":      {test.Do{Status: 200, Body: test.BodyRaw, Raw: "nonsense", Header: map[string]string{"Content-Type": "text/plain"}}, 200, "nonsense", "text/plain", ""},
		"a word and its description":    {test.Do{Error: "QuotaExceeded", Description: "no more"}, 422, `{"error":"QuotaExceeded","description":"no more"}`, "application/json", ""},
		"a word with another code":      {test.Do{Error: "ConcurrencyError", Status: 409, Description: "wait"}, 409, `{"error":"ConcurrencyError","description":"wait"}`, "application/json", ""},
		"what is usable and repeatable": {test.Do{Status: 500, Description: "d", InstanceUsable: &no, UpdateRepeatable: &no}, 500, `{"description":"d","instance_usable":false,"update_repeatable":false}`, "application/json", ""},
		"seconds to wait":               {test.Do{Status: 429, Body: test.BodyEmpty, RetryAfter: "7"}, 429, "", "", "7"},
		"a date to wait for":            {test.Do{Status: 503, Body: test.BodyEmpty, RetryAfter: "Fri, 31 Dec 2100 23:59:59 GMT"}, 503, "", "", "Fri, 31 Dec 2100 23:59:59 GMT"},
		"nonsense to wait for":          {test.Do{Status: 503, Body: test.BodyEmpty, RetryAfter: "soon"}, 503, "", "", "soon"},
		"no content":                    {test.Do{Status: 204}, 204, "", "application/json", ""},
		"a yes that nothing stands for": {test.Do{Effect: test.EffectNone}, 200, "{}", "application/json", ""},
		"a body of a size that is told": {test.Do{Body: test.BodyHuge, BodyBytes: 40, Status: 200}, 200, `{"services":[],"padding":"xxxxxxxxxxxx"}`, "application/json", ""},
		"a body that drips":             {test.Do{Body: test.BodyRaw, Raw: "drops", Drip: test.Duration(time.Millisecond)}, 200, "drops", "application/json", ""},
		"a success made a failure":      {test.Do{Status: 500, Effect: test.EffectBefore, Description: "x"}, 500, `{"description":"x"}`, "application/json", ""},
		"another code for the own body": {test.Do{Status: 201}, 201, `{"services":[]}`, "application/json", ""},
	}
	for name, tc := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, test.Options{Catalog: test.CatalogSpec{Services: []osb.Service{}}})
			f.script(on(tc.do, osb.OpCatalog))
			resp, err := raw(t.Context(), http.MethodGet, f.url+"/v2/catalog", "")
			require.NoError(t, err)
			assert.Equal(t, tc.status, resp.code)
			assert.Equal(t, tc.body, resp.body)
			assert.Equal(t, tc.contentType, resp.header.Get("Content-Type"))
			assert.Equal(t, tc.retryAfter, resp.header.Get("Retry-After"))
		})
	}
}

func TestConnectionsEndAsAskedFor(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	f.script(on(test.Do{Cut: test.CutReset}))
	_, err := raw(t.Context(), http.MethodGet, f.url+"/v2/catalog", "")
	require.ErrorIs(t, err, syscall.ECONNRESET)

	f.script(on(test.Do{Cut: test.CutClose}))
	_, err = raw(t.Context(), http.MethodGet, f.url+"/v2/catalog", "")
	require.ErrorIs(t, err, io.EOF)

	f.script(on(test.Do{Cut: test.CutMidway, Effect: test.EffectBefore}))
	resp, err := raw(t.Context(), http.MethodGet, f.url+"/v2/catalog", "")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, http.StatusOK, resp.code)
	assert.Contains(t, resp.body, `{"services":[`)
}

// A slow broker that does the work in the end is what orphans come from.
func TestLatencyIsTheClocksAndOutlivesThePlatform(t *testing.T) {
	t.Parallel()
	for effect, there := range map[test.Effect]bool{test.EffectFirst: true, "": false} {
		clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))
		f := start(t, test.Options{Clock: clock})
		f.script(on(test.Do{Latency: test.Duration(time.Hour), Effect: effect}, osb.OpProvision))
		p := f.platform("test-service")
		p.client = f.dial(impatient)
		_, err := p.provision()
		require.True(t, osb.IsKind(err, osb.KindTimeout), "%v", err)
		require.Equal(t, there, len(f.State().Instances) == 1, "before the latency is over")
		require.Equal(t, 1, f.State().Waiting)
		clock.Step(time.Hour)
		require.Eventually(t, func() bool { return len(f.State().Instances) == 1 }, patience, tick)
		f.finished(osb.OpProvision)
		require.Zero(t, f.State().Waiting)
	}
}

// A drip is paced by the clock too.
func TestADripWaitsBeforeEachByte(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))
	f := start(t, test.Options{Clock: clock})
	f.script(on(test.Do{Body: test.BodyRaw, Raw: "ab", Drip: test.Duration(time.Second)}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/v2/catalog", http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err, "the headers do not wait")
	defer resp.Body.Close()
	for _, want := range []string{"a", "b"} {
		require.Eventually(t, clock.HasWaiters, patience, tick)
		clock.Step(time.Second)
		got := make([]byte, 1)
		_, err = io.ReadFull(resp.Body, got)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

func TestAHeldRequestGoesOnWhenItsRuleGoes(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	id := f.script(on(test.Do{Hold: true}, osb.OpProvision))
	p := f.platform("test-service")
	answered := make(chan error, 1)
	go func() {
		_, err := p.provision()
		answered <- err
	}()
	require.Eventually(t, func() bool { return f.State().Waiting == 1 }, patience, tick)
	assert.Empty(t, f.last(osb.OpProvision).Outcome, "it is in the ledger already")
	assert.Empty(t, f.State().Instances)
	require.True(t, f.Remove(id))
	require.NoError(t, <-answered)
	assert.Len(t, f.State().Instances, 1)
	assert.False(t, f.Remove(id), "it is gone")
}

func TestAHungRequestIsLetGoWithItsRule(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	f.script(on(test.Do{Hang: true}, osb.OpProvision))
	p := f.platform("test-service")
	answered := make(chan error, 1)
	go func() {
		_, err := p.provision()
		answered <- err
	}()
	require.Eventually(t, func() bool { return f.State().Waiting == 1 }, patience, tick)
	require.NoError(t, f.SetRules())
	require.True(t, osb.IsKind(<-answered, osb.KindUnavailable))
}

// Whatever waits ends with the broker, and has no effect any more.
func TestCloseEndsWhatWaits(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]test.Do{
		"a hang":                    {Hang: true},
		"a latency":                 {Latency: test.Duration(time.Hour)},
		"a request that is held":    {Hold: true},
		"a body that drips":         {Drip: test.Duration(time.Hour)},
		"a hang with a late effect": {Hang: true, Effect: test.EffectAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, test.Options{})
			f.script(on(do, osb.OpProvision))
			p := f.platform("test-service")
			answered := make(chan error, 1)
			go func() {
				_, err := p.provision()
				answered <- err
			}()
			require.Eventually(t, func() bool { return f.State().Waiting == 1 }, patience, tick)
			f.Close()
			require.Error(t, <-answered)
			require.Equal(t, test.OutcomeClosed, f.finished(osb.OpProvision).Outcome)
			require.Equal(t, name == "a body that drips", len(f.State().Instances) == 1, "what has had no effect will have none")
			require.Zero(t, f.State().Waiting)
			require.NoError(t, p.call(osb.OpCatalog), "others are still answered")
		})
	}
}

func TestTooManyThatWaitAreCutOff(t *testing.T) {
	t.Parallel()
	const most = 3
	f := start(t, test.Options{MaxWaiting: most})
	id := f.script(on(test.Do{Hold: true}, osb.OpCatalog))
	errs := make(chan error, most+1)
	client := f.dial(time.Minute)
	for range most + 1 {
		go func() {
			_, err := client.GetCatalog(t.Context(), &osb.CatalogRequest{})
			errs <- err
		}()
	}
	require.Error(t, <-errs, "only one can be over: the one too many")
	require.Eventually(t, func() bool { return f.State().Waiting == most }, patience, tick)
	f.Remove(id)
	for range most {
		require.NoError(t, <-errs)
	}
}

func TestRulesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	for want, rule := range map[string]test.Rule{
		`no operation "poll"`:       {Match: test.Match{Operations: []osb.Operation{"poll"}}},
		"not negative":              {Times: -1},
		"between 0 and 1":           {Chance: 2},
		`per is "rule"`:             {Per: "broker"},
		`no effect "during"`:        {Do: test.Do{Effect: "during"}},
		`no cut "off"`:              {Do: test.Do{Cut: "off"}},
		`no body "odd"`:             {Do: test.Do{Body: "odd"}},
		"200 to 599":                {Do: test.Do{Status: 100}},
		"raw needs body":            {Do: test.Do{Raw: "x"}},
		"exclude each other":        {Do: test.Do{Hang: true, Cut: test.CutReset}},
		"credentials are":           {Do: test.Do{Credentials: osb.RawJSON(`"x"`)}},
		`no result "maybe"`:         {Do: test.Do{Async: &test.Async{Result: "maybe"}}},
		"none that HTTP could send": {Do: test.Do{Header: map[string]string{"A B": "c"}}},
		"holds control characters":  {Do: test.Do{RetryAfter: "1\r\n"}},
		"bodyBytes is at most":      {Do: test.Do{BodyBytes: 1 << 40}},
		`rule "twice"`:              {ID: "twice", Skip: -1},
	} {
		_, err := f.Add(rule)
		require.ErrorContains(t, err, want)
		require.Error(t, f.SetRules(rule))
	}
	require.ErrorContains(t, f.SetRules(test.Rule{ID: "a"}, test.Rule{ID: "a"}), "two rules")
	require.Empty(t, f.Rules())
	_, err := test.New(test.Options{Rules: []test.Rule{{Times: -1}}})
	require.Error(t, err)
}

func TestNobodyLoggedInMeansNoRules(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{Auth: func(*http.Request) bool { return false }})
	f.script(on(test.Do{Status: 500}))
	err := (&platform{f: f, client: f.client}).call(osb.OpCatalog)
	require.True(t, osb.IsKind(err, osb.KindUnauthorized), "%v", err)
	assert.Empty(t, f.Ledger(test.Filter{}).Entries)
	assert.Zero(t, f.Rules()[0].Matched)
	resp, err := raw(t.Context(), http.MethodGet, f.url+"/healthz", "")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.code, "probes need no login")
}

func TestATooLargeBodyIsRefusedByTheKit(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	resp, err := raw(t.Context(), http.MethodPut, f.url+"/v2/service_instances/i", `{"x":"`+string(bytes.Repeat([]byte("y"), 2<<20))+`"}`)
	if err == nil { // the server may close before all is sent
		assert.Equal(t, http.StatusRequestEntityTooLarge, resp.code)
	} else {
		assert.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%v", err)
	}
	e := f.finished(osb.OpProvision)
	assert.Equal(t, http.StatusRequestEntityTooLarge, e.Effect)
	assert.Empty(t, e.Body)
}
