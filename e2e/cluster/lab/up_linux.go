package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/svc-cat/catalog/e2e/cluster/filelock"
	"github.com/svc-cat/catalog/e2e/cluster/toolbox"
)

const (
	// startPatience is how long a new cluster may take. It takes 5 s on two
	// idle cores; a machine that builds beside it may need ten times that.
	startPatience = 3 * time.Minute
	// reusePatience is how long a cluster that was whole may need to be so
	// again; its pieces are restarted when they end.
	reusePatience = 30 * time.Second
)

// Up makes sure that the cluster runs, is whole, and is the one that this
// checkout would make. A healthy one is left as it is; anything else of an
// earlier run is removed first. When Up fails or ctx ends, nothing is left
// running. The calling program must have called RunIfInit.
func (c *Cluster) Up(ctx context.Context) error {
	if err := checkHost(); err != nil {
		return err
	}
	start := time.Now()
	host, err := c.prepareHost(ctx)
	if err != nil {
		return err
	}
	lock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()

	files, err := configFiles(c.layout, host)
	if err != nil {
		return err
	}
	p, err := newPlan(c.layout, host, files)
	if err != nil {
		return err
	}
	reusable, err := c.reusable(ctx, p.Key)
	if err != nil {
		return err
	}
	if reusable {
		c.say(start, "the cluster of %s runs and is healthy", c.layout.out)
		return c.finish(ctx, host)
	}
	if err := c.clean(ctx); err != nil {
		return err
	}
	err = c.start(ctx, host, p, files)
	if err == nil {
		err = c.finish(ctx, host)
	}
	if err == nil {
		// From here on the cluster may be used again.
		err = writeFile(c.layout.madeBy(), []byte(p.Key), 0o600)
	}
	if err != nil {
		// The caller's context may be what ended, so cleaning needs another.
		return errors.Join(err, c.clean(context.WithoutCancel(ctx)), forget(lock))
	}
	c.say(start, "ready; try %s --kubeconfig %s get nodes", c.Bin("kubectl"), c.Kubeconfig())
	return nil
}

// prepareHost brings all programs here: Debian's and those we build.
func (c *Cluster) prepareHost(ctx context.Context) (hostFacts, error) {
	host, err := c.prepareRuntime(ctx)
	if err != nil {
		return hostFacts{}, err
	}
	cache, err := c.cacheDir()
	if err != nil {
		return hostFacts{}, err
	}
	host.Tools, err = toolbox.Build(ctx, toolbox.Request{
		ModuleDir: ToolsModule(c.Root), CacheDir: cache, Want: toolbox.All(), Log: c.Log,
	})
	return host, err
}

// prepareRuntime brings Debian's programs here.
func (c *Cluster) prepareRuntime(ctx context.Context) (hostFacts, error) {
	cache, err := c.cacheDir()
	if err != nil {
		return hostFacts{}, err
	}
	host, err := ensureDebian(ctx, cache, c.Log)
	if err != nil {
		return hostFacts{}, err
	}
	host.Snapshotter, err = snapshotter()
	return host, err
}

func (c *Cluster) cacheDir() (string, error) {
	if c.CacheDir != "" {
		return c.CacheDir, nil
	}
	return toolbox.CacheDir()
}

