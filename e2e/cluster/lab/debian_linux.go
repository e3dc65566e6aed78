package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/svc-cat/catalog/e2e/cluster/filelock"
)

// systemPath finds the programs of the distribution, also where the caller's
// PATH lacks the sbin folders.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// CheckHost refuses a machine on which Up cannot work, without touching anything.
func (c *Cluster) CheckHost() error { return checkHost() }

// checkHost refuses early what would fail late and obscurely.
func checkHost() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it needs root (for namespaces, containers and cgroups), and you are user %d; run it with sudo. %s",
			ErrHost, os.Geteuid(), stillWorks)
	}
	return nil
}

// debianTool is a program the host must have and the package that brings it.
type debianTool struct {
	program, debian string
}

// debian gets packages with apt, and fetches the lists of packages once.
type debian struct {
	log io.Writer
	// update is how the fetching went.
	updated bool
	update  error
}

// ensureDebian makes sure of the programs that are not built here. Small tools
// without a service are installed. The container runtime is unpacked into the
// cache instead: installing containerd would start a daemon on the host, and
// would remove the one that another container engine brought.
func ensureDebian(ctx context.Context, cache string, log io.Writer) (hostFacts, error) {
	var packages []string
	for _, tool := range []debianTool{
		{"ip", "iproute2"}, {"nft", "nftables"}, {"mount", "mount"}, {"nsenter", "util-linux"},
	} {
		if _, err := lookPath(tool.program, []string{"PATH=" + systemPath}); err != nil {
			packages = append(packages, tool.debian)
		}
	}
	// runc is linked with it; everything else it needs is in every Debian.
	if found, _ := filepath.Glob("/usr/lib/*/libseccomp.so.2"); len(found) == 0 {
		packages = append(packages, "libseccomp2")
	}
	d := &debian{log: log}
	if len(packages) > 0 {
		if err := d.install(ctx, packages...); err != nil {
			return hostFacts{}, err
		}
	}
	for _, known := range runtimeFolders(cache) {
		if known.complete() {
			return known.facts(), nil
		}
	}
	unpacked, err := d.unpackRuntime(ctx, cache)
	if err != nil {
		return hostFacts{}, err
	}
	return unpacked.facts(), nil
}

// runtimeFolder is a place with containerd, runc and the network plugins.
type runtimeFolder struct {
	// root is put before the folders; empty means the host itself.
	root string
	cni  string
}

func runtimeFolders(cache string) []runtimeFolder {
	return []runtimeFolder{unpackedRuntime(cache), {"", "/usr/lib/cni"}, {"", "/opt/cni/bin"}}
}

func unpackedRuntime(cache string) runtimeFolder {
	root := filepath.Join(cache, "debian", debianRelease()+"-"+runtime.GOARCH)
	return runtimeFolder{root, filepath.Join(root, "usr/lib/cni")}
}

func (f runtimeFolder) path() string {
	if f.root == "" {
		return systemPath
	}
	return filepath.Join(f.root, "usr/sbin") + ":" + filepath.Join(f.root, "usr/bin") + ":" + systemPath
}

func (f runtimeFolder) complete() bool {
	dirs := filepath.SplitList(f.path())
	if f.root != "" {
		dirs = dirs[:2]
	}
	for _, program := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc"} {
		if _, err := lookPath(program, []string{"PATH=" + strings.Join(dirs, ":")}); err != nil {
			return false
		}
	}
	for _, plugin := range []string{"ptp", "host-local", "loopback", "portmap"} {
		if _, err := os.Stat(filepath.Join(f.cni, plugin)); err != nil {
			return false
		}
	}
	return true
}

func (f runtimeFolder) facts() hostFacts { return hostFacts{Path: f.path(), CNI: f.cni} }

