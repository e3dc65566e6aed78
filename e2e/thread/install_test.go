package thread

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/e2e/stage"
)

func (s *scene) checkForeignNamespace(t *testing.T) {
	require.NoError(t, s.CheckNamespaces(t.Context()), "a cluster without them is free")
	s.kubectl(t, "create", "namespace", stage.AppNamespace)
	err := s.CheckNamespaces(t.Context())
	require.ErrorContains(t, err, "did not make: shop")
	s.kubectl(t, "delete", "namespace", stage.AppNamespace)
}

// killInstallation leaves what Helm leaves when it is killed while it installs;
// the installation that follows must not mind.
func (s *scene) killInstallation(t *testing.T) {
	helm := exec.CommandContext(t.Context(), s.Helm, "install", "catalog", "charts/catalog", "-n", stage.CatalogNamespace,
		"--create-namespace", "--set", "image.tag=none", "--wait")
	helm.Dir, helm.Env = s.Root, append(os.Environ(), "KUBECONFIG="+s.Kubeconfig)
	require.NoError(t, helm.Start())
	eventually(t, "the installation is under way", func() bool {
		out, err := s.Output(t.Context(), "get", "deployment/catalog-controllers", "-n", stage.CatalogNamespace, "--ignore-not-found", "-o", "name")
		return err == nil && out != ""
	})
	require.NoError(t, helm.Process.Kill())
	require.Error(t, helm.Wait())
	assert.NotEmpty(t, s.kubectl(t, "get", "secrets", "-n", stage.CatalogNamespace, "-l", "owner=helm,status=pending-install", "-o", "name"),
		"nothing is left unfinished, so nothing is tested")
}

func (s *scene) checkUninstall(t *testing.T) {
	require.NoError(t, s.CheckNamespaces(t.Context()), "the scene's own namespaces are known again")
	require.NoError(t, s.Uninstall(t.Context()))
	crds := s.kubectl(t, "get", "crds", "-o", "name")
	assert.Equal(t, 8, strings.Count(crds, "servicecatalog.k8s.io"), crds)
	for _, name := range []string{stage.CatalogNamespace, stage.BrokerNamespace, stage.AppNamespace} {
		assert.Empty(t, s.kubectl(t, "get", "namespace", name, "--ignore-not-found", "-o", "name"))
	}
	for _, kind := range []string{"mutatingwebhookconfigurations", "validatingadmissionpolicies", "clusterroles"} {
		assert.NotContains(t, s.kubectl(t, "get", kind, "-o", "name"), "catalog", kind)
	}
	require.NoError(t, s.Uninstall(t.Context()), "where nothing is installed")
	s.kubectl(t, append([]string{"delete"}, strings.Fields(crds)...)...)
	require.NoError(t, s.Uninstall(t.Context()), "where not even the kinds are there")
}
