package postgres

import (
	"context"
	"time"
)

const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Open is New, tried with growing pauses until PostgreSQL lets the broker in.
// Each failure is logged with its reason. It gives up when ctx ends, and at once
// on an error that waiting cannot cure.
func Open(ctx context.Context, cfg Config) (*Broker, error) {
	pause := firstRetry
	for {
		b, err := New(ctx, cfg)
		if err == nil {
			cfg.Log.Info("Connected to PostgreSQL", "superuser", b.server.facts.superuser)
			return b, nil
		}
		if IsPermanent(err) || ctx.Err() != nil {
			return nil, err
		}
		cfg.Log.Warn("Waiting for PostgreSQL", "reason", err.Error(), "retryIn", pause.String())
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}
