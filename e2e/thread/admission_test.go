package thread

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// instance is one in the namespace "leaving"; more is put into its metadata.
func instance(name, more string) string {
	return `{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceInstance",
		"metadata":{"name":"` + name + `","namespace":"leaving"` + more + `},
		"spec":{"clusterServiceClassExternalName":"postgresql","clusterServicePlanExternalName":"small"}}`
}

// fillLeaving makes a namespace with a database that nobody may delete.
func (s *scene) fillLeaving(t *testing.T) {
	s.kubectl(t, "create", "namespace", "leaving")
	s.create(t, instance("kept", `,"annotations":{"servicecatalog.k8s.io/prevent-deletion":"true"}`))
	s.create(t, instance("stuck", ""))
	s.kubectl(t, "wait", "serviceinstances", "--all", "-n", "leaving", "--for=condition=Ready", "--timeout=1m")
	assert.Equal(t, "kubernetes-admin", s.kubectl(t, "get", "serviceinstance", "kept", "-n", "leaving", "-o", "jsonpath={.spec.userInfo.username}"))
}

// checkLeaving runs while no webhook does: what is there can still go, and what
// must not go stays and says so.
func (s *scene) checkLeaving(t *testing.T) {
	s.kubectl(t, "label", "serviceinstance", "stuck", "-n", "leaving", "team=none")
	s.kubectl(t, "patch", "serviceinstance", "stuck", "-n", "leaving", "--type=merge", `--patch={"metadata":{"finalizers":null}}`)

	s.kubectl(t, "delete", "namespace", "leaving", "--wait=false")
	conditions := `jsonpath={.status.conditions[?(@.type=="NamespaceDeletionContentFailure")].message}`
	eventually(t, "the namespace says what keeps it", func() bool {
		return strings.Contains(s.kubectl(t, "get", "namespace", "leaving", "-o", conditions), `keeps ServiceInstance "kept" from being deleted`)
	})
	assert.Equal(t, "True", s.kubectl(t, "get", "serviceinstance", "kept", "-n", "leaving", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`))

	s.kubectl(t, "annotate", "serviceinstance", "kept", "-n", "leaving", "servicecatalog.k8s.io/prevent-deletion-")
	s.kubectl(t, "wait", "namespace", "leaving", "--for=delete", "--timeout=2m")
}
