//go:build integration

package certs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"
)

// soon is how long a test waits for what should happen at once, on a machine that is busy.
const soon = time.Minute

// apiServer is the one that all tests of this package share.
var apiServer *envtest.Environment

// accounts guards AddUser, which is not made for tests that run side by side.
var accounts sync.Mutex

func TestMain(m *testing.M) {
	os.Exit(withAPIServer(m.Run))
}

func withAPIServer(run func() int) int {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "integration tests need a real API server: set KUBEBUILDER_ASSETS to the folder with etcd and kube-apiserver, or run them with make test")
		return 1
	}
	ctrl.SetLogger(funcr.New(func(string, string) {}, funcr.Options{}))
	apiServer = &envtest.Environment{}
	if _, err := apiServer.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start the API server:", err)
		return 1
	}
	defer func() { _ = apiServer.Stop() }()
	return run()
}

// place is one test's namespace with the shipped RBAC rules bound to two accounts.
type place struct {
	ctx            func() context.Context // the test's; CollectT has none
	admin          client.Client
	cfg            Config
	managerAccount *rest.Config
	webhookAccount *rest.Config
	clock          *shiftedClock
	log            *logBook
	namespace      string
}

func newPlace(t *testing.T, namespace string) *place {
	t.Helper()
	admin, err := client.New(apiServer.Config, client.Options{})
	require.NoError(t, err)
	p := &place{
		ctx: t.Context, admin: admin, namespace: namespace, clock: &shiftedClock{}, log: &logBook{},
	}
	p.cfg = Config{
		Namespace: namespace, SecretName: "webhook-cert", Service: "hooks",
		MutatingConfigurations: []string{namespace + "-inject"}, ValidatingConfigurations: []string{namespace + "-validate"},
		Settle: 2 * time.Second, Overlap: 5 * time.Second, Clock: p.clock,
	}
	require.NoError(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	p.managerAccount = p.addAccount(t, "controllers")
	p.webhookAccount = p.addAccount(t, "webhook")
	p.grant(t)
	t.Cleanup(func() {
		for _, config := range p.cfg.configurations() {
			_ = admin.Delete(context.WithoutCancel(t.Context()), config.Object)
		}
	})
	return p
}

func (p *place) account(name string) string { return p.namespace + ":" + name }

func (p *place) addAccount(t *testing.T, name string) *rest.Config {
	t.Helper()
	accounts.Lock()
	defer accounts.Unlock()
	user, err := apiServer.AddUser(envtest.User{Name: p.account(name)}, nil)
	require.NoError(t, err)
	return user.Config()
}

// grant makes the roles of testdata/rbac.yaml and binds each to its account.
func (p *place) grant(t *testing.T) {
	t.Helper()
	rules, err := template.ParseFiles("testdata/rbac.yaml")
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, rules.Execute(&text, map[string]string{
		"Namespace": p.namespace, "Secret": p.cfg.SecretName,
		"Mutating": p.cfg.MutatingConfigurations[0], "Validating": p.cfg.ValidatingConfigurations[0],
	}))
	for document := range strings.SplitSeq(text.String(), "\n---\n") {
		role := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(document), role))
		require.NoError(t, p.admin.Create(t.Context(), role))
		subject := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: p.account("controllers")}
		if strings.Contains(role.GetName(), "webhook") {
			subject.Name = p.account("webhook")
		}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.GetKind(), Name: role.GetName()}
		meta := metav1.ObjectMeta{Name: role.GetName(), Namespace: role.GetNamespace()}
		var binding client.Object = &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: []rbacv1.Subject{subject}}
		if role.GetKind() == "ClusterRole" {
			binding = &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: []rbacv1.Subject{subject}}
		}
		require.NoError(t, p.admin.Create(t.Context(), binding))
	}
}

// lead runs a Manager until the returned function is called.
func (p *place) lead(t *testing.T) (stop func()) {
	t.Helper()
	mgr, err := ctrl.NewManager(p.managerAccount, ctrl.Options{
		Scheme:     clientgoscheme.Scheme,
		Logger:     p.log.logger(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	require.NoError(t, err)
	m, err := NewManager(p.cfg)
	require.NoError(t, err)
	require.NoError(t, m.SetupWithManager(mgr))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// secret returns the Secret, or nil if there is none.
func (p *place) secret(t require.TestingT) *corev1.Secret {
	secret := &corev1.Secret{}
	err := p.admin.Get(p.ctx(), client.ObjectKey{Namespace: p.namespace, Name: p.cfg.SecretName}, secret)
	if client.IgnoreNotFound(err) == nil && err != nil {
		return nil
	}
	require.NoError(t, err)
	return secret
}

// events returns the notes of the events on the Secret with a reason.
func (p *place) events(t require.TestingT, reason string) []string {
	var list eventsv1.EventList
	require.NoError(t, p.admin.List(p.ctx(), &list, client.InNamespace(p.namespace)))
	var notes []string
	for _, event := range list.Items {
		if event.Reason == reason && event.Regarding.Kind == "Secret" && event.Regarding.Name == p.cfg.SecretName {
			notes = append(notes, event.Note)
		}
	}
	return notes
}

// shiftedClock is the real clock set forward.
type shiftedClock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *shiftedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *shiftedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (c *shiftedClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
}

// logBook keeps what was logged.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logBook) logger() logr.Logger {
	return funcr.New(func(prefix, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, prefix+" "+args)
	}, funcr.Options{})
}

// find returns the lines that contain text.
func (l *logBook) find(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
