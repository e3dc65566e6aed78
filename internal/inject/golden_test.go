package inject_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

var update = flag.Bool("update", false, "write want.yaml, refusal.txt and warnings.txt instead of comparing")

// TestGolden runs each folder of testdata: what pod.yaml becomes with the
// bindings of bindings.yaml (none if there is no such file) is want.yaml, or
// the sentence in refusal.txt; warnings.txt has a warning a line. The patch is
// applied by an implementation of RFC 6902 that is not ours, and what comes out
// goes through again: a second pass changes nothing.
func TestGolden(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/*/pod.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, file := range cases {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			testGolden(t, dir)
		})
	}
}

func testGolden(t *testing.T, dir string) {
	raw := podJSON(t, filepath.Join(dir, "pod.yaml"))
	find := bindings(t, filepath.Join(dir, "bindings.yaml"))
	before := bytes.Clone(raw)

	res, err := inject.Inject(raw, "shop", find)
	assert.Equal(t, string(before), string(raw), "the input is not written to")
	if refusal, ok := errors.AsType[*inject.Refusal](err); ok {
		assert.NotEmpty(t, refusal.Reason)
		golden(t, dir, "refusal.txt", refusal.Message+"\n")
		golden(t, dir, "want.yaml", "")
		return
	}
	require.NoError(t, err)
	got := applied(t, raw, res.Patch)
	golden(t, dir, "want.yaml", string(toYAML(t, got)))
	golden(t, dir, "refusal.txt", "")
	golden(t, dir, "warnings.txt", lines(res.Warnings))

	var pod corev1.Pod
	require.NoError(t, yaml.UnmarshalStrict(got, &pod), "the result is a Pod without unknown fields")
	gate := corev1.PodSchedulingGate{Name: v1beta1.SchedulingGate}
	assert.Equal(t, res.Waiting, slices.Contains(pod.Spec.SchedulingGates, gate))
	assert.Equal(t, res.Waiting, pod.Labels[v1beta1.LabelInjection] == v1beta1.InjectionWaiting)
	again, err := inject.Inject(got, "shop", find)
	require.NoError(t, err, "second pass")
	assert.Empty(t, string(again.Patch), "second pass")
	assert.Equal(t, res.Injected, again.Injected, "second pass")
	assert.Equal(t, res.Waiting, again.Waiting, "second pass")
}

// golden compares text with a file, of which an empty text says that it is not
// there; YAML is compared by meaning.
func golden(t *testing.T, dir, name, got string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if *update {
		require.NoError(t, os.RemoveAll(file))
		if got != "" {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		return
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		want, err = nil, nil
	}
	require.NoError(t, err)
	if filepath.Ext(name) == ".yaml" && len(want) > 0 && got != "" {
		assert.YAMLEq(t, string(want), got)
		return
	}
	assert.Equal(t, string(want), got, name)
}

func podJSON(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	raw, err := yaml.YAMLToJSON(text)
	require.NoError(t, err)
	return raw
}

// bindings reads ServiceBindings, separated by "---", as a look-up by name.
func bindings(t *testing.T, file string) func(string) inject.Binding {
	t.Helper()
	byName := map[string]*v1beta1.ServiceBinding{}
	text, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	for _, doc := range strings.Split(string(text), "\n---\n") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		b := &v1beta1.ServiceBinding{}
		require.NoError(t, yaml.UnmarshalStrict([]byte(doc), b))
		byName[b.Name] = b
	}
	return func(name string) inject.Binding { return inject.Observe(name, byName[name]) }
}

// applied is what an API server would make of a patch.
func applied(t *testing.T, raw, patch []byte) []byte {
	t.Helper()
	if patch == nil {
		return raw
	}
	ops, err := jsonpatch.DecodePatch(patch)
	require.NoError(t, err, "%s", patch)
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	got, err := ops.ApplyWithOptions(raw, options)
	require.NoError(t, err, "%s", patch)
	return got
}

func toYAML(t *testing.T, raw []byte) []byte {
	t.Helper()
	text, err := yaml.JSONToYAML(raw)
	require.NoError(t, err)
	return text
}

func lines(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, "\n") + "\n"
}
