package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb"
)

// childEnv makes this test binary a broker that carries out one order and dies
// by SIGKILL after the step named in it: no deferred call runs, no connection
// says goodbye, as in a real crash.
const childEnv = "POSTGRES_BROKER_TEST_CHILD"

// order is what a child is told. An empty DieAfter lets it go on to the end.
type order struct {
	DSN, Key            string
	Operation           osb.Operation
	InstanceID, Binding string
	DieAfter            string
}

func runChild() {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &o); err != nil {
		panic(err)
	}
	keys, err := postgres.ParseKeyring(o.Key)
	if err != nil {
		panic(err)
	}
	ctx := context.Background() //nolint:forbidigo // no test, but a broker that a test kills
	b, err := postgres.New(ctx, postgres.Config{DSN: o.DSN, Keys: keys})
	if err != nil {
		panic(err)
	}
	b.SetAfterStep(func(step string) {
		if step == o.DieAfter {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	fmt.Fprintln(os.Stdout, "at work")
	if err := carryOut(ctx, b, o); err != nil {
		panic(err)
	}
}

func carryOut(ctx context.Context, b *postgres.Broker, o order) error {
	var err error
	switch o.Operation {
	case osb.OpProvision:
		_, err = b.Provision(ctx, crashProvisionRequest(o.InstanceID))
	case osb.OpBind:
		_, err = b.Bind(ctx, bindRequest(o.InstanceID, o.Binding))
	case osb.OpUnbind:
		_, err = b.Unbind(ctx, &osb.UnbindRequest{InstanceID: o.InstanceID, BindingID: o.Binding})
	case osb.OpDeprovision:
		_, err = b.Deprovision(ctx, &osb.DeprovisionRequest{InstanceID: o.InstanceID})
	}
	return err
}

// crashProvisionRequest asks for all that a provision can do.
func crashProvisionRequest(id string) *osb.ProvisionRequest {
	r := provisionRequest(id)
	r.Parameters = osb.RawJSON(`{"encoding":"LATIN1","extensions":["hstore"]}`)
	return r
}

// child starts one; it dies when its time has come.
func (f *fixture) child(t *testing.T, o order) *exec.Cmd {
	t.Helper()
	o.DSN, o.Key = f.config.DSN, testKey
	raw, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test binary itself
	cmd.Env = append(os.Environ(), childEnv+"="+string(raw))
	return cmd
}

func (f *fixture) crash(t *testing.T, o order) {
	t.Helper()
	out, err := f.child(t, o).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%s", out)
}

// steps lists what an operation goes through, by going through it.
func (f *fixture) steps(t *testing.T, do func()) []string {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	f.broker.SetAfterStep(func(step string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, step)
	})
	defer f.broker.SetAfterStep(nil)
	do()
	return seen
}

// eventually repeats what the dead process's backend may still hold a lock
// against: a platform is told ConcurrencyError and comes again.
func eventually[T any](t *testing.T, do func() (T, error)) T {
	t.Helper()
	var out T
	require.Eventually(t, func() bool {
		var err error
		out, err = do()
		if osb.IsKind(err, osb.KindBusy) {
			return false
		}
		require.NoError(t, err)
		return true
	}, patienceOfTests, tick)
	return out
}

func (f *fixture) repeatProvision(t *testing.T, id string) *osb.ProvisionResponse {
	t.Helper()
	return eventually(t, func() (*osb.ProvisionResponse, error) {
		return f.client.Provision(t.Context(), crashProvisionRequest(id))
	})
}

func (f *fixture) repeatDeprovision(t *testing.T, id string) *osb.DeprovisionResponse {
	t.Helper()
	return eventually(t, func() (*osb.DeprovisionResponse, error) { return f.deprovision(t, id) })
}

// requireWhole asserts that an instance is all that was asked for, then removes it.
func (f *fixture) requireWhole(t *testing.T, id string) {
	t.Helper()
	b := f.bind(t, id)
	conn := connect(t, b.uri)
	assert.Equal(t, "LATIN1", queryOne[string](t, conn, "SHOW server_encoding"))
	runSQLAs(t, b.uri, "CREATE TABLE t (h hstore)")
	assert.Equal(t, 10, queryOne[int](t, conn, "SELECT datconnlimit FROM pg_database WHERE datname = current_database()"))
	assert.False(t, queryOne[bool](t, conn, "SELECT has_database_privilege('pg_monitor', current_database(), 'CONNECT')"))
	f.repeatDeprovision(t, id)
	f.requireNothingLeft(t, id, b.id)
}

func runSQLAs(t *testing.T, uri string, statements ...string) {
	t.Helper()
	runSQL(t, connect(t, uri), statements...)
}

func TestProvisionThatWasKilledAfterAnyStep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	steps := f.steps(t, func() { f.repeatProvision(t, uuid.NewString()) })
	require.Equal(t, []string{"instance intended", "database created", "database taken", "database furnished", "instance ready"}, steps)
	for _, step := range steps {
		t.Run(step+", then repeated", func(t *testing.T) {
			t.Parallel()
			id := uuid.NewString()
			f.crash(t, order{Operation: osb.OpProvision, InstanceID: id, DieAfter: step})
			if step != "instance ready" {
				f.requireNotUsable(t, id)
			}
			other := crashProvisionRequest(id)
			other.PlanID = postgres.PlanLargeID
			_, err := f.client.Provision(t.Context(), other)
			require.True(t, osb.IsKind(err, osb.KindConflict) || osb.IsKind(err, osb.KindBusy), "%v", err)
			assert.Equal(t, step == "instance ready", f.repeatProvision(t, id).Existed)
			assert.True(t, f.repeatProvision(t, id).Existed)
			f.requireWhole(t, id)
		})
		t.Run(step+", then deprovisioned", func(t *testing.T) {
			t.Parallel()
			id := uuid.NewString()
			f.crash(t, order{Operation: osb.OpProvision, InstanceID: id, DieAfter: step})
			assert.False(t, f.repeatDeprovision(t, id).Gone)
			f.requireNothingLeft(t, id)
			assert.True(t, f.repeatDeprovision(t, id).Gone)
			f.repeatProvision(t, id)
			f.requireWhole(t, id)
		})
	}
}

