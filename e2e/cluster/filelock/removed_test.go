package filelock

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The moment between opening and locking cannot be hit from outside.
func TestALockIsWorthNothingOnceItsNameIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	file, err := os.Create(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	assert.True(t, isAt(file, path))
	require.NoError(t, os.Remove(path))
	assert.False(t, isAt(file, path), "removed")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	assert.False(t, isAt(file, path), "removed and made again")
}
