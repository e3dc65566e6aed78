package postgres_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
)

// Codes of PostgreSQL that applications see.
const (
	codePrivilege = "42501"
	codeTooMany   = "53300"
)

func TestWhatOneBindingCreatesTheOthersUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	a, b := f.bind(t, id), f.bind(t, id)
	runSQL(t, connect(t, a.uri),
		"CREATE SCHEMA app", "CREATE TABLE app.orders (id serial PRIMARY KEY, item text)",
		"CREATE FUNCTION app.total() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM app.orders'",
		"INSERT INTO app.orders (item) VALUES ('from a')")

	other := connect(t, b.uri)
	assert.Equal(t, "from a", queryOne[string](t, other, "SELECT item FROM app.orders"))
	runSQL(t, other, "INSERT INTO app.orders (item) VALUES ('from b')",
		"ALTER TABLE app.orders ADD COLUMN price int", "CREATE INDEX ON app.orders (price)",
		"CREATE OR REPLACE FUNCTION app.total() RETURNS bigint LANGUAGE sql AS 'SELECT 2 * count(*) FROM app.orders'")

	require.NoError(t, f.unbind(t, id, a.id))
	assert.Equal(t, int64(4), queryOne[int64](t, other, "SELECT app.total()"))
	c := connect(t, f.bind(t, id).uri)
	runSQL(t, c, "UPDATE app.orders SET price = 1", "DROP TABLE app.orders CASCADE", "DROP SCHEMA public", "CREATE SCHEMA public")
}

// Poolers send DISCARD ALL between clients, which leaves the owner role.
func TestObjectsOfAClientThatLeftTheOwnerRole(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]string{"by SET ROLE NONE": "SET ROLE NONE", "by DISCARD ALL": "DISCARD ALL"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := f.provision(t)
			a, b := f.bind(t, id), f.bind(t, id)
			conn, other := connect(t, a.uri), connect(t, b.uri)
			runSQL(t, conn, leave, "CREATE SCHEMA mine", "CREATE TABLE mine.notes (id serial, text text)")
			if leave == "SET ROLE NONE" {
				require.Equal(t, postgres.LoginName(a.id), queryOne[string](t, conn, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'notes'"),
					"else this test says nothing")
			}
			runSQL(t, other, "INSERT INTO mine.notes (text) VALUES ('from b')", "SELECT * FROM mine.notes", "CREATE TABLE mine.more (id int)")
			require.NoError(t, f.unbind(t, id, a.id))
			runSQL(t, other, "ALTER TABLE mine.notes ADD COLUMN more int", "DROP SCHEMA mine CASCADE")
		})
	}
}

func TestUnbindLeavesATableThatSomebodyHoldsForLater(t *testing.T) {
	t.Parallel()
	cfg := newFixture(t).config
	cfg.DSN += "&lock_timeout=500"
	f := fixtureWith(t, cfg)
	id := f.provision(t)
	a, b := f.bind(t, id), f.bind(t, id)
	runSQL(t, connect(t, a.uri), "SET ROLE NONE", "CREATE TABLE held (id int)")
	holder := connect(t, b.uri)
	runSQL(t, holder, "BEGIN", "SELECT * FROM held")

	err := f.unbind(t, id, a.id)
	requireBusy(t, err)
	_, err = pgx.Connect(t.Context(), a.uri)
	require.Error(t, err, "the login is shut all the same")
	_, err = f.client.Bind(t.Context(), bindRequest(id, a.id))
	requireBusy(t, err)

	runSQL(t, holder, "COMMIT")
	require.NoError(t, f.unbind(t, id, a.id))
	runSQL(t, holder, "DROP TABLE held")
}

