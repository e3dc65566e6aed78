package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/svc-cat/catalog/e2e/cluster/lab"
)

const usage = "usage: demo up|down [--cluster=local|current] [--registry=HOST/PATH] [--postgres-uri=URI]"

func main() {
	lab.RunIfInit() // the cluster's first process is this program, started again
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "\ndemo:", err)
	if errors.Is(err, lab.ErrHost) {
		fmt.Fprint(os.Stderr, "\nWhat works here all the same:\n"+
			"  make test-unit                the tests that need no cluster\n"+
			"  make demo CLUSTER=current     the demo on the cluster of your kubectl context\n")
	}
	os.Exit(1)
}

type options struct {
	cluster, registry, postgresURI string
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "up" && args[0] != "down" {
		return errors.New(usage)
	}
	o := options{}
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.StringVar(&o.cluster, "cluster", "local", "local: a cluster of our own; current: that of the current kubectl context")
	f.StringVar(&o.registry, "registry", "", "with current: where the images were pushed")
	f.StringVar(&o.postgresURI, "postgres-uri", "", "with current: superuser's URI of a PostgreSQL that the cluster reaches")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	root, err := lab.FindRoot(".")
	if err != nil {
		return err
	}
	d := &demo{root: root, options: o, out: os.Stdout}
	switch {
	case o.cluster == "local" && args[0] == "up":
		return d.upLocal(ctx)
	case o.cluster == "local":
		return d.downLocal(ctx)
	case o.cluster == "current" && args[0] == "up":
		return d.upCurrent(ctx)
	case o.cluster == "current":
		return d.downCurrent(ctx)
	}
	return fmt.Errorf("--cluster is %q; give local or current", o.cluster)
}
