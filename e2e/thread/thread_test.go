package thread

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/e2e/stage"
)

// TestThread is what the demo shows, with what must hold around it.
func TestThread(t *testing.T) {
	s := newScene(t)
	s.kubectl(t, "create", "namespace", "plain")
	// The Pod as it is in a cluster that never heard of us.
	before := s.dryRun(t, pod("plain", ""))
	t.Run("a namespace of somebody else's is not taken", func(t *testing.T) { s.checkForeignNamespace(t) })
	t.Run("an installation is killed", func(t *testing.T) { s.killInstallation(t) })

	require.NoError(t, s.InstallCatalog(t.Context()))
	require.NoError(t, s.InstallBroker(t.Context(), s.postgres.URI()))
	require.NoError(t, s.Apply(t.Context()))
	require.NoError(t, s.ShowCatalog(t.Context()))
	require.NoError(t, s.ShowApp(t.Context()))
	require.NoError(t, s.ShowInjected(t.Context()))

	t.Run("a row is written and read back by each container", func(t *testing.T) { s.checkRows(t) })
	t.Run("an instance and a binding cost few writes", func(t *testing.T) { s.checkWrites(t) })
	t.Run("an unannotated Pod is byte for byte what it was", func(t *testing.T) {
		assert.Equal(t, before, s.dryRun(t, pod("plain", "")))
	})
	t.Run("a wrong name is refused in a sentence", func(t *testing.T) {
		assert.Contains(t, s.refused(t, pod("empty", `"servicecatalog.k8s.io/binding":""`)), "servicecatalog.k8s.io/binding")
		assert.Contains(t, s.refused(t, pod("bad", `"servicecatalog.k8s.io/binding":"Not_A_Name"`)), "Not_A_Name")
		assert.Contains(t, s.refused(t, pod("typo", `"servicecatalog.k8s.io/bindings":"orders-db"`)), "did you mean servicecatalog.k8s.io/binding?")
	})
	t.Run("an unknown binding warns, waits, and says for what", func(t *testing.T) { s.checkUnknown(t) })
	t.Run("without the webhook only annotated Pods are refused", func(t *testing.T) { s.checkOutage(t) })
	t.Run("without its configuration the guard refuses them", func(t *testing.T) { s.checkGuard(t) })
	t.Run("a broker that fails on purpose is cleaned up after", func(t *testing.T) { s.checkTestBroker(t) })
	t.Run("deleting everything leaves nothing", func(t *testing.T) { s.checkRemoval(t) })
	t.Run("uninstalling leaves the kinds and nothing else", func(t *testing.T) { s.checkUninstall(t) })
}

// dryRun is a Pod as the API server would store it, but for what differs with
// each request.
func (s *scene) dryRun(t *testing.T, manifest string) string {
	t.Helper()
	out, err := s.Create(t.Context(), manifest, "--dry-run=server", "-o", "json")
	require.NoError(t, err)
	var p map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &p))
	meta := p["metadata"].(map[string]any)
	delete(meta, "uid")
	delete(meta, "creationTimestamp")
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	return string(raw)
}

func (s *scene) checkRows(t *testing.T) {
	databases := s.instanceDatabases(t)
	require.Len(t, databases, 1)
	items := s.query(t, databases[0], "SELECT item FROM orders ORDER BY item")
	assert.Equal(t, []string{"a book, paid by credentials from env", "a book, paid by credentials from files"}, items)
	logs := s.kubectl(t, "logs", "deployment/app", "-n", stage.AppNamespace, "--all-containers")
	assert.Equal(t, 2, strings.Count(logs, "row written and read back"), logs)
	assert.Contains(t, logs, "file /bindings/orders-db/uri")
	assert.Contains(t, logs, "variable ORDERS_DB_URI")
}

// instanceDatabases are the databases that the broker made for instances: all
// that were not there before, but for its own.
func (s *scene) instanceDatabases(t *testing.T) []string {
	return s.query(t, "", "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', 'postgres_broker') ORDER BY 1")
}

