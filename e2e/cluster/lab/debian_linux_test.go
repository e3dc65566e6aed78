package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatAKilledUnpackingLeftIsRemoved(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "debian-12-amd64")
	killed := filepath.Join(filepath.Dir(root), unpacking(root)+"1")
	require.NoError(t, os.Mkdir(killed, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(killed, "half.deb"), nil, 0o600))
	// A cache can serve two releases; each has a lock of its own.
	another := filepath.Join(filepath.Dir(root), unpacking(root+"x")+"1")
	require.NoError(t, os.Mkdir(another, 0o700))

	require.NoError(t, removeUnpacked(root))
	assert.NoDirExists(t, killed)
	assert.DirExists(t, another)
}
