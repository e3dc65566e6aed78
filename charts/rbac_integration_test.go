package charts_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// right is something that somebody may or may not do.
type right struct {
	verb, group, resource, namespace, name string
}

// anonymous is the one who is not logged in.
const anonymous = "system:anonymous"

// may asks the API server.
func may(t *testing.T, c client.Client, user string, r right) bool {
	t.Helper()
	groups := []string{"system:authenticated"}
	if user == anonymous {
		groups = []string{"system:unauthenticated"}
	}
	return mayIn(t, c, user, groups, r)
}

// mayIn asks the API server about somebody in other groups.
func mayIn(t *testing.T, c client.Client, user string, groups []string, r right) bool {
	t.Helper()
	resource, subresource, _ := strings.Cut(r.resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: r.verb, Group: r.group, Resource: resource, Subresource: subresource, Namespace: r.namespace, Name: r.name,
		},
	}}
	require.NoError(t, c.Create(t.Context(), review))
	return review.Status.Allowed
}

const (
	ours         = "servicecatalog.k8s.io"
	registration = "admissionregistration.k8s.io"
	webhooks     = "mutatingwebhookconfigurations"
	checks       = "validatingwebhookconfigurations"
)

func TestProcessesMayDoTheirWorkAndNoMore(t *testing.T) {
	c := install(t)
	rows := map[string]struct {
		user string
		may  []right
		not  []right
	}{
		"the controllers": {
			user: controllersUser,
			may: []right{
				{"create", "coordination.k8s.io", "leases", releaseSpace, ""},
				{"update", "coordination.k8s.io", "leases", releaseSpace, release + "-controllers"},
				{"update", "", "secrets", releaseSpace, release + "-webhook-cert"},
				{"get", "", "configmaps", releaseSpace, "cluster-info"},
				{"create", "", "configmaps", releaseSpace, ""},
				{"patch", registration, webhooks, "", release + "-inject"},
				{"watch", registration, webhooks, "", release + "-inject"},
				{"patch", registration, webhooks, "", release + "-defaults"},
				{"patch", registration, checks, "", release + "-validate"},
				{"patch", ours, "serviceinstances/status", "shop", "orders"},
				{"update", ours, "servicebindings/finalizers", "shop", "orders-db"},
				{"update", ours, "clusterservicebrokers/finalizers", "", "postgres"},
				{"patch", "apps", "deployments", "shop", "web"},
				{"get", "apps", "replicasets", "shop", "web-1"},
			},
			not: []right{
				{"patch", registration, webhooks, "", "somebody-else"},
				{"list", registration, webhooks, "", ""},
				{"create", registration, webhooks, "", ""},
				{"delete", registration, webhooks, "", release + "-inject"},
				{"patch", registration, checks, "", "somebody-else"},
				{"list", registration, checks, "", ""},
				{"create", registration, checks, "", ""},
				{"delete", registration, checks, "", release + "-validate"},
				{"update", registration, "validatingadmissionpolicies", "", release + "-fence"},
				{"update", "coordination.k8s.io", "leases", releaseSpace, "somebody-else"},
				{"update", "coordination.k8s.io", "leases", "kube-system", "kube-scheduler"},
				{"get", "", "configmaps", "kube-system", "kubeadm-config"},
				{"update", "", "configmaps", releaseSpace, "cluster-info"},
				{"deletecollection", "", "secrets", "shop", ""},
				{"create", "", "pods", "shop", ""},
				{"create", "apps", "deployments", "shop", ""},
				{"update", "apps", "deployments", "shop", "web"},
				{"delete", "apps", "deployments", "shop", "web"},
				{"list", "apps", "deployments", "shop", ""},
				{"patch", "apps", "deployments/scale", "shop", "web"},
				{"patch", "apps", "replicasets", "shop", "web-1"},
				{"patch", "batch", "cronjobs", "shop", "report"},
				{"create", "", "pods/exec", "shop", "web"},
				{"create", "", "serviceaccounts/token", releaseSpace, release + "-webhook"},
				{"delete", ours, "serviceinstances", "shop", "orders"},
				{"adopt", ours, "serviceinstances", "shop", "orders"},
				{"purge", ours, "servicebindings", "shop", "orders-db"},
			},
		},
		"the webhook": {
			user: webhookUser,
			may: []right{
				{"list", "", "secrets", releaseSpace, release + "-webhook-cert"},
				{"watch", "", "secrets", releaseSpace, release + "-webhook-cert"},
				{"get", ours, "servicebindings", "shop", "orders-db"},
				{"watch", ours, "servicebindings", "", ""},
			},
			not: []right{
				{"list", "", "secrets", releaseSpace, ""},
				{"get", "", "secrets", releaseSpace, "somebody-elses"},
				{"update", "", "secrets", releaseSpace, release + "-webhook-cert"},
				{"get", "", "secrets", "shop", "orders-db"},
				{"list", "", "secrets", "", ""},
				{"get", "", "pods", "shop", "web"},
				{"patch", "", "pods", "shop", "web"},
				{"patch", ours, "servicebindings", "shop", "orders-db"},
				{"patch", ours, "servicebindings/status", "shop", "orders-db"},
				{"patch", registration, webhooks, "", release + "-inject"},
				{"patch", registration, checks, "", release + "-validate"},
				{"update", "coordination.k8s.io", "leases", releaseSpace, release + "-controllers"},
			},
		},
	}
	for name, tc := range rows {
		for _, r := range tc.may {
			assert.True(t, may(t, c, tc.user, r), "%s may not %v", name, r)
		}
		for _, r := range tc.not {
			assert.False(t, may(t, c, tc.user, r), "%s may %v", name, r)
		}
	}
}

// The package certs says what it needs, and its own tests run under just that; the
// chart must grant it.
func TestCertsGetsTheRightsThatItsTestsRunUnder(t *testing.T) {
	c := install(t)
	file, err := template.ParseFiles(filepath.Join("..", "certs", "testdata", "rbac.yaml"))
	require.NoError(t, err)
	var manifests bytes.Buffer
	require.NoError(t, file.Execute(&manifests, map[string]string{
		"Namespace": releaseSpace, "Secret": release + "-webhook-cert",
		"Mutating": release + "-inject, " + release + "-defaults", "Validating": release + "-validate",
	}))
	users := map[string]string{
		"controllers-certs":                 controllersUser,
		releaseSpace + "-controllers-certs": controllersUser,
		"webhook-certs":                     webhookUser,
	}
	for _, obj := range objects(t, manifests.String()) {
		user, ok := users[obj.GetName()]
		require.True(t, ok, "whose are the rights of %s?", obj.GetName())
		for _, r := range rights(as[rbacv1.ClusterRole](t, obj.Object)) {
			r.namespace = obj.GetNamespace()
			assert.True(t, may(t, c, user, r), "%s may not %v", user, r)
		}
	}
}

// rights are the single rights of a role.
func rights(role *rbacv1.ClusterRole) []right {
	var single []right
	for _, rule := range role.Rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, verb := range rule.Verbs {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, name := range names {
						single = append(single, right{verb: verb, group: group, resource: resource, name: name})
					}
				}
			}
		}
	}
	return single
}
