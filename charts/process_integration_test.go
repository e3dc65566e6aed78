package charts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// output is what a program prints, to be shown when its test fails.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

// Write adds to what was printed.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

// start runs a program until the test ends.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	printed := &output{}
	cmd.Stdout, cmd.Stderr = printed, printed
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }() // how it ended is in its log
	t.Cleanup(func() {
		assert.NoError(t, cmd.Process.Signal(syscall.SIGTERM), "it ended before its time")
		select {
		case <-ended:
		case <-time.After(time.Minute):
			assert.Fail(t, "it does not end when it is told to")
			assert.NoError(t, cmd.Process.Kill())
			<-ended
		}
		if t.Failed() {
			printed.mu.Lock()
			defer printed.mu.Unlock()
			t.Logf("%s printed:\n%s", filepath.Base(cmd.Path), printed.String())
		}
	})
}

// startKubernetes runs those of Kubernetes' own controllers that the tests need:
// what ends namespaces, what combines roles and what checks policies. Each has its
// own account, as in a cluster.
func startKubernetes(t *testing.T) {
	t.Helper()
	program := filepath.Join(os.Getenv(assetsVariable), "kube-controller-manager")
	require.FileExists(t, program, "run `make cluster-up` once, which builds it")
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, server.KubeConfig, 0o600))
	start(t, exec.CommandContext(withoutEnd(t), program, "--kubeconfig="+kubeconfig, //nolint:gosec // the program that the test is about
		"--controllers=namespace-controller,clusterrole-aggregation-controller,validatingadmissionpolicy-status-controller",
		"--use-service-account-credentials=true", "--leader-elect=false", "--secure-port=0"))
}

// startControllers runs the release's own controllers: the program as it is built,
// with the arguments of the chart and the token of its ServiceAccount.
func startControllers(t *testing.T, c client.Client) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "catalog")
	// The flags of hack/build.sh: what it compiles is then not compiled twice.
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "../cmd/catalog")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	deployment := &appsv1.Deployment{}
	require.NoError(t, c.Get(t.Context(), client.ObjectKey{Namespace: releaseSpace, Name: release + "-controllers"}, deployment))
	args := append(slices.Clone(deployment.Spec.Template.Spec.Containers[0].Args),
		"--metrics-bind-address=0", "--health-probe-bind-address=0", // ports that may be taken here
		"--allow-loopback-brokers=true", // where the tests' brokers are
		"--cert-secret=")                // no webhook runs here
	cmd := exec.CommandContext(withoutEnd(t), program, args...)
	cmd.Env = append(os.Environ(), "POD_NAMESPACE="+releaseSpace, "KUBECONFIG="+accountConfig(t, c, release+"-controllers", dir))
	start(t, cmd)
}

// accountConfig writes how to reach the API server as a ServiceAccount of the
// release, by a token such as its Pods get.
func accountConfig(t *testing.T, c client.Client, account, dir string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	require.NoError(t, c.SubResource("token").Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: releaseSpace, Name: account}}, request))
	config := clientcmdapi.NewConfig()
	config.Clusters["it"] = &clientcmdapi.Cluster{Server: server.Config.Host, CertificateAuthorityData: server.Config.CAData}
	config.AuthInfos["it"] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	config.Contexts["it"] = &clientcmdapi.Context{Cluster: "it", AuthInfo: "it"}
	config.CurrentContext = "it"
	file := filepath.Join(dir, "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	return file
}
