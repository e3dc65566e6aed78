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

const usage = "usage: demo check|up|down [--cluster=local|current] [--registry=HOST/PATH] [--postgres-uri=URI]"

func main() {
	lab.RunIfInit() // the cluster's first process is this program, started again
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case interrupted:
		fmt.Fprintln(os.Stderr, "\ndemo: interrupted; `make demo` goes on from here, `make demo-down` takes away what there is")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

type options struct {
	cluster, registry, postgresURI string
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
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
	commands := map[string]map[string]func(context.Context) error{
		"local": {"check": d.checkLocal, "up": d.upLocal, "down": d.downLocal},
		"current": {"up": d.upCurrent, "down": d.downCurrent, "check": func(ctx context.Context) error {
			_, err := d.checkCurrent(ctx)
			return err
		}},
	}
	ways, ok := commands[o.cluster]
	if !ok {
		return fmt.Errorf("the cluster is %q; give local or current", o.cluster)
	}
	if o.cluster == "local" && o.registry+o.postgresURI != "" {
		return errors.New("a registry or a PostgreSQL is named, which the local cluster does not use; did you mean CLUSTER=current?")
	}
	command, ok := ways[args[0]]
	if !ok || f.NArg() > 0 {
		return errors.New(usage)
	}
	return command(ctx)
}
