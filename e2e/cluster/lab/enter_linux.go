package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is a command that will run in the cluster's network, with everything
// else as on the host. KUBECONFIG is set and kubectl and helm are in its PATH.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	namespace, err := c.netns()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + namespace, "--", name}, args...)...)
	cmd.Env = c.env()
	return cmd, nil
}

// Exec replaces this process with a command in the cluster's network. It
// returns only when that fails.
func (c *Cluster) Exec(argv []string) error {
	namespace, err := c.netns()
	if err != nil {
		return err
	}
	// Entering concerns one thread, and exec keeps the thread it is called
	// from. Not `ip netns exec`: it would remount /sys without the cgroups.
	runtime.LockOSThread()
	fd, err := unix.Open(namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the cluster's network: %w", err)
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the cluster's network: %w", err)
	}
	env := c.env()
	path, err := lookPath(argv[0], env)
	if err != nil {
		return err
	}
	if err := syscall.Exec(path, argv, env); err != nil {
		return fmt.Errorf("run %s: %w", argv[0], err)
	}
	return nil
}

// netns is the file of the cluster's network namespace.
func (c *Cluster) netns() (string, error) {
	if err := checkHost(); err != nil {
		return "", err
	}
	pid, ok, err := findInit(c.layout.state)
	if err != nil || !ok {
		return "", errOr(err, ErrNotRunning)
	}
	return "/proc/" + strconv.Itoa(pid) + "/ns/net", nil
}

func (c *Cluster) env() []string {
	path := c.Bin("") + ":" + os.Getenv("PATH") + ":" + systemPath
	return append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(), "PATH="+path)
}

// Status reports on the running cluster, or fails with ErrNotRunning.
func (c *Cluster) Status(ctx context.Context) (Report, error) {
	if err := checkHost(); err != nil {
		return Report{}, err
	}
	if _, ok, err := findInit(c.layout.state); err != nil || !ok {
		return Report{}, errOr(err, ErrNotRunning)
	}
	var report Report
	err := c.control(ctx, "GET", "/status", nil, &report)
	return report, err
}
