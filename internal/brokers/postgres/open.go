package postgres

import (
	"context"
	"time"
)

// The pauses between attempts to start: short at first, for PostgreSQL is often
// started beside the broker; never so long that an operator wonders.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Open is New, tried with growing pauses until PostgreSQL lets the broker in.
// Each failure is logged with its reason. It gives up when ctx ends, and at once
// on an error that waiting cannot cure.
func Open(ctx context.Context, cfg Config) (*Broker, error) {
	log := logOf(cfg)
	pause := firstRetry
	for {
		b, err := New(ctx, cfg)
		if err == nil {
			b.tellFacts()
			return b, nil
		}
		if IsPermanent(err) || ctx.Err() != nil {
			return nil, err
		}
		log.Warn("Waiting for PostgreSQL", "reason", err.Error(), "retryIn", pause.String())
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

// tellFacts logs what an operator may want to change on the server. The broker
// does not: the database of the DSN may be others' as well.
func (b *Broker) tellFacts() {
	facts := b.server.facts
	b.log.Info("Connected to PostgreSQL", "superuser", facts.superuser)
	if facts.openToAll {
		b.log.Warn("Found the database of the broker's records open to every role, though its tables are not",
			"toClose", "REVOKE CONNECT ON DATABASE "+quoteName(facts.database)+" FROM PUBLIC")
	}
}