// unpackRuntime fetches the packages of the container runtime and unpacks them,
// whole or not at all.
func (d *debian) unpackRuntime(ctx context.Context, cache string) (runtimeFolder, error) {
	want := unpackedRuntime(cache)
	lock, err := filelock.Take(ctx, want.root+".lock", filelock.Wait{Told: func() {
		fmt.Fprintln(d.log, "debian: another run is unpacking the container runtime; waiting for it")
	}})
	if err != nil {
		return want, err
	}
	defer func() { _ = lock.Release() }()
	if want.complete() {
		return want, nil
	}
	if err := removeUnpacked(want.root); err != nil {
		return want, err
	}
	packages := []string{"containerd", "runc", "containernetworking-plugins"}
	fmt.Fprintf(d.log, "debian: fetching %s into the cache\n", strings.Join(packages, ", "))
	temp, err := os.MkdirTemp(filepath.Dir(want.root), unpacking(want.root))
	if err != nil {
		return want, fmt.Errorf("make a folder to unpack in: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	// apt would fetch as a user who cannot write here.
	args := append([]string{"download", "-qq", "-o", "APT::Sandbox::User=root"}, packages...)
	if err := d.get(ctx, temp, packages, args...); err != nil {
		return want, err
	}
	debs, err := filepath.Glob(filepath.Join(temp, "*.deb"))
	if err != nil {
		return want, err
	}
	root := filepath.Join(temp, "root")
	for _, deb := range debs {
		out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", deb, root).CombinedOutput()
		if ctx.Err() != nil {
			return want, ctx.Err()
		}
		if err != nil {
			return want, fmt.Errorf("unpack %s: %w: %s", filepath.Base(deb), err, out)
		}
	}
	if err := os.RemoveAll(want.root); err != nil {
		return want, fmt.Errorf("remove an incomplete container runtime: %w", err)
	}
	if err := os.Rename(root, want.root); err != nil {
		return want, fmt.Errorf("put the container runtime into the cache: %w", err)
	}
	if !want.complete() {
		return want, fmt.Errorf("%w: the packages %s hold other programs than expected (looked in %s). %s",
			ErrHost, strings.Join(packages, ", "), want.root, stillWorks)
	}
	return want, nil
}

// unpacking is how the names of folders begin that root is unpacked in.
func unpacking(root string) string { return ".unpack-" + filepath.Base(root) + "-" }

// removeUnpacked removes what a run that was killed while it unpacked has left.
func removeUnpacked(root string) error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(root), unpacking(root)+"*"))
	if err != nil {
		return err
	}
	for _, old := range left {
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("remove what a killed run left: %w", err)
		}
	}
	return nil
}

// debianRelease names the distribution and its release, such as debian-12: a
// program of one need not run on another.
func debianRelease() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "unknown"
	}
	facts := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		facts[name] = strings.Trim(value, `"`)
	}
	return facts["ID"] + "-" + facts["VERSION_ID"]
}

// install installs packages on the host.
func (d *debian) install(ctx context.Context, packages ...string) error {
	fmt.Fprintf(d.log, "debian: installing %s\n", strings.Join(packages, ", "))
	args := append([]string{"install", "-qq", "-y", "--no-install-recommends"}, packages...)
	return d.get(ctx, "", packages, args...)
}

// get runs apt-get on fresh lists. Lists that cannot be fetched are no obstacle
// if those at hand will do: one of the user's own sources may be broken.
func (d *debian) get(ctx context.Context, dir string, packages []string, args ...string) error {
	if !d.updated {
		d.updated = true
		// Without this apt calls an update that reached nobody a success.
		d.update = apt(ctx, "", packages, "update", "-qq", "-o", "APT::Update::Error-Mode=any")
	}
	err := apt(ctx, dir, packages, args...)
	if err != nil && d.update != nil {
		return d.update
	}
	return err
}

// apt runs apt-get. The packages are named in its errors: what is missing.
func apt(ctx context.Context, dir string, packages []string, args ...string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%w: it needs the programs of the Debian packages %s, and there is no apt-get to install them; install them by hand. %s",
			ErrHost, strings.Join(packages, ", "), stillWorks)
	}
	cmd := aptCommand(ctx, "apt-get", slices.Concat(args, []string{"-o", "DPkg::Lock::Timeout=300"})...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: it needs the Debian packages %s, and apt-get %s failed (is the machine offline?): %w\n%s\n%s",
			ErrHost, strings.Join(packages, ", "), args[0], err, strings.TrimSpace(string(out)), stillWorks)
	}
	return nil
}

func aptCommand(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "PATH="+systemPath)
	// A killed dpkg leaves the host's package database to be repaired by
	// hand; an interrupted one finishes its step.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	return cmd
}

// ensurePostgres makes sure of PostgreSQL's programs and returns their folder,
// the newest if there are several.
func ensurePostgres(ctx context.Context, log io.Writer) (string, error) {
	if dir, ok := newestPostgres(); ok {
		return dir, nil
	}
	// The server's package makes a cluster and starts it when installed,
	// unless this file says no. It must say so only for this installation, so
	// it is said by a mount that nobody else sees and that ends with apt.
	d := &debian{log: log}
	if err := d.install(ctx, "postgresql-common"); err != nil {
		return "", err
	}
	fmt.Fprintln(log, "debian: installing postgresql, without a cluster or service of its own")
	const script = `set -e
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
echo "create_main_cluster = false" > "$answer"
mount --bind "$answer" /etc/postgresql-common/createcluster.conf
apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 postgresql`
	cmd := aptCommand(ctx, "sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("%w: apt-get install postgresql failed: %w\n%s\n%s",
			ErrHost, err, strings.TrimSpace(string(out)), stillWorks)
	}
	dir, ok := newestPostgres()
	if !ok {
		return "", fmt.Errorf("%w: the package postgresql brought no server below /usr/lib/postgresql", ErrHost)
	}
	return dir, nil
}

func newestPostgres() (string, bool) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", false
	}
	// Shorter first, so that 9 comes before 15.
	slices.SortFunc(found, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return filepath.Dir(found[len(found)-1]), true
}
