package toolbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/svc-cat/catalog/e2e/cluster/filelock"
)

// keepUnused is how long a set of programs that nothing asked for stays in the
// cache. A set is 600 MB; a week spans switching between branches.
const keepUnused = 7 * 24 * time.Hour

// Request says what to build and from where.
type Request struct {
	// ModuleDir is the folder of the nested module, e2e/cluster/tools.
	ModuleDir string
	// CacheDir is the cache, as CacheDir returns it.
	CacheDir string
	// Want are the programs asked for.
	Want []Tool
	// Log gets a line for every program built and signs of life in between.
	Log io.Writer
}

// Build makes sure that all of r.Want are in the cache and returns their
// folder. Two runs at once build once: the second waits until what it wants is
// there, which may be before the first has finished.
func Build(ctx context.Context, r Request) (string, error) {
	version, err := goVersion(ctx, r.ModuleDir)
	if err != nil {
		return "", err
	}
	key, err := Key(r.ModuleDir, version)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(r.CacheDir, "tools", key)
	if len(missing(dir, r.Want)) == 0 {
		return dir, touch(dir)
	}
	lock, err := filelock.Take(ctx, dir+".lock", filelock.Wait{
		Told:    func() { fmt.Fprintln(r.Log, "tools: another run is building; waiting for it") },
		Settled: func() bool { return len(missing(dir, r.Want)) == 0 },
	})
	if errors.Is(err, filelock.ErrSettled) {
		return dir, touch(dir)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Release() }()
	if err := buildMissing(ctx, r, dir, lock.File()); err != nil {
		return "", err
	}
	prune(filepath.Join(r.CacheDir, "tools"), key, r.Log)
	return dir, touch(dir)
}

// buildMissing builds in two rounds: what envtest needs comes first, so that
// integration tests need not wait for the rest.
func buildMissing(ctx context.Context, r Request, dir string, lock *os.File) error {
	stale, err := filepath.Glob(filepath.Join(dir, ".build-*"))
	if err != nil {
		return err
	}
	for _, old := range stale {
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("remove what a killed build left: %w", err)
		}
	}
	start := time.Now()
	for _, tools := range [][]Tool{missing(dir, common(Assets(), r.Want)), missing(dir, r.Want)} {
		tools = missing(dir, tools)
		if len(tools) == 0 {
			continue
		}
		b := round{Request: r, dir: dir, tools: tools, start: start, lock: lock}
		if err := b.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round is one `go build` of several programs: one command, because the
// linker of one program runs beside the compiler of the next.
type round struct {
	Request
	dir   string
	tools []Tool
	start time.Time
	lock  *os.File
}

func (b round) run(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("make the tools folder: %w", err)
	}
	out, err := os.MkdirTemp(b.dir, ".build-")
	if err != nil {
		return fmt.Errorf("make the build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(out) }()
	b.say("building %d programs from source; the first time takes minutes", len(b.tools))

	watch := newProgress(b, out)
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-v", "-o", out + "/"}, buildFlags()...)...)
	for _, tool := range b.tools {
		cmd.Args = append(cmd.Args, tool.Package)
	}
	cmd.Dir, cmd.Env = b.ModuleDir, buildEnv()
	cmd.Stdout, cmd.Stderr = watch, watch
	// The build holds the lock too: should this process be killed, the next
	// run waits for the orphan instead of building against it.
	cmd.ExtraFiles = []*os.File{b.lock}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second

	err = cmd.Run()
	watch.stop()
	if ctx.Err() != nil {
		return fmt.Errorf("build the cluster's programs: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("build the cluster's programs (go needs its module proxy for what it has not yet downloaded): %w\n%s",
			err, watch.complaints())
	}
	for _, tool := range b.tools {
		if err := os.Rename(filepath.Join(out, outputName(tool.Package)), filepath.Join(b.dir, tool.Name)); err != nil {
			return fmt.Errorf("put %s into the cache: %w", tool.Name, err)
		}
	}
	return nil
}

func (b round) say(format string, args ...any) {
	fmt.Fprintf(b.Log, "tools: %5s  %s\n", time.Since(b.start).Round(time.Second), fmt.Sprintf(format, args...))
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// outputName is the file name that `go build` gives a package's program: the
// last part of its path that is not a major version.
func outputName(pkg string) string {
	base := path.Base(pkg)
	if majorVersion.MatchString(base) {
		return path.Base(path.Dir(pkg))
	}
	return base
}

// missing are those of tools that are not in dir.
func missing(dir string, tools []Tool) []Tool {
	var out []Tool
	for _, tool := range tools {
		if _, err := os.Stat(filepath.Join(dir, tool.Name)); err != nil {
			out = append(out, tool)
		}
	}
	return out
}

// common are those of tools that are in other as well.
func common(tools, other []Tool) []Tool {
	var out []Tool
	for _, tool := range tools {
		for _, o := range other {
			if tool == o {
				out = append(out, tool)
			}
		}
	}
	return out
}

// touch marks a set as used now, for prune.
func touch(dir string) error {
	now := time.Now()
	return os.Chtimes(dir, now, now)
}

// prune removes the sets that were not used for keepUnused. Nothing depends on
// it, so it reports trouble and goes on.
func prune(root, current string, log io.Writer) {
	entries, err := os.ReadDir(root)
	if err != nil {
		fmt.Fprintf(log, "tools: look for old programs: %v\n", err)
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !entry.IsDir() || entry.Name() == current || time.Since(info.ModTime()) < keepUnused {
			continue
		}
		fmt.Fprintf(log, "tools: removing %s, unused since %s\n", entry.Name(), info.ModTime().Format(time.DateOnly))
		if err := os.RemoveAll(filepath.Join(root, entry.Name())); err != nil {
			fmt.Fprintf(log, "tools: remove old programs: %v\n", err)
		}
		_ = os.Remove(filepath.Join(root, entry.Name()+".lock"))
	}
}
