package thread

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/e2e/cluster/lab"
	"github.com/svc-cat/catalog/e2e/stage"
)

// scene is the cluster with everything that the tests share.
type scene struct {
	*stage.Stage
	cluster  *lab.Cluster
	postgres lab.Postgres
}

func TestMain(m *testing.M) {
	lab.RunIfInit() // the cluster's first process is this program, started again
	os.Exit(m.Run())
}

// newScene starts a cluster that is no developer's: it has a folder of its own
// and goes with the test.
func newScene(t *testing.T) *scene {
	t.Helper()
	root, err := lab.FindRoot(".")
	require.NoError(t, err)
	dir := filepath.Join(root, ".cluster", "e2e")
	c, err := lab.Open(lab.Options{Root: root, Dir: dir, Log: logger{t}})
	require.NoError(t, err)
	require.NoError(t, c.Down(t.Context()), "remove what an earlier run left")
	require.NoError(t, c.Up(t.Context()))
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("KEEP") != "" {
			t.Logf("the cluster is kept: KUBECONFIG=%s; (cd e2e && go run ./cluster down --dir %s) removes it", c.Kubeconfig(), dir)
			return
		}
		require.NoError(t, c.Down(context.WithoutCancel(t.Context())))
	})
	var archives []string
	for _, image := range []string{"catalog", "postgres-broker", "test-broker", "demo-app"} {
		archives = append(archives, filepath.Join(root, "dist", image+".tar"))
	}
	_, err = c.Load(t.Context(), archives...)
	require.NoError(t, err, "run `make image` first; `make test-e2e` does")
	pg, err := c.PostgresUp(t.Context())
	require.NoError(t, err)
	return &scene{
		Stage:   &stage.Stage{Root: root, Kubectl: c.Bin("kubectl"), Helm: c.Bin("helm"), Kubeconfig: c.Kubeconfig(), Out: logger{t}},
		cluster: c, postgres: pg,
	}
}

type logger struct{ t *testing.T }

func (l logger) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// kubectl must succeed.
func (s *scene) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Output(t.Context(), args...)
	require.NoError(t, err)
	return out
}

// refused is what kubectl says when the API server refuses a manifest.
func (s *scene) refused(t *testing.T, manifest string) string {
	t.Helper()
	out, err := s.Create(t.Context(), manifest)
	require.Error(t, err, "it should have been refused, but: %s", out)
	return err.Error()
}

func (s *scene) create(t *testing.T, manifest string) string {
	t.Helper()
	out, err := s.Create(t.Context(), manifest)
	require.NoError(t, err)
	return out
}

// eventually polls what cannot be waited for by an event.
func eventually(t *testing.T, why string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 2*time.Minute, 200*time.Millisecond, why)
}

// get decodes an object.
func (s *scene) get(t *testing.T, into any, args ...string) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(s.kubectl(t, append([]string{"get", "-o", "json"}, args...)...)), into))
}

// query asks PostgreSQL as its superuser.
func (s *scene) query(t *testing.T, database, sql string) []string {
	t.Helper()
	cfg, err := pgx.ParseConfig(s.postgres.HostURI())
	require.NoError(t, err)
	if database != "" {
		cfg.Database = database
	}
	db, err := pgx.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer db.Close(t.Context())
	rows, err := db.Query(t.Context(), sql)
	require.NoError(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return out
}

// pod is a Pod that no node is needed for.
func pod(name, annotations string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":"plain","annotations":{%s}},
		"spec":{"automountServiceAccountToken":false,"nodeSelector":{"none":"such"},
		"containers":[{"name":"app","image":"svc-cat.local/demo-app:0.1.0","env":[{"name":"A","value":"1"}]}]}}`, name, annotations)
}
