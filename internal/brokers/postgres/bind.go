package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// Bind makes a login role of the instance and returns what it takes to use it.
// Sent again it returns the same credentials, which is why the password is kept,
// sealed (B17).
func (b *Broker) Bind(ctx context.Context, r *osb.BindRequest) (*osb.BindResponse, error) {
	ids := []string{r.InstanceID, r.BindingID}
	if r.PredecessorBindingID != "" {
		ids = append(ids, r.PredecessorBindingID)
	}
	if err := checkIDs(ids...); err != nil {
		return nil, err
	}
	out := &osb.BindResponse{}
	err := b.withInstance(ctx, r.InstanceID, aLittle, func(ctx context.Context, s *session) error {
		in, err := s.bindableInstance(ctx, r)
		if err != nil {
			return err
		}
		bd, err := loadBinding(ctx, s.conn, r.BindingID)
		if errors.Is(err, errNoRecord) {
			bd, err = s.intendBinding(ctx, in, r.BindingID)
		}
		if err != nil {
			return err
		}
		if err := bd.checkRepeat(in); err != nil {
			return err
		}
		out.Existed = bd.state == stateReady
		if !out.Existed {
			if err := s.buildBinding(ctx, in, bd); err != nil {
				return err
			}
		}
		out.BindingData, err = s.bindingData(in, bd)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// bindableInstance finds the instance and checks what the request says of it.
func (s *session) bindableInstance(ctx context.Context, r *osb.BindRequest) (*instance, error) {
	in, err := loadInstance(ctx, s.conn, r.InstanceID)
	if errors.Is(err, errNoRecord) {
		return nil, errNoInstance
	}
	if err != nil {
		return nil, err
	}
	switch in.state {
	case stateReady:
	case stateDeleting:
		return nil, errDeleting
	default:
		return nil, errNotReady
	}
	if r.PredecessorBindingID == "" {
		return in, nil
	}
	old, err := loadBinding(ctx, s.conn, r.PredecessorBindingID)
	if err != nil && !errors.Is(err, errNoRecord) {
		return nil, err
	}
	if err != nil || old.instanceID != in.id || old.state != stateReady {
		return nil, broker.BadRequest("predecessor_binding_id names no binding of this instance that is in force; send an ordinary bind request without it")
	}
	return in, nil
}

// checkRepeat decides whether a bind request may go on with a record that is there.
// Bindings take no parameters, so the instance is all in which two requests for
// one id can differ (B17).
func (bd *binding) checkRepeat(in *instance) error {
	if bd.instanceID != in.id {
		return errOtherBinding
	}
	if bd.state == stateDeleting {
		return errUnbinding
	}
	return nil
}

// intendBinding records the binding together with its role and password. The
// role logs in as the owner role, so that whatever a binding creates belongs to
// the instance and outlives the binding.
func (s *session) intendBinding(ctx context.Context, in *instance, id string) (*binding, error) {
	bd := &binding{id: id, instanceID: in.id, state: stateIntended, login: loginName(id)}
	password := newPassword()
	verifier, err := scramVerifier(password)
	if err != nil {
		return nil, err
	}
	if bd.sealed, err = s.keys.seal(password, bd.sealOwner()); err != nil {
		return nil, fmt.Errorf("seal the password of binding %s: %w", id, err)
	}
	options := "LOGIN PASSWORD " + quoteText(verifier) + " IN ROLE " + quoteName(in.owner)
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := insertBinding(ctx, tx, bd); err != nil {
			return err
		}
		err := s.createRole(ctx, tx, role{name: bd.login, options: options, comment: "binding " + id + " of instance " + in.id})
		if err != nil {
			return err
		}
		return execAll(ctx, tx, "ALTER ROLE "+quoteName(bd.login)+" SET role = "+quoteText(in.owner))
	})
	switch {
	case hasCode(err, codeDuplicateObject, codeUniqueViolation):
		return nil, s.whoHas(ctx, bd)
	case err != nil:
		return nil, err
	}
	s.step("binding intended")
	return bd, nil
}

// whoHas tells why a binding could not be recorded that was not there a moment
// ago: another instance, which has a lock of its own, took the id meanwhile, or
// somebody else has made a role of the login's name.
func (s *session) whoHas(ctx context.Context, bd *binding) error {
	switch _, err := loadBinding(ctx, s.conn, bd.id); {
	case errors.Is(err, errNoRecord):
		return nameTaken("role", bd.login)
	case err != nil:
		return err
	}
	return errOtherBinding
}

// buildBinding brings a binding from intended to ready.
func (s *session) buildBinding(ctx context.Context, in *instance, bd *binding) error {
	if err := s.shareFuture(ctx, in, bd); err != nil {
		return err
	}
	s.step("binding shared")
	if err := setBindingState(ctx, s.conn, bd, stateReady); err != nil {
		return err
	}
	s.step("binding ready")
	s.log.Info("Bound instance", "instanceID", in.id, "bindingID", bd.id)
	return nil
}

// shareFuture covers clients that leave the owner role (SET ROLE NONE, or the
// DISCARD ALL that connection poolers send): what they create then belongs to
// the login until unbind, and the other bindings may use it all the same.
func (s *session) shareFuture(ctx context.Context, in *instance, bd *binding) error {
	return s.server.inDatabase(ctx, in.database, func(tx pgx.Tx) error {
		for _, kind := range []string{"TABLES", "SEQUENCES", "ROUTINES", "TYPES", "SCHEMAS"} {
			_, err := tx.Exec(ctx, "ALTER DEFAULT PRIVILEGES FOR ROLE "+quoteName(bd.login)+
				" GRANT ALL ON "+kind+" TO "+quoteName(in.owner))
			if err != nil {
				return fmt.Errorf("share what binding %s will create: %w", bd.id, err)
			}
		}
		return nil
	})
}

// bindingData opens the sealed password and puts the credentials together.
func (b *Broker) bindingData(in *instance, bd *binding) (osb.BindingData, error) {
	password, err := b.keys.open(bd.sealed, bd.sealOwner())
	if err != nil {
		return osb.BindingData{}, fmt.Errorf("read the password of binding %s: %w", bd.id, err)
	}
	return b.address.bindingData(account{database: in.database, username: bd.login, password: password}), nil
}
