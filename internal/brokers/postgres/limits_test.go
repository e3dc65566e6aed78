package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb"
)

//nolint:tparallel // one step after the other
func TestPlanLimitsTheConnectionsOfAllBindingsTogether(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	a, b := f.bind(t, id), f.bind(t, id)
	const small = 10
	for i := range small {
		connect(t, []string{a.uri, b.uri}[i%2])
	}
	for _, one := range []bound{a, b} {
		_, err := pgx.Connect(t.Context(), one.uri)
		requireCode(t, err, codeTooMany)
	}

	t.Run("a full database does not stop the broker", func(t *testing.T) {
		c := f.bind(t, id)
		require.NoError(t, f.unbind(t, id, c.id))
	})
	t.Run("the larger plan lets more in", func(t *testing.T) {
		_, err := f.client.Update(t.Context(), &osb.UpdateRequest{InstanceID: id, ServiceID: postgres.ServiceID, PlanID: postgres.PlanLargeID})
		require.NoError(t, err)
		connect(t, a.uri)
		in, err := f.client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: id})
		require.NoError(t, err)
		assert.Equal(t, postgres.PlanLargeID, in.PlanID)
	})
}

func TestUpdateChangesNothingButThePlan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t, withParameters(`{"extensions":["hstore"]}`))
	update := func(edit func(*osb.UpdateRequest)) error {
		r := &osb.UpdateRequest{InstanceID: id, ServiceID: postgres.ServiceID}
		edit(r)
		_, err := f.client.Update(t.Context(), r)
		return err
	}
	require.NoError(t, update(func(*osb.UpdateRequest) {}), "nothing asked")
	require.NoError(t, update(func(r *osb.UpdateRequest) { r.Parameters = osb.RawJSON(`{"extensions":["hstore"]}`) }), "the same parameters")
	err := update(func(r *osb.UpdateRequest) {
		r.Parameters, r.PlanID = osb.RawJSON(`{"encoding":"LATIN1"}`), postgres.PlanLargeID
	})
	require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
	assert.Contains(t, osb.AsError(err).Description, "cannot be changed")
	in, err := f.client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: id})
	require.NoError(t, err)
	assert.Equal(t, postgres.PlanSmallID, in.PlanID, "a refused update changes nothing")
	err = update(func(r *osb.UpdateRequest) { r.InstanceID = "none" })
	require.True(t, osb.IsKind(err, osb.KindNotFound), "%v", err)
}
