package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/svc-cat/catalog/osb/broker"
)

// patience is how long an operation waits for another on the same instance.
type patience time.Duration

const (
	// atOnce is for provision, update and deprovision, which take their time and
	// which no platform sends twice at once on purpose.
	atOnce patience = 0
	// aLittle is for bind and unbind: they are short, and platforms send them in bursts.
	aLittle patience = patience(5 * time.Second)
)

// session is one operation on one instance. It holds the instance's advisory
// lock on conn and writes all records over conn, so that an operation that lost
// the lock, because its connection broke, can record nothing any more.
type session struct {
	*Broker
	conn *pgx.Conn
}

// withInstance runs f while nobody else, in any replica, works on the instance;
// it answers ConcurrencyError if somebody does (B25). The work goes on when the
// client hangs up, for half-made things help nobody, but not for longer than
// Config.OperationTimeout.
func (b *Broker) withInstance(ctx context.Context, id string, p patience, f func(context.Context, *session) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.operationTimeout)
	defer cancel()
	pooled, err := b.server.pool.Acquire(ctx)
	if err != nil {
		return b.answer(fmt.Errorf("get a connection: %w", err))
	}
	defer pooled.Release()
	key := lockKey(id)
	if err := lock(ctx, pooled.Conn(), key, p); err != nil {
		return b.answer(err)
	}
	defer unlock(ctx, pooled, key)
	return b.answer(f(ctx, &session{Broker: b, conn: pooled.Conn()}))
}

// lockKey spreads ids over the 64 bits that name an advisory lock.
func lockKey(instanceID string) int64 {
	sum := sha256.Sum256([]byte("postgres-broker instance " + instanceID))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // any 64 bits will do
}

func lock(ctx context.Context, conn *pgx.Conn, key int64, p patience) error {
	var got bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&got); err != nil {
		return fmt.Errorf("lock the instance: %w", err)
	}
	if got {
		return nil
	}
	if p == atOnce {
		return errLocked
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		timeout := fmt.Sprintf("SET LOCAL lock_timeout = %d", time.Duration(p).Milliseconds())
		if _, err := tx.Exec(ctx, timeout); err != nil {
			return err
		}
		// The lock belongs to the session and outlives this transaction.
		_, err := tx.Exec(ctx, "SELECT pg_advisory_lock($1)", key)
		return err
	})
	if hasCode(err, codeLockNotAvailable) {
		return errLocked
	}
	if err != nil {
		return fmt.Errorf("wait for the instance's lock: %w", err)
	}
	return nil
}

// unlock lets the lock go; if that cannot be done the connection is closed,
// which lets it go as well.
func unlock(ctx context.Context, pooled *pgxpool.Conn, key int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	var freed bool
	err := pooled.QueryRow(ctx, "SELECT pg_advisory_unlock($1)", key).Scan(&freed)
	if err != nil || !freed {
		closeConn(ctx, pooled.Conn())
	}
}

// step marks the end of one step of an operation. Tests end the process here.
func (s *session) step(name string) {
	if s.afterStep != nil {
		s.afterStep(name)
	}
}

// inTx runs f in one transaction on the session's connection: roles and records
// change together or not at all.
func (s *session) inTx(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.conn, f)
}

// answer turns what PostgreSQL said into what the platform is told. What it does
// not know stays as it is: the kit logs it and answers 500 without repeating it.
func (b *Broker) answer(err error) error {
	var told *broker.Error
	switch {
	case err == nil || errors.As(err, &told):
		return err
	case isBusy(err):
		return fmt.Errorf("%w: %w", errBusy, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: limit %s: %w", errTooLong, b.operationTimeout, err)
	case isUnreachable(err):
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return err
}
