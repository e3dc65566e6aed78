package postgres_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb"
)

// restricted makes an administrator who is no superuser, with a database of its own.
func restricted(t *testing.T, rights string) string {
	t.Helper()
	name := "admin_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	runAdmin(t, "postgres", "CREATE ROLE "+name+" LOGIN PASSWORD 'known' "+rights, "CREATE DATABASE "+name+" OWNER "+name)
	return shared.DSNFor(name, "known", name)
}

func TestAnAdministratorWhoIsNoSuperuserIsEnough(t *testing.T) {
	t.Parallel()
	f := fixtureWith(t, postgres.Config{
		DSN: restricted(t, "CREATEROLE CREATEDB"), Extensions: []string{"hstore", "pg_buffercache"},
	})
	schema := string(fetchCatalog(t, f).Services[0].Plans[0].ProvisionSchema())
	assert.Contains(t, schema, "hstore", "trusted extensions are on offer")
	assert.NotContains(t, schema, "pg_buffercache", "it takes a superuser to create this one")

	id := f.provision(t, withParameters(`{"extensions":["hstore"]}`))
	a, b := f.bind(t, id), f.bind(t, id)
	session := connect(t, a.uri)
	runSQL(t, session, "CREATE TABLE t (h hstore)", "SET ROLE NONE", "CREATE TABLE mine (id int)")
	other := connect(t, b.uri)
	runSQL(t, other, "ALTER TABLE t ADD COLUMN id int", "INSERT INTO mine VALUES (1)")
	_, err := other.Exec(t.Context(), "ALTER DATABASE "+postgres.DatabaseName(id)+" CONNECTION LIMIT -1")
	requireCode(t, err, codePrivilege)
	require.NoError(t, f.unbind(t, id, a.id))
	_, err = session.Exec(t.Context(), "SELECT 1")
	require.Error(t, err)
	runSQL(t, other, "DROP TABLE mine")
	_, err = f.client.Update(t.Context(), &osb.UpdateRequest{InstanceID: id, ServiceID: postgres.ServiceID, PlanID: postgres.PlanLargeID})
	require.NoError(t, err)
	_, err = f.deprovision(t, id)
	require.NoError(t, err)
	f.requireNothingLeft(t, id, a.id, b.id)
}

func TestStartWithoutWhatItTakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		dsn       string
		want      string
		permanent bool
	}{
		"a role without the rights": {restricted(t, ""), "CREATEROLE CREATEDB", false},
		"a malformed DSN":           {"postgres://u:hidden-password@h:notaport/db", "the DSN of PostgreSQL cannot be read", true},
		"a wrong password":          {shared.DSNFor("postgres", "hidden-password", "postgres"), "connect to PostgreSQL", false},
		"a DSN with a CA that is not there": {
			"postgres://u:hidden-password@h/db?sslmode=verify-full&sslrootcert=/nonexistent/ca.crt", "/nonexistent/ca.crt", true,
		},
		"a socket without a public host": {
			strings.Replace(shared.DSN("postgres"), "@127.0.0.1", "@", 1) + "&host=" + shared.SocketDir, "--public-host", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := postgres.New(t.Context(), postgres.Config{DSN: tc.dsn})
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hidden-password")
			assert.Equal(t, tc.permanent, postgres.IsPermanent(err))
		})
	}
}

// A server that takes connections and says nothing must not keep the broker from
// saying why it waits.
func TestStartOnAServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = postgres.New(ctx, postgres.Config{
		DSN: "postgres://u:hidden-password@" + silent.Addr().String() + "/db?sslmode=disable", OperationTimeout: 200 * time.Millisecond,
	})
	require.ErrorContains(t, err, "connect to PostgreSQL")
	require.NoError(t, ctx.Err(), "it gave up by itself")
	assert.False(t, postgres.IsPermanent(err))
	assert.NotContains(t, err.Error(), "hidden-password")
}

func TestPublicAddressIsWhatClientsAreTold(t *testing.T) {
	t.Parallel()
	cfg := newFixture(t).config
	cfg.PublicHost, cfg.PublicPort = "db.example", 6432
	f := fixtureWith(t, cfg)
	b := f.bind(t, f.provision(t))
	assert.Equal(t, "db.example", b.Credentials["host"])
	parsed, err := pgx.ParseConfig(b.uri)
	require.NoError(t, err)
	assert.Equal(t, "db.example", parsed.Host)
	assert.Equal(t, uint16(6432), parsed.Port)
	assert.Equal(t, b.Credentials["password"], parsed.Password)
}

func TestAPasswordWhoseKeyIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	b := f.bind(t, id)
	const newKey = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
	for name, tc := range map[string]struct {
		keys string
		ok   bool
	}{
		"the old key as a second line still opens": {newKey + "\n" + testKey, true},
		"without it the password cannot be read":   {newKey, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := f.config
			var err error
			cfg.Keys, err = postgres.ParseKeyring(tc.keys)
			require.NoError(t, err)
			g := fixtureWith(t, cfg)
			resp, err := g.client.Bind(t.Context(), bindRequest(id, b.id))
			if tc.ok {
				require.NoError(t, err)
				assert.Equal(t, b.Credentials, resp.Credentials)
				return
			}
			require.Error(t, err)
			assert.Contains(t, g.log.String(), "add that key as a further line")
		})
	}
}

func TestOperatorIsToldOfAnOpenDatabaseOfRecords(t *testing.T) {
	t.Parallel()
	cfg := newFixture(t).config
	const warning = "open to every role"
	told := func() string {
		log := &logBuffer{}
		cfg.Log = slog.New(slog.NewJSONHandler(log, nil))
		b, err := postgres.Open(t.Context(), cfg)
		require.NoError(t, err)
		defer b.Close()
		return log.String()
	}
	assert.Contains(t, told(), warning)
	parsed, err := pgx.ParseConfig(cfg.DSN)
	require.NoError(t, err)
	runAdmin(t, "postgres", "REVOKE CONNECT ON DATABASE "+parsed.Database+" FROM PUBLIC")
	assert.NotContains(t, told(), warning)
}
