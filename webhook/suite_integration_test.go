//go:build integration

package webhook_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/webhook"
)

const chartFiles = "../charts/catalog/files"

// Namespaces by what happens to Pods in them; any other has the webhook alone.
const (
	nsDown     = "webhook-down"     // the configuration leads to a closed port
	nsExcluded = "webhook-excluded" // no configuration selects it
	nsLate     = "late-annotation"  // another webhook annotates after ours
	nsMesh     = "mesh"             // another webhook adds a container after ours
)

// suite is one API server with the webhook running against it as it is shipped:
// the rights, the match condition and the guard are the chart's files.
type suite struct {
	ctrlclient.Client
	cfg    *rest.Config
	scheme *runtime.Scheme
	reg    *prometheus.Registry
	cached ctrlclient.Reader // what the webhook sees
	// reference is an unannotated Pod from before there was a webhook.
	reference *corev1.Pod
}

var shared suite //nolint:gochecknoglobals // one API server serves all tests of the package

func TestMain(m *testing.M) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is not set: run these tests by \"make test-integration\", which builds kube-apiserver and etcd.")
		os.Exit(1)
	}
	logs := io.Discard
	if os.Getenv("TEST_LOG") != "" {
		logs = os.Stderr
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(logs, nil)))
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(chartFiles, "crds")}, ControlPlaneStopTimeout: time.Minute}
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
	shared = suite{cfg: cfg, scheme: runtime.NewScheme(), reg: prometheus.NewRegistry()}
	if err := errors.Join(clientgoscheme.AddToScheme(shared.scheme), v1beta1.AddToScheme(shared.scheme)); err != nil {
		return 1, err
	}
	if shared.Client, err = ctrlclient.New(cfg, ctrlclient.Options{Scheme: shared.scheme}); err != nil {
		return 1, err
	}
	if err := shared.makeReference(ctx); err != nil {
		return 1, fmt.Errorf("create the Pod from before: %w", err)
	}
	ca, err := shared.startWebhook(ctx, env)
	if err != nil {
		return 1, fmt.Errorf("start webhook: %w", err)
	}
	if err := shared.install(ctx, ca); err != nil {
		return 1, fmt.Errorf("install webhook: %w", err)
	}
	return m.Run(), nil
}

// makeReference keeps an unannotated Pod as the API server makes it alone.
func (s *suite) makeReference(ctx context.Context) error {
	s.reference = unannotated()
	if err := s.Create(ctx, s.reference); err != nil {
		return err
	}
	return s.Delete(ctx, s.reference, ctrlclient.GracePeriodSeconds(0))
}

func unannotated() *corev1.Pod {
	p := pod(nil)
	p.Namespace, p.Name = "default", "plain"
	return p
}

// startWebhook runs what `catalog webhook` runs, under the rights of the chart.
func (s *suite) startWebhook(ctx context.Context, env *envtest.Environment) (*served, error) {
	text, err := os.ReadFile(filepath.Join(chartFiles, "rbac", "webhook", "role.yaml"))
	if err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		return nil, err
	}
	user, err := env.AddUser(envtest.User{Name: "webhook"}, nil)
	if err != nil {
		return nil, err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "webhook"}},
	}
	if err := errors.Join(s.Create(ctx, role), s.Create(ctx, binding)); err != nil {
		return nil, err
	}
	cfg := rest.CopyConfig(user.Config())
	cfg.QPS = -1
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: s.scheme, Cache: cache.Options{ByObject: webhook.CacheByObject()},
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return nil, err
	}
	s.cached = mgr.GetCache()
	live, err := ctrlclient.New(cfg, ctrlclient.Options{Scheme: s.scheme})
	if err != nil {
		return nil, err
	}
	injector, err := webhook.NewInjector(webhook.InjectorOptions{
		Bindings:   &webhook.CachedBindings{Cache: mgr.GetCache(), Live: live},
		Registerer: s.reg, Log: ctrl.Log.WithName("inject"),
	})
	if err != nil {
		return nil, err
	}
	srv, err := newServed(webhook.ServerOptions{Injector: injector, Log: ctrl.Log.WithName("webhook")})
	if err != nil {
		return nil, err
	}
	if err := mgr.Add(srv.server); err != nil {
		return nil, err
	}
	if _, err := mgr.GetCache().GetInformer(ctx, &v1beta1.ServiceBinding{}, cache.BlockUntilSynced(false)); err != nil {
		return nil, err
	}
	go func() {
		if err := mgr.Start(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "run webhook:", err)
		}
	}()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return nil, errors.New("the cache does not fill")
	}
	return srv, waitFor(ctx, func() error { return srv.server.Ready(nil) })
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

// configuration is the chart's MutatingWebhookConfiguration, but for where it
// leads.
func configuration(name, url string, ca []byte, namespaces metav1.LabelSelectorRequirement) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	condition, err := os.ReadFile(filepath.Join(chartFiles, "policies", "match-condition.cel"))
	if err != nil {
		return nil, err
	}
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    name + ".servicecatalog.k8s.io",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			Rules:                   podCreation(),
			NamespaceSelector:       &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{namespaces}},
			MatchConditions:         []admissionregistrationv1.MatchCondition{{Name: "asks-for-credentials", Expression: strings.TrimSpace(string(condition))}},
			FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
			MatchPolicy:             ptr.To(admissionregistrationv1.Equivalent),
			ReinvocationPolicy:      ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy),
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNoneOnDryRun),
			TimeoutSeconds:          ptr.To[int32](5),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}, nil
}

