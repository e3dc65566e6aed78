package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/svc-cat/catalog/osb"
)

// Provision makes an owner role and a database. The order of the steps is what
// makes a crash harmless: see the package comment.
func (b *Broker) Provision(ctx context.Context, r *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
	want, err := newInstance(r)
	if err != nil {
		return nil, err
	}
	out := &osb.ProvisionResponse{}
	err = b.withInstance(ctx, want.id, atOnce, func(ctx context.Context, s *session) error {
		in, err := loadInstance(ctx, s.conn, want.id)
		if errors.Is(err, errNoRecord) {
			in, err = want, s.intendInstance(ctx, want)
		}
		if err != nil {
			return err
		}
		if err := in.checkRepeat(want); err != nil {
			return err
		}
		if in.state == stateReady {
			out.Existed = true
			return nil
		}
		return s.buildInstance(ctx, in)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newInstance is what the request asks for, as it would be recorded. What is
// wrong with the request is said before it costs a connection or a lock.
func newInstance(r *osb.ProvisionRequest) (*instance, error) {
	if err := checkIDs(r.InstanceID, r.OrganizationGUID, r.SpaceGUID); err != nil {
		return nil, err
	}
	if _, err := parseParameters(r.Parameters); err != nil {
		return nil, err
	}
	return &instance{
		id:               r.InstanceID,
		serviceID:        r.ServiceID,
		planID:           r.PlanID,
		organizationGUID: r.OrganizationGUID,
		spaceGUID:        r.SpaceGUID,
		parameters:       r.Parameters,
		state:            stateIntended,
		database:         databaseName(r.InstanceID),
		owner:            ownerName(r.InstanceID),
	}, nil
}

// checkRepeat decides whether a provision request may go on with a record that
// is there: same attributes by B12, and not on its way out.
func (in *instance) checkRepeat(want *instance) error {
	if in.state == stateDeleting {
		return errDeleting
	}
	same := in.serviceID == want.serviceID && in.planID == want.planID &&
		in.organizationGUID == want.organizationGUID && in.spaceGUID == want.spaceGUID
	if !same || !sameParameters(in.parameters, want.parameters) {
		return errOtherInstance
	}
	return nil
}

// intendInstance records what is about to be made, together with the owner role.
// Roles are transactional, so there is never one without its record, and a role
// of that name which is not ours makes the whole transaction fail.
func (s *session) intendInstance(ctx context.Context, in *instance) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := insertInstance(ctx, tx, in); err != nil {
			return err
		}
		return s.createRole(ctx, tx, role{name: in.owner, options: "NOLOGIN", comment: "owner of instance " + in.id})
	})
	if hasCode(err, codeDuplicateObject, codeUniqueViolation) {
		return nameTaken("role", in.owner)
	}
	if err != nil {
		return err
	}
	s.step("instance intended")
	return nil
}

// buildInstance brings an instance from any state before ready to ready. Each
// part may have been done by an attempt that did not live to record it.
func (s *session) buildInstance(ctx context.Context, in *instance) error {
	p, known := planByID(in.planID)
	if !known {
		return fmt.Errorf("record of instance %s has plan %s, which this broker does not offer", in.id, in.planID)
	}
	params, err := parseParameters(in.parameters)
	if err != nil {
		return fmt.Errorf("read the recorded parameters of instance %s: %w", in.id, err)
	}
	if in.state == stateIntended {
		if err := s.ensureDatabase(ctx, in, params.Encoding); err != nil {
			return err
		}
		s.step("database created")
		if err := s.takeDatabase(ctx, in, p); err != nil {
			return err
		}
		s.step("database taken")
	}
	if err := s.furnishDatabase(ctx, in, params.Extensions); err != nil {
		return err
	}
	s.step("database furnished")
	if err := setInstanceState(ctx, s.conn, in, stateReady); err != nil {
		return err
	}
	s.step("instance ready")
	s.log.Info("Provisioned instance", "instanceID", in.id, "plan", p.name)
	return nil
}

