package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/svc-cat/catalog/e2e/cluster/filelock"
)

// Down removes the cluster: processes, cgroups, state, kubeconfig and links.
// The logs and the audit log stay. When nothing runs it removes what is there.
func (c *Cluster) Down(ctx context.Context) error {
	if err := checkHost(); err != nil {
		return err
	}
	start := time.Now()
	lock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	if err := c.clean(ctx); err != nil {
		return err
	}
	if err := forget(lock); err != nil {
		return err
	}
	c.say(start, "removed; the logs stay in %s", c.Logs())
	return c.tellOfOthers()
}

// forget removes the last of a cluster, with the lock held.
func forget(lock *filelock.Lock) error {
	if err := lock.Remove(); err != nil {
		return fmt.Errorf("remove the lock: %w", err)
	}
	// Fails while another cluster is there, as it should.
	_ = os.Remove(stateRoot)
	return nil
}

// tellOfOthers says which clusters go on running on this machine: that of a test
// which was killed, say, or of a checkout that is gone.
func (c *Cluster) tellOfOthers() error {
	all, err := findInits()
	if err != nil {
		return err
	}
	delete(all, c.layout.state)
	for _, state := range slices.Sorted(maps.Keys(all)) {
		p, err := readPlan(state)
		if err != nil {
			continue // it has just begun, or is on its way out
		}
		fmt.Fprintf(c.Log, "cluster: another one goes on running; (cd e2e && go run ./cluster down --dir %s) removes it\n", filepath.Dir(p.Logs))
	}
	return nil
}

// clean removes every trace of a run but the logs, whatever state it is in.
func (c *Cluster) clean(ctx context.Context) error {
	if err := killInit(ctx, c.layout.state); err != nil {
		return err
	}
	if err := removeCgroup(ctx, c.layout.cgroup()); err != nil {
		return err
	}
	ours := []string{c.layout.state, c.Kubeconfig(), c.postgresEnv(), c.postgresHostURI()}
	for _, tool := range userTools() {
		ours = append(ours, c.Bin(tool))
	}
	for _, path := range ours {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove the run state: %w", err)
		}
	}
	// Fails while something of the user's is there: Dir may be any folder.
	_ = os.Remove(c.Bin(""))
	return nil
}

// removeLogs removes the logs of an earlier run, and nothing else of the folder.
func (c *Cluster) removeLogs(pieces []piece) error {
	names := []string{"init", postgresName}
	for _, p := range pieces {
		names = append(names, p.Name)
	}
	for _, name := range names {
		if err := os.Remove(c.layout.log(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove an old log: %w", err)
		}
	}
	if err := os.Remove(c.AuditLog()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the old audit log: %w", err)
	}
	return nil
}
