package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/svc-cat/catalog/osb"
)

// state is how far an instance or a binding has come. It is written before the
// step that it announces, so that a crash at any instant leaves a record of what
// may exist.
type state string

const (
	// stateIntended: the roles are there, nothing more is sure.
	stateIntended state = "intended"
	// stateMade: the database is there and known to be ours (instances only).
	stateMade state = "made"
	// stateReady: all is there.
	stateReady state = "ready"
	// stateDeleting: logins are shut, some of it may be gone already.
	stateDeleting state = "deleting"
)

// errNoRecord says that the broker has never made, or has let go, what was asked for.
var errNoRecord = errors.New("no such record")

// instance is the record of a service instance.
type instance struct {
	id               string
	serviceID        string
	planID           string
	organizationGUID string
	spaceGUID        string
	// parameters as the platform sent them; nil if it sent none.
	parameters osb.RawJSON
	state      state
	// hasDatabase is true once the database is known to be ours; while it is
	// false, only one that our owner role owns is.
	hasDatabase bool
	database    string
	owner       string
}

// binding is the record of a service binding.
type binding struct {
	id         string
	instanceID string
	state      state
	login      string
	// sealed is the password, encrypted by the Keyring for the owner seal().
	sealed []byte
}

// sealOwner ties a sealed password to its binding.
func (b *binding) sealOwner() string { return b.instanceID + "\x00" + b.id }

// querier is a connection, a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func loadInstance(ctx context.Context, q querier, id string) (*instance, error) {
	in := &instance{id: id}
	err := q.QueryRow(ctx, `
SELECT service_id, plan_id, organization_guid, space_guid, parameters, state, has_database, database_name, owner_role
FROM postgres_broker.instances WHERE id = $1`, id).Scan(&in.serviceID, &in.planID, &in.organizationGUID,
		&in.spaceGUID, &in.parameters, &in.state, &in.hasDatabase, &in.database, &in.owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNoRecord
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of instance %s: %w", id, err)
	}
	return in, nil
}

func insertInstance(ctx context.Context, tx pgx.Tx, in *instance) error {
	_, err := tx.Exec(ctx, `
INSERT INTO postgres_broker.instances
	(id, service_id, plan_id, organization_guid, space_guid, parameters, state, database_name, owner_role)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, in.id, in.serviceID, in.planID, in.organizationGUID,
		in.spaceGUID, in.parameters, in.state, in.database, in.owner)
	if err != nil {
		return fmt.Errorf("record instance %s: %w", in.id, err)
	}
	return nil
}

const bindingColumns = `SELECT id, instance_id, state, login_role, sealed_password FROM postgres_broker.bindings `

// loadBinding finds a binding whatever its instance is.
func loadBinding(ctx context.Context, q querier, id string) (*binding, error) {
	found, err := queryBindings(ctx, q, bindingColumns+"WHERE id = $1", id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNoRecord
	}
	return found[0], nil
}

func bindingsOf(ctx context.Context, q querier, instanceID string) ([]*binding, error) {
	return queryBindings(ctx, q, bindingColumns+"WHERE instance_id = $1 ORDER BY id", instanceID)
}

func queryBindings(ctx context.Context, q querier, sql, id string) ([]*binding, error) {
	rows, err := q.Query(ctx, sql, id)
	if err != nil {
		return nil, fmt.Errorf("read the bindings: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*binding, error) {
		bd := &binding{}
		return bd, row.Scan(&bd.id, &bd.instanceID, &bd.state, &bd.login, &bd.sealed)
	})
	if err != nil {
		return nil, fmt.Errorf("read the bindings: %w", err)
	}
	return found, nil
}

func insertBinding(ctx context.Context, tx pgx.Tx, bd *binding) error {
	_, err := tx.Exec(ctx, `
INSERT INTO postgres_broker.bindings (id, instance_id, state, login_role, sealed_password)
VALUES ($1, $2, $3, $4, $5)`, bd.id, bd.instanceID, bd.state, bd.login, bd.sealed)
	if err != nil {
		return fmt.Errorf("record binding %s: %w", bd.id, err)
	}
	return nil
}

// setInstanceState records how far the instance has come, and whether its database is ours.
func setInstanceState(ctx context.Context, q querier, in *instance, to state) error {
	_, err := q.Exec(ctx, "UPDATE postgres_broker.instances SET state = $2, has_database = $3 WHERE id = $1",
		in.id, to, in.hasDatabase)
	if err != nil {
		return fmt.Errorf("record instance %s as %s: %w", in.id, to, err)
	}
	return nil
}

// setBindingState records how far the binding has come.
func setBindingState(ctx context.Context, q querier, bd *binding, to state) error {
	_, err := q.Exec(ctx, "UPDATE postgres_broker.bindings SET state = $2 WHERE id = $1", bd.id, to)
	if err != nil {
		return fmt.Errorf("record binding %s as %s: %w", bd.id, to, err)
	}
	return nil
}