// ensureDatabase creates the database, owned by our owner role and closed to
// everybody. CREATE DATABASE knows no transaction; the owner is what tells a
// database of ours from somebody else's of the same name.
func (s *session) ensureDatabase(ctx context.Context, in *instance, encoding string) error {
	owner, err := databaseOwner(ctx, s.conn, in.database)
	if err != nil {
		return err
	}
	if owner == in.owner {
		return nil
	}
	if owner == "" {
		_, err = s.conn.Exec(ctx, s.createDatabaseSQL(in, encoding))
		if err == nil {
			return nil
		}
		if !hasCode(err, codeDuplicateDatabase, codeUniqueViolation) {
			return fmt.Errorf("create database %s: %w", in.database, err)
		}
	}
	// The name is somebody else's: nothing is left of this attempt.
	if err := s.forgetInstance(ctx, in); err != nil {
		return err
	}
	return nameTaken("database", in.database)
}

// createDatabaseSQL lets nobody connect yet: PUBLIC may until takeDatabase
// revokes it, and what strangers put in before could not be told from ours.
func (s *session) createDatabaseSQL(in *instance, encoding string) string {
	// template0 takes any encoding, and holds nothing that somebody put into template1.
	sql := "CREATE DATABASE " + quoteName(in.database) + " OWNER " + quoteName(in.owner) +
		" TEMPLATE template0 ALLOW_CONNECTIONS false ENCODING " + quoteText(encoding)
	if encoding != s.server.facts.encoding {
		// The default locale fits the default encoding only; C fits them all.
		sql += " LC_COLLATE 'C' LC_CTYPE 'C'"
	}
	return sql
}

// takeDatabase moves the ownership of the database to the broker and opens it to
// the owner role alone, in the transaction that records it as ours. Users are no
// owners of their database: owners could lift its connection limit, let others
// in, or drop it.
func (s *session) takeDatabase(ctx context.Context, in *instance, p plan) error {
	database, owner := quoteName(in.database), quoteName(in.owner)
	return s.inTx(ctx, func(tx pgx.Tx) error {
		err := execAll(ctx, tx,
			"REVOKE ALL ON DATABASE "+database+" FROM PUBLIC",
			"ALTER DATABASE "+database+" OWNER TO CURRENT_USER",
			"GRANT CONNECT, TEMPORARY, CREATE ON DATABASE "+database+" TO "+owner,
			fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS true CONNECTION LIMIT %d", database, p.connectionLimit),
			"COMMENT ON DATABASE "+database+" IS "+quoteText("postgres-broker: instance "+in.id))
		if err != nil {
			return fmt.Errorf("take database %s: %w", in.database, err)
		}
		in.hasDatabase = true
		return setInstanceState(ctx, tx, in, stateMade)
	})
}

// furnishDatabase makes the extensions and hands the schema public to the owner
// role, in one transaction. No binding exists yet, so nothing in the database
// could lead an extension's script astray.
func (s *session) furnishDatabase(ctx context.Context, in *instance, extensions []string) error {
	return s.server.inDatabase(ctx, in.database, func(tx pgx.Tx) error {
		statements := []string{"SET LOCAL search_path = public"}
		for _, name := range extensions {
			statements = append(statements, "CREATE EXTENSION IF NOT EXISTS "+quoteName(name)+" CASCADE")
		}
		statements = append(statements, "ALTER SCHEMA public OWNER TO "+quoteName(in.owner))
		if err := execAll(ctx, tx, statements...); err != nil {
			return fmt.Errorf("furnish database %s: %w", in.database, err)
		}
		return nil
	})
}

// databaseOwner returns the role that owns a database, "" if there is no such database.
func databaseOwner(ctx context.Context, q querier, database string) (string, error) {
	var owner string
	err := q.QueryRow(ctx, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", database).Scan(&owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for database %s: %w", database, err)
	}
	return owner, nil
}
