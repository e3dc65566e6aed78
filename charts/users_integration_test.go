package charts_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// bind gives a user a role of the cluster: in a namespace, or everywhere if that is
// empty.
func bind(t *testing.T, c client.Client, user, role, namespace string) {
	t.Helper()
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	meta := metav1.ObjectMeta{Namespace: namespace, GenerateName: user + "-"}
	if namespace == "" {
		create(t, c, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		return
	}
	create(t, c, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
}

// What each role of the cluster lets somebody do with our kinds, once Kubernetes
// has taken our roles into its own.
func TestUsersMayWhatTheirRoleSays(t *testing.T) {
	c := install(t)
	startKubernetes(t)
	read := []string{"get", "list", "watch"}
	write := []string{"create", "update", "patch", "delete", "deletecollection"}
	// Who is bound to which role, and what that lets them write; they read all that
	// is in their namespace.
	rows := []struct {
		user, role, namespace string
		writes                []string
	}{
		{"viewer", "view", "default", nil},
		{"editor-of-space", "edit", "default", []string{"serviceinstances", "servicebindings"}},
		{"admin-of-space", "admin", "default", []string{"serviceinstances", "servicebindings", "servicebrokers"}},
		{"viewer-of-all", "view", "", nil},
		{"editor-of-all", "edit", "", []string{"serviceinstances", "servicebindings"}},
		{"admin-of-all", "admin", "", []string{"serviceinstances", "servicebindings", "servicebrokers"}},
	}
	namespaced := []string{"serviceinstances", "servicebindings", "servicebrokers", "serviceclasses", "serviceplans"}
	clusterWide := []string{"clusterservicebrokers", "clusterserviceclasses", "clusterserviceplans"}
	for _, row := range rows {
		bind(t, c, row.user, row.role, row.namespace)
		first := right{"get", ours, "serviceinstances", "default", ""}
		if len(row.writes) > 0 {
			first = right{"create", ours, row.writes[len(row.writes)-1], "default", ""}
		}
		require.Eventually(t, func() bool { return may(t, c, row.user, first) }, time.Minute, 50*time.Millisecond, "%s may not %v", row.user, first)
		for _, resource := range namespaced {
			for _, verb := range read {
				assert.True(t, may(t, c, row.user, right{verb, ours, resource, "default", ""}), "%s: %s %s", row.user, verb, resource)
				assert.Equal(t, row.namespace == "", may(t, c, row.user, right{verb, ours, resource, "elsewhere", ""}), "%s: %s %s elsewhere", row.user, verb, resource)
			}
			for _, verb := range write {
				assert.Equal(t, slices.Contains(row.writes, resource), may(t, c, row.user, right{verb, ours, resource, "default", ""}), "%s: %s %s", row.user, verb, resource)
			}
			nobodyMay(t, c, row.user, resource, "default")
		}
		for _, resource := range clusterWide {
			for _, verb := range read {
				assert.True(t, may(t, c, row.user, right{verb, ours, resource, "", ""}), "%s: %s %s", row.user, verb, resource)
			}
			for _, verb := range write {
				assert.False(t, may(t, c, row.user, right{verb, ours, resource, "", ""}), "%s: %s %s", row.user, verb, resource)
			}
			nobodyMay(t, c, row.user, resource, "")
		}
	}
	for _, resource := range namespaced {
		assert.False(t, may(t, c, "nobody", right{"get", ours, resource, "default", ""}), resource)
	}
	for _, resource := range clusterWide { // the marketplace
		assert.True(t, may(t, c, "nobody", right{"list", ours, resource, "", ""}), resource)
		assert.False(t, may(t, c, anonymous, right{"list", ours, resource, "", ""}), resource)
	}
}

// nobodyMay asserts what no role of a cluster lets anybody do: what is given by
// name, and the record of what a broker has.
func nobodyMay(t *testing.T, c client.Client, user, resource, namespace string) {
	t.Helper()
	for _, verb := range []string{"adopt", "purge"} {
		assert.False(t, may(t, c, user, right{verb, ours, resource, namespace, ""}), "%s: %s %s", user, verb, resource)
	}
	for _, verb := range []string{"update", "patch"} {
		assert.False(t, may(t, c, user, right{verb, ours, resource + "/status", namespace, ""}), "%s: %s status of %s", user, verb, resource)
	}
}

func TestRolesForOthersAreFoundByLabel(t *testing.T) {
	c := install(t)
	for role, label := range map[string]string{
		"view": "rbac.authorization.k8s.io/aggregate-to-view", "edit": "rbac.authorization.k8s.io/aggregate-to-edit",
		"admin": "rbac.authorization.k8s.io/aggregate-to-admin", "servicebinding-io": "servicebinding.io/controller",
	} {
		got := &rbacv1.ClusterRole{}
		require.NoError(t, c.Get(t.Context(), client.ObjectKey{Name: release + "-" + role}, got))
		assert.Equal(t, "true", got.Labels[label], role)
	}
	bind(t, c, "servicebinding-io", release+"-servicebinding-io", "default")
	watch := right{"watch", ours, "servicebindings", "default", ""}
	require.Eventually(t, func() bool { return may(t, c, "servicebinding-io", watch) }, time.Minute, 50*time.Millisecond)
	assert.False(t, may(t, c, "servicebinding-io", right{"get", ours, "serviceinstances", "default", ""}))
	assert.False(t, may(t, c, "servicebinding-io", right{"patch", ours, "servicebindings", "default", ""}))

	// As a group that is not the marketplace's, so that the role alone decides.
	for user, namespace := range map[string]string{"reader-of-space": "default", "reader-of-all": ""} {
		bind(t, c, user, release+"-view", namespace)
		sees := right{"list", ours, "serviceinstances", "default", ""}
		require.Eventually(t, func() bool { return mayIn(t, c, user, []string{"outsiders"}, sees) }, time.Minute, 50*time.Millisecond)
		assert.Equal(t, namespace == "", mayIn(t, c, user, []string{"outsiders"}, right{"list", ours, "clusterserviceclasses", "", ""}), user)
	}
}
