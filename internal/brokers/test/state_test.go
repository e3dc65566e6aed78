package test_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// What a failed update says of the instance, it holds the platform to.
func TestUnusableAndUnrepeatable(t *testing.T) {
	t.Parallel()
	no := false
	for name, do := range map[string]test.Do{
		"at once":        {Status: 422, InstanceUsable: &no, UpdateRepeatable: &no},
		"asynchronously": {Async: &test.Async{Result: test.ResultFailed, InstanceUsable: &no, UpdateRepeatable: &no}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, test.Options{})
			p := f.platform("test-service")
			p.prepare(osb.OpUpdate)
			f.script(test.Rule{Match: test.Match{Operations: []osb.Operation{osb.OpUpdate}}, Times: 1, Do: do})
			answer, err := p.update(`{"size":1}`)
			if err == nil {
				polled, err := p.poll(osb.OpUpdate, answer.Operation)
				require.NoError(t, err)
				require.Equal(t, []*bool{&no, &no}, []*bool{polled.InstanceUsable, polled.UpdateRepeatable})
			} else {
				require.Equal(t, []*bool{&no, &no}, []*bool{osb.AsError(err).InstanceUsable, osb.AsError(err).UpdateRepeatable})
			}
			i, _ := f.Instance("i-1")
			assert.True(t, i.Unusable)
			assert.JSONEq(t, `{"color":"red"}`, string(i.Parameters), "P88: nothing of it was applied")
			_, err = p.bind()
			require.Error(t, err)
			assert.Contains(t, f.last(osb.OpBind).Complaints[0], "P88")
			_, err = p.update(`{"size":2}`)
			require.NoError(t, err, "another update stays possible")
			assert.Empty(t, f.last(osb.OpUpdate).Complaints)
			_, err = p.bind()
			require.NoError(t, err, "and repairs it")
		})
	}
	f := start(t, test.Options{})
	p := f.platform("test-service")
	p.prepare(osb.OpUpdate)
	f.script(test.Rule{Match: test.Match{Operations: []osb.Operation{osb.OpUpdate}}, Times: 1, Do: test.Do{Status: 400, UpdateRepeatable: &no}})
	for range 2 {
		_, _ = p.update(`{"size":1}`)
	}
	assert.Contains(t, f.last(osb.OpUpdate).Complaints[0], "P89")
}

func TestExpiryIsCountedFromTheEndOfTheBind(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Unix(1_700_000_000, 0))
	f := start(t, test.Options{Clock: clock})
	p := f.platform("test-service")
	p.prepare(osb.OpBind)
	f.script(on(test.Do{Async: &test.Async{Takes: test.Duration(time.Minute)}, ExpiresIn: test.Duration(time.Hour), RenewIn: test.Duration(time.Minute)}, osb.OpBind))
	p.begin(osb.OpBind)
	clock.Step(time.Minute)
	got, err := p.getBinding()
	require.NoError(t, err)
	assert.Equal(t, clock.Now().Add(time.Hour).UTC(), *got.Metadata.ExpiresAt)
	assert.Equal(t, clock.Now().Add(time.Minute).UTC(), *got.Metadata.RenewBefore)
	assert.Len(t, f.State().LiveCredentials, 1)
	clock.Step(time.Hour)
	assert.Empty(t, f.State().LiveCredentials, "they have expired")
	assert.Len(t, f.State().Bindings, 1)
}

func TestCredentialsAreMadeUpOrGiven(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service")
	p.prepare(osb.OpBind)
	f.script(on(test.Do{Credentials: osb.RawJSON(`{"key":{"deep":[1,2.50]}}`)}, osb.OpBind))
	got, err := p.bind()
	require.NoError(t, err)
	raw, err := json.Marshal(got.Credentials)
	require.NoError(t, err)
	assert.JSONEq(t, `{"key":{"deep":[1,2.50]}}`, string(raw))
}

// What somebody deletes behind the platform's back is gone without a trace of an operation.
func TestForget(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service")
	p.prepare(osb.OpUnbind)
	assert.False(t, f.Forget("i-1", "b-9"))
	assert.True(t, f.Forget("i-1", "b-1"))
	assert.Empty(t, f.State().LiveCredentials)
	_, err := p.pollBinding(osb.OpBind, "")
	assert.True(t, osb.IsKind(err, osb.KindNotFound), "%v", err)
	_, err = p.bind()
	require.NoError(t, err)
	assert.True(t, f.Forget("i-1", ""))
	assert.Empty(t, f.State().Bindings, "the bindings go along")
	assert.False(t, f.Forget("i-1", ""))
	gone, err := p.unbind()
	require.NoError(t, err)
	assert.True(t, gone.Gone)
}

// The kit's own checks hold here as anywhere: a rule of no fault leaves them alone.
func TestARequestThatCannotBeIsRefusedUnlessARuleAnswers(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	send := func() int {
		resp, err := raw(t.Context(), http.MethodPut, f.url+"/v2/service_instances/i", `{"service_id":"x"}`)
		require.NoError(t, err)
		return resp.code
	}
	assert.Equal(t, http.StatusBadRequest, send())
	f.script(on(test.Do{Status: 201, Effect: test.EffectBefore}))
	assert.Equal(t, http.StatusCreated, send())
	assert.Equal(t, http.StatusBadRequest, f.last(osb.OpProvision).Effect, "the ledger knows better")
	assert.Empty(t, f.State().Instances)
}

func TestStateIsInOrder(t *testing.T) {
	t.Parallel()
	f := start(t, test.Options{})
	p := f.platform("test-service")
	for _, id := range []string{"c", "a", "b"} {
		p.instance = id
		_, err := p.provision()
		require.NoError(t, err)
	}
	var ids []string
	for _, i := range f.State().Instances {
		ids = append(ids, i.ID)
	}
	assert.True(t, slices.IsSorted(ids), "%v", ids)
}
