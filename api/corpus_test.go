package api_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// How large the corpus is at the least.
const (
	minValid   = 60
	minInvalid = 80
)

// Where the corpus and the schemas are.
const (
	validFolder   = "testdata/valid"
	invalidFolder = "testdata/invalid"
	needsFolder   = "testdata/needs"
	crdFolder     = "../charts/catalog/files/crds"
)

func TestTheCorpusIsLargeEnough(t *testing.T) {
	t.Parallel()
	assert.GreaterOrEqual(t, len(load(t, validFolder)), minValid, "valid manifests")
	assert.GreaterOrEqual(t, len(load(t, invalidFolder)), minInvalid, "invalid manifests")
}

func TestEveryManifestSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	for _, m := range load(t, validFolder) {
		assert.Regexp(t, `^\S.*\.$`, m.shows, "%s: the first line is a sentence", m.name)
		assert.Empty(t, m.refused, "%s is valid", m.name)
		assert.Len(t, m.docs, 1, "%s: one object a file", m.name)
	}
	for _, m := range load(t, invalidFolder) {
		assert.GreaterOrEqual(t, len(m.refused), len("spec: Required value"), "%s: say in the first line with which sentence it is refused", m.name)
		assert.Empty(t, append(m.warns, m.fills...), "%s is refused, so nothing is looked at after it", m.name)
	}
}

// All objects of the corpus live in one cluster, so their names must differ.
func TestNoTwoManifestsMeet(t *testing.T) {
	t.Parallel()
	from := map[string]string{}
	for _, folder := range []string{needsFolder, validFolder, invalidFolder} {
		for _, m := range load(t, folder) {
			own := map[string]bool{}
			for _, doc := range m.docs {
				own[identity(doc.obj)] = true
			}
			for id := range own {
				assert.Empty(t, from[id], "%s of %s", id, m.name)
				from[id] = m.name
			}
		}
	}
}

// Two manifests of a kind that are refused for the same reason are one too many,
// unless the second says what it adds.
func TestEveryRefusalIsExpectedOnce(t *testing.T) {
	t.Parallel()
	from := map[string]string{}
	for _, m := range load(t, invalidFolder) {
		if m.again != "" {
			continue
		}
		key := m.last().obj.GetKind() + ": " + m.refused
		assert.Empty(t, from[key], "%s expects what another does; say why in a line \"# again: \"", m.name)
		from[key] = m.name
	}
	for _, m := range load(t, invalidFolder) {
		if m.again != "" {
			assert.NotEmpty(t, from[m.last().obj.GetKind()+": "+m.refused], "%s is the first to expect this, not another", m.name)
		}
	}
}

// A user who meets a rule must have been met by it here first.
func TestEveryRuleOfTheSchemasIsBrokenByAManifest(t *testing.T) {
	t.Parallel()
	var expected []string
	for _, m := range load(t, invalidFolder) {
		expected = append(expected, m.refused)
	}
	seen := map[string]bool{}
	for kind, schema := range schemas(t) {
		for _, message := range messages(schema) {
			seen[message] = true
			assert.True(t, slices.ContainsFunc(expected, func(e string) bool { return sameSentence(e, message) }),
				"%s: no invalid manifest is refused with: %s", kind, message)
		}
	}
	for _, e := range expected {
		meant := slices.DeleteFunc(slices.Collect(maps.Keys(seen)), func(m string) bool { return !strings.Contains(m, e) })
		assert.LessOrEqual(t, len(meant), 1, "%q does not say which rule is meant: %q", e, meant)
	}
}

// sameSentence reports whether what a manifest expects is the message or a part
// of it, or has it in it.
func sameSentence(expected, message string) bool {
	return strings.Contains(message, expected) || strings.Contains(expected, message)
}

// Every field and every word of an enumeration must be known to be accepted.
func TestEveryFieldStandsInAValidManifest(t *testing.T) {
	t.Parallel()
	used := map[string]map[string]bool{}
	for _, m := range load(t, validFolder) {
		for _, doc := range m.docs {
			kind := doc.obj.GetKind()
			if used[kind] == nil {
				used[kind] = map[string]bool{}
			}
			gatherUsed("spec", doc.obj.Object["spec"], used[kind])
		}
	}
	for kind, schema := range schemas(t) {
		for _, want := range wanted("spec", child(child(schema, "properties"), "spec")) {
			assert.True(t, used[kind][want], "%s: no valid manifest has %s", kind, want)
		}
	}
}

// gatherUsed notes every path at which there is a value, and the value itself if
// it is text.
func gatherUsed(path string, value any, used map[string]bool) {
	if value == nil {
		return
	}
	used[path] = true
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			gatherUsed(path+"."+key, inner, used)
		}
	case []any:
		for _, inner := range value {
			gatherUsed(path+"[]", inner, used)
		}
	case string:
		used[path+"="+value] = true
	}
}

// wanted lists the paths of a schema's fields, and for an enumeration its words.
func wanted(path string, schema map[string]any) []string {
	all := []string{path}
	if enum, ok := schema["enum"].([]any); ok {
		for _, word := range enum {
			all = append(all, path+"="+word.(string))
		}
	}
	for name := range child(schema, "properties") {
		all = append(all, wanted(path+"."+name, child(child(schema, "properties"), name))...)
	}
	if items := child(schema, "items"); items != nil {
		all = append(all, wanted(path+"[]", items)...)
	}
	return all
}

// messages lists what the rules of a schema say.
func messages(schema any) []string {
	var all []string
	switch schema := schema.(type) {
	case map[string]any:
		for key, inner := range schema {
			if key != "x-kubernetes-validations" {
				all = append(all, messages(inner)...)
				continue
			}
			for _, rule := range inner.([]any) {
				message, _ := rule.(map[string]any)["message"].(string)
				all = append(all, message)
			}
		}
	case []any:
		for _, inner := range schema {
			all = append(all, messages(inner)...)
		}
	}
	return all
}

// schemas are the schemas of the CRDs, by kind.
func schemas(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(crdFolder, "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 8)
	all := map[string]map[string]any{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var crd struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &crd), file)
		all[crd.Spec.Names.Kind] = crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	return all
}

// child is a map in a map; nil if there is none.
func child(in map[string]any, key string) map[string]any {
	inner, _ := in[key].(map[string]any)
	return inner
}
