package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// prepared is a transaction that waits for the second phase of its commit. It
// belongs to no session, so that no session's end rolls it back.
type prepared struct {
	gid, database string
	// owner is the role that prepared it, "" if that role is gone.
	owner string
}

// rollBackPrepared ends the prepared transactions that a condition on
// pg_prepared_xacts chooses. They hold their locks for ever otherwise, and keep
// a database or role from being dropped.
func (s *session) rollBackPrepared(ctx context.Context, condition string, arg any) error {
	rows, err := s.conn.Query(ctx, "SELECT gid, database::text, coalesce(owner::text, '') FROM pg_prepared_xacts WHERE "+condition, arg)
	if err != nil {
		return fmt.Errorf("look for prepared transactions: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (prepared, error) {
		var p prepared
		return p, row.Scan(&p.gid, &p.database, &p.owner)
	})
	if err != nil {
		return fmt.Errorf("look for prepared transactions: %w", err)
	}
	for _, p := range found {
		if err := s.server.onDatabase(ctx, p.database, func(conn *pgx.Conn) error { return p.rollBack(ctx, conn) }); err != nil {
			return fmt.Errorf("roll back a prepared transaction of database %s: %w", p.database, err)
		}
	}
	return nil
}

// rollBack acts as the role that prepared: PostgreSQL lets nobody else but a
// superuser, and the administrator may be none.
func (p prepared) rollBack(ctx context.Context, conn *pgx.Conn) error {
	if p.owner != "" {
		if _, err := conn.Exec(ctx, "SET ROLE "+quoteName(p.owner)); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, "ROLLBACK PREPARED "+quoteText(p.gid))
	return err
}
