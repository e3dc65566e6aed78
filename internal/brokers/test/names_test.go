package test_test

import (
	"cmp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// The names that people know from the Kubernetes Service Catalog's own test broker.
const known = `
	test-service test-service-provision-fail400 test-service-provision-fail500 test-service-provision-fail500-5x
	test-service-provision-fail500-5x-deprovision-fail500-5x test-service-deprovision-fail400 test-service-deprovision-fail500
	test-service-deprovision-fail500-5x test-service-update-fail400 test-service-update-fail500 test-service-update-fail500-5x
	test-service-async test-service-async-provision-fail test-service-async-provision-fail-5x
	test-service-async-provision-fail-5x-deprovision-fail-5x test-service-async-deprovision-fail test-service-async-deprovision-fail-5x
	test-service-async-update-fail test-service-async-update-fail-5x test-service-async-last-operation-fail400
	test-service-async-last-operation-fail500 test-service-async-last-operation-fail500-5x
	test-service-multiple-plans test-service-with-schemas`

func TestTheBuiltinServices(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	r, err := f.client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
	require.Empty(t, r.Problems)
	require.NoError(t, broker.CheckCatalog(r.Catalog))
	var names []string
	for _, s := range r.Catalog.Services {
		names = append(names, s.Name)
	}
	assert.Equal(t, test.BuiltinNames(), names)
	assert.Equal(t, strings.Fields(known), names[:24])
	again, err := f.client.GetCatalog(t.Context(), &osb.CatalogRequest{ETag: r.ETag})
	require.NoError(t, err)
	assert.True(t, again.NotModified, "P25")
}

// life is what happens to the operations of one service, in their order: ok, a
// code, an end of asynchronous work, or the kind of an error without a code.
func (p *platform) life(ops ...osb.Operation) string {
	p.f.t.Helper()
	var out []string
	for _, op := range ops {
		out = append(out, p.outcome(op))
	}
	return strings.Join(out, ",")
}

func (p *platform) outcome(op osb.Operation) string {
	p.f.t.Helper()
	err := p.call(op)
	if e := osb.AsError(err); e != nil && e.StatusCode > 0 && e.Kind != osb.KindMalformed {
		return cmp.Or(e.Word, strconv.Itoa(e.StatusCode))
	} else if e != nil {
		return string(e.Kind)
	}
	entry := p.f.finished(op)
	if entry.Status != 202 {
		return "ok"
	}
	poll := p.poll
	if op == osb.OpBind || op == osb.OpUnbind {
		poll = p.pollBinding
	}
	answer, err := poll(op, "")
	if err != nil {
		return "poll " + strconv.Itoa(osb.AsError(err).StatusCode)
	}
	return string(answer.State)
}

func times(op osb.Operation, n int) []osb.Operation {
	all := make([]osb.Operation, n)
	for i := range all {
		all[i] = op
	}
	return all
}

// Names do what they say.
func TestServicesDoWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	const provision, update, deprovision, bind, unbind = osb.OpProvision, osb.OpUpdate, osb.OpDeprovision, osb.OpBind, osb.OpUnbind
	for name, tc := range map[string]struct {
		ops  []osb.Operation
		want string
	}{
		"test-service":                      {[]osb.Operation{provision, update, bind, unbind, deprovision}, "ok,ok,ok,ok,ok"},
		"test-service-provision-fail400":    {[]osb.Operation{provision, provision}, "400,400"},
		"test-service-provision-fail500-5x": {append(times(provision, 6), deprovision), "500,500,500,500,500,ok,ok"},
		"test-service-deprovision-fail500":  {[]osb.Operation{provision, update, deprovision, deprovision}, "ok,ok,500,500"},
		"test-service-update-fail500-5x":    {append([]osb.Operation{provision}, times(update, 6)...), "ok,500,500,500,500,500,ok"},
		"test-service-async":                {[]osb.Operation{provision, update, bind, unbind, deprovision}, "succeeded,succeeded,ok,ok,succeeded"},
		"test-service-async-provision-fail": {[]osb.Operation{provision, deprovision, provision}, "failed,succeeded,failed"},
		"test-service-async-update-fail-5x": {append([]osb.Operation{provision}, times(update, 6)...), "succeeded,failed,failed,failed,failed,failed,succeeded"},
		"test-service-async-deprovision-fail-5x": {append([]osb.Operation{provision}, times(deprovision, 6)...),
			"succeeded,failed,failed,failed,failed,failed,succeeded"},
		"test-service-async-last-operation-fail400":        {[]osb.Operation{provision}, "poll 400"},
		"test-service-provision-lost-1x":                   {[]osb.Operation{provision, provision}, "Unavailable,ok"},
		"test-service-provision-malformed-1x":              {[]osb.Operation{provision, provision}, "Malformed,ok"},
		"test-service-provision-busy-3x":                   {times(provision, 4), "ConcurrencyError,ConcurrencyError,ConcurrencyError,ok"},
		"test-service-provision-maintenance-conflict-1x":   {times(provision, 2), "MaintenanceInfoConflict,ok"},
		"test-service-provision-async-required":            {times(provision, 1), "AsyncRequired"},
		"test-service-bind-fail500-5x":                     {append([]osb.Operation{provision}, times(bind, 6)...), "ok,500,500,500,500,500,ok"},
		"test-service-bind-lost-1x":                        {[]osb.Operation{provision, bind, bind, unbind, deprovision}, "ok,Unavailable,ok,ok,ok"},
		"test-service-requires-app":                        {[]osb.Operation{provision, bind}, "ok,RequiresApp"},
		"test-service-unbind-fail400":                      {[]osb.Operation{provision, bind, unbind}, "ok,ok,400"},
		"test-service-not-bindable":                        {[]osb.Operation{provision, bind}, "ok,400"},
		"test-service-refuse-used-id":                      {[]osb.Operation{provision, deprovision, provision}, "ok,ok,409"},
		"test-service-cascade":                             {[]osb.Operation{provision, bind, deprovision, unbind}, "ok,ok,ok,ok"},
		"test-service-async-binding":                       {[]osb.Operation{provision, bind, unbind}, "ok,succeeded,succeeded"},
		"test-service-async-binding-bind-fail":             {[]osb.Operation{provision, bind, unbind}, "ok,failed,succeeded"},
		"test-service-async-binding-bind-never":            {[]osb.Operation{provision, bind}, "ok,in progress"},
		"test-service-async-never":                         {[]osb.Operation{provision}, "in progress"},
		"test-service-async-polling-limit-provision-never": {[]osb.Operation{provision, deprovision}, "in progress,succeeded"},
		"test-service-async-gone":                          {[]osb.Operation{provision, deprovision}, "succeeded,succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.Options{}).platform(name)
			assert.Equal(t, tc.want, p.life(tc.ops...))
		})
	}
}

func TestPlansDoWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service-behavior-by-plan")
	for plan, want := range map[string]string{"default": "ok", "async": "succeeded", "provision-fail500-2x": "500,500,ok"} {
		_, p.plan = f.offered("test-service-behavior-by-plan", plan)
		p.instance = "i-" + plan
		assert.Equal(t, want, p.life(times(osb.OpProvision, strings.Count(want, ",")+1)...), plan)
	}
}

func TestNamesThatSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))
	f := start(t, test.Options{Clock: clock, AsyncDuration: time.Minute, Catalog: test.CatalogSpec{Names: []string{
		"test-service-async-retry-after-odd-operation-update-fail-90s-unusable-unrepeatable", "test-service-bind-slow-2s",
	}}})
	r, err := f.client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
	find := func(name string) osb.Service {
		for _, s := range r.Catalog.Services {
			if s.Name == name {
				return s
			}
		}
		require.FailNow(t, "not offered", name)
		return osb.Service{}
	}
	s := find("test-service-not-updateable")
	assert.False(t, s.IsPlanUpdateable(&s.Plans[0]))
	assert.False(t, find("test-service-not-retrievable").InstancesRetrievable)
	assert.True(t, find("test-service-context-updates").AllowContextUpdates)
	assert.Equal(t, int64(30), *find("test-service-async-polling-limit-provision-never").Plans[0].MaximumPollingDuration)
	assert.Equal(t, "1.0.0+build.1", find("test-service-with-maintenance").Plans[0].MaintenanceInfo.Version)
	assert.NotNil(t, find("test-service-with-schemas").Plans[0].Schemas.ServiceBinding)
	assert.True(t, find("test-service-expiring-rotatable").Plans[0].BindingRotatable)
	assert.Len(t, find("test-service-multiple-plans").Plans, 2)

	p := f.platform("test-service-async-retry-after-odd-operation-update-fail-90s-unusable-unrepeatable")
	operation, poll := p.begin(osb.OpProvision)
	assert.Contains(t, operation, "&", "P42")
	answer, err := poll(osb.OpProvision, operation)
	require.NoError(t, err)
	assert.Equal(t, 2*time.Second, answer.RetryAfter)
	clock.Step(time.Minute)
	operation, poll = p.begin(osb.OpUpdate)
	clock.Step(time.Minute)
	answer, err = poll(osb.OpUpdate, operation)
	require.NoError(t, err)
	assert.Equal(t, osb.StateInProgress, answer.State, "it takes 90 s")
	clock.Step(time.Minute)
	answer, err = poll(osb.OpUpdate, operation)
	require.NoError(t, err)
	assert.Equal(t, osb.StateFailed, answer.State)
	assert.False(t, *answer.InstanceUsable)
	assert.False(t, *answer.UpdateRepeatable)

	for _, rule := range f.NamedRules() {
		if strings.HasPrefix(rule.ID, "test-service-bind-slow-2s#") {
			assert.Equal(t, test.Duration(2*time.Second), rule.Do.Latency)
			return
		}
	}
	assert.Fail(t, "the name has no rule")
}

func TestNamesThatNobodyUnderstandsAreRefused(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"test-service-provision-fial500": `"provision-fial500"`,
		"test-service-provision":         `"provision"`,
		"test-service-fail500":           `"fail500"`,
		"test-service-bind-fail99":       `"bind-fail99"`,
		"test-service-bind-fail500-0x":   `"0x"`,
		"test-service-":                  "a hyphen and what it does",
		"another":                        `must be "test-service"`,
	} {
		_, err := test.New(test.Options{Catalog: test.CatalogSpec{Names: []string{name}}})
		require.ErrorContains(t, err, want)
	}
}
