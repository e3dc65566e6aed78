package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// killPatience is how long the kernel may take to end all processes of a
// cluster.
const killPatience = 30 * time.Second

// findInit looks for the first process of the cluster with this state folder.
//
// It looks at what runs instead of at a file with a number in it: such a file
// is stale after a crash and absent when its writer was killed too early, and
// then a cluster would run that nobody can stop.
func findInit(state string) (int, bool, error) {
	all, err := findInits()
	pid, ok := all[state]
	return pid, ok, err
}

// findInits returns the first processes of all clusters on this machine, by state
// folder.
func findInits() (map[string]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := map[string]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if state, ok := initState(pid); ok {
			all[state] = pid
		}
	}
	return all, nil
}

// initState tells of which cluster pid is the first process, if of any. The
// number it has in its own namespace must be 1: between fork and exec each of its
// children looks just like it.
func initState(pid int) (string, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	state, ours := strings.CutPrefix(string(args), initName+"\x00")
	if err != nil || !ours {
		return "", false
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(status)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			return strings.TrimSuffix(state, "\x00"), len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return "", false
}

// killInit ends the first process and with it, by the kernel's rule for process
// namespaces, every process of the cluster. It returns when all are gone.
func killInit(ctx context.Context, state string) error {
	for {
		pid, ok, err := findInit(state)
		if err != nil || !ok {
			return err
		}
		if err := killOne(ctx, pid, state); err != nil {
			return fmt.Errorf("end the cluster's process %d: %w", pid, err)
		}
	}
}

func killOne(ctx context.Context, pid int, state string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	// Only now is it sure that the number will not change its owner.
	if now, ok := initState(pid); !ok || now != state {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	waitCtx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	err = poll(waitCtx, 5*time.Millisecond, func() (bool, error) {
		events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // Descriptors are small.
		n, err := unix.Poll(events, 0)
		if errors.Is(err, unix.EINTR) {
			return false, nil
		}
		return n > 0, err
	})
	if err != nil {
		return err
	}
	return awaitReaped(ctx, fd, pid)
}

// awaitReaped waits until the ended process is not even a zombie any more. It
// is its parent who must see to that: this process, if it made the cluster,
// else the machine's first one, which may take a second or never do it. A
// zombie is no trace worth failing for.
func awaitReaped(ctx context.Context, fd, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err := poll(ctx, 10*time.Millisecond, func() (bool, error) {
		// Fails unless it is a child of ours.
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		return errors.Is(unix.PidfdSendSignal(fd, 0, nil, 0), unix.ESRCH), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
