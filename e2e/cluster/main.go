package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/svc-cat/catalog/e2e/cluster/lab"
	"github.com/svc-cat/catalog/e2e/cluster/toolbox"
)

const usage = `cluster COMMAND [--dir DIR] [ARGUMENT...]

  up                  start the cluster, or leave a healthy one as it is
  down                remove it without a trace, but for its logs
  status              tell how each part is; exit code 1 if one is not well
  load IMAGE.tar...   bring images of OCI archives into it
  exec -- CMD [ARG]   run a command in its network, with its KUBECONFIG
  postgres up|down    start PostgreSQL beside it, or remove it with its data
  postgres psql [ARG] run psql as its superuser
  build               make all programs, in the cache, and print their folder
  assets              make those that envtest needs and print their folder, for
                      KUBEBUILDER_ASSETS

--dir is where kubeconfig, bin/ and logs/ are (default .cluster in the checkout).
`

func main() {
	lab.RunIfInit()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "cluster: interrupted")
		os.Exit(130)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Print(usage)
		return nil
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	dir := flags.String("dir", "", "folder of kubeconfig, bin and logs")
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	root, err := lab.FindRoot(".")
	if err != nil {
		return err
	}
	c, err := lab.Open(lab.Options{Root: root, Dir: *dir, Log: os.Stderr})
	if err != nil {
		return err
	}
	rest := flags.Args()
	commands := map[string]command{
		"up":       {run: func() error { return c.Up(ctx) }},
		"down":     {run: func() error { return c.Down(ctx) }},
		"status":   {run: func() error { return status(ctx, c) }},
		"load":     {wants: "the archives of images", run: func() error { return load(ctx, c, rest) }},
		"exec":     {wants: "a command", run: func() error { return c.Exec(rest) }},
		"postgres": {wants: "up, down or psql", run: func() error { return postgres(ctx, c, rest) }},
		"build":    {run: func() error { return build(ctx, root, toolbox.All()) }},
		"assets":   {run: func() error { return build(ctx, root, toolbox.Assets()) }},
	}
	chosen, ok := commands[args[0]]
	switch {
	case !ok:
		return fmt.Errorf("there is no command %q; try `cluster help`", args[0])
	case chosen.wants != "" && len(rest) == 0:
		return fmt.Errorf("%s: name %s", args[0], chosen.wants)
	case chosen.wants == "" && len(rest) > 0:
		return fmt.Errorf("%s takes no argument, and %q is one; flags come first", args[0], rest[0])
	}
	return chosen.run()
}

// command is what the first argument chooses. Its own arguments are those of
// the command line after it, at least one if it wants any.
type command struct {
	wants string
	run   func() error
}

func load(ctx context.Context, c *lab.Cluster, archives []string) error {
	replaced, err := c.Load(ctx, archives...)
	if replaced {
		fmt.Fprintln(os.Stderr, "cluster: Pods that run go on with the old image; `kubectl rollout restart deployment` changes that")
	}
	return err
}

func build(ctx context.Context, root string, want []toolbox.Tool) error {
	cache, err := toolbox.CacheDir()
	if err != nil {
		return err
	}
	dir, err := toolbox.Build(ctx, toolbox.Request{
		ModuleDir: lab.ToolsModule(root), CacheDir: cache, Want: want, Log: os.Stderr,
	})
	if err != nil {
		return err
	}
	fmt.Println(dir)
	return nil
}

func status(ctx context.Context, c *lab.Cluster) error {
	report, err := c.Status(ctx)
	if err != nil {
		return err
	}
	for _, p := range report.Pieces {
		word := "healthy"
		if !p.Healthy {
			word = "NOT healthy: " + p.Detail
		}
		fmt.Printf("%-24s first after %5s, %d restarts, %s\n",
			p.Name, p.HealthyAfter.Round(100*time.Millisecond), p.Restarts, word)
	}
	fmt.Printf("API server on https://127.0.0.1:%d, kubeconfig %s, logs in %s\n", report.APIPort, c.Kubeconfig(), c.Logs())
	if !report.Healthy() {
		return errors.New("the cluster is not healthy; `make cluster-up` repairs or replaces it")
	}
	return nil
}

func postgres(ctx context.Context, c *lab.Cluster, args []string) error {
	switch args[0] {
	case "up":
		_, err := c.PostgresUp(ctx)
		return err
	case "down":
		return c.PostgresDown(ctx)
	case "psql":
		facts, err := c.PostgresUp(ctx)
		if err != nil {
			return err
		}
		if err := os.Setenv("PGPASSWORD", facts.Password); err != nil {
			return err
		}
		return c.Exec(append([]string{"psql", "-h", facts.Host, "-U", facts.Username, "-d", facts.Database}, args[1:]...))
	}
	return fmt.Errorf("postgres: there is no %q; say up, down or psql", args[0])
}