// snapshotter avoids overlayfs on overlayfs, which the kernel refuses: the
// disk of a machine that is itself a container often is one.
func snapshotter() (string, error) {
	if err := os.MkdirAll(stateRoot, 0o711); err != nil {
		return "", fmt.Errorf("make the folder for run state: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(stateRoot, &fs); err != nil {
		return "", fmt.Errorf("look at the folder for run state: %w", err)
	}
	if fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}

// lock keeps two commands from changing the same cluster at once.
func (c *Cluster) lock(ctx context.Context) (*filelock.Lock, error) {
	return filelock.Take(ctx, c.layout.lock(), filelock.Wait{Told: func() {
		fmt.Fprintln(c.Log, "cluster: another command is at work on this cluster; waiting for it")
	}})
}

// reusable tells whether the cluster that this program would make is there and
// whole. What it finds wanting it says, because a cluster is lost by it.
func (c *Cluster) reusable(ctx context.Context, key string) (bool, error) {
	if _, ok, err := findInit(c.layout.state); err != nil || !ok {
		return false, err
	}
	made, _ := os.ReadFile(c.layout.madeBy())
	if len(made) == 0 {
		fmt.Fprintln(c.Log, "cluster: an earlier run was ended before its cluster was ready; starting over")
		return false, nil
	}
	if string(made) != key {
		fmt.Fprintln(c.Log, "cluster: the running cluster was made by other code or other programs; starting over")
		return false, nil
	}
	begin := time.Now()
	err := c.waitHealthy(ctx, reusePatience, func(string) {})
	if ctx.Err() != nil {
		return false, fmt.Errorf("look at the running cluster: %w", ctx.Err())
	}
	if err != nil {
		fmt.Fprintf(c.Log, "cluster: the running cluster is not healthy after %s; starting over. %v\n",
			time.Since(begin).Round(time.Second), err)
		return false, nil
	}
	return true, nil
}

// start makes a new cluster from nothing and waits until it is healthy.
func (c *Cluster) start(ctx context.Context, host hostFacts, p plan, files map[string][]byte) error {
	begin := time.Now()
	if err := c.removeLogs(p.Pieces); err != nil {
		return err
	}
	if err := c.prepareState(files); err != nil {
		return err
	}
	var listeners []*os.File
	var ports []int
	for _, port := range c.layout.hostPorts() {
		listener, err := listenNear(port)
		if err != nil {
			return err
		}
		file, err := listener.File()
		if err != nil {
			return fmt.Errorf("share a listener: %w", err)
		}
		// The first process has its own copy; these go when it has started.
		defer func() { _ = file.Close(); _ = listener.Close() }()
		listeners, ports = append(listeners, file), append(ports, portOf(listener))
	}
	p.APIPort, p.PostgresPort = ports[0], ports[1]
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	if err := writeFile(c.layout.in("plan.json"), text, 0o600); err != nil {
		return err
	}
	if err := c.startInit(host, listeners); err != nil {
		return err
	}
	return c.waitHealthy(ctx, startPatience, func(piece string) { c.say(begin, "%s", piece) })
}

// prepareState writes keys and configuration.
func (c *Cluster) prepareState(files map[string][]byte) error {
	l := c.layout
	if err := os.MkdirAll(c.Logs(), 0o755); err != nil {
		return fmt.Errorf("make the log folder: %w", err)
	}
	if err := os.MkdirAll(l.in("volume-plugins"), 0o755); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	for _, dir := range []string{stateRoot, l.state} {
		// Passable but not listable, whatever the umask: PostgreSQL's user
		// must get through.
		if err := os.Chmod(dir, 0o711); err != nil {
			return fmt.Errorf("open the state folder: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(l.conf(name), files[name], 0o644); err != nil {
			return err
		}
	}
	if err := writePKI(l.in("pki"), time.Now()); err != nil {
		return err
	}
	for _, user := range kubeconfigUsers() {
		if err := writeKubeconfig(l.kubeconfig(user), l.in("pki"), user, "https://"+apiAddress); err != nil {
			return err
		}
	}
	return nil
}

// startInit starts this program again as the first process of new namespaces.
func (c *Cluster) startInit(host hostFacts, listeners []*os.File) error {
	logFile, err := os.OpenFile(c.layout.log("init"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = logFile.Close() }()
	cmd := exec.Cmd{
		// Not the program's path: `go run` deletes its file and a rebuild
		// replaces it.
		Path: "/proc/self/exe", Args: []string{initName, c.layout.state},
		Env: []string{"PATH=" + host.Path}, Dir: "/",
		Stdout: logFile, Stderr: logFile, ExtraFiles: listeners,
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
			// A session of its own: Ctrl-C in the terminal is for Up, which
			// cleans, and the cluster outlives the terminal.
			Setsid: true,
		},
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the cluster's first process (it needs the right to make namespaces): %w", err)
	}
	return cmd.Process.Release()
}

// waitHealthy waits until every piece is healthy, the node is Ready and Pods
// can be made. It tells of each piece once.
func (c *Cluster) waitHealthy(ctx context.Context, patience time.Duration, tell func(piece string)) error {
	waitCtx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told := map[string]bool{}
	var lacks lack
	err := poll(waitCtx, 50*time.Millisecond, func() (bool, error) {
		if _, ok, err := findInit(c.layout.state); err != nil || !ok {
			return false, errors.Join(err, errors.New("the cluster's first process has ended"), c.tail("init"))
		}
		var report Report
		lacks = lack{"init", c.control(waitCtx, "GET", "/status", nil, &report)}
		if lacks.err == nil {
			lacks = report.lack()
		}
		for _, p := range report.Pieces {
			if p.Healthy && !told[p.Name] {
				told[p.Name] = true
				tell(p.Name)
			}
			if p.Failed {
				return false, errors.Join(fmt.Errorf("%s %s again and again", p.Name, p.LastEnd), c.tail(p.Name))
			}
		}
		if lacks.err == nil {
			lacks = lack{"kubelet", c.checkNode(waitCtx, report.APIPort)}
		}
		if lacks.err == nil {
			tell("node Ready")
		}
		return lacks.err == nil, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && lacks.err != nil {
		return errors.Join(fmt.Errorf("still waiting after %s: %w", patience, lacks.err), c.tail(lacks.piece))
	}
	return err
}

// lack is what a cluster that is not healthy waits for, and whose log tells
// more.
type lack struct {
	piece string
	err   error
}

// lack is the first piece that is not healthy: the later ones wait for it.
func (r Report) lack() lack {
	for _, p := range r.Pieces {
		if !p.Healthy {
			return lack{p.Name, fmt.Errorf("%s is not healthy: %s", p.Name, p.Detail)}
		}
	}
	return lack{}
}

// tail is the end of a piece's log, as an error that says where the rest is.
func (c *Cluster) tail(piece string) error {
	const lines, bytes, width = 20, 16 << 10, 300
	path := c.layout.log(piece)
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read its log: %w", err)
	}
	content = content[max(0, len(content)-bytes):]
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = line[:min(len(line), width)]
	}
	return fmt.Errorf("the end of %s (the other logs are beside it):\n%s", path, strings.Join(all, "\n"))
}

// finish writes what users touch. It is done at every Up, so that a folder that
// was cleaned by hand is whole again.
func (c *Cluster) finish(ctx context.Context, host hostFacts) error {
	if err := os.MkdirAll(c.Logs(), 0o755); err != nil {
		return fmt.Errorf("make the log folder: %w", err)
	}
	var report Report
	if err := c.control(ctx, "GET", "/status", nil, &report); err != nil {
		return err
	}
	server := "https://127.0.0.1:" + strconv.Itoa(report.APIPort)
	if err := writeKubeconfig(c.Kubeconfig(), c.layout.in("pki"), "admin", server); err != nil {
		return err
	}
	for _, tool := range userTools() {
		if err := link(filepath.Join(host.Tools, tool), c.Bin(tool)); err != nil {
			return err
		}
	}
	return c.loadPause(ctx, host)
}

// link makes or replaces a symbolic link in one step.
func link(target, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	temp := path + ".new"
	_ = os.Remove(temp)
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return nil
}

func (c *Cluster) say(since time.Time, format string, args ...any) {
	fmt.Fprintf(c.Log, "cluster: %5.1fs  %s\n", time.Since(since).Seconds(), fmt.Sprintf(format, args...))
}
