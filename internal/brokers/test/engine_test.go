package test_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// The broker without a rule is a good one: a platform that makes no mistake gets
// through a whole life without a complaint.
func TestALifeWithoutFaults(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service-expiring-rotatable")

	made, err := p.provision()
	require.NoError(t, err)
	require.NotNil(t, made.DashboardURL, "B15")
	assert.False(t, made.Async || made.Existed)
	again, err := p.provision()
	require.NoError(t, err)
	assert.True(t, again.Existed, "B12: identical")

	_, err = p.update(`{"size":1}`)
	require.NoError(t, err)
	got, err := p.getInstance()
	require.NoError(t, err)
	assert.JSONEq(t, `{"color":"red","size":1}`, string(got.Parameters), "P82: what was not sent stays")

	bound, err := p.bind()
	require.NoError(t, err)
	require.NotEmpty(t, bound.Credentials["password"])
	require.NotNil(t, bound.Metadata.ExpiresAt)
	require.True(t, bound.Metadata.RenewBefore.Before(*bound.Metadata.ExpiresAt), "P95")
	boundAgain, err := p.bind()
	require.NoError(t, err)
	assert.True(t, boundAgain.Existed, "B17: identical")
	assert.Equal(t, bound.Credentials, boundAgain.Credentials)

	rotated, err := f.client.Bind(t.Context(), &osb.BindRequest{InstanceID: "i-1", BindingID: "b-2", PredecessorBindingID: "b-1", Identity: p.identity})
	require.NoError(t, err, "P99: it needs no other field")
	assert.NotEqual(t, bound.Credentials["password"], rotated.Credentials["password"], "B24")
	assert.Equal(t, []string{"i-1/b-1", "i-1/b-2"}, f.State().LiveCredentials, "P99: both hold")

	for _, id := range []string{"b-1", "b-2"} {
		p.bound = id
		gone, err := p.unbind()
		require.NoError(t, err)
		assert.False(t, gone.Gone)
		gone, err = p.unbind()
		require.NoError(t, err)
		assert.True(t, gone.Gone, "B19: 410 for what is not there")
	}
	_, err = p.deprovision()
	require.NoError(t, err)
	gone, err := p.deprovision()
	require.NoError(t, err)
	assert.True(t, gone.Gone, "B19")

	s := f.State()
	assert.Empty(t, s.Instances)
	assert.Empty(t, s.Bindings)
	assert.Empty(t, s.LiveCredentials)
	assert.Equal(t, 2, s.Issued)
	assert.Equal(t, 2, s.Revoked)
	assert.Empty(t, f.Ledger(test.Filter{Complaints: true}).Entries)
}

func TestWhatDiffersIsRefused(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service-multiple-plans")
	other := *p
	_, other.plan = f.offered("test-service-multiple-plans", "premium")
	_, err := p.provision()
	require.NoError(t, err)
	_, err = other.provision()
	assert.True(t, osb.IsKind(err, osb.KindConflict), "B12: %v", err)
	_, err = p.bind()
	require.NoError(t, err)
	_, err = p.client.Bind(t.Context(), &osb.BindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: p.service, PlanID: p.plan, Parameters: osb.RawJSON(`{"role":"x"}`)})
	assert.True(t, osb.IsKind(err, osb.KindConflict), "B17: %v", err)
	_, err = other.bind()
	assert.True(t, osb.IsKind(err, osb.KindConflict), "B17: %v", err)
	other.bound = "b-2"
	_, err = other.bind()
	assert.True(t, osb.IsKind(err, osb.KindRejected), "another plan than the instance's: %v", err)
	_, err = p.deprovision()
	require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
	assert.Contains(t, f.last(osb.OpDeprovision).Complaints[0], "P101")
	_, err = p.client.Update(t.Context(), &osb.UpdateRequest{InstanceID: "i-1", ServiceID: p.service, PlanID: other.plan})
	require.NoError(t, err)
	i, _ := f.Instance("i-1")
	assert.Equal(t, other.plan, i.PlanID)
	_, err = other.unbind()
	require.True(t, err == nil && len(f.State().Bindings) == 1, "b-2 was never made")
	other.bound = "b-1"
	_, err = other.unbind()
	require.NoError(t, err)
	assert.Empty(t, f.last(osb.OpUnbind).Complaints, "P105: the plan that the instance has now")
	_, err = other.bind()
	require.NoError(t, err, "an id may be used again, unless a rule says not")
	_, err = f.client.Bind(t.Context(), &osb.BindRequest{InstanceID: "i-1", BindingID: "b-3", PredecessorBindingID: "b-1"})
	require.True(t, osb.IsKind(err, osb.KindRejected), "P98: %v", err)
	_, err = f.client.Update(t.Context(), &osb.UpdateRequest{InstanceID: "i-9", ServiceID: p.service, Parameters: osb.RawJSON(`{}`)})
	require.True(t, osb.IsKind(err, osb.KindNotFound), "%v", err)
	p.instance = "i-9"
	_, err = p.bind()
	require.True(t, osb.IsKind(err, osb.KindNotFound), "%v", err)
}

