package lab

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testHost() hostFacts {
	return hostFacts{Tools: "/tools", Path: "/p/bin:/usr/bin", CNI: "/p/cni", Snapshotter: "overlayfs"}
}

func testFiles(t *testing.T, l layout, h hostFacts) map[string][]byte {
	t.Helper()
	files, err := configFiles(l, h)
	require.NoError(t, err)
	return files
}

func TestTwoFoldersAreTwoClusters(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	open := func(dir string) layout {
		c, err := Open(Options{Root: root, Dir: dir})
		require.NoError(t, err)
		return c.layout
	}
	standard := open("")
	assert.Equal(t, standard, open(filepath.Join(root, "x", "..", ".cluster")), "one folder by another path")
	other := open(filepath.Join(root, "other"))
	for what, differs := range map[string]bool{
		"state":  standard.state != other.state,
		"cgroup": standard.cgroup() != other.cgroup(),
		"lock":   standard.lock() != other.lock(),
	} {
		assert.True(t, differs, what)
	}

	linked := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(root, linked))
	assert.Equal(t, standard.id, open(filepath.Join(linked, ".cluster")).id, "one folder through a link")
}

func TestSocketsFitHoweverDeepTheCheckoutLies(t *testing.T) {
	t.Parallel()
	l := layoutOf("/" + strings.Repeat("very-long-name/", 30) + ".cluster")
	for _, socket := range []string{l.control(), l.containerdSocket() + ".ttrpc", l.in("postgres", "run", ".s.PGSQL.5432")} {
		assert.Less(t, len(socket), 108, socket)
	}
}

func TestConfigurationHoldsWhatItMust(t *testing.T) {
	t.Parallel()
	l := layoutOf("/checkout/.cluster")
	files := testFiles(t, l, testHost())
	for file, parts := range map[string][]string{
		"containerd.toml": {
			"restrict_oom_score_adj = true", `sandbox_image = "svc-cat.local/pause:1"`, `bin_dir = "/p/cni"`,
			`snapshotter = "overlayfs"`, `address = "` + l.containerdSocket() + `"`,
		},
		"kubelet.json": {
			`"failCgroupV1": false`, `"cgroupRoot": "/` + l.cgroup() + `"`, `"imageGCHighThresholdPercent": 100`,
			`"10.99.0.1"`, `"containerRuntimeEndpoint": "unix://` + l.containerdSocket() + `"`,
		},
		"kube-proxy.json":               {`"mode": "nftables"`, `"minSyncPeriod": "10ms"`, `"maxPerCore": 0`},
		"Corefile":                      {"kubernetes cluster.local in-addr.arpa", l.kubeconfig("coredns"), "rcode NXDOMAIN"},
		"cni/net.d/10-svc-cat.conflist": {`"type": "ptp"`, `"dataDir": "` + l.in("cni") + `"`},
		"audit-policy.json":             {`"level": "Metadata"`, `"leases"`},
	} {
		for _, part := range parts {
			assert.Contains(t, string(files[file]), part, file)
		}
	}
	assert.Empty(t, files["resolv.conf"])
}

func TestNoPathLeavesTheClustersOwnFolders(t *testing.T) {
	t.Parallel()
	l := layoutOf("/checkout/.cluster")
	h := testHost()
	files := testFiles(t, l, h)
	p, err := newPlan(l, h, files)
	require.NoError(t, err)
	text, err := json.Marshal(p)
	require.NoError(t, err)
	for _, content := range append([][]byte{text}, mapValues(files)...) {
		for _, shared := range []string{"/var/lib/kubelet", "/var/lib/etcd", "/var/lib/containerd", "/run/containerd", "/etc/cni", "/etc/kubernetes"} {
			assert.False(t, bytes.Contains(content, []byte(shared)), shared)
		}
	}
}

func mapValues(m map[string][]byte) [][]byte {
	var out [][]byte
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestThePlansKeyTellsAnotherCluster(t *testing.T) {
	t.Parallel()
	l, h := layoutOf("/checkout/.cluster"), testHost()
	key := func(l layout, h hostFacts, change func(map[string][]byte)) string {
		files := testFiles(t, l, h)
		change(files)
		p, err := newPlan(l, h, files)
		require.NoError(t, err)
		return p.Key
	}
	nothing := func(map[string][]byte) {}
	want := key(l, h, nothing)
	newTools, newPath := h, h
	newTools.Tools, newPath.Path = "/new", "/new"
	tests := map[string]struct {
		got  string
		same bool
	}{
		"the same again":        {key(l, h, nothing), true},
		"other programs":        {key(l, newTools, nothing), false},
		"another runtime":       {key(l, newPath, nothing), false},
		"another folder":        {key(layoutOf("/other/.cluster"), h, nothing), false},
		"another configuration": {key(l, h, func(f map[string][]byte) { f["Corefile"] = []byte("x") }), false},
	}
	for name, tc := range tests {
		assert.Equal(t, tc.same, tc.got == want, name)
	}
}

func TestPiecesWaitOnlyForPiecesThatAreThere(t *testing.T) {
	t.Parallel()
	l, h := layoutOf("/checkout/.cluster"), testHost()
	p, err := newPlan(l, h, nil)
	require.NoError(t, err)
	known := map[string]bool{}
	for _, piece := range p.Pieces {
		for _, name := range piece.After {
			assert.True(t, known[name], "%s comes after %s, which must stand before it", piece.Name, name)
		}
		assert.NotEqual(t, probe{}, piece.Probe, piece.Name)
		assert.Contains(t, piece.Env, "PATH="+h.Path)
		known[piece.Name] = true
	}
	assert.Len(t, known, 8)
}

func TestHostPortsAreStableAndOutOfTheWay(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for _, dir := range []string{"/a/.cluster", "/b/.cluster", "/c/.cluster"} {
		ports := layoutOf(dir).hostPorts()
		assert.Equal(t, ports, layoutOf(dir).hostPorts())
		for _, port := range ports {
			// Below the range that the kernel hands out by itself.
			assert.True(t, port >= 20000 && port < 30000, "%d", port)
			assert.False(t, seen[port], "%d twice", port)
			seen[port] = true
		}
	}
}

func TestPostgresFactsFitASecretAndAURI(t *testing.T) {
	t.Parallel()
	facts := Postgres{
		Host: "10.99.0.1", Port: "5432", Username: "postgres", Password: "p@ss/word", Database: "postgres",
		SSLMode: "require", HostPort: 20001,
	}
	assert.Equal(t, `uri=postgres://postgres:p%40ss%2Fword@10.99.0.1:5432/postgres?sslmode=require
host=10.99.0.1
port=5432
username=postgres
password=p@ss/word
database=postgres
sslmode=require
`, facts.envFile())
	assert.Equal(t, "postgres://postgres:p%40ss%2Fword@127.0.0.1:20001/postgres?sslmode=require", facts.HostURI())
}
