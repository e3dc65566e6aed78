//go:build linux && cluster

package lab

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests of this file start real clusters. They need root, and the programs,
// which the first run on a machine builds for minutes:
//
//	go test -tags cluster -timeout 30m ./cluster/lab

// testCluster names a cluster for the test. Its folder is the same in every run,
// so that a run takes away what a killed one left.
func testCluster(t *testing.T, name string) *Cluster {
	t.Helper()
	root, err := FindRoot(".")
	require.NoError(t, err)
	c, err := Open(Options{Root: root, Dir: filepath.Join(root, ".cluster", "test", name), Log: t.Output()})
	require.NoError(t, err)
	require.NoError(t, c.Down(t.Context()), "remove what an earlier run left")
	t.Cleanup(func() { assert.NoError(t, c.Down(context.WithoutCancel(t.Context()))) })
	return c
}

// kubectl runs kubectl on the host, as a user would.
func kubectl(t *testing.T, c *Cluster, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.Bin("kubectl"), append([]string{"--kubeconfig", c.Kubeconfig()}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "kubectl %v: %s", args, out)
	return string(out)
}

// pausePod needs no image but the one that each cluster has.
const pausePod = `apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {user: somebody}
---
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: svc-cat.local/pause:1
    imagePullPolicy: Never
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    envFrom: [{prefix: DB_, secretRef: {name: credentials}}]
    volumeMounts: [{name: credentials, mountPath: /credentials, readOnly: true}]
  volumes: [{name: credentials, secret: {secretName: credentials}}]
`

func TestAClusterRunsPodsAndGoesWithoutATrace(t *testing.T) {
	c := testCluster(t, "one")
	before := traces(t)
	require.NoError(t, c.Up(t.Context()))
	first := initPID(t, c)

	kubectl(t, c, pausePod, "apply", "-f", "-")
	kubectl(t, c, "", "wait", "--for=condition=Ready", "pod/app", "--timeout=60s")
	assert.Contains(t, kubectl(t, c, "", "describe", "pod/app"), "DB_")
	audited, err := os.ReadFile(c.AuditLog())
	require.NoError(t, err)
	assert.Contains(t, string(audited), `"requestURI":"/api/v1/namespaces/default/pods`)

	inside, err := c.Command(t.Context(), "kubectl", "get", "pod/app", "-o=jsonpath={.status.phase}")
	require.NoError(t, err)
	out, err := inside.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "Running", string(out), "the kubeconfig must work inside as well")

	facts, err := c.PostgresUp(t.Context())
	require.NoError(t, err)
	query := exec.CommandContext(t.Context(), "psql", facts.HostURI(), "-Atc", "create table kept (n int); select inet_server_addr()")
	out, err = query.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), nodeIP)

	require.NoError(t, c.Up(t.Context()))
	assert.Equal(t, first, initPID(t, c), "a healthy cluster is left as it is")
	again, err := c.PostgresUp(t.Context())
	require.NoError(t, err)
	assert.Equal(t, facts, again)
	out, err = exec.CommandContext(t.Context(), "psql", again.HostURI(), "-Atc", "select count(*) from kept").CombinedOutput()
	require.NoError(t, err, string(out))

	require.NoError(t, c.Down(t.Context()))
	assert.Equal(t, before, traces(t))
	assert.NoFileExists(t, c.Kubeconfig())
	assert.NoFileExists(t, c.PostgresEnv())
	assert.DirExists(t, c.Logs())
	_, err = c.Status(t.Context())
	assert.ErrorIs(t, err, ErrNotRunning)
	require.NoError(t, c.Down(t.Context()), "down where nothing is")
}

func TestWhateverIsKilledUpRepairsIt(t *testing.T) {
	c := testCluster(t, "one")
	require.NoError(t, c.Up(t.Context()))
	tests := []struct {
		what string
		kill func()
		same bool
	}{
		{"the scheduler", func() { killPiece(t, c, "kube-scheduler") }, true},
		{"containerd", func() { killPiece(t, c, "containerd") }, true},
		{"etcd", func() { killPiece(t, c, "etcd") }, true},
		{"the first process", func() { require.NoError(t, syscall.Kill(initPID(t, c), syscall.SIGKILL)) }, false},
		{"the run state", func() {
			require.NoError(t, os.RemoveAll(c.layout.conf("")))
			require.NoError(t, os.Remove(c.layout.madeBy()))
		}, false},
		{"what users touch", func() { require.NoError(t, os.RemoveAll(c.layout.out)) }, true},
	}
	for _, tc := range tests {
		t.Run(tc.what, func(t *testing.T) {
			before := initPID(t, c)
			tc.kill()
			require.NoError(t, c.Up(t.Context()))
			assert.Equal(t, tc.same, before == initPID(t, c))
			assert.Contains(t, kubectl(t, c, "", "get", "nodes"), " Ready ")
		})
	}
}

