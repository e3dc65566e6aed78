package stage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Namespaces and releases of the scene.
const (
	CatalogNamespace = "catalog"
	BrokerNamespace  = "postgres-broker"
	AppNamespace     = "shop"
	// TestBrokerNamespace is there in tests alone.
	TestBrokerNamespace = "test-broker"
)

// Secrets that the brokers' charts are told of.
const (
	adminSecret = "postgres-admin" //nolint:gosec // a name
	loginSecret = "platform-login"
	sealSecret  = "binding-keys"
	tokenSecret = "admin-token"
)

// stopPatience is how long a program that is told to stop may take.
const stopPatience = 15 * time.Second

// Stage is a cluster to play on.
type Stage struct {
	// Root is the checkout's root.
	Root string
	// Kubectl and Helm are the programs to run.
	Kubectl, Helm string
	// Kubeconfig and Context choose the cluster; an empty one is left to kubectl.
	Kubeconfig, Context string
	// Registry stands in the place of svc-cat.local in image names, if set.
	Registry string
	// Out gets what commands print to the user.
	Out io.Writer
}

// Output runs kubectl and returns what it prints.
func (s *Stage) Output(ctx context.Context, args ...string) (string, error) {
	return s.run(ctx, nil, s.Kubectl, args...)
}

// Show runs kubectl and lets the user see command and output.
func (s *Stage) Show(ctx context.Context, args ...string) error {
	fmt.Fprintln(s.Out, "$ kubectl "+quote(args))
	out, err := s.Output(ctx, args...)
	fmt.Fprintln(s.Out, out)
	return err
}

func (s *Stage) run(ctx context.Context, stdin []byte, program string, args ...string) (string, error) {
	flag := "--context"
	if program == s.Helm {
		flag = "--kube-context"
	}
	if s.Context != "" {
		args = append([]string{flag, s.Context}, args...)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.Root, s.env(), bytes.NewReader(stdin)
	// Helm, told to stop, notes down that it was; killed, it leaves a release
	// that no later run may touch.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopPatience
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(program), quote(args), err, strings.TrimSpace(errs.String()))
	}
	s.warn(errs.String())
	return strings.TrimRight(out.String(), "\n"), nil
}

// env is this process' environment. What it says to Helm is about other clusters
// than one of our own.
func (s *Stage) env() []string {
	if s.Kubeconfig == "" {
		return os.Environ()
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HELM_") })
	return append(env, "KUBECONFIG="+s.Kubeconfig)
}

// warn passes on what the API server warned of.
func (s *Stage) warn(stderr string) {
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "Warning:") && s.Out != nil {
			fmt.Fprint(s.Out, line)
		}
	}
}

func quote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if strings.ContainsAny(a, " {}[]()'\"$|*\\\n") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