// A transaction that a login prepared after it had left the owner role can be
// ended by that login or a superuser alone: once the login is gone, nobody would.
func TestTransactionsThatALoginPrepared(t *testing.T) {
	t.Parallel()
	superuser := func(t *testing.T) *fixture { t.Helper(); return newFixture(t) }
	for name, administrator := range map[string]func(*testing.T) *fixture{
		"for a superuser": superuser,
		"for an administrator who is none": func(t *testing.T) *fixture {
			t.Helper()
			return fixtureWith(t, postgres.Config{DSN: restricted(t, "CREATEROLE CREATEDB")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := administrator(t)
			id := f.provision(t)
			a, b, c := f.bind(t, id), f.bind(t, id), f.bind(t, id)
			for i, one := range []bound{a, b} {
				table := []string{"one", "two"}[i]
				runSQLAs(t, one.uri, "SET ROLE NONE", "CREATE TABLE "+table+" (id int)",
					"BEGIN", "INSERT INTO "+table+" VALUES (1)", "PREPARE TRANSACTION '"+one.id+"'")
			}
			runSQLAs(t, c.uri, "CREATE TABLE three (id int)", "BEGIN", "INSERT INTO three VALUES (1)", "PREPARE TRANSACTION '"+c.id+"'")
			require.NoError(t, f.unbind(t, id, a.id), "its table is held by what it prepared")
			runSQLAs(t, c.uri, "DROP TABLE one")
			require.NoError(t, f.unbind(t, id, c.id))
			d := f.bind(t, id)
			runSQLAs(t, d.uri, "COMMIT PREPARED '"+c.id+"'") // the owner role's, which every binding may end
			_, err := f.deprovision(t, id)
			require.NoError(t, err)
			f.requireNothingLeft(t, id, a.id, b.id, c.id, d.id)
		})
	}
}

func TestNobodyElseGetsIntoADatabase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	database := postgres.DatabaseName(id)
	mine := f.bind(t, id)
	stranger := "stranger_" + uuid.NewString()[:8]
	runAdmin(t, "postgres", "CREATE ROLE "+stranger+" LOGIN PASSWORD 'known'")

	_, err := pgx.Connect(t.Context(), shared.DSNFor(stranger, "known", database))
	requireCode(t, err, codePrivilege)
	neighbour := f.bind(t, f.provision(t))
	_, err = pgx.Connect(t.Context(), shared.DSNFor(postgres.LoginName(neighbour.id), neighbour.password(), database))
	requireCode(t, err, codePrivilege)
	connect(t, mine.uri) // else the refusals say nothing
}

func TestABindingCannotLiftTheLimitsOfItsInstance(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	database := postgres.DatabaseName(id)
	conn := connect(t, f.bind(t, id).uri)
	for _, sql := range []string{
		"ALTER DATABASE " + database + " CONNECTION LIMIT -1",
		"ALTER DATABASE " + database + " OWNER TO CURRENT_USER",
		"ALTER DATABASE " + database + " RENAME TO stolen",
		"ALTER DATABASE " + database + " SET search_path = public",
		"DROP DATABASE " + database,
		"CREATE ROLE more LOGIN",
		"CREATE DATABASE more",
		"SET ROLE postgres",
		"COPY (SELECT 1) TO PROGRAM 'true'",
	} {
		_, err := conn.Exec(t.Context(), sql)
		requireCode(t, err, codePrivilege)
	}
	// A grant by somebody who is not the owner does nothing but warn.
	runSQL(t, conn, "GRANT CONNECT ON DATABASE "+database+" TO PUBLIC")
	assert.False(t, queryOne[bool](t, conn, "SELECT has_database_privilege('pg_monitor', current_database(), 'CONNECT')"))
}

func TestBindingsSeeNoRecordsOfTheBroker(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.bind(t, f.provision(t))
	cfg, err := pgx.ParseConfig(f.config.DSN)
	require.NoError(t, err)
	conn := connect(t, shared.DSNFor(postgres.LoginName(b.id), b.password(), cfg.Database))
	_, err = conn.Exec(t.Context(), "SELECT * FROM postgres_broker.bindings")
	requireCode(t, err, codePrivilege)

	admin := connect(t, f.config.DSN)
	sealed := queryOne[[]byte](t, admin, "SELECT sealed_password FROM postgres_broker.bindings WHERE id = $1", b.id)
	assert.NotContains(t, string(sealed), b.password())
}
