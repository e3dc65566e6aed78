package charts_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// terminal is a user who reads what the API server warns of.
type terminal struct {
	client.Client
	mu   sync.Mutex
	read []string
}

// HandleWarningHeaderWithContext is called with each Warning header.
func (u *terminal) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.read = append(u.read, text)
}

// warnings are what came since the last look.
func (u *terminal) warnings() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.read
	u.read = nil
	return all
}

// atTerminal lets a user in who has rights already.
func atTerminal(t *testing.T, user string, groups ...string) *terminal {
	t.Helper()
	cfg, u := impersonating(t, user, groups...), &terminal{}
	cfg.WarningHandlerWithContext = u
	u.Client = dial(t, cfg)
	return u
}

const (
	domain = "servicecatalog.k8s.io/"
	// knownEverywhere is what brokers, instances and bindings know.
	knownEverywhere = "under servicecatalog.k8s.io/ there are paused, reconcile, prevent-deletion, purge"
)

func TestAnnotationsThatDoNothingAreWarnedOf(t *testing.T) {
	c := installPolicies(t)
	userWith(t, c, "typist", edits(), rule([]string{"purge"}, []string{"serviceinstances"}))
	user := atTerminal(t, "typist", "system:authenticated")
	rows := map[string]struct {
		kind, key, value string
		warning          string // empty: none
	}{
		"no annotation of ours":              {"ServiceInstance", "example.com/binding", "x", ""},
		"a domain that only ends like ours":  {"ServiceInstance", "notservicecatalog.k8s.io/binding", "x", ""},
		"an annotation that there is":        {"ServiceInstance", domain + "purge", "1", ""},
		"a switch that is on":                {"ServiceBroker", domain + "prevent-deletion", "true", ""},
		"a switch that is off":               {"ClusterServiceBroker", domain + "paused", "false", ""},
		"one for instances alone, there":     {"ServiceInstance", domain + "check-interval", "1h", ""},
		"one for instances alone, elsewhere": {"ServiceBinding", domain + "check-interval", "1h", `"servicecatalog.k8s.io/check-interval" means nothing on a ServiceBinding; ` + knownEverywhere + ", rotate"},
		"one for bindings alone, there":      {"ServiceBinding", domain + "rotate", "1", ""},
		"one for bindings alone, elsewhere":  {"ServiceInstance", domain + "rotate", "1", `"servicecatalog.k8s.io/rotate" means nothing on a ServiceInstance; ` + knownEverywhere},
		"a typo": {"ServiceInstance", domain + "prevent-delete", "true",
			`"servicecatalog.k8s.io/prevent-delete" means nothing on a ServiceInstance; ` + knownEverywhere},
		"a typo on a binding":             {"ServiceBinding", domain + "rotation", "1", `"servicecatalog.k8s.io/rotation" means nothing on a ServiceBinding; ` + knownEverywhere + ", rotate"},
		"a typo on a broker":              {"ClusterServiceBroker", domain + "relist", "1", `"servicecatalog.k8s.io/relist" means nothing on a ClusterServiceBroker; ` + knownEverywhere},
		"a prefix before a known one":     {"ServiceBroker", "x." + domain + "paused", "true", `"x.servicecatalog.k8s.io/paused" means nothing on a ServiceBroker`},
		"one for Pods":                    {"ServiceBinding", domain + "binding", "orders-db", `"servicecatalog.k8s.io/binding" does nothing on a ServiceBinding; it belongs on a Pod, in a workload under spec.template.metadata.annotations`},
		"one for Pods, of one binding":    {"ServiceInstance", "orders-db." + domain + "env-prefix", "DB_", `"orders-db.servicecatalog.k8s.io/env-prefix" does nothing on a ServiceInstance; it belongs on a Pod`},
		"a switch that is neither":        {"ServiceInstance", domain + "prevent-deletion", "yes", `"servicecatalog.k8s.io/prevent-deletion" does nothing unless it is "true", written just so`},
		"a switch in capitals":            {"ServiceBinding", domain + "paused", "True", `"servicecatalog.k8s.io/paused" does nothing unless it is "true"`},
		"a switch that is not for a kind": {"ServiceBinding", domain + "pause", "true", `"servicecatalog.k8s.io/pause" means nothing on a ServiceBinding`},
	}
	for name, tc := range rows {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, user.Create(t.Context(), annotated(anObject(tc.kind), tc.key, tc.value), client.DryRunAll), "it is a warning, no refusal")
			checkWarning(t, user.warnings(), tc.warning)
			plain := create(t, c, anObject(tc.kind))
			require.NoError(t, annotate(t, user, plain, tc.key, tc.value))
			checkWarning(t, user.warnings(), tc.warning)
			require.NoError(t, annotate(t, user, plain, tc.key, nil))
			assert.Empty(t, user.warnings(), "it is put right")
		})
	}
	all := annotated(annotated(annotated(anObject("ServiceInstance"), domain+"first", "1"), domain+"second", "1"), domain+"env", "A=b")
	require.NoError(t, user.Create(t.Context(), all, client.DryRunAll))
	assert.Len(t, user.warnings(), 2, "one about what is unknown, one about what is for Pods")

	admin := atTerminal(t, "")
	class := object("ClusterServiceBroker", map[string]any{"externalName": "a", "externalID": "a", "description": "A.", "bindable": true, "clusterServiceBrokerName": "a"})
	class.SetKind("ClusterServiceClass")
	require.NoError(t, admin.Create(t.Context(), annotated(class, domain+"paused", "true"), client.DryRunAll))
	checkWarning(t, admin.warnings(), `"servicecatalog.k8s.io/paused" means nothing on a ClusterServiceClass; there are none for that kind`)
}