// Each operation, asynchronously: by time, by polls, by both; and every end.
func TestAsynchronousWork(t *testing.T) {
	t.Parallel()
	const minute = test.Duration(time.Minute)
	for name, tc := range map[string]struct {
		async test.Async
		steps []time.Duration // the clock's before each poll that finds it in progress
		last  time.Duration   // before the one that does not
	}{
		"nothing to wait for": {async: test.Async{}},
		"by time":             {test.Async{Takes: minute}, []time.Duration{0, 0, 59 * time.Second}, time.Second},
		"by polls":            {test.Async{Polls: 2}, []time.Duration{0, time.Hour}, 0},
		"by time and polls":   {test.Async{Takes: minute, Polls: 1}, []time.Duration{time.Hour}, 0},
		"by polls and time":   {test.Async{Takes: minute, Polls: 1}, []time.Duration{0, time.Second}, time.Minute},
	} {
		for _, op := range []osb.Operation{osb.OpProvision, osb.OpUpdate, osb.OpDeprovision, osb.OpBind, osb.OpUnbind} {
			for _, result := range []test.Result{test.ResultSucceeded, test.ResultFailed} {
				t.Run(name+": "+string(op)+" "+string(result), func(t *testing.T) {
					t.Parallel()
					clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))
					f := start(t, test.Options{Clock: clock})
					p := f.platform("test-service")
					p.prepare(op)
					async := tc.async
					async.Result, async.Description, async.RetryAfter = result, "patience", test.Duration(3*time.Second)
					f.script(on(test.Do{Async: &async}, op))
					operation, poll := p.begin(op)
					for _, step := range tc.steps {
						clock.Step(step)
						answer, err := poll(op, operation)
						require.NoError(t, err)
						require.Equal(t, osb.StateInProgress, answer.State)
						require.Equal(t, 3*time.Second, answer.RetryAfter, "P47")
						require.False(t, p.done(op), "the effect comes at the end")
						require.Equal(t, operation, p.again(op), "B12, B16, B17, B19: the same operation")
					}
					clock.Step(tc.last)
					for range 2 { // B21: final states are kept for a while
						answer, err := poll(op, operation)
						require.NoError(t, err)
						require.Equal(t, osb.State(result), answer.State)
						require.Equal(t, "patience", answer.Description)
						require.Zero(t, answer.RetryAfter)
					}
					require.Equal(t, result == test.ResultSucceeded, p.done(op))
					require.Empty(t, f.Ledger(test.Filter{Complaints: true}).Entries)
				})
			}
		}
	}
}

// begin starts asynchronous work and returns its operation string and how to poll it.
func (p *platform) begin(op osb.Operation) (string, func(osb.Operation, string) (*osb.LastOperationResponse, error)) {
	p.f.t.Helper()
	operation := p.again(op)
	require.NotEmpty(p.f.t, operation)
	if op == osb.OpBind || op == osb.OpUnbind {
		return operation, p.pollBinding
	}
	return operation, p.poll
}

