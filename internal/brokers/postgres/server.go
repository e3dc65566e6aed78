package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// minVersion is PostgreSQL 15: since then the schema public belongs to the
	// database's owner and nobody else may write to it.
	minVersion = 150000
	// maxConns bounds how many operations one replica runs at a time, each of
	// which has one connection of the pool and at most one more beside it.
	maxConns = 10
	// lockTimeout is how long a statement waits for a lock that somebody's open
	// transaction holds, before the platform is asked to come again; a
	// lock_timeout in the DSN wins.
	lockTimeout = 10 * time.Second

	applicationName = "postgres-broker"
)

// server is the PostgreSQL server that databases are made on, reached as the
// administrator. The database of the DSN holds the broker's records.
type server struct {
	config *pgxpool.Config
	pool   *pgxpool.Pool
	// probe has one connection of its own, so that readiness does not depend on
	// how busy the broker is.
	probe *pgxpool.Pool
	facts facts
}

// facts are what the broker needs to know of the server, read once at start.
type facts struct {
	superuser bool
	// database holds the records; openToAll says whether anybody may connect to it.
	database  string
	openToAll bool
	// encoding is the server's default, for which its default locale is made.
	encoding string
	// extensions can be created here by this administrator.
	extensions map[string]bool
}

// openServer connects, brings the broker's schema up to date and reads the facts.
// It takes no longer than limit: a server that accepts and says nothing must not
// keep the broker from saying why it waits.
func openServer(ctx context.Context, dsn string, limit time.Duration) (*server, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &server{}
	var err error
	if s.config, err = parseDSN(dsn); err != nil {
		return nil, err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, s.config); err != nil {
		return nil, fmt.Errorf("set up the connections: %w", err)
	}
	probe := s.config.Copy()
	probe.MaxConns = 1
	if s.probe, err = pgxpool.NewWithConfig(ctx, probe); err != nil {
		s.close()
		return nil, fmt.Errorf("set up the connection for probes: %w", err)
	}
	if err := s.prepare(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// parseDSN never wraps pgx's error as it is: its text may repeat the DSN.
func parseDSN(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return nil, fmt.Errorf("%w: it names a file that cannot be read: %w", errBadDSN, file)
	case err != nil:
		return nil, errBadDSN
	}
	config.MaxConns = maxConns
	params := config.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = applicationName
	}
	// Nothing that users of a database put into it is found by its bare name in
	// the administrator's sessions.
	params["search_path"] = "pg_catalog"
	if params["lock_timeout"] == "" {
		params["lock_timeout"] = fmt.Sprint(lockTimeout.Milliseconds())
	}
	return config, nil
}

// prepare reads the facts before it migrates: on a server that is too old, or
// with too few rights, nothing is made.
func (s *server) prepare(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Release()
	if s.facts, err = readFacts(ctx, conn.Conn()); err != nil {
		return err
	}
	return migrate(ctx, conn.Conn())
}

func readFacts(ctx context.Context, conn *pgx.Conn) (facts, error) {
	var f facts
	var version int
	var createRole, createDB bool
	err := conn.QueryRow(ctx, `
SELECT current_setting('server_version_num')::int, r.rolsuper, r.rolcreaterole, r.rolcreatedb,
       current_database(), has_database_privilege('public', current_database(), 'CONNECT'),
       (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template0')
FROM pg_roles r WHERE r.rolname = current_user`).Scan(&version, &f.superuser, &createRole, &createDB,
		&f.database, &f.openToAll, &f.encoding)
	if err != nil {
		return f, fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	if version < minVersion {
		return f, fmt.Errorf("PostgreSQL %d is too old; the broker needs 15 or newer", version/10000)
	}
	if !f.superuser && (!createRole || !createDB) {
		return f, errTooFewRights
	}
	f.extensions, err = readExtensions(ctx, conn, f.superuser)
	return f, err
}

// readExtensions lists what CREATE EXTENSION would accept from this administrator.
func readExtensions(ctx context.Context, conn *pgx.Conn, superuser bool) (map[string]bool, error) {
	rows, err := conn.Query(ctx, `
SELECT e.name FROM pg_available_extensions e
JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
WHERE $1 OR v.trusted OR NOT v.superuser`, superuser)
	if err != nil {
		return nil, fmt.Errorf("list the server's extensions: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the server's extensions: %w", err)
	}
	found := make(map[string]bool, len(names))
	for _, name := range names {
		found[name] = true
	}
	return found, nil
}

func (s *server) close() {
	if s.pool != nil {
		s.pool.Close()
	}
	if s.probe != nil {
		s.probe.Close()
	}
}

// ping says whether PostgreSQL answers now and the broker's records are there.
func (s *server) ping(ctx context.Context) error {
	_, err := s.probe.Exec(ctx, "SELECT 1 FROM postgres_broker.schema_version")
	return err
}

// onDatabase runs f as the administrator, connected to that database.
func (s *server) onDatabase(ctx context.Context, database string, f func(*pgx.Conn) error) error {
	config := s.config.ConnConfig.Copy()
	config.Database = database
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", database, err)
	}
	defer closeConn(ctx, conn)
	return f(conn)
}

// inDatabase runs f in one transaction as the administrator, connected to that database.
func (s *server) inDatabase(ctx context.Context, database string, f func(pgx.Tx) error) error {
	return s.onDatabase(ctx, database, func(conn *pgx.Conn) error { return pgx.BeginFunc(ctx, conn, f) })
}

// closeConn says goodbye even if ctx is over.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
