package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// role is what a role is made of.
type role struct {
	name    string
	options string
	comment string
}

// createRole makes a role, marked as the broker's. An administrator who is no
// superuser becomes a member: else they could neither give the role what it
// shall own nor end its sessions.
func (s *session) createRole(ctx context.Context, tx pgx.Tx, r role) error {
	name := quoteName(r.name)
	statements := []string{
		"CREATE ROLE " + name + " " + r.options,
		"COMMENT ON ROLE " + name + " IS " + quoteText("postgres-broker: "+r.comment),
	}
	if !s.server.facts.superuser {
		statements = append(statements, "GRANT "+name+" TO CURRENT_USER")
	}
	if err := execAll(ctx, tx, statements...); err != nil {
		return fmt.Errorf("create role %s: %w", r.name, err)
	}
	return nil
}

// shutLogins forbids the roles to log in. Roles that somebody dropped by hand do
// not matter.
func shutLogins(ctx context.Context, tx pgx.Tx, logins []string) error {
	there, err := existingRoles(ctx, tx, logins)
	if err != nil {
		return err
	}
	for _, name := range there {
		if _, err := tx.Exec(ctx, "ALTER ROLE "+quoteName(name)+" NOLOGIN"); err != nil {
			return fmt.Errorf("shut login %s: %w", name, err)
		}
	}
	return nil
}

// dropRoles drops those of the roles that exist.
func dropRoles(ctx context.Context, tx pgx.Tx, names []string) error {
	there, err := existingRoles(ctx, tx, names)
	if err != nil {
		return err
	}
	for _, name := range there {
		if _, err := tx.Exec(ctx, "DROP ROLE "+quoteName(name)); err != nil {
			return fmt.Errorf("drop role %s: %w", name, err)
		}
	}
	return nil
}

// existingRoles are those of the names, all from our records, that the server
// has: DROP ROLE knows IF EXISTS, ALTER ROLE does not.
func existingRoles(ctx context.Context, q querier, names []string) ([]string, error) {
	rows, err := q.Query(ctx, "SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1) ORDER BY rolname", names)
	if err != nil {
		return nil, fmt.Errorf("look for roles: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// maxTerminateRounds bounds how often endSessions looks again: a login that was
// under way when the role was shut may show up late.
const maxTerminateRounds = 5

// endSessions ends what the role has open, and waits until it is closed.
func (s *session) endSessions(ctx context.Context, name string) error {
	for range maxTerminateRounds {
		var open int
		err := s.conn.QueryRow(ctx, `
SELECT count(pg_terminate_backend(a.pid, 5000)) FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
WHERE r.rolname = $1`, name).Scan(&open)
		if err != nil {
			return fmt.Errorf("end the sessions of %s: %w", name, err)
		}
		if open == 0 {
			return nil
		}
	}
	return errSessionsStay
}

// disown empties a role's hands so that it can be dropped: what it owns goes to
// heir, or is dropped if heir is empty, and its grants end, in every database that has some.
func (s *session) disown(ctx context.Context, name, heir string) error {
	there, err := existingRoles(ctx, s.conn, []string{name})
	if err != nil || len(there) == 0 {
		return err
	}
	databases, err := databasesWithTracesOf(ctx, s.conn, name)
	if err != nil {
		return err
	}
	for _, database := range databases {
		err := s.server.inDatabase(ctx, database, func(tx pgx.Tx) error { return disownHere(ctx, tx, name, heir) })
		if err != nil {
			return err
		}
	}
	return nil
}

func disownHere(ctx context.Context, tx pgx.Tx, name, heir string) error {
	var statements []string
	if heir != "" {
		statements = append(statements, "REASSIGN OWNED BY "+quoteName(name)+" TO "+quoteName(heir))
	}
	statements = append(statements, "DROP OWNED BY "+quoteName(name))
	if err := execAll(ctx, tx, statements...); err != nil {
		return fmt.Errorf("take from role %s what it has: %w", name, err)
	}
	return nil
}

// databasesWithTracesOf lists where the role owns something or was granted
// something. Grants on shared objects (databases) are revoked from anywhere, so
// the current database stands for them.
func databasesWithTracesOf(ctx context.Context, q querier, name string) ([]string, error) {
	rows, err := q.Query(ctx, `
SELECT DISTINCT coalesce(d.datname::text, current_database()::text)
FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1)
ORDER BY 1`, name)
	if err != nil {
		return nil, fmt.Errorf("look for what role %s has: %w", name, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// execAll runs statements that take no parameters, up to the first that fails.
func execAll(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