func podCreation() []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}}
}

func inNamespaces(op metav1.LabelSelectorOperator, names ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: op, Values: names}
}

// install makes the namespaces, the configurations and the guard, and waits
// until the API server acts by them.
func (s *suite) install(ctx context.Context, srv *served) error {
	for _, name := range []string{nsDown, nsExcluded, nsLate, nsMesh} {
		if err := s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	ca := srv.caBundle()
	main, err := configuration("inject", srv.endpoint(), ca, inNamespaces(metav1.LabelSelectorOpNotIn, nsDown, nsExcluded))
	if err != nil {
		return err
	}
	down, err := configuration("inject-down", "https://127.0.0.1:1"+webhook.InjectPath, ca, inNamespaces(metav1.LabelSelectorOpIn, nsDown))
	if err != nil {
		return err
	}
	for _, obj := range []ctrlclient.Object{main, down} {
		if err := s.Create(ctx, obj); err != nil {
			return err
		}
	}
	guard, err := guardObjects()
	if err != nil {
		return err
	}
	for _, obj := range guard {
		if err := s.Create(ctx, obj); err != nil {
			return err
		}
	}
	return s.waitForAdmission(ctx)
}

// guardObjects are the policy and its binding, of the chart's file.
func guardObjects() ([]ctrlclient.Object, error) {
	text, err := os.ReadFile(filepath.Join(chartFiles, "policies", "guard.yaml"))
	if err != nil {
		return nil, err
	}
	docs := strings.Split(string(text), "\n---\n")
	if len(docs) != 2 {
		return nil, fmt.Errorf("guard.yaml has %d documents", len(docs))
	}
	policy, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	if err := errors.Join(yaml.UnmarshalStrict([]byte(docs[0]), policy), yaml.UnmarshalStrict([]byte(docs[1]), binding)); err != nil {
		return nil, err
	}
	return []ctrlclient.Object{policy, binding}, nil
}

// waitForAdmission tries until a Pod is injected where the webhook is, refused
// where it is down, and refused by the guard where it is not.
func (s *suite) waitForAdmission(ctx context.Context) error {
	try := func(namespace string) (*corev1.Pod, error) {
		p := asking("orders-db")
		p.Namespace = namespace
		return p, s.Create(ctx, p, ctrlclient.DryRunAll)
	}
	return waitFor(ctx, func() error {
		p, err := try("default")
		_, errDown := try(nsDown)
		_, errExcluded := try(nsExcluded)
		if err != nil || len(p.Spec.Volumes) != 1 || errDown == nil || errExcluded == nil {
			return fmt.Errorf("admission does not act: %w, with %d volumes; down: %w; excluded: %w", err, len(p.Spec.Volumes), errDown, errExcluded)
		}
		return nil
	})
}

// endpoint is where reviews go.
func (s *served) endpoint() string { return "https://" + s.server.Addr().String() + webhook.InjectPath }

// caBundle is the PEM of the server's own certificate.
func (s *served) caBundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Leaf.Raw})
}

// warned is a client that keeps the warnings that it gets, as kubectl would
// print them.
type warned struct {
	ctrlclient.Client
	lock sync.Mutex
	all  []string
}

func (w *warned) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.all = append(w.all, text)
}

func (w *warned) warnings() []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.all
}

func newWarned(t *testing.T) *warned {
	t.Helper()
	w := &warned{}
	cfg := rest.CopyConfig(shared.cfg)
	cfg.QPS, cfg.WarningHandlerWithContext = -1, w
	var err error
	w.Client, err = ctrlclient.New(cfg, ctrlclient.Options{Scheme: shared.scheme})
	require.NoError(t, err)
	return w
}

// namespace makes a namespace of a test's own.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, shared.Create(t.Context(), ns))
	return ns.Name
}

// bind makes a ServiceBinding; one with a Secret has its credentials stored.
func bind(t *testing.T, namespace, name, secret string) {
	t.Helper()
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	b.Spec.InstanceRef.Name = "orders"
	require.NoError(t, shared.Create(t.Context(), b))
	if secret != "" {
		b.Status.Binding = &v1beta1.LocalObjectReference{Name: secret}
		b.Status.EnvSecretName = secret + "-env"
		require.NoError(t, shared.Status().Update(t.Context(), b))
	}
	waitCached(t, b)
}

// otherWebhook registers somebody else's webhook, which is called after ours
// and answers each Pod with a patch.
func otherWebhook(t *testing.T, name, namespace string, patch string) {
	t.Helper()
	srv := serve(t, webhook.ServerOptions{Injector: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answerWith(t, w, r, patch)
	})})
	conf, err := configuration(name, srv.endpoint(), srv.caBundle(), inNamespaces(metav1.LabelSelectorOpIn, namespace))
	require.NoError(t, err)
	conf.Webhooks[0].MatchConditions = nil
	require.NoError(t, shared.Create(t.Context(), conf))
	t.Cleanup(func() {
		require.NoError(t, shared.Delete(context.WithoutCancel(t.Context()), conf))
	})
}