// checkWarning asserts that there is one warning and what it says, or none.
func checkWarning(t *testing.T, got []string, want string) {
	t.Helper()
	if want == "" {
		assert.Empty(t, got)
		return
	}
	require.Len(t, got, 1)
	assert.Contains(t, got[0], want)
}

// workload is a manifest of a kind that makes Pods, with annotations of its own
// and for its Pods.
func workload(kind string, own, pods map[string]string) *unstructured.Unstructured {
	annotations := func(m map[string]string) map[string]any {
		untyped := map[string]any{}
		for k, v := range m {
			untyped[k] = v
		}
		return untyped
	}
	app := map[string]any{"app": "web"}
	template := map[string]any{
		"metadata": map[string]any{"labels": app, "annotations": annotations(pods)},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "web", "image": "web:1"}}},
	}
	spec := map[string]any{"template": template}
	version := "apps/v1"
	switch kind {
	case "Job", "CronJob":
		version = "batch/v1"
		template["spec"].(map[string]any)["restartPolicy"] = "Never"
	default:
		spec["selector"] = map[string]any{"matchLabels": app}
	}
	if kind == "CronJob" {
		spec = map[string]any{"schedule": "* * * * *", "jobTemplate": map[string]any{"spec": spec}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": version, "kind": kind, "spec": spec,
		"metadata": map[string]any{"namespace": "default", "generateName": "web-", "annotations": annotations(own)},
	}}
}