// again sends the request and returns the operation string of a 202.
func (p *platform) again(op osb.Operation) string {
	p.f.t.Helper()
	var operation string
	var async bool
	var err error
	switch op {
	case osb.OpProvision:
		var r *osb.ProvisionResponse
		if r, err = p.provision(); err == nil {
			operation, async = r.Operation, r.Async && r.DashboardURL != nil // B15: also in a 202
		}
	case osb.OpUpdate:
		var r *osb.UpdateResponse
		if r, err = p.update(`{"size":1}`); err == nil {
			operation, async = r.Operation, r.Async
		}
	case osb.OpDeprovision:
		var r *osb.DeprovisionResponse
		if r, err = p.deprovision(); err == nil {
			operation, async = r.Operation, r.Async
		}
	case osb.OpBind:
		var r *osb.BindResponse
		if r, err = p.bind(); err == nil {
			operation, async = r.Operation, r.Async && r.Credentials == nil
		}
	case osb.OpUnbind:
		var r *osb.UnbindResponse
		if r, err = p.unbind(); err == nil {
			operation, async = r.Operation, r.Async
		}
	}
	require.NoError(p.f.t, err)
	require.True(p.f.t, async, op)
	return operation
}

// done says whether an operation has had its effect, as the platform can see it
// and as the broker knows it.
func (p *platform) done(op osb.Operation) bool {
	p.f.t.Helper()
	i, thereI := p.f.Instance("i-1")
	b, thereB := p.f.Binding("i-1", "b-1")
	switch op {
	case osb.OpProvision:
		_, err := p.getInstance()
		require.Equal(p.f.t, i.Phase == test.PhaseReady, err == nil, "B22")
		return err == nil
	case osb.OpUpdate:
		require.True(p.f.t, i.Phase == test.PhaseReady || i.Phase == test.PhaseUpdating)
		return string(i.Parameters) == `{"color":"red","size":1}`
	case osb.OpDeprovision:
		return !thereI
	case osb.OpBind:
		_, err := p.getBinding()
		require.Equal(p.f.t, b.Phase == test.PhaseReady, err == nil, "B22")
		require.Equal(p.f.t, err == nil, len(p.f.State().LiveCredentials) == 1)
		return err == nil
	}
	require.Equal(p.f.t, thereB, len(p.f.State().LiveCredentials) == 1, "until it is gone, it lets in")
	return !thereB
}

func TestAsynchronousWorkThatNeverEnds(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))
	f := start(t, test.Options{Clock: clock})
	f.script(on(test.Do{Async: &test.Async{Result: test.ResultNever}}, osb.OpProvision))
	p := f.platform("test-service")
	operation, poll := p.begin(osb.OpProvision)
	for range 20 {
		clock.Step(1000 * time.Hour)
		answer, err := poll(osb.OpProvision, operation)
		require.NoError(t, err)
		require.Equal(t, osb.StateInProgress, answer.State)
	}
	_, err := p.deprovision()
	require.NoError(t, err, "B20: a delete stops it")
	assert.Empty(t, f.State().Instances)
}

func TestAsynchronousDeletesEndWith410OrWith200(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{true, false} {
		f := start(t, test.Options{})
		p := f.platform("test-service")
		p.prepare(osb.OpUnbind)
		f.script(on(test.Do{Async: &test.Async{Gone: gone}}, osb.OpUnbind, osb.OpDeprovision))
		for _, op := range []osb.Operation{osb.OpUnbind, osb.OpDeprovision} {
			operation, poll := p.begin(op)
			answer, err := poll(op, operation)
			require.NoError(t, err)
			require.Equal(t, osb.StateSucceeded, answer.State)
			require.Equal(t, gone, answer.Gone, "P45")
		}
	}
}

