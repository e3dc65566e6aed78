package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/osb"
)

func TestInstanceLivesFromProvisionToDeprovision(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	b := f.bind(t, id)

	assert.Equal(t, postgres.DatabaseName(id), b.Credentials["database"])
	assert.Equal(t, postgres.LoginName(b.id), b.Credentials["username"])
	assert.Equal(t, "127.0.0.1", b.Credentials["host"])
	assert.Equal(t, json.Number(portText()), b.Credentials["port"])
	assert.Equal(t, "disable", b.Credentials["sslmode"])
	assert.Equal(t, []osb.Endpoint{{Host: "127.0.0.1", Ports: []string{portText()}, Protocol: "tcp"}}, b.Endpoints)

	conn := connect(t, b.uri)
	runSQL(t, conn, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (1)")

	require.NoError(t, f.unbind(t, id, b.id))
	_, err := conn.Exec(t.Context(), "SELECT 1")
	require.Error(t, err, "the session of an unbound binding is over")
	_, err = pgx.Connect(t.Context(), b.uri)
	require.Error(t, err, "its login is gone")

	resp, err := f.deprovision(t, id)
	require.NoError(t, err)
	assert.False(t, resp.Gone)
	f.requireNothingLeft(t, id, b.id)
	require.GreaterOrEqual(t, len(b.password()), 26)
	assert.NotContains(t, f.log.String(), b.password())
	assert.Contains(t, f.log.String(), "Deprovisioned instance")
}

func TestDeprovisionEndsSessionsAndLeftBindings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	a, b := f.bind(t, id), f.bind(t, id)
	conn := connect(t, a.uri)
	runSQL(t, conn, "CREATE TABLE held (id int)", "BEGIN", "LOCK TABLE held",
		// What a binding leaves outside its database goes as well.
		"COMMIT", "BEGIN", "INSERT INTO held VALUES (1)", "PREPARE TRANSACTION 'left-"+id+"'", "BEGIN", "SELECT 1")
	elsewhere := connect(t, shared.DSNFor(postgres.LoginName(b.id), b.password(), "postgres"))
	runSQL(t, elsewhere, "SELECT lo_create(0)", "BEGIN", "SELECT lo_create(0)", "PREPARE TRANSACTION 'elsewhere-"+id+"'")

	_, err := f.deprovision(t, id)
	require.NoError(t, err)
	f.requireNothingLeft(t, id, a.id, b.id)
	_, err = elsewhere.Exec(t.Context(), "SELECT 1")
	require.Error(t, err)
}

//nolint:tparallel // requests for one instance at once would be ConcurrencyErrors
func TestRequestsThatAreRepeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t, withParameters(`{"extensions":["hstore","citext"]}`))
	b := f.bind(t, id)

	t.Run("an identical provision finds the instance", func(t *testing.T) {
		for _, same := range []string{
			`{"extensions":["hstore","citext"]}`, `{"encoding":"UTF8","extensions":["citext","hstore"]}`,
		} {
			r := provisionRequest(id)
			r.Parameters = osb.RawJSON(same)
			resp, err := f.client.Provision(t.Context(), r)
			require.NoError(t, err)
			assert.True(t, resp.Existed)
		}
	})
	t.Run("a provision with other attributes is a conflict", func(t *testing.T) {
		for name, edit := range map[string]func(*osb.ProvisionRequest){
			"plan":         func(r *osb.ProvisionRequest) { r.PlanID = postgres.PlanLargeID },
			"organization": func(r *osb.ProvisionRequest) { r.OrganizationGUID = "other" },
			"space":        func(r *osb.ProvisionRequest) { r.SpaceGUID = "other" },
			"parameters":   func(r *osb.ProvisionRequest) { r.Parameters = osb.RawJSON(`{}`) },
		} {
			r := provisionRequest(id)
			r.Parameters = osb.RawJSON(`{"extensions":["hstore","citext"]}`)
			edit(r)
			_, err := f.client.Provision(t.Context(), r)
			assert.True(t, osb.IsKind(err, osb.KindConflict), "%s: %v", name, err)
		}
	})
	t.Run("an identical bind gives the same credentials, from any replica", func(t *testing.T) {
		for _, g := range []*fixture{f, f.replica(t)} {
			resp, err := g.client.Bind(t.Context(), bindRequest(id, b.id))
			require.NoError(t, err)
			assert.True(t, resp.Existed)
			assert.Equal(t, b.Credentials, resp.Credentials)
		}
	})
	t.Run("a binding id of another instance is a conflict", func(t *testing.T) {
		_, err := f.client.Bind(t.Context(), bindRequest(f.provision(t), b.id))
		assert.True(t, osb.IsKind(err, osb.KindConflict), "%v", err)
	})
	t.Run("a repeated delete is gone", func(t *testing.T) {
		other := f.provision(t)
		resp, err := f.client.Unbind(t.Context(), &osb.UnbindRequest{
			InstanceID: other, BindingID: b.id, ServiceID: postgres.ServiceID, PlanID: postgres.PlanSmallID,
		})
		require.NoError(t, err)
		assert.True(t, resp.Gone, "a binding is unbound through its own instance only")
		connect(t, b.uri)
		for _, gone := range []bool{false, true, true} {
			resp, err := f.deprovision(t, other)
			require.NoError(t, err)
			assert.Equal(t, gone, resp.Gone)
		}
	})
}