func TestAnnotationsBesideThePodTemplateAreWarnedOf(t *testing.T) {
	c := installPolicies(t)
	verbs := []string{"create", "update", "patch", "get"}
	userWith(t, c, "deployer",
		rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets", "daemonsets", "replicasets"}, Verbs: verbs},
		rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"jobs", "cronjobs"}, Verbs: verbs})
	user := atTerminal(t, "deployer", "system:authenticated")
	kubernetes := atTerminal(t, "system:serviceaccount:kube-system:deployment-controller", "system:masters")
	one := func(k string) map[string]string { return map[string]string{k: "x"} }
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"} {
		where := "under spec.template.metadata.annotations"
		if kind == "CronJob" {
			where = "under spec.jobTemplate.spec.template.metadata.annotations"
		}
		const exist = "; under servicecatalog.k8s.io/ there are binding, inject, containers, mount-path, env-prefix, env, when-not-ready, restart-on-rotation"
		rows := map[string]struct {
			own, pods map[string]string
			warning   string
		}{
			"none of ours":            {one("note"), one("note"), ""},
			"where they belong":       {nil, map[string]string{domain + "binding": "a,b", "a." + domain + "env-prefix": ""}, ""},
			"in both places":          {one(domain + "binding"), one(domain + "binding"), ""},
			"on the workload":         {one(domain + "binding"), nil, `"servicecatalog.k8s.io/binding" does nothing on a ` + kind + "; it belongs on its Pods, " + where},
			"a typo on the workload":  {one(domain + "bindings"), nil, `"servicecatalog.k8s.io/bindings" does nothing on a ` + kind},
			"a typo on the Pods":      {nil, one(domain + "bindings"), `so its Pods will be refused: "servicecatalog.k8s.io/bindings"` + exist},
			"our record on the Pods":  {nil, one(domain + "injected"), `so its Pods will be refused: "servicecatalog.k8s.io/injected"` + exist},
			"no setting of a binding": {nil, one("a." + domain + "binding"), `so its Pods will be refused: "a.servicecatalog.k8s.io/binding"`},
		}
		for name, tc := range rows {
			t.Run(kind+": "+name, func(t *testing.T) {
				require.NoError(t, user.Create(t.Context(), workload(kind, tc.own, tc.pods), client.DryRunAll))
				checkWarning(t, user.warnings(), tc.warning)
				plain := create(t, c, workload(kind, nil, tc.pods))
				user.warnings()
				changed := plain.DeepCopy()
				changed.SetAnnotations(tc.own)
				require.NoError(t, user.Update(t.Context(), changed, client.DryRunAll))
				checkWarning(t, user.warnings(), tc.warning)
				require.NoError(t, kubernetes.Update(t.Context(), changed, client.DryRunAll))
				assert.Empty(t, kubernetes.warnings(), "Kubernetes reads no warnings")
			})
		}
	}
	owned := workload("ReplicaSet", one(domain+"binding"), nil)
	owned.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "1", Controller: new(true)}})
	require.NoError(t, user.Create(t.Context(), owned, client.DryRunAll))
	assert.Empty(t, user.warnings(), "its Deployment is warned of")
	inner := workload("CronJob", nil, nil)
	require.NoError(t, unstructured.SetNestedField(inner.Object, "x", "spec", "jobTemplate", "metadata", "annotations", domain+"binding"))
	require.NoError(t, user.Create(t.Context(), inner, client.DryRunAll))
	checkWarning(t, user.warnings(), `"servicecatalog.k8s.io/binding" does nothing on a CronJob`)
}

// The lists in the policies are the constants of the API; a new one must be put
// into the one that it is for.
func TestWarningsKnowEveryAnnotation(t *testing.T) {
	t.Parallel()
	onPods := []string{v1beta1.AnnotationBinding, v1beta1.AnnotationInject, v1beta1.AnnotationContainers, v1beta1.AnnotationMountPath,
		v1beta1.AnnotationEnvPrefix, v1beta1.AnnotationEnv, v1beta1.AnnotationWhenNotReady, v1beta1.AnnotationRestartOnRotation}
	onOurs := []string{v1beta1.AnnotationPaused, v1beta1.AnnotationReconcile, v1beta1.AnnotationPreventDeletion, v1beta1.AnnotationPurge, v1beta1.AnnotationRotate, v1beta1.AnnotationCheckInterval}
	notTheUsers := []string{v1beta1.AnnotationInjected, v1beta1.AnnotationBindingID, v1beta1.AnnotationBindingName, v1beta1.AnnotationCredentialIDs, v1beta1.AnnotationDigestKey}
	known := slices.Concat(onPods, onOurs, notTheUsers)
	assert.Len(t, annotationConstants(t), len(known), "sort a new annotation into one of the lists, and into the policies")

	rendered := plain("catalog").render(t, "--show-only", "templates/policy-warnings.yaml")
	list := func(keys []string) string {
		names := make([]string, len(keys))
		for i, key := range keys {
			names[i] = "'" + strings.TrimPrefix(key, v1beta1.AnnotationPrefix) + "'"
		}
		return "[" + strings.Join(names, ", ") + "]"
	}
	assert.Contains(t, rendered, list(onPods))
	assert.Contains(t, rendered, v1beta1.AnnotationCredentialIDs, "an edit of a binding that has it is no reason to warn")
	assert.Contains(t, rendered, list(onOurs[:4])+" + (request.resource.resource == 'servicebindings' ? "+list(onOurs[4:5]))
	assert.Contains(t, rendered, "(request.resource.resource == 'serviceinstances' ? "+list(onOurs[5:]))
}

// annotationConstants are the names of the API's constants for annotations.
func annotationConstants(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "api", "v1beta1", "constants.go"), nil, 0)
	require.NoError(t, err)
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, name := range spec.Names {
				if strings.HasPrefix(name.Name, "Annotation") && name.Name != "AnnotationPrefix" {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	return names
}
