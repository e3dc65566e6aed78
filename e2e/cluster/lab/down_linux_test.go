package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// --dir may name a folder that holds more, a home folder say.
func TestOnlyTheClustersOwnFilesGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := Open(Options{Dir: dir})
	require.NoError(t, err)
	users := []string{"bin/mine", "logs/mine.log", "notes"}
	ours := []string{"bin/kubectl", "bin/helm", "kubeconfig", "postgres.env", "logs/init.log", "logs/etcd.log", "logs/postgres.log", "audit.log"}
	for _, name := range append(users, ours...) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}

	require.NoError(t, c.clean(t.Context()))
	require.NoError(t, c.removeLogs([]piece{{Name: "etcd"}}))

	for _, name := range users {
		assert.FileExists(t, filepath.Join(dir, name))
	}
	for _, name := range ours {
		assert.NoFileExists(t, filepath.Join(dir, name))
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "bin", "mine")))
	require.NoError(t, c.clean(t.Context()))
	assert.NoDirExists(t, filepath.Join(dir, "bin"), "a folder that is empty was ours")
}
