package charts_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// assetsVariable names the folder of kube-apiserver, etcd and, beside them, helm.
const assetsVariable = "KUBEBUILDER_ASSETS"

// helm runs Helm and returns what it prints; its error has what it complains of.
// The program is $HELM, or stands beside the API server's. Without an API server
// the test is skipped, because it belongs to the integration ring; without Helm it
// fails.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), helmProgram(t), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), errors.New(out.String() + complaint.String() + err.Error())
	}
	return out.String(), nil
}

func helmProgram(t *testing.T) string {
	t.Helper()
	if program := os.Getenv("HELM"); program != "" {
		return program
	}
	assets := os.Getenv(assetsVariable)
	if assets == "" {
		t.Skip(assetsVariable + " is not set: `make test-integration` builds what this test needs and runs it")
	}
	program := filepath.Join(assets, "helm")
	_, err := os.Stat(program)
	require.NoError(t, err, "there is no helm beside the API server: `make test-integration` builds both, or say in HELM where it is")
	return program
}

// rendering is a chart with values to render it with.
type rendering struct {
	chart, name string
	args        []string
}

// plain is a chart with its own values, and with those that it cannot do without:
// the file ci/required-values.yaml, if there is one.
func plain(chart string) rendering {
	r := rendering{chart: chart, name: chart + " with its own values"}
	file := filepath.Join(chart, "ci", "required-values.yaml")
	if _, err := os.Stat(file); err == nil {
		r.args = []string{"--values", file}
	}
	return r
}

// renderings returns every chart, plain and with each other file of values in its
// folder ci.
func renderings(t *testing.T) []rendering {
	t.Helper()
	var all []rendering
	for _, chart := range chartFolders(t) {
		all = append(all, plain(chart))
		files, err := filepath.Glob(filepath.Join(chart, "ci", "*-values.yaml"))
		require.NoError(t, err)
		for _, file := range files {
			if base := filepath.Base(file); base != "required-values.yaml" {
				all = append(all, rendering{chart: chart, name: chart + " with " + base, args: []string{"--values", file}})
			}
		}
	}
	return all
}

// render returns the manifests of a chart, installed as release apple in
// namespace orchard.
func (r rendering) render(t *testing.T, more ...string) string {
	t.Helper()
	args := append([]string{"template", "apple", r.chart, "--namespace", "orchard"}, r.args...)
	out, err := helm(t, append(args, more...)...)
	require.NoError(t, err)
	return out
}

// objects reads manifests.
func objects(t *testing.T, manifests string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(&obj.Object)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, all, "there are no manifests")
			return all
		}
		require.NoError(t, err)
		if len(obj.Object) > 0 {
			all = append(all, obj)
		}
	}
}

// find returns the one object of a kind and name, in the type of T.
func find[T any](t *testing.T, all []*unstructured.Unstructured, kind, name string) *T {
	t.Helper()
	for _, obj := range all {
		if obj.GetKind() == kind && obj.GetName() == name {
			return as[T](t, obj.Object)
		}
	}
	require.FailNow(t, "not in the manifests", "%s %s", kind, name)
	return nil
}

// as converts an untyped object; a field that the type does not have is an error.
func as[T any](t *testing.T, object map[string]any) *T {
	t.Helper()
	typed := new(T)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object, typed, true))
	return typed
}
