//go:build !linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

// ErrHost says that this machine cannot run a local cluster.
var ErrHost = errors.New("this machine cannot run the local cluster")

func errNotLinux() error {
	return fmt.Errorf("%w: it needs Linux, and this is %s. Without a local cluster these work: the unit and integration tests, "+
		"and `make demo CLUSTER=current` on a cluster of yours", ErrHost, runtime.GOOS)
}

// RunIfInit does nothing: no cluster is ever started here.
func RunIfInit() {}

// Up refuses.
func (c *Cluster) Up(context.Context) error { return errNotLinux() }

// Down refuses.
func (c *Cluster) Down(context.Context) error { return errNotLinux() }

// Load refuses.
func (c *Cluster) Load(context.Context, ...string) error { return errNotLinux() }

// Command refuses.
func (c *Cluster) Command(context.Context, string, ...string) (*exec.Cmd, error) {
	return nil, errNotLinux()
}

// Exec refuses.
func (c *Cluster) Exec([]string) error { return errNotLinux() }

// Status refuses.
func (c *Cluster) Status(context.Context) (Report, error) { return Report{}, errNotLinux() }

// PostgresUp refuses.
func (c *Cluster) PostgresUp(context.Context) (Postgres, error) { return Postgres{}, errNotLinux() }

// PostgresDown refuses.
func (c *Cluster) PostgresDown(context.Context) error { return errNotLinux() }
