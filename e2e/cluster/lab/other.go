//go:build !linux

package lab

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
)

func errNotLinux() error {
	return fmt.Errorf("%w: it needs Linux, and this is %s. %s", ErrHost, runtime.GOOS, stillWorks)
}

// RunIfInit does nothing: no cluster is ever started here.
func RunIfInit() {}

// CheckHost refuses.
func (c *Cluster) CheckHost() error { return errNotLinux() }

// Up refuses.
func (c *Cluster) Up(context.Context) error { return errNotLinux() }

// Down refuses.
func (c *Cluster) Down(context.Context) error { return errNotLinux() }

// Load refuses.
func (c *Cluster) Load(context.Context, ...string) (bool, error) { return false, errNotLinux() }

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
