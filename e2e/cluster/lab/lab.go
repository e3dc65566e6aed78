package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrNotRunning says that the cluster is not up.
var ErrNotRunning = errors.New("the cluster is not running; `make cluster-up` starts it")

// ErrHost says that this machine cannot run a local cluster.
var ErrHost = errors.New("this machine cannot run the local cluster")

// stillWorks ends every refusal: what can be done without a local cluster.
const stillWorks = "Without a local cluster these work: the unit tests (`go test ./...`), and `make demo CLUSTER=current` on a cluster of yours"

// stateRoot holds the run state of all clusters of this machine. It is not in
// the checkout for three reasons: a Unix socket's path must fit into 108
// bytes however deep the checkout lies, PostgreSQL's user must be able to reach
// its data (a home folder is often closed to it), and `git clean` must not pull
// the ground from under a running cluster.
const stateRoot = "/var/lib/svc-cat"

// Options say which cluster is meant.
type Options struct {
	// Root is the checkout's root; FindRoot finds it.
	Root string
	// Dir is the folder for what users touch: kubeconfig, bin, logs. Empty
	// means .cluster in Root. The cluster's identity hangs on it: two folders
	// are two clusters.
	Dir string
	// CacheDir is the cache of built programs; empty means toolbox.CacheDir.
	CacheDir string
	// Log gets a line for every step.
	Log io.Writer
}

// Cluster is one local cluster, running or not.
type Cluster struct {
	Options
	layout layout
}

// layout is where things are.
type layout struct {
	// id tells this cluster from others on the machine.
	id string
	// state is the run state, gone after Down.
	state string
	// out is Options.Dir.
	out string
}

// Open names a cluster. It neither starts nor checks it.
func Open(o Options) (*Cluster, error) {
	if o.Dir == "" {
		o.Dir = filepath.Join(o.Root, ".cluster")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the cluster's folder: %w", err)
	}
	// One folder reached by two paths must be one cluster. The folder itself
	// may not exist yet; its parent does.
	if parent, err := filepath.EvalSymlinks(filepath.Dir(dir)); err == nil {
		dir = filepath.Join(parent, filepath.Base(dir))
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.Dir = dir
	return &Cluster{Options: o, layout: layoutOf(dir)}, nil
}

func layoutOf(dir string) layout {
	sum := sha256.Sum256([]byte(dir))
	id := hex.EncodeToString(sum[:6])
	return layout{id: id, state: filepath.Join(stateRoot, id), out: dir}
}

// FindRoot walks up from dir to the root of the checkout.
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, toolsModule, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside a checkout of the catalog; run from there", dir)
		}
	}
}

// toolsModule is the nested module of the cluster's programs in the checkout.
const toolsModule = "e2e/cluster/tools"

// ToolsModule is the folder of the nested module that the programs are built
// from, below the checkout's root.
func ToolsModule(root string) string { return filepath.Join(root, toolsModule) }

// Kubeconfig is the administrator's kubeconfig. It works on the host and,
// through Command or Exec, inside the cluster's network.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.layout.out, "kubeconfig") }

// Bin is the path of a program for users: kubectl or helm.
func (c *Cluster) Bin(name string) string { return filepath.Join(c.layout.out, "bin", name) }

// userTools are the programs that Bin has.
func userTools() []string { return []string{"kubectl", "helm"} }

// AuditLog is the API server's audit log, one JSON event a line, level
// Metadata, only the ResponseComplete stage of requests. It starts anew with
// each new cluster and stays after Down.
func (c *Cluster) AuditLog() string { return filepath.Join(c.layout.out, "audit.log") }

// Logs is the folder of the components' logs. It stays after Down.
func (c *Cluster) Logs() string { return filepath.Join(c.layout.out, "logs") }

func (l layout) in(parts ...string) string {
	return filepath.Join(append([]string{l.state}, parts...)...)
}

func (l layout) pki(name string) string  { return l.in("pki", name) }
func (l layout) conf(name string) string { return l.in("conf", name) }
func (l layout) log(piece string) string { return filepath.Join(l.out, "logs", piece+".log") }

// madeBy holds the key of the plan that a cluster was made by. It is written
// last: a cluster without it was never ready.
func (l layout) madeBy() string { return l.in("made-by") }

func (l layout) lock() string               { return l.state + ".lock" }
func (l layout) control() string            { return l.in("control.sock") }
func (l layout) containerdSocket() string   { return l.in("containerd.sock") }
func (l layout) cgroup() string             { return "svc-cat-" + l.id }
func (l layout) kubeconfig(u string) string { return l.conf(u + ".kubeconfig") }
