package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// Deprovision drops the database, open sessions or not, and every role that was
// made for the instance: its owner and the logins of bindings that are left. It
// works on whatever a provision left half made, for that is what platforms send
// it for when they lost an answer (B27).
func (b *Broker) Deprovision(ctx context.Context, r *osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) {
	if err := checkIDs(r.InstanceID); err != nil {
		return nil, err
	}
	err := b.withInstance(ctx, r.InstanceID, atOnce, func(ctx context.Context, s *session) error {
		in, err := loadInstance(ctx, s.conn, r.InstanceID)
		if errors.Is(err, errNoRecord) {
			return broker.ErrGone
		}
		if err != nil {
			return err
		}
		return s.removeInstance(ctx, in)
	})
	if err != nil {
		return nil, err
	}
	return &osb.DeprovisionResponse{}, nil
}

// removeInstance does not ask how far the instance came: each step finds out what
// there is and is content with nothing.
func (s *session) removeInstance(ctx context.Context, in *instance) error {
	if err := s.shutInstance(ctx, in); err != nil {
		return err
	}
	s.step("instance shut")
	if err := s.dropDatabase(ctx, in); err != nil {
		return err
	}
	s.step("database dropped")
	if err := s.forgetInstance(ctx, in); err != nil {
		return err
	}
	s.step("instance forgotten")
	s.log.Info("Deprovisioned instance", "instanceID", in.id)
	return nil
}

// shutInstance records that the instance goes and lets nobody log in any more.
func (s *session) shutInstance(ctx context.Context, in *instance) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := setInstanceState(ctx, tx, in, stateDeleting); err != nil {
			return err
		}
		logins, err := loginsOf(ctx, tx, in.id)
		if err != nil {
			return err
		}
		return shutLogins(ctx, tx, logins)
	})
}

// dropDatabase drops the instance's database, but none that merely has its name.
// FORCE ends the sessions in it, and stumbles over prepared transactions.
func (s *session) dropDatabase(ctx context.Context, in *instance) error {
	owner, err := databaseOwner(ctx, s.conn, in.database)
	if err != nil {
		return err
	}
	if owner == "" {
		return nil
	}
	if !in.hasDatabase && owner != in.owner {
		s.log.Warn("Left a database alone that is not the broker's", "instanceID", in.id, "database", in.database)
		return nil
	}
	if err := s.rollBackPrepared(ctx, "database = $1", in.database); err != nil {
		return err
	}
	if _, err := s.conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quoteName(in.database)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %s: %w", in.database, err)
	}
	return nil
}

// forgetInstance drops the roles together with the records of them. What the
// roles own in other databases, where they could only come as anybody may, goes too.
func (s *session) forgetInstance(ctx context.Context, in *instance) error {
	roles, err := loginsOf(ctx, s.conn, in.id)
	if err != nil {
		return err
	}
	roles = append(roles, in.owner)
	for _, name := range roles {
		if err := s.endSessions(ctx, name); err != nil {
			return err
		}
	}
	if err := s.rollBackPrepared(ctx, "owner = ANY ($1)", roles); err != nil {
		return err
	}
	for _, name := range roles {
		if err := s.disown(ctx, name, ""); err != nil {
			return err
		}
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := dropRoles(ctx, tx, roles); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM postgres_broker.bindings WHERE instance_id = $1", in.id); err != nil {
			return fmt.Errorf("forget the bindings of instance %s: %w", in.id, err)
		}
		if _, err := tx.Exec(ctx, "DELETE FROM postgres_broker.instances WHERE id = $1", in.id); err != nil {
			return fmt.Errorf("forget instance %s: %w", in.id, err)
		}
		return nil
	})
}

func loginsOf(ctx context.Context, q querier, instanceID string) ([]string, error) {
	found, err := bindingsOf(ctx, q, instanceID)
	if err != nil {
		return nil, err
	}
	logins := make([]string, 0, len(found)+1)
	for _, bd := range found {
		logins = append(logins, bd.login)
	}
	return logins, nil
}
