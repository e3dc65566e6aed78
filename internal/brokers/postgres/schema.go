package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// schemaLock is the advisory lock under which replicas bring the schema up to
// date, one after the other: the first 8 bytes of the word "pgbroker".
const schemaLock = 0x706762726f6b6572

// migrations bring the broker's schema from one version to the next; the version
// is their count. A released entry is never edited, only followed by a new one.
func migrations() []string {
	return []string{`
CREATE SCHEMA postgres_broker;
CREATE TABLE postgres_broker.schema_version (version int NOT NULL);
INSERT INTO postgres_broker.schema_version VALUES (0);
CREATE TABLE postgres_broker.instances (
	id                text PRIMARY KEY,
	service_id        text NOT NULL,
	plan_id           text NOT NULL,
	organization_guid text NOT NULL,
	space_guid        text NOT NULL,
	parameters        jsonb,
	state             text NOT NULL CHECK (state IN ('intended', 'made', 'ready', 'deleting')),
	has_database      boolean NOT NULL DEFAULT false,
	database_name     text NOT NULL UNIQUE,
	owner_role        text NOT NULL UNIQUE,
	created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE postgres_broker.bindings (
	id              text PRIMARY KEY,
	instance_id     text NOT NULL REFERENCES postgres_broker.instances (id),
	state           text NOT NULL CHECK (state IN ('intended', 'ready', 'deleting')),
	login_role      text NOT NULL UNIQUE,
	sealed_password bytea NOT NULL,
	created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON postgres_broker.bindings (instance_id);
`}
}

// migrate makes or updates the schema that holds the broker's records, in one
// transaction. It refuses a schema that a newer broker made.
func migrate(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
			return fmt.Errorf("lock the broker's schema: %w", err)
		}
		version, err := schemaVersion(ctx, tx)
		if err != nil {
			return err
		}
		all := migrations()
		if version > len(all) {
			return fmt.Errorf("the schema postgres_broker has version %d, this broker knows up to %d; run the broker that made it, or a newer one", version, len(all))
		}
		for ; version < len(all); version++ {
			if _, err := tx.Exec(ctx, all[version]); err != nil {
				return fmt.Errorf("bring the broker's schema to version %d: %w", version+1, err)
			}
		}
		_, err = tx.Exec(ctx, "UPDATE postgres_broker.schema_version SET version = $1 WHERE version <> $1", len(all))
		return err
	})
}

// schemaVersion is 0 if there is no schema yet.
func schemaVersion(ctx context.Context, tx pgx.Tx) (int, error) {
	var schema, table bool
	err := tx.QueryRow(ctx, `SELECT to_regnamespace('postgres_broker') IS NOT NULL,
		to_regclass('postgres_broker.schema_version') IS NOT NULL`).Scan(&schema, &table)
	if err != nil {
		return 0, fmt.Errorf("look for the broker's schema: %w", err)
	}
	if !schema {
		return 0, nil
	}
	if !table {
		return 0, errors.New("the database has a schema postgres_broker that this broker did not make; give the broker a database of its own in the DSN")
	}
	var version int
	if err := tx.QueryRow(ctx, "SELECT version FROM postgres_broker.schema_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("read the version of the broker's schema: %w", err)
	}
	return version, nil
}
