package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// pollInterval is how often a waiting Take looks again. flock(2) can wait by
// itself, but then neither a context nor a condition could end the wait.
const pollInterval = 200 * time.Millisecond

// ErrSettled is returned by Take when the wait ended because the caller's
// condition came true while somebody else held the lock.
var ErrSettled = errors.New("settled while waiting for the lock")

// Lock is a held lock.
type Lock struct {
	file *os.File
}

// Wait says what to do while another process holds the lock. Both fields may
// be nil.
type Wait struct {
	// Told is called once, before the first wait.
	Told func()
	// Settled ends the wait with ErrSettled when it returns true.
	Settled func() bool
}

// Take locks the file at path, which it creates with its folder if need be,
// and waits as long as ctx allows.
func Take(ctx context.Context, path string, wait Wait) (*Lock, error) {
	for told := false; ; {
		lock, err := try(path)
		if lock != nil || err != nil {
			return lock, err
		}
		if wait.Settled != nil && wait.Settled() {
			return nil, ErrSettled
		}
		if wait.Told != nil && !told {
			told = true
			wait.Told()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// try returns nil if somebody else holds the lock.
func try(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the lock's folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && isAt(file, path) {
		return &Lock{file: file}, nil
	}
	_ = file.Close()
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return nil, nil
}

// isAt tells whether path still names this file. A holder may have removed it
// with Remove between our open and our lock; the lock is worth nothing then,
// since the next to come makes and locks a new file.
func isAt(file *os.File, path string) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(ours, there)
}

// File is the open file that carries the lock. A child process that inherits
// it holds the lock too, even when its parent is killed.
func (l *Lock) File() *os.File { return l.file }

// Remove removes the lock's file. The lock is held until Release.
func (l *Lock) Remove() error { return os.Remove(l.file.Name()) }

// Release gives the lock up.
func (l *Lock) Release() error { return l.file.Close() }
