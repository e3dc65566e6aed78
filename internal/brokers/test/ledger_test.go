package test_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

func TestWhatTheLedgerKeepsOfARequest(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))
	f := start(t, test.Options{Clock: clock})
	p := f.platform("test-service")
	f.script(test.Rule{ID: "lose", Match: test.Match{Operations: []osb.Operation{osb.OpProvision}}, Do: test.Do{Status: 502, Effect: test.EffectBefore}})
	_, err := p.provision()
	require.Error(t, err)
	e := f.finished(osb.OpProvision)
	assert.NotEmpty(t, e.RequestIdentity)
	assert.NotEmpty(t, e.UserAgent)
	identity := map[string]any{}
	require.NoError(t, json.Unmarshal(e.Identity, &identity))
	assert.Equal(t, "jane", identity["username"])
	body := map[string]any{}
	require.NoError(t, json.Unmarshal(e.Body, &body))
	assert.Equal(t, map[string]any{"color": "red"}, body["parameters"])
	e.RequestIdentity, e.UserAgent, e.Identity, e.Body, e.BodyBytes = "", "", nil, nil, 0
	assert.Equal(t, test.Entry{
		Seq: 2, Time: clock.Now(), Finished: clock.Now(), Method: http.MethodPut, Path: "/v2/service_instances/i-1?accepts_incomplete=true",
		Operation: osb.OpProvision, InstanceID: "i-1", ServiceID: p.service, PlanID: p.plan, Service: "test-service", Plan: "default",
		AcceptsIncomplete: true, APIVersion: "2.17", Platform: "kubernetes",
		Rule: "lose", Effect: 201, Status: 502, Outcome: test.OutcomeAnswered,
	}, e)

	_, err = p.getInstance()
	require.NoError(t, err)
	assert.Equal(t, "test-service", f.last(osb.OpGetInstance).Service, "it is the instance's, whoever does not say so")
	resp, err := raw(t.Context(), http.MethodPost, f.url+"/v2/service_instances/a%2Fb/nothing", "no JSON \xff")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, resp.code)
	all := f.Ledger(test.Filter{}).Entries
	last := all[len(all)-1]
	assert.Equal(t, [3]string{"", "a/b", "no JSON \ufffd"}, [3]string{string(last.Operation), last.InstanceID, last.Text})
	assert.Equal(t, http.StatusNotFound, last.Status)
}

func TestTheLedgerCanBeAskedForWhatOneWants(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service")
	for _, op := range []osb.Operation{osb.OpProvision, osb.OpBind, osb.OpUnbind, osb.OpDeprovision} {
		require.NoError(t, p.call(op))
	}
	seqs := func(filter test.Filter) []uint64 {
		var out []uint64
		for _, e := range f.Ledger(filter).Entries {
			out = append(out, e.Seq)
		}
		return out
	}
	assert.Equal(t, []uint64{1, 2, 3, 4, 5}, seqs(test.Filter{}))
	assert.Equal(t, []uint64{4, 5}, seqs(test.Filter{After: 3}))
	assert.Equal(t, []uint64{5}, seqs(test.Filter{Limit: 1}))
	assert.Equal(t, []uint64{3, 4}, seqs(test.Filter{BindingID: "b-1"}))
	assert.Equal(t, []uint64{2, 3, 4, 5}, seqs(test.Filter{InstanceID: "i-1"}))
	assert.Equal(t, []uint64{2, 3, 4, 5}, seqs(test.Filter{Service: "test-service"}))
	assert.Equal(t, []uint64{2, 3, 4, 5}, seqs(test.Filter{Service: p.service}))
	assert.Equal(t, []uint64{1, 5}, seqs(test.Filter{Operations: []osb.Operation{osb.OpCatalog, osb.OpDeprovision}}))
	assert.Empty(t, seqs(test.Filter{Complaints: true}))
	f.ClearLedger()
	assert.Equal(t, test.Records{Entries: []test.Entry{}, Last: 5}, f.Ledger(test.Filter{}))
	require.NoError(t, p.call(osb.OpCatalog))
	assert.Equal(t, []uint64{6}, seqs(test.Filter{}), "counting goes on")
}

