package pgtest_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres/pgtest"
)

func TestServerKeepsDataOverHaltAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s, err := pgtest.Start(t.Context())
	require.NoError(t, err)
	defer s.Stop()

	exec := func(sql string) error {
		conn, err := pgx.Connect(t.Context(), s.DSN("postgres"))
		if err != nil {
			return err
		}
		defer conn.Close(t.Context())
		_, err = conn.Exec(t.Context(), sql)
		return err
	}
	require.NoError(t, exec("CREATE TABLE kept (id int)"))
	s.Halt()
	require.Error(t, exec("SELECT 1"), "a halted server lets nobody in")
	require.NoError(t, s.Resume(t.Context()))
	require.NoError(t, exec("SELECT * FROM kept"))

	_, err = pgx.Connect(t.Context(), s.DSNFor(pgtest.Superuser, "wrong", "postgres"))
	require.Error(t, err, "passwords are asked for")

	s.Stop()
	_, err = os.Stat(s.SocketDir)
	assert.ErrorIs(t, err, os.ErrNotExist)
}
