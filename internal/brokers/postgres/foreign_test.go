package postgres_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb"
)

func requireNameTaken(t *testing.T, err error, name string) {
	t.Helper()
	require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
	assert.Equal(t, "NameTaken", osb.AsError(err).Word)
	assert.Equal(t, 422, osb.AsError(err).StatusCode)
	assert.Contains(t, osb.AsError(err).Description, name)
	assert.False(t, osb.AsError(err).OrphanMitigation)
}

func TestWhatTheBrokerDidNotMakeIsNeverTouched(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const databases, roles = "SELECT count(*) FROM pg_database WHERE datname = $1", "SELECT count(*) FROM pg_roles WHERE rolname = $1"

	t.Run("a database of that name", func(t *testing.T) {
		t.Parallel()
		admin := connect(t, f.config.DSN)
		id := uuid.NewString()
		name := postgres.DatabaseName(id)
		runSQL(t, admin, "CREATE DATABASE "+name)
		defer runSQL(t, admin, "DROP DATABASE "+name)
		_, err := f.client.Provision(t.Context(), provisionRequest(id))
		requireNameTaken(t, err, name)
		resp, err := f.deprovision(t, id)
		require.NoError(t, err)
		assert.True(t, resp.Gone, "nothing of ours was left")
		assert.Equal(t, 1, queryOne[int](t, admin, databases, name))
	})
	t.Run("a role of that name", func(t *testing.T) {
		t.Parallel()
		admin := connect(t, f.config.DSN)
		id := uuid.NewString()
		name := postgres.OwnerName(id)
		runSQL(t, admin, "CREATE ROLE "+name)
		defer runSQL(t, admin, "DROP ROLE "+name)
		_, err := f.client.Provision(t.Context(), provisionRequest(id))
		requireNameTaken(t, err, name)
		resp, err := f.deprovision(t, id)
		require.NoError(t, err)
		assert.True(t, resp.Gone)
		assert.Equal(t, 1, queryOne[int](t, admin, roles, name))
	})
	t.Run("a role of a binding's name", func(t *testing.T) {
		t.Parallel()
		admin := connect(t, f.config.DSN)
		id, bid := f.provision(t), uuid.NewString()
		name := postgres.LoginName(bid)
		runSQL(t, admin, "CREATE ROLE "+name)
		defer runSQL(t, admin, "DROP ROLE "+name)
		_, err := f.client.Bind(t.Context(), bindRequest(id, bid))
		requireNameTaken(t, err, name)
		require.NoError(t, f.unbind(t, id, bid), "gone")
		assert.Equal(t, 1, queryOne[int](t, admin, roles, name))
	})
}

// Between the record and CREATE DATABASE somebody else takes the name.
func TestADatabaseMadeByOthersWhileTheBrokerWasDead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, next := range map[string]func(t *testing.T, id string){
		"the repeated provision refuses and takes its record back": func(t *testing.T, id string) {
			t.Helper()
			require.Eventually(t, func() bool {
				_, err := f.client.Provision(t.Context(), crashProvisionRequest(id))
				if osb.IsKind(err, osb.KindBusy) {
					return false
				}
				requireNameTaken(t, err, postgres.DatabaseName(id))
				return true
			}, patienceOfTests, tick)
			assert.True(t, f.repeatDeprovision(t, id).Gone)
		},
		"the deprovision leaves it": func(t *testing.T, id string) {
			t.Helper()
			assert.False(t, f.repeatDeprovision(t, id).Gone)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := connect(t, f.config.DSN)
			id := uuid.NewString()
			f.crash(t, order{Operation: osb.OpProvision, InstanceID: id, DieAfter: "instance intended"})
			runSQL(t, admin, "CREATE DATABASE "+postgres.DatabaseName(id))
			defer runSQL(t, admin, "DROP DATABASE "+postgres.DatabaseName(id))
			next(t, id)
			assert.Equal(t, 1, queryOne[int](t, admin, "SELECT count(*) FROM pg_database WHERE datname = $1", postgres.DatabaseName(id)))
			assert.Zero(t, queryOne[int](t, admin, "SELECT count(*) FROM pg_roles WHERE rolname = $1", postgres.OwnerName(id)))
		})
	}
}

func TestWhatAnAdministratorRemovedByHandIsNoObstacle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	a, b := f.bind(t, id), f.bind(t, id)
	admin := connect(t, f.config.DSN)
	runSQL(t, admin, "DROP DATABASE "+postgres.DatabaseName(id)+" WITH (FORCE)", "DROP ROLE "+postgres.LoginName(a.id))
	require.NoError(t, f.unbind(t, id, a.id))
	_, err := f.deprovision(t, id)
	require.NoError(t, err)
	f.requireNothingLeft(t, id, a.id, b.id)
}

func TestARecordsDatabaseThatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ prepare, want string }{
		"a schema of our name that others made": {
			"CREATE SCHEMA postgres_broker; CREATE TABLE postgres_broker.theirs (id int)", "give the broker a database of its own",
		},
		"records of a newer broker": {
			"CREATE SCHEMA postgres_broker; CREATE TABLE postgres_broker.schema_version AS SELECT 99 AS version", "has version 99",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := "records_" + uuid.NewString()[:8]
			runAdmin(t, "postgres", "CREATE DATABASE "+records)
			runAdmin(t, records, tc.prepare)
			_, err := postgres.New(t.Context(), postgres.Config{DSN: shared.DSN(records)})
			require.ErrorContains(t, err, tc.want)
		})
	}
}