// Memory is bounded by the number of requests and by their size; what was dropped
// is told.
func TestTheLedgerIsBounded(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{LedgerEntries: 3})
	for range 5 {
		serve(t, f.Broker, http.MethodGet, "/v2/catalog")
	}
	r := f.Ledger(test.Filter{})
	assert.Len(t, r.Entries, 3)
	assert.Equal(t, [3]uint64{2, 5, 3}, [3]uint64{r.Dropped, r.Last, r.Entries[0].Seq})

	f = start(t, test.Options{LedgerEntries: 1 << 20, LedgerBytes: 1 << 20})
	body := `{"x":"` + strings.Repeat("y", 16_000) + `"}`
	const sent = 100 // 1.6 MB
	for range sent {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "/v2/service_instances/i", strings.NewReader(body))
		require.NoError(t, err)
		f.ServeHTTP(discard{}, r)
	}
	kept := f.Ledger(test.Filter{})
	assert.Equal(t, uint64(sent), kept.Dropped+uint64(len(kept.Entries)))
	assert.InDelta(t, 1<<20/16_500, len(kept.Entries), 3)

	f.ServeHTTP(discard{}, request(t, strings.NewReader(`{"x":"`+strings.Repeat("y", 17_000)+`"}`)))
	e := f.last(osb.OpProvision)
	assert.Empty(t, e.Body, "too long to be kept")
	assert.Equal(t, 17_008, e.BodyBytes)
}

func request(t *testing.T, body *strings.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "/v2/service_instances/i", body)
	require.NoError(t, err)
	return r
}

// discard is an answer that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// What a platform does against the API's rules is told with the request.
func TestComplaints(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{Catalog: test.CatalogSpec{Names: []string{"test-service-not-updateable-multiple-plans"}}})
	p := f.platform("test-service-not-retrievable")
	p.prepare(osb.OpUnbind)
	c := func(op osb.Operation) string { return strings.Join(f.last(op).Complaints, "; ") }

	_, _ = p.getInstance()
	assert.Contains(t, c(osb.OpGetInstance), "P70")
	_, _ = p.getBinding()
	assert.Contains(t, c(osb.OpGetBinding), "bindings_retrievable is false")
	_, _ = f.client.LastOperation(t.Context(), &osb.LastOperationRequest{InstanceID: "i-1"})
	assert.Contains(t, c(osb.OpLastOperation), "P43")
	_, _ = f.client.Unbind(t.Context(), &osb.UnbindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: p.service, PlanID: "other"})
	assert.Contains(t, c(osb.OpUnbind), "P105")
	_, _ = f.client.Deprovision(t.Context(), &osb.DeprovisionRequest{InstanceID: "i-1", ServiceID: "other", PlanID: p.plan})
	assert.Contains(t, c(osb.OpDeprovision), "P105")

	f.ServeHTTP(discard{}, request(t, strings.NewReader(`{"context":{"platform":"kubernetes","namespace":"n"}}`)))
	assert.Equal(t, "P1: no X-Broker-API-Version; P62: a context for kubernetes without clusterid; P62: a context for kubernetes without instance_name", c(osb.OpProvision))
	bad := request(t, strings.NewReader(`{"context":{"platform":"cf"}}`))
	bad.Header.Set("X-Broker-API-Version", "2.17")
	bad.Header.Set("X-Broker-API-Originating-Identity", "kubernetes !!")
	f.ServeHTTP(discard{}, bad)
	assert.Equal(t, "P5: an originating identity that is not base64 of JSON; P5: another platform in the context than in the originating identity", c(osb.OpProvision))

	update := func(service string, r osb.UpdateRequest) string {
		q := f.platform(service)
		q.instance = "of-" + service
		_, err := q.provision()
		require.NoError(t, err)
		r.InstanceID, r.ServiceID = q.instance, q.service
		_, _ = f.client.Update(t.Context(), &r)
		return c(osb.OpUpdate)
	}
	_, premium := f.offered("test-service-multiple-plans", "premium")
	assert.Empty(t, update("test-service-multiple-plans", osb.UpdateRequest{PlanID: premium}))
	_, fixed := f.offered("test-service-not-updateable-multiple-plans", "premium")
	assert.Contains(t, update("test-service-not-updateable-multiple-plans", osb.UpdateRequest{PlanID: fixed}), "P80")
	assert.Contains(t, update("test-service", osb.UpdateRequest{Context: osb.RawJSON(kubernetes)}), "P83")
	assert.Empty(t, update("test-service-context-updates", osb.UpdateRequest{Context: osb.RawJSON(kubernetes)}))
	assert.Contains(t, update("test-service-async-gone", osb.UpdateRequest{PreviousValues: &osb.PreviousValues{PlanID: "old"}, AcceptsIncomplete: true}), "P85")
}

