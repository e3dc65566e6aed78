package test_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// What exists is bounded by its size: more is refused, and deleting makes room.
func TestTheStateIsBounded(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{StateBytes: 20_000})
	p := f.platform("test-service")
	made := 0
	for {
		p.instance = fmt.Sprintf("i-%d", made)
		_, err := p.provision()
		if err != nil {
			require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
			require.Contains(t, err.Error(), "holds as much as it may")
			break
		}
		made++
	}
	assert.InDelta(t, 15, made, 5)
	p.instance = "i-0"
	_, err := p.bind()
	require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
	for i := range 3 {
		p.instance = fmt.Sprintf("i-%d", i)
		require.NoError(t, p.call(osb.OpDeprovision))
	}
	require.NoError(t, p.call(osb.OpProvision), "there is room again")
	require.NoError(t, p.call(osb.OpBind))

	p.instance = strings.Repeat("i", 1025)
	_, err = p.provision()
	require.ErrorContains(t, err, "ids of up to 1024 bytes")
}

// What was deleted is remembered for a while only.
func TestGravesAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{Catalog: test.CatalogSpec{Services: []osb.Service{}, Names: []string{"test-service"}}})
	p := f.platform("test-service")
	require.NoError(t, p.call(osb.OpProvision))
	require.NoError(t, p.call(osb.OpDeprovision))
	answer, err := p.poll(osb.OpDeprovision, "")
	require.NoError(t, err)
	assert.Equal(t, osb.StateSucceeded, answer.State)
	body := fmt.Sprintf(`{"service_id":%q,"plan_id":%q,"organization_guid":"o","space_guid":"s"}`, p.service, p.plan)
	query := "?service_id=" + p.service + "&plan_id=" + p.plan
	for i := range 10_000 {
		path := fmt.Sprintf("/v2/service_instances/n-%d", i)
		for method, url := range map[string]string{http.MethodPut: path, http.MethodDelete: path + query} {
			r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("X-Broker-API-Version", "2.17")
			f.ServeHTTP(discard{}, r)
		}
	}
	for _, i := range f.State().Instances { // the deletes that came first
		p.instance = i.ID
		require.NoError(t, p.call(osb.OpDeprovision))
	}
	p.instance = "i-1"
	_, err = p.poll(osb.OpDeprovision, "")
	require.True(t, osb.IsKind(err, osb.KindNotFound), "%v", err)
}

// A bug of the broker's own is in the log, and nothing else twice.
func TestTheLogTellsOfBugs(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	f := start(t, test.Options{Random: dry{}, Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	p := f.platform("test-service")
	p.prepare(osb.OpBind)
	_, err := p.bind()
	require.True(t, osb.IsKind(err, osb.KindUnavailable), "%v", err)
	f.finished(osb.OpBind)
	f.Close()
	assert.Contains(t, out.String(), "draw a password: nothing left")
	assert.Equal(t, 1, strings.Count(out.String(), `"operation":"provision"`))
}

// dry is a source of chance that has run out.
type dry struct{}

func (dry) Read([]byte) (int, error) { return 0, errors.New("nothing left") }

// No name, however odd, does worse than being refused.
func FuzzNames(f *testing.F) {
	for _, name := range test.BuiltinNames() {
		f.Add(strings.TrimPrefix(name, "test-service"))
	}
	f.Add("-provision-fail500-0x-s-1-")
	f.Fuzz(func(t *testing.T, stated string) {
		spec := test.CatalogSpec{Services: []osb.Service{}, Names: []string{"test-service" + stated}}
		b, err := test.New(test.Options{Catalog: spec})
		if err != nil {
			return
		}
		defer b.Close()
		for _, r := range b.NamedRules() {
			if _, err := b.Add(test.Rule{Match: r.Match, Do: r.Do, Times: r.Times, Per: r.Per}); err != nil {
				t.Fatalf("%q stands for a rule that nobody could add: %v", stated, err)
			}
		}
	})
}
