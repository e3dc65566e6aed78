package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where every distribution mounts the cgroup hierarchies.
const cgroupRoot = "/sys/fs/cgroup"

// cgroupHierarchies are the roots that take a folder of ours: one on cgroup v2,
// one for each controller on v1.
func cgroupHierarchies() ([]string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err != nil {
		return nil, fmt.Errorf("look at the cgroup tree: %w", err)
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return []string{cgroupRoot}, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, fmt.Errorf("look at the cgroup tree: %w", err)
	}
	var roots []string
	for _, entry := range entries {
		// Links ("cpu" to "cpu,cpuacct") would name a hierarchy twice.
		if entry.IsDir() {
			roots = append(roots, filepath.Join(cgroupRoot, entry.Name()))
		}
	}
	return roots, nil
}

// makeCgroup makes the folder that the kubelet puts its Pods in.
func makeCgroup(name string) error {
	roots, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make cgroup: %w", err)
		}
		enableControllers(root, dir)
		// A new cpuset on v1 is empty, and then takes no process.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				continue
			}
			if err := writeControl(dir, file, string(value)); err != nil {
				return fmt.Errorf("fill cpuset: %w", err)
			}
		}
	}
	return nil
}

// enableControllers passes the controllers of cgroup v2 down to dir and to the
// folders the kubelet will make in it. On v1 there is nothing to pass.
func enableControllers(root, dir string) {
	available, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	for _, controller := range strings.Fields(string(available)) {
		for _, at := range []string{root, dir} {
			// One at a time: a controller that cannot be passed on here
			// (a realtime process holds back "cpu", say) must not keep the
			// others. The kubelet says clearly which one it misses.
			_ = writeControl(at, "cgroup.subtree_control", "+"+controller)
		}
	}
}

// writeControl sets a control file of a cgroup; they are always there, so that
// nothing is created.
func writeControl(dir, file, value string) error {
	control, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = control.WriteString(value)
	return errors.Join(err, control.Close())
}

// removeCgroup removes what a cluster left in the cgroup tree. The kernel lets
// go of a folder only when the last process in it is fully gone, a little after
// it has ended.
func removeCgroup(ctx context.Context, name string) error {
	mounts, err := filepath.Glob(filepath.Join(cgroupRoot, "*", name))
	if err != nil {
		return fmt.Errorf("find cgroups: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, dir := range append(mounts, filepath.Join(cgroupRoot, name)) {
		if err := removeCgroupTree(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

func removeCgroupTree(ctx context.Context, root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("find cgroups: %w", err)
	}
	// Deepest first. Files in a cgroup go with it.
	slices.Reverse(dirs)
	for _, dir := range dirs {
		err := poll(ctx, 20*time.Millisecond, func() (bool, error) {
			err := unix.Rmdir(dir)
			if errors.Is(err, unix.EBUSY) {
				return false, nil
			}
			return err == nil || errors.Is(err, unix.ENOENT), err
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}
	return nil
}

// poll calls done until it returns true or an error, or ctx ends.
func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
