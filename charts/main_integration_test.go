package charts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// server is the API server of this package's tests: started once, because a start
// takes seconds. Nil where there is none; see cluster.
var server *envtest.Environment

func TestMain(m *testing.M) {
	os.Exit(runWithServer(m))
}

func runWithServer(m *testing.M) int {
	log.SetLogger(logr.Discard())
	if os.Getenv(assetsVariable) == "" {
		return m.Run()
	}
	server = &envtest.Environment{ControlPlaneStopTimeout: time.Minute}
	if _, err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start the API server:", err)
		return 1
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
		}
	}()
	return m.Run()
}

// The release that the tests install, and what follows from its name.
const (
	release         = "catalog"
	releaseSpace    = "catalog-system"
	controllersUser = "system:serviceaccount:" + releaseSpace + ":" + release + "-controllers"
	webhookUser     = "system:serviceaccount:" + releaseSpace + ":" + release + "-webhook"
)

// cluster returns a client for an administrator of the API server.
func cluster(t *testing.T) client.Client {
	t.Helper()
	return actAs(t, "")
}

// actAs returns a client that acts under another name. It may do what an
// administrator may, so that what stops it is a policy and not a missing right;
// unless it is told the groups to be in.
func actAs(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	return dial(t, impersonating(t, user, groups...))
}

// impersonating is how to reach the API server under another name.
func impersonating(t *testing.T, user string, groups ...string) *rest.Config {
	t.Helper()
	if server == nil {
		t.Skip(assetsVariable + " is not set: `make test-integration` starts the API server this test needs")
	}
	cfg := rest.CopyConfig(server.Config)
	if user != "" {
		if len(groups) == 0 {
			groups = []string{"system:masters", "system:authenticated"}
		}
		cfg.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	}
	return cfg
}

func dial(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(cfg, client.Options{})
	require.NoError(t, err)
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// install brings the release to the cluster, if it is not there as it should be.
func install(t *testing.T) client.Client {
	t.Helper()
	c := cluster(t)
	_, err := helmCluster(t, "upgrade", "--install", release, "catalog", "--namespace", releaseSpace, "--create-namespace")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("servicecatalog.k8s.io/v1beta1")
		list.SetKind("ServiceInstanceList")
		return c.List(t.Context(), list) == nil
	}, time.Minute, 50*time.Millisecond, "the CRDs are not served")
	return c
}

// helmCluster runs Helm against the API server.
func helmCluster(t *testing.T, args ...string) (string, error) {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, server.KubeConfig, 0o600))
	return helm(t, append(args, "--kubeconfig", kubeconfig)...)
}

// create creates an object. When the test ends, an administrator takes it away,
// since not all who may create may delete.
func create[T client.Object](t *testing.T, c client.Client, obj T) T {
	t.Helper()
	require.NoError(t, c.Create(t.Context(), obj))
	t.Cleanup(func() {
		assert.NoError(t, client.IgnoreNotFound(cluster(t).Delete(withoutEnd(t), obj, client.GracePeriodSeconds(0))))
	})
	return obj
}

// withoutEnd is the context of a test for what comes after it.
func withoutEnd(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

// encode writes JSON.
func encode(t *testing.T, value any) []byte {
	t.Helper()
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return raw
}

// refused reports whether an admission policy said no. Such an error is of the
// policy's choosing: Forbidden or Invalid.
func refused(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) }
