package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// Update moves an instance to another plan. Encoding and extensions are settled
// when the database is made: an encoding cannot change, and an extension's script
// would run as administrator among objects that users have put there.
func (b *Broker) Update(ctx context.Context, r *osb.UpdateRequest) (*osb.UpdateResponse, error) {
	if err := checkIDs(r.InstanceID); err != nil {
		return nil, err
	}
	err := b.withInstance(ctx, r.InstanceID, atOnce, func(ctx context.Context, s *session) error {
		in, err := loadInstance(ctx, s.conn, r.InstanceID)
		switch {
		case errors.Is(err, errNoRecord):
			return errNoInstance
		case err != nil:
			return err
		case in.state == stateDeleting:
			return errDeleting
		case in.state != stateReady:
			return errNotReady
		}
		if r.Parameters != nil && !sameParameters(r.Parameters, in.parameters) {
			return broker.Unprocessable("encoding and extensions cannot be changed after provision; put the old parameters back, or make a new instance")
		}
		if r.PlanID == "" || r.PlanID == in.planID {
			return nil
		}
		return s.changePlan(ctx, in, r.PlanID)
	})
	if err != nil {
		return nil, err
	}
	return &osb.UpdateResponse{}, nil
}

// changePlan sets the new limit together with the record of it. Connections
// above a lower limit stay until they end by themselves.
func (s *session) changePlan(ctx context.Context, in *instance, planID string) error {
	p, known := planByID(planID)
	if !known {
		return broker.BadRequest("plan_id is not a plan of this service")
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		limit := fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", quoteName(in.database), p.connectionLimit)
		if _, err := tx.Exec(ctx, limit); err != nil {
			return fmt.Errorf("limit the connections of database %s: %w", in.database, err)
		}
		_, err := tx.Exec(ctx, "UPDATE postgres_broker.instances SET plan_id = $2 WHERE id = $1", in.id, planID)
		if err != nil {
			return fmt.Errorf("record the plan of instance %s: %w", in.id, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.log.Info("Changed plan", "instanceID", in.id, "plan", p.name)
	return nil
}