// What was told, and what exists, outlives the process.
func TestTheLedgersFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger")
	clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0).UTC())
	opts := test.Options{LedgerFile: file, Clock: clock, LedgerEntries: 20}
	f := start(t, opts)
	p := f.platform("test-service")
	p.prepare(osb.OpUnbind)
	_, err := p.update(`{"size":1}`)
	require.NoError(t, err)
	f.script(on(test.Do{Async: &test.Async{Takes: test.Duration(time.Minute), Gone: true}}))
	p.bound = "b-2"
	operation, _ := p.begin(osb.OpBind)
	p.bound = "b-1"
	p.begin(osb.OpUnbind)
	p.instance = "i-2"
	_, err = p.provision()
	require.NoError(t, err)
	f.finished(osb.OpProvision)

	// The second broker takes over what the first left, under way or not.
	before, ledger := f.State(), f.Ledger(test.Filter{})
	f = start(t, opts)
	assert.Equal(t, ledger, f.Ledger(test.Filter{}))
	assert.Equal(t, before, f.State())
	p.f, p.client, p.instance = f, f.client, "i-1"
	clock.Step(time.Minute)
	answer, err := p.pollBinding(osb.OpUnbind, "unbind-2")
	require.NoError(t, err)
	assert.True(t, answer.Gone)
	p.bound = "b-2"
	answer, err = p.pollBinding(osb.OpBind, operation)
	require.NoError(t, err)
	assert.Equal(t, osb.StateSucceeded, answer.State)

	// The third knows what was deleted, and how often.
	for range 15 {
		require.NoError(t, p.call(osb.OpCatalog))
	}
	f.finished(osb.OpCatalog)
	before, ledger = f.State(), f.Ledger(test.Filter{})
	assert.Equal(t, [3]int{2, 1, 1}, [3]int{before.Issued, before.Revoked, len(before.LiveCredentials)})
	assert.Positive(t, ledger.Dropped)
	f = start(t, opts)
	assert.Equal(t, ledger, f.Ledger(test.Filter{}))
	assert.Equal(t, before, f.State())
	p.f, p.client, p.bound = f, f.client, "b-1"
	answer, err = p.pollBinding(osb.OpUnbind, "unbind-2")
	require.NoError(t, err)
	assert.True(t, answer.Gone, "it is remembered for a while")

	require.NoError(t, f.Reset())
	f = start(t, opts)
	assert.Empty(t, f.State().Instances)
	assert.Empty(t, f.Ledger(test.Filter{}).Entries)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it has parameters of users")
}

func TestALedgersFileThatIsDamaged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger")
	f := start(t, test.Options{LedgerFile: file})
	p := f.platform("test-service")
	p.prepare(osb.OpUpdate)
	f.finished(osb.OpProvision)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)

	// A process that was killed may have left half a line.
	require.NoError(t, os.WriteFile(file, append(raw, `{"instance":{"id":"ha`...), 0o600))
	again := start(t, test.Options{LedgerFile: file})
	assert.Len(t, again.State().Instances, 1)
	fresh, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.True(t, bytes.HasSuffix(fresh, []byte("}\n")), "the half line is gone")

	require.NoError(t, os.WriteFile(file, append([]byte("something else\n"), raw...), 0o600))
	_, err = test.New(test.Options{LedgerFile: file})
	require.ErrorContains(t, err, "line 1")
	require.ErrorContains(t, err, "move it away")
	_, err = test.New(test.Options{LedgerFile: filepath.Join(file, "below")})
	require.Error(t, err)
}

// The file does not grow for ever, and nothing is lost when it is written anew.
func TestTheLedgersFileIsWrittenAnew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger")
	f := start(t, test.Options{LedgerFile: file, LedgerEntries: 10, LedgerBytes: 1 << 20})
	p := f.platform("test-service")
	p.prepare(osb.OpUnbind)
	body := `{"x":"` + strings.Repeat("y", 16_000) + `"}`
	for range 100 { // 3.2 MB of lines
		f.ServeHTTP(discard{}, request(t, strings.NewReader(body)))
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(1<<20+1<<16))
	before, ledger := f.State(), f.Ledger(test.Filter{})
	f = start(t, test.Options{LedgerFile: file, LedgerEntries: 10, LedgerBytes: 1 << 20})
	assert.Equal(t, ledger.Last, f.Ledger(test.Filter{}).Last)
	assert.Equal(t, ledger.Dropped, f.Ledger(test.Filter{}).Dropped)
	assert.Equal(t, before.LiveCredentials, f.State().LiveCredentials)
	files, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	assert.Len(t, files, 1, "no leftovers")
}

// The log names what happened and never what was in it.
func TestTheLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := start(t, test.Options{Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	p := f.platform("test-service")
	p.prepare(osb.OpUnbind)
	f.finished(osb.OpBind)
	bind, _ := f.Binding("i-1", "b-1")
	var credentials map[string]any
	require.NoError(t, json.Unmarshal(bind.Credentials, &credentials))
	f.Close()
	assert.Contains(t, out.String(), `"operation":"bind"`)
	assert.Contains(t, out.String(), `"effect":201`)
	assert.NotContains(t, out.String(), credentials["password"])
	assert.NotContains(t, out.String(), "color")
	assert.NotContains(t, out.String(), "jane")
}
