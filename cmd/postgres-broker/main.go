// Command postgres-broker is an Open Service Broker that offers databases of
// one PostgreSQL server. This package holds flags and wiring only; the broker is
// internal/brokers/postgres, its HTTP side osb/broker.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand(os.Stderr).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