func TestWithoutAcceptsIncomplete(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service")
	p.async = false
	for optional, kind := range map[bool]osb.Kind{false: osb.KindAsyncRequired, true: ""} {
		require.NoError(t, f.SetRules(on(test.Do{Async: &test.Async{Optional: optional}})))
		for _, op := range []osb.Operation{osb.OpProvision, osb.OpUpdate, osb.OpBind, osb.OpUnbind, osb.OpDeprovision} {
			err := p.call(op)
			require.Equal(t, kind == "", err == nil, "B11, %s: %v", op, err)
			require.True(t, err == nil || osb.IsKind(err, kind), "B11, %s: %v", op, err)
		}
	}
	assert.Empty(t, f.State().Instances)
}

func TestADeleteStopsACreate(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	f.script(on(test.Do{Async: &test.Async{Polls: 1}}))
	p := f.platform("test-service")
	provision, _ := p.begin(osb.OpProvision)
	_, err := p.bind()
	require.True(t, osb.IsKind(err, osb.KindBusy), "B25: %v", err)
	_, err = p.update(`{}`)
	require.True(t, osb.IsKind(err, osb.KindBusy), "B25: %v", err)
	deprovision, _ := p.begin(osb.OpDeprovision)
	_, err = p.provision()
	require.True(t, osb.IsKind(err, osb.KindBusy), "B25: %v", err)
	answer, err := p.poll(osb.OpProvision, provision)
	require.NoError(t, err)
	assert.Equal(t, osb.StateFailed, answer.State, "B20")
	answer, err = p.poll(osb.OpDeprovision, deprovision)
	require.NoError(t, err)
	assert.Equal(t, osb.StateInProgress, answer.State, "B20")
	answer, err = p.poll(osb.OpDeprovision, deprovision)
	require.NoError(t, err)
	assert.Equal(t, osb.StateSucceeded, answer.State)
	assert.Empty(t, f.State().Instances)
}

// What a failed asynchronous create leaves is there until it is deleted.
func TestAFailedCreateLeavesSomething(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	failed := test.Do{Async: &test.Async{Result: test.ResultFailed}}
	p := f.platform("test-service")
	id := f.script(on(failed, osb.OpProvision))
	operation, poll := p.begin(osb.OpProvision)
	_, err := poll(osb.OpProvision, operation)
	require.NoError(t, err)
	f.Remove(id)
	require.Equal(t, test.PhaseFailed, f.State().Instances[0].Phase)
	for op, kind := range map[osb.Operation]osb.Kind{
		osb.OpProvision: osb.KindConflict, osb.OpUpdate: osb.KindRejected, osb.OpBind: osb.KindRejected, osb.OpGetInstance: osb.KindNotFound,
	} {
		err := p.call(op)
		require.True(t, osb.IsKind(err, kind), "%s: %v", op, err)
	}
	require.NoError(t, p.call(osb.OpDeprovision))
	require.NoError(t, p.call(osb.OpProvision))

	f.script(on(failed, osb.OpBind))
	operation, poll = p.begin(osb.OpBind)
	_, err = poll(osb.OpBind, operation)
	require.NoError(t, err)
	require.NoError(t, f.SetRules())
	require.Equal(t, test.PhaseFailed, f.State().Bindings[0].Phase)
	require.True(t, osb.IsKind(p.call(osb.OpBind), osb.KindConflict))
	require.NoError(t, p.call(osb.OpUnbind))
	require.NoError(t, p.call(osb.OpBind))
}

func TestOperationStringsAreAsTheRuleSays(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]string{"odd": `a b+c/d?e=f&g#h%2B"ü"`, "none": ""} {
		f := start(t, test.Options{})
		p := f.platform("test-service")
		f.script(on(test.Do{Async: &test.Async{Operation: &given}}, osb.OpProvision))
		require.Equal(t, given, p.again(osb.OpProvision), name)
		_, err := p.poll(osb.OpProvision, given)
		require.NoError(t, err)
		require.Empty(t, f.last(osb.OpLastOperation).Complaints, name)
		_, err = p.poll(osb.OpProvision, "another")
		require.NoError(t, err)
		require.Contains(t, f.last(osb.OpLastOperation).Complaints[0], "P42", name)
	}
}
