package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/internal/brokers/postgres/pgtest"
	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// shared is the PostgreSQL server of all tests; each has a database of its own
// on it for the broker's records, and ids of its own.
var shared *pgtest.Server

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		runChild()
		return
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	ctx := context.Background() //nolint:forbidigo // before all tests
	if shared, err = pgtest.Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.Stop()
	return m.Run()
}

const testKey = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="

// How long tests wait for what happens elsewhere, and how often they look.
const (
	patienceOfTests = 30 * time.Second
	tick            = 20 * time.Millisecond
)

// fixture is one broker behind HTTP, with its records in a fresh database.
type fixture struct {
	broker *postgres.Broker
	client *osb.Client
	config postgres.Config
	log    *logBuffer
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	records := "records_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	runAdmin(t, "postgres", "CREATE DATABASE "+records)
	return fixtureWith(t, postgres.Config{DSN: shared.DSN(records)})
}

// fixtureWith fills in what the config leaves out.
func fixtureWith(t *testing.T, cfg postgres.Config) *fixture {
	t.Helper()
	f := &fixture{log: &logBuffer{}}
	keys, err := postgres.ParseKeyring(testKey)
	require.NoError(t, err)
	if cfg.Keys == nil {
		cfg.Keys = keys
	}
	cfg.SSLMode = "disable"
	cfg.Log = slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.config = cfg
	f.broker, err = postgres.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(f.broker.Close)

	server := httptest.NewServer(broker.NewHandler(f.broker, broker.Options{
		Auth: broker.BasicAuth(map[string]string{"platform": "secret"}), Validate: f.broker.Validate, Logger: cfg.Log,
	}))
	t.Cleanup(server.Close)
	f.client, err = osb.NewClient(osb.Config{URL: server.URL, Auth: osb.BasicAuth("platform", "secret")})
	require.NoError(t, err)
	t.Cleanup(f.client.Close)
	return f
}

// replica is a second broker on the same records.
func (f *fixture) replica(t *testing.T) *fixture {
	t.Helper()
	return fixtureWith(t, f.config)
}

func provisionRequest(id string) *osb.ProvisionRequest {
	return &osb.ProvisionRequest{
		InstanceID: id, ServiceID: postgres.ServiceID, PlanID: postgres.PlanSmallID,
		OrganizationGUID: "cluster", SpaceGUID: "namespace",
	}
}

// provision makes an instance and returns its id.
func (f *fixture) provision(t *testing.T, edits ...func(*osb.ProvisionRequest)) string {
	t.Helper()
	r := provisionRequest(uuid.NewString())
	for _, edit := range edits {
		edit(r)
	}
	resp, err := f.client.Provision(t.Context(), r)
	require.NoError(t, err)
	require.False(t, resp.Existed)
	return r.InstanceID
}

func withParameters(raw string) func(*osb.ProvisionRequest) {
	return func(r *osb.ProvisionRequest) { r.Parameters = osb.RawJSON(raw) }
}

func bindRequest(instanceID, bindingID string) *osb.BindRequest {
	return &osb.BindRequest{
		InstanceID: instanceID, BindingID: bindingID, ServiceID: postgres.ServiceID, PlanID: postgres.PlanSmallID,
	}
}

// bound is a binding as an application sees it.
type bound struct {
	id  string
	uri string
	osb.BindingData
}

func (f *fixture) bind(t *testing.T, instanceID string) bound {
	t.Helper()
	id := uuid.NewString()
	resp, err := f.client.Bind(t.Context(), bindRequest(instanceID, id))
	require.NoError(t, err)
	require.False(t, resp.Existed)
	return newBound(t, id, resp.BindingData)
}

func (b bound) password() string { return fmt.Sprint(b.Credentials["password"]) }

func newBound(t *testing.T, id string, data osb.BindingData) bound {
	t.Helper()
	uri, ok := data.Credentials["uri"].(string)
	require.True(t, ok, "credentials have a uri")
	return bound{id: id, uri: uri, BindingData: data}
}

func (f *fixture) unbind(t *testing.T, instanceID, bindingID string) error {
	t.Helper()
	_, err := f.client.Unbind(t.Context(), &osb.UnbindRequest{
		InstanceID: instanceID, BindingID: bindingID, ServiceID: postgres.ServiceID, PlanID: postgres.PlanSmallID,
	})
	return err
}

func (f *fixture) deprovision(t *testing.T, instanceID string) (*osb.DeprovisionResponse, error) {
	t.Helper()
	return f.client.Deprovision(t.Context(), &osb.DeprovisionRequest{
		InstanceID: instanceID, ServiceID: postgres.ServiceID, PlanID: postgres.PlanSmallID,
	})
}

// connect opens a session as an application does.
func connect(t *testing.T, uri string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), uri)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func runSQL(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
}

func runAdmin(t *testing.T, database string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), shared.DSN(database))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	runSQL(t, conn, statements...)
}

// queryOne returns one value.
func queryOne[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) T {
	t.Helper()
	var value T
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&value), sql)
	return value
}

func requireCode(t *testing.T, err error, code string) {
	t.Helper()
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	require.Equal(t, code, pgErr.Code, pgErr.Message)
}

// requireNothingLeft asserts on the server and on the broker's records.
func (f *fixture) requireNothingLeft(t *testing.T, instanceID string, bindingIDs ...string) {
	t.Helper()
	conn := connect(t, f.config.DSN)
	roles := []string{postgres.OwnerName(instanceID)}
	for _, id := range bindingIDs {
		roles = append(roles, postgres.LoginName(id))
	}
	assert.Zero(t, queryOne[int](t, conn, "SELECT count(*) FROM pg_database WHERE datname = $1", postgres.DatabaseName(instanceID)), "database")
	assert.Zero(t, queryOne[int](t, conn, "SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1)", roles), "roles")
	assert.Zero(t, queryOne[int](t, conn, "SELECT count(*) FROM postgres_broker.instances WHERE id = $1", instanceID), "record")
	assert.Zero(t, queryOne[int](t, conn, "SELECT count(*) FROM postgres_broker.bindings WHERE instance_id = $1", instanceID), "records")
}

func portText() string { return fmt.Sprint(shared.Port) }

func requireBusy(t *testing.T, err error) {
	t.Helper()
	require.True(t, osb.IsKind(err, osb.KindBusy), "%v", err)
	require.Equal(t, "ConcurrencyError", osb.AsError(err).Word)
}
