package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb"
)

// pause makes f's broker wait at a step, once, until the returned function is
// called; the channel tells when it is there.
func (f *fixture) pause(at string) (there chan struct{}, goOn func()) {
	there, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.broker.SetAfterStep(func(step string) {
		if step == at {
			once.Do(func() {
				close(there)
				<-release
			})
		}
	})
	return there, sync.OnceFunc(func() { close(release) })
}

func TestOneOfTwoRequestsForAnInstanceWins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := f.replica(t)
	id := uuid.NewString()
	there, goOn := f.pause("database created")
	defer goOn()

	type answer struct {
		resp *osb.ProvisionResponse
		err  error
	}
	first := make(chan answer, 1)
	go func() {
		resp, err := f.client.Provision(t.Context(), provisionRequest(id))
		first <- answer{resp, err}
	}()
	<-there
	for name, do := range map[string]func() error{
		"provision": func() error {
			_, err := other.client.Provision(t.Context(), provisionRequest(id))
			return err
		},
		"provision, same replica": func() error {
			_, err := f.client.Provision(t.Context(), provisionRequest(id))
			return err
		},
		"deprovision": func() error {
			_, err := other.deprovision(t, id)
			return err
		},
		"update": func() error {
			_, err := other.client.Update(t.Context(), &osb.UpdateRequest{InstanceID: id, ServiceID: postgres.ServiceID})
			return err
		},
		"bind, after some patience": func() error {
			_, err := other.client.Bind(t.Context(), bindRequest(id, uuid.NewString()))
			return err
		},
	} {
		require.True(t, osb.IsKind(do(), osb.KindBusy), name)
	}
	other.provision(t) // other instances do not wait
	goOn()
	got := <-first
	require.NoError(t, got.err)
	assert.False(t, got.resp.Existed)
}

func TestBindWaitsForAShortOperationToEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := f.replica(t)
	id := f.provision(t)
	there, goOn := f.pause("binding intended")
	defer goOn()
	done := make(chan error, 2)
	go func() {
		_, err := f.client.Bind(t.Context(), bindRequest(id, uuid.NewString()))
		done <- err
	}()
	<-there
	go func() {
		_, err := other.client.Bind(t.Context(), bindRequest(id, uuid.NewString()))
		done <- err
	}()
	conn := connect(t, f.config.DSN)
	require.Eventually(t, func() bool {
		return queryOne[int](t, conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())") == 1
	}, patienceOfTests, tick)
	goOn()
	require.NoError(t, <-done)
	require.NoError(t, <-done)
}

// Two instances are locked apart from each other, so a binding id that is new to
// both requests can be taken between the look and the record.
func TestABindingIDThatAnotherInstanceTakesMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, other, bid := f.provision(t), f.provision(t), uuid.NewString()
	admin, onlooker := connect(t, f.config.DSN), connect(t, f.config.DSN)
	runSQL(t, admin, "BEGIN", "INSERT INTO postgres_broker.bindings VALUES ('"+bid+"', '"+other+"', 'intended', 'taken', '')")
	done := make(chan error, 1)
	go func() {
		_, err := f.client.Bind(t.Context(), bindRequest(id, bid))
		done <- err
	}()
	require.Eventually(t, func() bool {
		return queryOne[int](t, onlooker, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
	}, patienceOfTests, tick)
	runSQL(t, admin, "COMMIT")
	err := <-done
	require.True(t, osb.IsKind(err, osb.KindConflict), "%v", err)
	assert.Contains(t, osb.AsError(err).Description, "choose a new binding id")
}

