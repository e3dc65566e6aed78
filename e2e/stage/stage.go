package stage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Namespaces and releases of the scene.
const (
	CatalogNamespace = "catalog"
	BrokerNamespace  = "postgres-broker"
	AppNamespace     = "shop"
)

// Secrets that the PostgreSQL broker's chart is told of.
const (
	adminSecret = "postgres-admin" //nolint:gosec // a name
	loginSecret = "platform-login"
	sealSecret  = "binding-keys"
)

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
	cmd.Dir, cmd.Env, cmd.Stdin = s.Root, os.Environ(), bytes.NewReader(stdin)
	if s.Kubeconfig != "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+s.Kubeconfig)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(program), quote(args), err, strings.TrimSpace(errs.String()))
	}
	s.warn(errs.String())
	return strings.TrimRight(out.String(), "\n"), nil
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

// InstallCatalog installs the catalog and nothing before it.
func (s *Stage) InstallCatalog(ctx context.Context) error {
	args := append([]string{"upgrade", "--install", "catalog", "charts/catalog", "-n", CatalogNamespace, "--create-namespace", "--wait", "--timeout", "5m"},
		s.image("catalog")...)
	_, err := s.run(ctx, nil, s.Helm, args...)
	return err
}

// image is how an installation is told of another registry.
func (s *Stage) image(name string) []string {
	if s.Registry == "" {
		return nil
	}
	return []string{"--set", "image.repository=" + s.Registry + "/" + name}
}

// InstallBroker installs the PostgreSQL broker for the server that dsn leads to.
// The Secrets it needs are made anew only where they are missing.
func (s *Stage) InstallBroker(ctx context.Context, dsn string) error {
	if err := s.apply(ctx, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": BrokerNamespace}}); err != nil {
		return err
	}
	password, err := random()
	if err != nil {
		return err
	}
	key, err := random()
	if err != nil {
		return err
	}
	for name, data := range map[string]map[string]string{
		adminSecret: {"dsn": dsn},
		loginSecret: {"username": "platform", "password": password},
		sealSecret:  {"encryption-key": key},
	} {
		if err := s.ensureSecret(ctx, name, data, name == adminSecret); err != nil {
			return err
		}
	}
	args := append([]string{
		"upgrade", "--install", "postgres-broker", "charts/postgres-broker", "-n", BrokerNamespace, "--wait", "--timeout", "5m",
		"--set", "postgres.existingSecret=" + adminSecret, "--set", "auth.existingSecret=" + loginSecret, "--set", "encryption.existingSecret=" + sealSecret,
	}, s.image("postgres-broker")...)
	_, err = s.run(ctx, nil, s.Helm, args...)
	return err
}

// random is 32 bytes in Base64.
func random() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("draw a random key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// ensureSecret makes a Secret; one that is there stays, unless it is to be
// overwritten. Values go through standard input, not through arguments.
func (s *Stage) ensureSecret(ctx context.Context, name string, data map[string]string, overwrite bool) error {
	if _, err := s.Output(ctx, "get", "secret", name, "-n", BrokerNamespace, "-o", "name"); err == nil && !overwrite {
		return nil
	}
	return s.apply(ctx, map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name, "namespace": BrokerNamespace}, "stringData": data,
	})
}
