package toolbox

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeyFollowsWhatIsBuilt(t *testing.T) {
	t.Parallel()
	base := map[string]string{"go.mod": "module a", "go.sum": "x", "pause/main.go": "package main"}
	with := func(name, content string) map[string]string {
		files := map[string]string{name: content}
		for n, c := range base {
			if _, ok := files[n]; !ok {
				files[n] = c
			}
		}
		return files
	}
	want := keyOf(t, base, "go1.26.8")
	tests := map[string]struct {
		files   map[string]string
		version string
		same    bool
	}{
		"the same content in another folder has the same key": {base, "go1.26.8", true},
		"a test file does not matter":                         {with("pause/main_test.go", "package main"), "go1.26.8", true},
		"a note beside the code does not matter":              {with("README.md", "text"), "go1.26.8", true},
		"another Go version changes the key":                  {base, "go1.26.9", false},
		"another module version changes the key":              {with("go.mod", "module b"), "go1.26.8", false},
		"another checksum changes the key":                    {with("go.sum", "y"), "go1.26.8", false},
		"another main changes the key":                        {with("pause/main.go", "package other"), "go1.26.8", false},
		"one more file changes the key":                       {with("pause/more.go", ""), "go1.26.8", false},
		"text that moves to the next file changes the key":    {with("go.sum", "xp"), "go1.26.8", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := keyOf(t, tc.files, tc.version)
			assert.Equal(t, tc.same, got == want)
		})
	}
}

func keyOf(t *testing.T, files map[string]string, version string) string {
	t.Helper()
	key, err := Key(writeModule(t, files), version)
	require.NoError(t, err)
	return key
}

func writeModule(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

func TestTheVersionStampIsThatOfTheModule(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../tools/go.mod")
	require.NoError(t, err)
	found := regexp.MustCompile(`k8s\.io/kubernetes v(\S+)`).FindSubmatch(text)
	require.NotNil(t, found)
	stamped := kubernetesVersion
	assert.Equal(t, string(found[1]), stamped)
}

func TestOutputNameIsWhatGoBuildCallsTheProgram(t *testing.T) {
	t.Parallel()
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":     "server",
		"k8s.io/kubernetes/cmd/kubectl": "kubectl",
		"./coredns":                     "coredns",
		"example.com/vet":               "vet",
	} {
		assert.Equal(t, want, outputName(pkg), pkg)
	}
}

func TestProgressTellsPackagesFromComplaints(t *testing.T) {
	t.Parallel()
	p := &progress{}
	for _, part := range []string{"go: downloading a v1\nexample", ".com/b\n# example.com/c\nc.go:1:2: undefined: x\nexample.com/d\nlast wor", "ds"} {
		_, err := p.Write([]byte(part))
		require.NoError(t, err)
	}
	assert.Equal(t, 2, p.packages)
	assert.Equal(t, 1, p.downloads)
	assert.Equal(t, "# example.com/c\nc.go:1:2: undefined: x\nlast words", p.complaints())
}

// tinyModule builds in a second, with the real go command.
func tinyModule(t *testing.T) string {
	t.Helper()
	return writeModule(t, map[string]string{
		"go.mod":        "module tiny\n\ngo 1.26.0\n",
		"hello/main.go": "package main\n\nfunc main() { println(\"hello\") }\n",
		"bad/main.go":   "package main\n\nfunc main() { undefined() }\n",
	})
}

var hello = []Tool{{"greeter", "./hello"}}

func TestBuildPutsProgramsIntoTheCacheOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := Request{ModuleDir: tinyModule(t), CacheDir: t.TempDir(), Want: hello, Log: &log}
	dir, err := Build(t.Context(), r)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "greeter")).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "hello\n", string(out))
	assert.Contains(t, log.String(), "built greeter")

	log.Reset()
	again, err := Build(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, dir, again)
	assert.Empty(t, log.String(), "what is there must not be built again")
}

func TestABuildClearsWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	r := Request{ModuleDir: tinyModule(t), CacheDir: t.TempDir(), Want: hello, Log: &bytes.Buffer{}}
	version, err := goVersion(t.Context(), r.ModuleDir)
	require.NoError(t, err)
	key, err := Key(r.ModuleDir, version)
	require.NoError(t, err)
	dir := filepath.Join(r.CacheDir, "tools", key)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".build-1"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".build-1", "hello"), []byte("half"), 0o755))

	got, err := Build(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, dir, got)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	assert.Equal(t, "greeter", left[0].Name())
}

func TestTwoBuildsAtOnceBuildOnce(t *testing.T) {
	t.Parallel()
	r := Request{ModuleDir: tinyModule(t), CacheDir: t.TempDir(), Want: hello}
	var both sync.WaitGroup
	logs := make([]bytes.Buffer, 2)
	for i := range logs {
		both.Go(func() {
			own := r
			own.Log = &logs[i]
			_, err := Build(t.Context(), own)
			assert.NoError(t, err)
		})
	}
	both.Wait()
	assert.Equal(t, 1, strings.Count(logs[0].String()+logs[1].String(), "building 1 programs"))
}

func TestABuildThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	r := Request{ModuleDir: tinyModule(t), CacheDir: t.TempDir(), Want: []Tool{{"bad", "./bad"}}, Log: &bytes.Buffer{}}
	_, err := Build(t.Context(), r)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "undefined: undefined")
	found, err := filepath.Glob(filepath.Join(r.CacheDir, "tools", "*", "*"))
	require.NoError(t, err)
	assert.Empty(t, found)
}

func TestACancelledBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := Request{ModuleDir: tinyModule(t), CacheDir: t.TempDir(), Want: hello, Log: writerFunc(func([]byte) { cancel() })}
	_, err := Build(ctx, r)
	require.ErrorIs(t, err, context.Canceled)
	found, err := filepath.Glob(filepath.Join(r.CacheDir, "tools", "*", "*"))
	require.NoError(t, err)
	assert.Empty(t, found)
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

func TestPruneRemovesOnlyWhatNobodyUsesAnyMore(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	old := time.Now().Add(-keepUnused - time.Hour)
	for name, used := range map[string]time.Time{"current": old, "old": old, "recent": time.Now()} {
		dir := filepath.Join(root, name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		require.NoError(t, os.WriteFile(dir+".lock", nil, 0o644))
		require.NoError(t, os.Chtimes(dir, used, used))
	}
	prune(root, "current", &bytes.Buffer{})
	left, err := filepath.Glob(filepath.Join(root, "*"))
	require.NoError(t, err)
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	assert.Equal(t, []string{"current", "current.lock", "recent", "recent.lock"}, left)
}