func TestAnUpThatIsInterruptedLeavesNothing(t *testing.T) {
	c := testCluster(t, "one")
	before := traces(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		// In the middle: the namespaces and some pieces are there.
		_ = poll(ctx, time.Millisecond, func() (bool, error) {
			_, err := os.Stat(c.layout.log("kube-apiserver"))
			return err == nil, nil
		})
		cancel()
	}()
	require.ErrorIs(t, c.Up(ctx), context.Canceled)
	assert.Equal(t, before, traces(t))
}

func TestAPieceThatCannotStartFailsUpWithItsLog(t *testing.T) {
	c := testCluster(t, "one")
	host, err := c.prepareHost(t.Context())
	require.NoError(t, err)
	files, err := configFiles(c.layout, host)
	require.NoError(t, err)
	p, err := newPlan(c.layout, host, files)
	require.NoError(t, err)
	for i := range p.Pieces {
		if p.Pieces[i].Name == "kube-scheduler" {
			p.Pieces[i].Argv = append(p.Pieces[i].Argv, "--no-such-flag")
		}
	}
	err = c.start(t.Context(), host, p, files)
	require.ErrorContains(t, err, "kube-scheduler ended with exit code")
	assert.ErrorContains(t, err, "no-such-flag")
	assert.ErrorContains(t, err, c.layout.log("kube-scheduler"))
}

func TestTwoClustersDoNotSeeEachOther(t *testing.T) {
	one, two := testCluster(t, "one"), testCluster(t, "two")
	var said bytes.Buffer
	two.Log = io.MultiWriter(t.Output(), &said)
	require.NoError(t, one.Up(t.Context()))
	require.NoError(t, two.Up(t.Context()))
	kubectl(t, one, pausePod, "apply", "-f", "-")
	kubectl(t, one, "", "wait", "--for=condition=Ready", "pod/app", "--timeout=60s")
	assert.Contains(t, kubectl(t, two, "", "get", "pods"), "No resources found")
	require.NoError(t, two.Down(t.Context()))
	assert.Contains(t, said.String(), "down --dir "+one.Dir, "who takes one away must learn of the other")
	assert.Contains(t, kubectl(t, one, "", "get", "pod/app"), "Running")
	report, err := one.Status(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Healthy())
}

func initPID(t *testing.T, c *Cluster) int {
	t.Helper()
	pid, ok, err := findInit(c.layout.state)
	require.NoError(t, err)
	require.True(t, ok, "the cluster must run")
	return pid
}

// killPiece kills a process by the number it has in its own namespace.
func killPiece(t *testing.T, c *Cluster, name string) {
	t.Helper()
	report, err := c.Status(t.Context())
	require.NoError(t, err)
	for _, piece := range report.Pieces {
		if piece.Name != name {
			continue
		}
		target := strconv.Itoa(initPID(t, c))
		out, err := exec.CommandContext(t.Context(), "nsenter", "--target="+target, "--pid", "--mount", "--",
			"kill", "-KILL", strconv.Itoa(piece.PID)).CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	require.Fail(t, "no such piece", name)
}

// traces is what a cluster could leave on the host, as far as it cannot be
// somebody else's.
func traces(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, name := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
		"kernel/keys/root_maxbytes", "net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max",
	} {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		out[name] = []string{string(value)}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, stateRoot) || strings.Contains(line, "containerd") || strings.Contains(line, "kubelet") {
			out["mounts"] = append(out["mounts"], line)
		}
	}
	for what, pattern := range map[string]string{
		"cgroups": "/sys/fs/cgroup/*/svc-cat-*", "Pod cgroups": "/sys/fs/cgroup/*/kubepods*", "runtime cgroups": "/sys/fs/cgroup/*/k8s.io",
		"unified cgroups": "/sys/fs/cgroup/svc-cat-*", "state": stateRoot + "/*", "sockets": "/run/containerd*", "network": "/sys/class/net/*",
	} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		out[what] = found
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range processes {
		if args, err := os.ReadFile(file); err == nil && strings.Contains(string(args), stateRoot) {
			out["processes"] = append(out["processes"], string(args))
		}
	}
	return out
}
