package toolbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Tool is one program: the name it has in the cache and the package that it is
// built from, as the nested module sees it.
type Tool struct {
	Name    string
	Package string
}

// kubernetesVersion is stamped into the binaries. It repeats the nested go.mod,
// which a test holds it to; without the stamp every component would call
// itself v0.0.0-master and kubectl would warn about skew.
const kubernetesVersion = "1.37.2"

// Assets are the programs that envtest needs.
func Assets() []Tool {
	return []Tool{
		{"etcd", "go.etcd.io/etcd/server/v3"},
		{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
		{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
	}
}

// All are the programs of a whole cluster, those of Assets first.
func All() []Tool {
	return append(Assets(),
		Tool{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
		Tool{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
		Tool{"kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"},
		Tool{"kubelet", "k8s.io/kubernetes/cmd/kubelet"},
		Tool{"helm", "helm.sh/helm/v4/cmd/helm"},
		Tool{"coredns", "./coredns"},
		Tool{"pause", "./pause"},
	)
}

// buildFlags are the arguments of every `go build`.
func buildFlags() []string {
	ldflags := "-ldflags=-s -w"
	parts := strings.SplitN(kubernetesVersion, ".", 3)
	// The first is what they report, the second what they call themselves
	// when they ask others, as the audit log shows.
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		ldflags += fmt.Sprintf(" -X %[1]s.gitVersion=v%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
			pkg, kubernetesVersion, parts[0], parts[1])
	}
	return []string{"-trimpath", "-buildvcs=false", ldflags}
}

// CacheDir is where everything built or unpacked for the cluster is kept:
// $CATALOG_CACHE, else svc-cat below $XDG_CACHE_HOME or $HOME/.cache.
func CacheDir() (string, error) {
	if dir := os.Getenv("CATALOG_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Abs(filepath.Join(dir, "svc-cat"))
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder (set CATALOG_CACHE to choose one): %w", err)
	}
	return filepath.Join(home, ".cache", "svc-cat"), nil
}

// Key names the content that the programs are built from: every source file of
// the nested module at moduleDir, the Go version, the platform, the flags.
func Key(moduleDir, goVersion string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, goVersion, runtime.GOOS, runtime.GOARCH, buildFlags())
	err := filepath.WalkDir(moduleDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isSource(entry.Name()) {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // It is the user's own checkout.
		if err != nil {
			return err
		}
		name, err := filepath.Rel(moduleDir, path)
		if err != nil {
			return err
		}
		// Name and length in front keep two files from trading a boundary.
		fmt.Fprintf(sum, "%s %d\n", filepath.ToSlash(name), len(content))
		_, err = sum.Write(content)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash the tools module: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:20], nil
}

func isSource(name string) bool {
	return name == "go.mod" || name == "go.sum" ||
		strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

// goVersion asks the go command that will do the build, since it need not be
// the one that built this program.
func goVersion(ctx context.Context, moduleDir string) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("the go command is not in PATH; it builds the cluster's programs: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = moduleDir
	cmd.Env = buildEnv()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask go for its version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildEnv is the environment of every go command here. The platform is said
// again because a caller's GOOS or GOWORK is about another module.
func buildEnv() []string {
	return append(os.Environ(),
		"CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
}