// Nothing but success and ConcurrencyError comes out of a crowd, whatever it asks.
func TestACrowdOnOneInstance(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	replicas := []*fixture{f, f.replica(t), f.replica(t)}
	id, shared := uuid.NewString(), uuid.NewString()
	var mu sync.Mutex
	made, bound := 0, map[string]int{}
	crowd(t, 12, func(i int) error {
		r := replicas[i%len(replicas)]
		resp, err := r.client.Provision(t.Context(), provisionRequest(id))
		if err == nil && !resp.Existed {
			mu.Lock()
			defer mu.Unlock()
			made++
		}
		return err
	})
	require.Equal(t, 1, made, "exactly one request made the instance")

	crowd(t, 12, func(i int) error {
		resp, err := replicas[i%len(replicas)].client.Bind(t.Context(), bindRequest(id, shared))
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			bound[fmt.Sprint(resp.Credentials["uri"])]++
		}
		return err
	})
	require.Len(t, bound, 1, "all were told the same credentials")

	crowd(t, 12, func(i int) error {
		r := replicas[i%len(replicas)]
		if i%2 == 0 {
			_, err := r.deprovision(t, id)
			return err
		}
		_, err := r.client.Unbind(t.Context(), &osb.UnbindRequest{InstanceID: id, BindingID: shared, ServiceID: postgres.ServiceID, PlanID: postgres.PlanSmallID})
		return err
	})
	f.repeatDeprovision(t, id)
	f.requireNothingLeft(t, id, shared)
}

// crowd runs do n times at once and lets success and ConcurrencyError pass.
func crowd(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	ok := 0
	for _, err := range errs {
		if err == nil {
			ok++
			continue
		}
		requireBusy(t, err)
	}
	require.Positive(t, ok)
}

func TestManyInstancesAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	crowd := 15 // more than the broker has connections
	var wg sync.WaitGroup
	errs := make([]error, crowd)
	for i := range crowd {
		wg.Go(func() {
			id := uuid.NewString()
			if _, errs[i] = f.client.Provision(t.Context(), provisionRequest(id)); errs[i] != nil {
				return
			}
			if _, errs[i] = f.client.Bind(t.Context(), bindRequest(id, id)); errs[i] != nil {
				return
			}
			_, errs[i] = f.deprovision(t, id)
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestReplicasThatStartAtOnce(t *testing.T) {
	t.Parallel()
	records := "records_" + uuid.NewString()[:8]
	runAdmin(t, "postgres", "CREATE DATABASE "+records)
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() {
			b, err := postgres.New(t.Context(), postgres.Config{DSN: shared.DSN(records)})
			if err == nil {
				b.Close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// A platform that gives up waiting does not leave half an instance behind.
func TestTheWorkIsFinishedWhenTheClientHangsUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	there, goOn := f.pause("database created")
	defer goOn()
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := f.client.Provision(ctx, provisionRequest(id))
		done <- err
	}()
	<-there
	hangUp()
	require.True(t, osb.IsKind(<-done, osb.KindCanceled))
	goOn()
	require.Eventually(t, func() bool {
		_, err := f.client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: id})
		return err == nil
	}, patienceOfTests, tick)
}

func TestAFetchThatTakesTooLong(t *testing.T) {
	t.Parallel()
	cfg := newFixture(t).config
	cfg.OperationTimeout = time.Second
	cfg.DSN += "&lock_timeout=0"
	f := fixtureWith(t, cfg)
	id := f.provision(t)
	b := f.bind(t, id)
	holder := connect(t, cfg.DSN)
	runSQL(t, holder, "BEGIN", "LOCK TABLE postgres_broker.instances")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for name, fetch := range map[string]func() error{
		"instance": func() error {
			_, err := f.client.GetInstance(ctx, &osb.GetInstanceRequest{InstanceID: id})
			return err
		},
		"binding": func() error {
			_, err := f.client.GetBinding(ctx, &osb.GetBindingRequest{InstanceID: id, BindingID: b.id})
			return err
		},
	} {
		err := fetch()
		require.True(t, osb.IsKind(err, osb.KindUnavailable), "%s: %v", name, err)
		assert.Contains(t, osb.AsError(err).Description, "took too long", name)
	}
}

func TestAnOperationThatTakesTooLong(t *testing.T) {
	t.Parallel()
	patient := newFixture(t)
	cfg := patient.config
	cfg.OperationTimeout = time.Second
	f := fixtureWith(t, cfg)
	f.broker.SetAfterStep(func(step string) {
		if step == "database created" {
			<-time.After(2 * time.Second)
		}
	})
	id := uuid.NewString()
	_, err := f.client.Provision(t.Context(), provisionRequest(id))
	require.True(t, osb.IsKind(err, osb.KindUnavailable), "%v", err)
	assert.Contains(t, osb.AsError(err).Description, "took too long")
	assert.True(t, osb.AsError(err).OrphanMitigation)
	patient.repeatDeprovision(t, id)
	patient.requireNothingLeft(t, id)
}
