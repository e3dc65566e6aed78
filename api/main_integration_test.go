//go:build integration

package api_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// The release that is installed, and the namespace of the team.
const (
	release      = "catalog"
	releaseSpace = "catalog-system"
	teamSpace    = "shop"
)

// suite is one API server with the chart as it is shipped; what the chart's webhook
// Deployment would run, runs in this process under that Deployment's account.
type suite struct {
	client.Client // an administrator's
	cfg           *rest.Config
	scheme        *runtime.Scheme
	mapper        apimeta.RESTMapper
}

var shared suite // one API server serves all tests of the package

func TestMain(m *testing.M) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is not set: run these tests by \"make test-integration\", which builds kube-apiserver, etcd and helm.")
		os.Exit(1)
	}
	ctrl.SetLogger(logr.Discard())
	env := &envtest.Environment{ControlPlaneStopTimeout: time.Minute}
	code, err := runSuite(m, env)
	if err = errors.Join(err, env.Stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M, env *envtest.Environment) (int, error) {
	cfg, err := env.Start()
	if err != nil {
		return 1, fmt.Errorf("start API server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // TestMain has no test's context
	defer cancel()
	cfg.QPS = -1
	shared.cfg = cfg
	if err := helmInstall(ctx, env.KubeConfig); err != nil {
		return 1, err
	}
	if shared.Client, err = client.New(cfg, client.Options{}); err != nil {
		return 1, err
	}
	shared.mapper = shared.RESTMapper()
	if err := shared.letUsersIn(ctx); err != nil {
		return 1, fmt.Errorf("grant the users their rights: %w", err)
	}
	if err := shared.startWebhook(ctx, env.WebhookInstallOptions); err != nil {
		return 1, fmt.Errorf("start the webhook: %w", err)
	}
	if err := shared.waitForPolicies(ctx); err != nil {
		return 1, fmt.Errorf("wait for the policies: %w", err)
	}
	return m.Run(), nil
}

// helmInstall installs the chart with its own values.
func helmInstall(ctx context.Context, kubeconfig []byte) error {
	home, err := os.MkdirTemp("", "helm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	file := filepath.Join(home, "kubeconfig")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		return err
	}
	program := os.Getenv("HELM")
	if program == "" {
		program = filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "helm")
	}
	cmd := exec.CommandContext(ctx, program, "install", release, "../charts/catalog", //nolint:gosec // whoever runs the test says which helm
		"--namespace", releaseSpace, "--create-namespace", "--kubeconfig", file)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install the chart: %w: %s", err, out)
	}
	return nil
}

// groupsOf are the groups that a user is in, beside those of everybody. A
// colleague has the same.
var groupsOf = map[string][]string{
	"developer": {"developers"},
	"owner":     {"developers", "owners"},
	"restorer":  {"developers", "restorers"},
	"intern":    {"interns"},
	"operator":  {"platform"},
}

// letUsersIn makes the team's namespace and grants each group its rights there.
// The controller that combines the cluster's roles view and edit does not run here,
// so their parts are bound one by one.
func (s *suite) letUsersIn(ctx context.Context) error {
	ours := []string{"servicecatalog.k8s.io"}
	objs := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: teamSpace}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "platform"}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "adopter"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: ours, Resources: []string{"serviceinstances", "servicebindings"}, Verbs: []string{"adopt"}},
		}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "platform"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: ours, Resources: []string{"*"}, Verbs: []string{"*"}},
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}},
		}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "platform"},
			RoleRef: clusterRole("platform"), Subjects: group("platform")},
	}
	for group, roles := range map[string][]string{
		"developers": {"system:aggregate-to-view", "system:aggregate-to-edit", release + "-view", release + "-edit"},
		"owners":     {"system:aggregate-to-admin", release + "-admin"},
		"interns":    {"system:aggregate-to-view", release + "-view", release + "-edit", release + "-admin"},
		"restorers":  {"adopter"},
	} {
		for i, role := range roles {
			objs = append(objs, bound(fmt.Sprintf("%s-%d", group, i), role, group))
		}
	}
	for _, obj := range objs {
		if err := s.Create(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}

func clusterRole(name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
}

func group(name string) []rbacv1.Subject {
	return []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}}
}

// bound grants a group a role in the team's namespace.
func bound(name, role, to string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: teamSpace, Name: name},
		RoleRef: clusterRole(role), Subjects: group(to)}
}

// waitForPolicies returns when the API server acts by the chart's policies. It
// takes up all that there are at once, so those act when one acts that came after
// them.
func (s *suite) waitForPolicies(ctx context.Context) error {
	last := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "the-last"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: ptr.To(admissionregistrationv1.Fail),
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				}}}},
			MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "canary", Expression: "object.metadata.name == 'canary'"}},
			Validations:     []admissionregistrationv1.Validation{{Expression: "false", Message: "the policies act"}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: last.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: last.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}},
	}
	if err := errors.Join(s.Create(ctx, last), s.Create(ctx, binding)); err != nil {
		return err
	}
	return waitFor(ctx, func() error {
		canary := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: teamSpace, Name: "canary"}}
		if s.Create(ctx, canary, client.DryRunAll) == nil {
			return errors.New("the last policy does not act")
		}
		return nil
	})
}

// waitFor tries until there is no error, or a minute is over.
func waitFor(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
