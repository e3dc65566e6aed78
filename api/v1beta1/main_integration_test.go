//go:build integration

package v1beta1_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// suite is one API server with the CRDs and nothing else: no webhook, no policy. It
// has seen CRDs without rules before, and holds objects from that time.
type suite struct {
	client.Client
	cfg        *rest.Config
	kubeconfig string
}

var shared suite // one API server serves all tests of the package

// theNamespace is where the namespaced objects of the tests are.
const theNamespace = "default"

func TestMain(m *testing.M) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is not set: run these tests by \"make test-integration\", which builds kube-apiserver, etcd and kubectl.")
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
	cfg.QPS = -1
	folder, err := os.MkdirTemp("", "api")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	shared = suite{cfg: cfg, kubeconfig: filepath.Join(folder, "kubeconfig")}
	if err := os.WriteFile(shared.kubeconfig, env.KubeConfig, 0o600); err != nil {
		return 1, err
	}
	if shared.Client, err = client.New(cfg, client.Options{}); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) //nolint:forbidigo // TestMain has no test's context
	defer cancel()
	if err := shared.installCRDs(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// installCRDs installs the CRDs without their rules, makes the objects that only
// those allow, and then installs the CRDs as they are.
func (s *suite) installCRDs(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(crdFolder, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		crd, err := readCRD(file)
		if err != nil {
			return err
		}
		withoutRules(crd.Object)
		if err := s.Create(ctx, crd); err != nil {
			return fmt.Errorf("install %s without rules: %w", crd.GetName(), err)
		}
	}
	for _, o := range objectsFromBefore() {
		if err := s.until(ctx, func() error { return s.Create(ctx, o.object) }); err != nil {
			return fmt.Errorf("create %s from before: %w", o.object.GetName(), err)
		}
	}
	for _, file := range files {
		crd, err := readCRD(file)
		if err != nil {
			return err
		}
		live := crd.DeepCopy()
		if err := s.Get(ctx, client.ObjectKeyFromObject(crd), live); err != nil {
			return err
		}
		crd.SetResourceVersion(live.GetResourceVersion())
		if err := s.Update(ctx, crd); err != nil {
			return fmt.Errorf("install %s: %w", crd.GetName(), err)
		}
	}
	for _, o := range objectsFromBefore() {
		o.object.SetName("now")
		if err := s.until(ctx, func() error {
			if err := s.Create(ctx, o.object, client.DryRunAll); err == nil || !strings.Contains(err.Error(), o.refused) {
				return fmt.Errorf("the rules for %s are not in force: %w", o.object.GetKind(), err)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// until tries again until it works; the error is the last one.
func (*suite) until(ctx context.Context, try func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		last = try()
		return last == nil, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

func readCRD(file string) (*unstructured.Unstructured, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	crd := &unstructured.Unstructured{}
	return crd, yaml.Unmarshal(raw, &crd.Object)
}

// withoutRules takes from a schema all that is not needed to know its fields.
func withoutRules(node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, rule := range []string{"x-kubernetes-validations", "maxLength", "maxItems", "maxProperties", "minLength", "enum"} {
			if _, isField := node[rule].(map[string]any); !isField {
				delete(node, rule)
			}
		}
		for _, child := range node {
			withoutRules(child)
		}
	case []any:
		for _, child := range node {
			withoutRules(child)
		}
	}
}

// parse makes an object of a kind from YAML: that of spec, and of status below it.
func parse(t *testing.T, kind, name, text string) *unstructured.Unstructured {
	t.Helper()
	u, err := decode(text)
	require.NoError(t, err)
	return named(u, kind, name)
}

// decode reads YAML as the API server does: whole numbers are not floats.
func decode(text string) (*unstructured.Unstructured, error) {
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	return u, json.Unmarshal(raw, &u.Object)
}

// named gives an object what every object needs.
func named(u *unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	u.SetAPIVersion("servicecatalog.k8s.io/v1beta1")
	u.SetKind(kind)
	u.SetName(name)
	if !strings.HasPrefix(kind, "Cluster") {
		u.SetNamespace(theNamespace)
	}
	return u
}