// requireNotUsable asserts that a half-made instance is neither shown nor bound.
func (f *fixture) requireNotUsable(t *testing.T, id string) {
	t.Helper()
	_, err := f.client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: id})
	require.True(t, osb.IsKind(err, osb.KindNotFound), "%v", err)
	_, err = f.client.Bind(t.Context(), bindRequest(id, uuid.NewString()))
	requireBusy(t, err)
}

// CREATE DATABASE itself is cut short here, and whatever else a blind kill hits.
func TestProvisionThatWasKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 10 {
		id := uuid.NewString()
		cmd := f.child(t, order{Operation: osb.OpProvision, InstanceID: id})
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		<-time.After(time.Duration(i*15) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if i%2 == 0 {
			f.repeatProvision(t, id)
			f.requireWhole(t, id)
			continue
		}
		f.repeatDeprovision(t, id)
		f.requireNothingLeft(t, id)
	}
}

func TestBindThatWasKilledAfterAnyStep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	steps := f.steps(t, func() { f.bind(t, id) })
	require.Equal(t, []string{"binding intended", "binding shared", "binding ready"}, steps)
	for _, step := range steps {
		t.Run(step+", then repeated", func(t *testing.T) {
			t.Parallel()
			id, bid := f.provision(t), uuid.NewString()
			f.crash(t, order{Operation: osb.OpBind, InstanceID: id, Binding: bid, DieAfter: step})
			if step != "binding ready" {
				_, err := f.client.GetBinding(t.Context(), &osb.GetBindingRequest{InstanceID: id, BindingID: bid})
				require.True(t, osb.IsKind(err, osb.KindNotFound), "%v", err)
			}
			resp := eventually(t, func() (*osb.BindResponse, error) {
				return f.client.Bind(t.Context(), bindRequest(id, bid))
			})
			connect(t, newBound(t, bid, resp.BindingData).uri)
		})
		t.Run(step+", then unbound", func(t *testing.T) {
			t.Parallel()
			id := f.provision(t)
			bid := uuid.NewString()
			f.crash(t, order{Operation: osb.OpBind, InstanceID: id, Binding: bid, DieAfter: step})
			eventually(t, func() (any, error) { return nil, f.unbind(t, id, bid) })
			assert.Zero(t, f.countRoles(t, bid))
		})
	}
}

func TestUnbindThatWasKilledAfterAnyStep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	gone := f.bind(t, id)
	steps := f.steps(t, func() { require.NoError(t, f.unbind(t, id, gone.id)) })
	require.Equal(t, []string{"binding shut", "sessions ended", "binding disowned", "binding forgotten"}, steps)
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			id := f.provision(t)
			b, keeper := f.bind(t, id), f.bind(t, id)
			runSQLAs(t, b.uri, "SET ROLE NONE", "CREATE TABLE kept (id int)")
			f.crash(t, order{Operation: osb.OpUnbind, InstanceID: id, Binding: b.id, DieAfter: step})
			eventually(t, func() (any, error) { return nil, f.unbind(t, id, b.id) })
			assert.Zero(t, f.countRoles(t, b.id))
			runSQLAs(t, keeper.uri, "DROP TABLE kept")
		})
	}
}

func TestDeprovisionThatWasKilledAfterAnyStep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gone := f.provision(t)
	f.bind(t, gone)
	steps := f.steps(t, func() { f.repeatDeprovision(t, gone) })
	require.Equal(t, []string{"instance shut", "database dropped", "instance forgotten"}, steps)
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			id := f.provision(t)
			b := f.bind(t, id)
			f.crash(t, order{Operation: osb.OpDeprovision, InstanceID: id, DieAfter: step})
			if step != steps[len(steps)-1] {
				_, err := f.client.Bind(t.Context(), bindRequest(id, uuid.NewString()))
				requireBusy(t, err)
				_, err = f.client.Provision(t.Context(), provisionRequest(id))
				requireBusy(t, err)
			}
			resp := f.repeatDeprovision(t, id)
			assert.Equal(t, !slices.Contains(steps[:2], step), resp.Gone)
			f.requireNothingLeft(t, id, b.id)
		})
	}
}

func (f *fixture) countRoles(t *testing.T, bindingID string) int {
	t.Helper()
	conn := connect(t, f.config.DSN)
	return queryOne[int](t, conn, "SELECT count(*) FROM pg_roles WHERE rolname = $1", postgres.LoginName(bindingID))
}