func TestFetchTellsWhatWasMade(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t, withParameters(`{"encoding":"LATIN1"}`))
	b := f.bind(t, id)

	in, err := f.client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: id})
	require.NoError(t, err)
	assert.Equal(t, postgres.ServiceID, in.ServiceID)
	assert.Equal(t, postgres.PlanSmallID, in.PlanID)
	assert.JSONEq(t, `{"encoding":"LATIN1"}`, string(in.Parameters))

	bare, err := f.client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: f.provision(t)})
	require.NoError(t, err)
	assert.Nil(t, bare.Parameters, "none were sent")

	got, err := f.client.GetBinding(t.Context(), &osb.GetBindingRequest{InstanceID: id, BindingID: b.id})
	require.NoError(t, err)
	assert.Equal(t, b.BindingData, got.BindingData)

	for name, fetch := range map[string]func() error{
		"unknown instance": func() error {
			_, err := f.client.GetInstance(t.Context(), &osb.GetInstanceRequest{InstanceID: "none"})
			return err
		},
		"unknown binding": func() error {
			_, err := f.client.GetBinding(t.Context(), &osb.GetBindingRequest{InstanceID: id, BindingID: "none"})
			return err
		},
		"binding of another instance": func() error {
			_, err := f.client.GetBinding(t.Context(), &osb.GetBindingRequest{InstanceID: f.provision(t), BindingID: b.id})
			return err
		},
	} {
		assert.True(t, osb.IsKind(fetch(), osb.KindNotFound), name)
	}
}

func TestRotationMakesASecondLoginBesideTheFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.provision(t)
	old := f.bind(t, id)
	successor := uuid.NewString()
	resp, err := f.client.Bind(t.Context(), &osb.BindRequest{InstanceID: id, BindingID: successor, PredecessorBindingID: old.id})
	require.NoError(t, err)
	fresh := newBound(t, successor, resp.BindingData)
	connect(t, old.uri)
	connect(t, fresh.uri)
	require.NoError(t, f.unbind(t, id, old.id))
	connect(t, fresh.uri)

	for want, predecessor := range map[string]string{"predecessor_binding_id": old.id, "NUL": "a\x00b"} {
		_, err = f.client.Bind(t.Context(), &osb.BindRequest{InstanceID: id, BindingID: uuid.NewString(), PredecessorBindingID: predecessor})
		require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
		assert.Contains(t, osb.AsError(err).Description, want)
	}
}

func TestIdsOfAnyKind(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, id := range map[string]string{
		"quotes and spaces": `x" ; DROP ROLE postgres; -- '\` + uuid.NewString(),
		"longer than names": string(make600()) + uuid.NewString(),
		"other alphabets":   "база-данных-" + uuid.NewString(),
		"slashes":           "a/b/../c-" + uuid.NewString(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.provision(t, func(r *osb.ProvisionRequest) { r.InstanceID = id })
			resp, err := f.client.Bind(t.Context(), bindRequest(id, id))
			require.NoError(t, err)
			connect(t, newBound(t, id, resp.BindingData).uri)
			require.NoError(t, f.unbind(t, id, id))
			_, err = f.deprovision(t, id)
			require.NoError(t, err)
			f.requireNothingLeft(t, id, id)
		})
	}
	for name, id := range map[string]string{
		"NUL": "a\x00b", "not UTF-8": "a\xffb", "too long": string(make600()) + string(make600()),
	} {
		_, err := f.client.Provision(t.Context(), provisionRequest(id))
		require.True(t, osb.IsKind(err, osb.KindRejected), "%s: %v", name, err)
	}
}

func make600() []byte {
	long := make([]byte, 600)
	for i := range long {
		long[i] = 'x'
	}
	return long
}