func (s *scene) checkUnknown(t *testing.T) {
	s.create(t, pod("early", `"servicecatalog.k8s.io/binding":"later"`))
	var p struct {
		Spec struct {
			SchedulingGates []struct{ Name string }
		}
		Status struct {
			Conditions []struct{ Type, Reason, Message string }
		}
	}
	eventually(t, "the Pod says what it waits for", func() bool {
		s.get(t, &p, "pod", "early", "-n", "plain")
		for _, c := range p.Status.Conditions {
			if c.Type == "servicecatalog.k8s.io/credentials-stored" && strings.Contains(c.Message, `"later"`) {
				return true
			}
		}
		return false
	})
	require.Len(t, p.Spec.SchedulingGates, 1)
	assert.Equal(t, "servicecatalog.k8s.io/waiting-for-binding", p.Spec.SchedulingGates[0].Name)
	s.kubectl(t, "delete", "pod", "early", "-n", "plain")
}

func (s *scene) checkOutage(t *testing.T) {
	annotated := pod("annotated", `"servicecatalog.k8s.io/binding":"orders-db"`)
	s.fillLeaving(t)
	s.kubectl(t, "scale", "deployment/catalog-webhook", "-n", stage.CatalogNamespace, "--replicas=0")
	s.kubectl(t, "wait", "pods", "-n", stage.CatalogNamespace, "-l", "app.kubernetes.io/component=webhook", "--for=delete", "--timeout=2m")
	s.create(t, pod("unannotated", ""))
	s.kubectl(t, "delete", "pod", "unannotated", "-n", "plain")
	assert.Contains(t, s.refused(t, annotated), "webhook")
	s.checkLeaving(t)
	s.kubectl(t, "scale", "deployment/catalog-webhook", "-n", stage.CatalogNamespace, "--replicas=2")
	s.kubectl(t, "rollout", "status", "deployment/catalog-webhook", "-n", stage.CatalogNamespace, "--timeout=2m")
	eventually(t, "annotated Pods are taken again", func() bool {
		_, err := s.Create(t.Context(), annotated, "--dry-run=server")
		return err == nil
	})
}

func (s *scene) checkGuard(t *testing.T) {
	config := s.kubectl(t, "get", "mutatingwebhookconfiguration", "catalog-inject", "-o", "json")
	s.kubectl(t, "delete", "mutatingwebhookconfiguration", "catalog-inject")
	annotated := pod("annotated", `"servicecatalog.k8s.io/binding":"orders-db"`)
	eventually(t, "the guard refuses what was not injected", func() bool {
		_, err := s.Create(t.Context(), annotated, "--dry-run=server")
		return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy")
	})
	s.create(t, pod("unannotated", ""))
	s.kubectl(t, "delete", "pod", "unannotated", "-n", "plain")
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(config), &object))
	meta := object["metadata"].(map[string]any)
	delete(meta, "resourceVersion")
	delete(meta, "uid")
	raw, err := json.Marshal(object)
	require.NoError(t, err)
	s.create(t, string(raw))
}

func (s *scene) checkRemoval(t *testing.T) {
	secrets := func() []string {
		return strings.Fields(s.kubectl(t, "get", "secrets", "-A", "-l", "servicecatalog.k8s.io/managed", "-o", "name"))
	}
	roles := func() []string {
		return s.query(t, "", "SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname NOT IN ('postgres', 'postgres_broker') ORDER BY 1")
	}
	require.Len(t, secrets(), 2, "what is looked for must be found while it is there")
	require.Len(t, roles(), 2, "the owner's and the login's")
	require.NoError(t, s.Remove(t.Context()))
	assert.Empty(t, s.instanceDatabases(t), "no database is left")
	assert.Empty(t, roles(), "no role is left")
	for _, kind := range []string{"clusterservicebrokers", "clusterserviceclasses", "clusterserviceplans", "serviceinstances", "servicebindings"} {
		assert.Empty(t, s.kubectl(t, "get", kind, "-A", "-o", "name"), kind)
	}
	assert.Empty(t, secrets(), "no Secret is left")
	_, err := s.Output(t.Context(), "get", "namespace", stage.AppNamespace)
	assert.ErrorContains(t, err, "NotFound", "no finalizer holds the namespace")
}
