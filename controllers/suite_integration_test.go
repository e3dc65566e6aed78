//go:build integration

package controllers_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/controllers"
)

const chartFiles = "../charts/catalog/files"

// suite is one API server with the controllers running against it, under the
// very rules that the chart ships.
type suite struct {
	client.Client
	cfg *rest.Config
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
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(chartFiles, "crds")}}
	env.ControlPlane.GetAPIServer().Configure().Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	code, err := runSuite(m, env)
	if stopErr := env.Stop(); stopErr != nil && err == nil {
		err = stopErr
	}
	if err != nil {
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
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return 1, err
	}
	if err := v1beta1.AddToScheme(scheme); err != nil {
		return 1, err
	}
	admin, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return 1, err
	}
	shared = suite{Client: admin, cfg: cfg}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // TestMain has no t
	done := make(chan error, 1)
	user, err := controllersUser(ctx, env, admin)
	if err != nil {
		cancel()
		return 1, err
	}
	mgr, err := manager(ctx, user, scheme)
	if err != nil {
		cancel()
		return 1, err
	}
	go func() { done <- mgr.Start(ctx) }()
	code := m.Run()
	cancel()
	return code, <-done
}

// controllersUser is a user who may do what the chart's role says.
func controllersUser(ctx context.Context, env *envtest.Environment, admin client.Client) (*rest.Config, error) {
	raw, err := os.ReadFile(filepath.Join(chartFiles, "rbac/controllers/role.yaml"))
	if err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.Unmarshal(raw, role); err != nil {
		return nil, err
	}
	if err := admin.Create(ctx, role); err != nil {
		return nil, err
	}
	if err := admin.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "controllers"}},
	}); err != nil {
		return nil, err
	}
	user, err := env.AddUser(envtest.User{Name: "controllers"}, &rest.Config{QPS: -1})
	if err != nil {
		return nil, err
	}
	return user.Config(), nil
}

// manager runs the controllers as that user.
func manager(ctx context.Context, user *rest.Config, scheme *runtime.Scheme, change ...func(*controllers.Options)) (ctrl.Manager, error) {
	mgr, err := ctrl.NewManager(user, ctrl.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(), Client: controllers.ClientOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, // a test may run them again
	})
	if err != nil {
		return nil, err
	}
	o := controllers.Options{
		ClusterID: "cluster-1", Addresses: testAddresses(), Concurrent: 4, BrokerConcurrency: 10, BrokerRate: 1000,
		OSBTimeout: 2 * time.Second, RelistInterval: time.Hour, IntentTTL: 8 * time.Second,
	}
	for _, c := range change {
		c(&o)
	}
	return mgr, controllers.Setup(ctx, mgr, o)
}

// world is what one test works in: a namespace and a broker, with the objects
// of the main thread at hand.
type world struct {
	suite
	testing.TB
	fake      *fakeBroker
	namespace string
	broker    *v1beta1.ClusterServiceBroker
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	return shared.world(t)
}

// world is a world beside others of the same test.
func (s suite) world(t testing.TB) *world {
	t.Helper()
	w := &world{suite: s, TB: t, fake: newFakeBroker(t)}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.create(ns)
	w.namespace = ns.Name
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: ns.Name},
		StringData: map[string]string{"username": "catalog", "password": "right"},
	})
	w.broker = &v1beta1.ClusterServiceBroker{ObjectMeta: metav1.ObjectMeta{Name: ns.Name}}
	w.broker.Spec.URL = w.fake.url
	w.broker.Spec.AuthInfo = &v1beta1.ClusterServiceBrokerAuthInfo{Basic: &v1beta1.ClusterSecretReference{
		SecretRef: &v1beta1.ObjectReference{Namespace: ns.Name, Name: "auth"}}}
	return w
}

func (w *world) create(objs ...client.Object) {
	w.Helper()
	for _, o := range objs {
		require.NoError(w, w.Create(w.Context(), o))
	}
}

// refresh reads an object anew; gone says that it is no more.
func (w *world) refresh(o client.Object) (gone bool) {
	err := w.Get(w.Context(), client.ObjectKeyFromObject(o), o)
	return err != nil
}

// edit changes an object as users do: on its newest version, again if the
// controllers were faster.
func (w *world) edit(o client.Object, change func()) {
	w.Helper()
	require.NoError(w, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		change()
		return w.Update(w.Context(), o)
	}))
}

func (w *world) eventually(why string, ok func() bool) {
	w.Helper()
	require.Eventually(w, ok, 30*time.Second, 20*time.Millisecond, why)
}

func (w *world) instance(name, plan string) *v1beta1.ServiceInstance {
	i := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}}
	i.Spec.ClusterServiceClassExternalName = w.fake.catalog.Services[0].Name
	i.Spec.ClusterServicePlanExternalName = plan
	return i
}

// binding is one of the instance "orders".
func (w *world) binding() *v1beta1.ServiceBinding {
	b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Name: "orders-db", Namespace: w.namespace}}
	b.Spec.InstanceRef.Name = "orders"
	return b
}

// condition is an object's condition of a type, or the zero one.
func condition(c []metav1.Condition, kind string) metav1.Condition {
	for _, x := range c {
		if x.Type == kind {
			return x
		}
	}
	return metav1.Condition{}
}

// becomes waits for a Ready condition of a status and a reason.
func (w *world) becomes(o client.Object, status metav1.ConditionStatus, reason string) metav1.Condition {
	w.Helper()
	var ready metav1.Condition
	ok := assert.Eventually(w, func() bool {
		if w.refresh(o) {
			return false
		}
		ready = condition(conditionsOf(o), v1beta1.ConditionReady)
		return ready.Status == status && ready.Reason == reason
	}, 30*time.Second, 20*time.Millisecond)
	require.True(w, ok, "%T %s is Ready=%s/%s: %s; wanted %s/%s", o, o.GetName(), ready.Status, ready.Reason, ready.Message, status, reason)
	return ready
}

func conditionsOf(o client.Object) []metav1.Condition {
	switch o := o.(type) {
	case *v1beta1.ClusterServiceBroker:
		return o.Status.Conditions
	case *v1beta1.ServiceBroker:
		return o.Status.Conditions
	case *v1beta1.ServiceInstance:
		return o.Status.Conditions
	case *v1beta1.ServiceBinding:
		return o.Status.Conditions
	}
	return nil
}

func (w *world) vanish(objs ...client.Object) {
	w.Helper()
	for _, o := range objs {
		require.NoError(w, w.Delete(w.Context(), o))
	}
	for _, o := range objs {
		w.eventually(fmt.Sprintf("%T %s goes", o, o.GetName()), func() bool { return w.refresh(o) })
	}
}
