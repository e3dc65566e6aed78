package lab

import (
	"context"
	"fmt"
	"os"
	"time"
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
	if err := lock.Remove(); err != nil {
		return fmt.Errorf("remove the lock: %w", err)
	}
	// Fails while another cluster is there, as it should.
	_ = os.Remove(stateRoot)
	c.say(start, "removed; the logs stay in %s", c.Logs())
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
	for _, path := range []string{c.layout.state, c.Kubeconfig(), c.Bin(""), c.postgresEnv(), c.postgresHostURI()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove the run state: %w", err)
		}
	}
	return nil
}
