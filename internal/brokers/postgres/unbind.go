package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// Unbind drops the login role of a binding and ends its sessions. What the
// binding created stays and belongs to the instance.
func (b *Broker) Unbind(ctx context.Context, r *osb.UnbindRequest) (*osb.UnbindResponse, error) {
	if err := checkIDs(r.InstanceID, r.BindingID); err != nil {
		return nil, err
	}
	err := b.withInstance(ctx, r.InstanceID, aLittle, func(ctx context.Context, s *session) error {
		bd, err := loadBinding(ctx, s.conn, r.BindingID)
		if errors.Is(err, errNoRecord) || (err == nil && bd.instanceID != r.InstanceID) {
			return broker.ErrGone
		}
		if err != nil {
			return err
		}
		in, err := loadInstance(ctx, s.conn, r.InstanceID)
		if err != nil {
			return err
		}
		return s.removeBinding(ctx, in, bd)
	})
	if err != nil {
		return nil, err
	}
	return &osb.UnbindResponse{}, nil
}

// removeBinding goes from the outside in: no new login, no session, nothing
// prepared, nothing owned; role and record go last. Cut short anywhere, it can
// be repeated from the top, and the credentials work no more from the first step.
func (s *session) removeBinding(ctx context.Context, in *instance, bd *binding) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := setBindingState(ctx, tx, bd, stateDeleting); err != nil {
			return err
		}
		return shutLogins(ctx, tx, []string{bd.login})
	})
	if err != nil {
		return err
	}
	s.step("binding shut")
	if err := s.endSessions(ctx, bd.login); err != nil {
		return err
	}
	s.step("sessions ended")
	// Those of the owner role stay: any other binding may end them.
	if err := s.rollBackPrepared(ctx, "owner = $1", bd.login); err != nil {
		return err
	}
	if err := s.disown(ctx, bd.login, in.owner); err != nil {
		return err
	}
	s.step("binding disowned")
	if err := s.forgetBinding(ctx, bd); err != nil {
		return err
	}
	s.step("binding forgotten")
	s.log.Info("Unbound instance", "instanceID", in.id, "bindingID", bd.id)
	return nil
}

// forgetBinding drops the role together with its record: a login that nobody
// has a record of could never be revoked.
func (s *session) forgetBinding(ctx context.Context, bd *binding) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := dropRoles(ctx, tx, []string{bd.login}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM postgres_broker.bindings WHERE id = $1", bd.id); err != nil {
			return fmt.Errorf("forget binding %s: %w", bd.id, err)
		}
		return nil
	})
}
