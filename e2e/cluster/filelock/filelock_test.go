package filelock_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/e2e/cluster/filelock"
)

// holdEnv makes the test binary hold a lock until it is killed.
const holdEnv = "FILELOCK_TEST_HOLD"

// TestHold is not a test but the holder that TestAKilledHolderHoldsNothing
// starts; by itself it does nothing.
func TestHold(t *testing.T) {
	path := os.Getenv(holdEnv)
	if path == "" {
		return
	}
	_, err := filelock.Take(t.Context(), path, filelock.Wait{})
	require.NoError(t, err)
	_, _ = os.Stdout.WriteString("held\n")
	<-time.After(time.Hour) // a bare select{} is a deadlock, and ends a program without cgo
}

func TestTheSecondTakerWaitsUntilRelease(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "lock")
	first, err := filelock.Take(t.Context(), path, filelock.Wait{})
	require.NoError(t, err)

	told := make(chan struct{})
	second := make(chan error, 1)
	go func() {
		lock, err := filelock.Take(t.Context(), path, filelock.Wait{Told: func() { close(told) }})
		if err == nil {
			err = lock.Release()
		}
		second <- err
	}()
	<-told
	assert.Empty(t, second, "nobody may get the lock while it is held")
	require.NoError(t, first.Release())
	assert.NoError(t, <-second)
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := filelock.Take(t.Context(), path, filelock.Wait{})
	require.NoError(t, err)
	defer func() { _ = lock.Release() }()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = filelock.Take(ctx, path, filelock.Wait{})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAWaitEndsWhenThereIsNothingLeftToDo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := filelock.Take(t.Context(), path, filelock.Wait{})
	require.NoError(t, err)
	defer func() { _ = lock.Release() }()

	_, err = filelock.Take(t.Context(), path, filelock.Wait{Settled: func() bool { return true }})
	assert.ErrorIs(t, err, filelock.ErrSettled)
}

func TestAKilledHolderHoldsNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	self, err := os.Executable()
	require.NoError(t, err)
	holder := exec.CommandContext(t.Context(), self, "-test.run=^TestHold$")
	holder.Env = append(os.Environ(), holdEnv+"="+path)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	_, err = out.Read(make([]byte, 5))
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = filelock.Take(ctx, path, filelock.Wait{})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	require.NoError(t, holder.Process.Kill())
	_ = holder.Wait()
	lock, err := filelock.Take(t.Context(), path, filelock.Wait{})
	require.NoError(t, err)
	require.NoError(t, lock.Release())
}

func TestALockWhoseFileIsRemovedKeepsNobodyOutTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Take(t.Context(), path, filelock.Wait{})
	require.NoError(t, err)
	told := make(chan struct{})
	taken := make(chan *filelock.Lock, 1)
	go func() {
		lock, _ := filelock.Take(t.Context(), path, filelock.Wait{Told: func() { close(told) }})
		taken <- lock
	}()
	<-told
	require.NoError(t, first.Remove())
	require.NoError(t, first.Release())
	second := <-taken
	require.NotNil(t, second)

	// The waiter must have locked a file that has the name, or this one would
	// get the lock beside it.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = filelock.Take(ctx, path, filelock.Wait{})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, second.Release())
}
