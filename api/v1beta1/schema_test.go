package v1beta1_test

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

// crdFolder is where the generated CRDs are.
var crdFolder = filepath.Join("..", "..", "charts", "catalog", "files", "crds")

// crd is what the tests look at of a CustomResourceDefinition.
type crd struct {
	Metadata struct {
		Name                string
		Labels, Annotations map[string]string
	}
	Spec struct {
		Names struct {
			Kind, Plural string
			Categories   []string
			ShortNames   []string
		}
		Versions []struct {
			Schema struct {
				OpenAPIV3Schema schema
			}
			SelectableFields         []struct{ JSONPath string }
			AdditionalPrinterColumns []struct {
				Name, JSONPath string
				Priority       int
			}
		}
	}
}

// schema is what the tests look at of a structural schema.
type schema struct {
	Type, Description    string
	Properties           map[string]schema
	Items                *schema
	AdditionalProperties *schema
	Enum                 []any
	PreserveUnknown      bool   `json:"x-kubernetes-preserve-unknown-fields"`
	Validations          []rule `json:"x-kubernetes-validations"`
}

// rule is a CEL rule of a schema.
type rule struct {
	Rule, Message   string
	OptionalOldSelf bool
}

// crds returns the generated CRDs by kind.
func crds(t *testing.T) map[string]crd {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(crdFolder, "*.yaml"))
	require.NoError(t, err)
	out := map[string]crd{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var c crd
		require.NoError(t, yaml.Unmarshal(raw, &c))
		require.Len(t, c.Spec.Versions, 1, file)
		out[c.Spec.Names.Kind] = c
	}
	require.Len(t, out, 8)
	return out
}

func (c crd) schema() schema { return c.Spec.Versions[0].Schema.OpenAPIV3Schema }

// walk calls visit for s, each field below it and each entry of a list or a map, with
// its path.
func (s schema) walk(path string, visit func(path string, s schema)) {
	visit(path, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		s.Properties[name].walk(strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if s.Items != nil {
		s.Items.walk(path+"[]", visit)
	}
	if s.AdditionalProperties != nil {
		s.AdditionalProperties.walk(path+"{}", visit)
	}
}

// Fields that every object has; the API server describes them itself.
var everyObject = []string{"apiVersion", "kind", "metadata"}

func TestEveryFieldIsDocumented(t *testing.T) {
	t.Parallel()
	fields := 0
	for kind, c := range crds(t) {
		c.schema().walk("", func(path string, s schema) {
			if slices.Contains(everyObject, path) || strings.HasSuffix(path, "[]") || strings.HasSuffix(path, "{}") {
				return
			}
			fields++
			for _, complaint := range complaints(path, s.Description) {
				t.Errorf("%s %s %s", kind, path, complaint)
			}
		})
	}
	assert.Greater(t, fields, 380, "the walk found next to nothing")
}

// complaints says what is wrong with the description of a field.
func complaints(path, description string) []string {
	switch text := strings.TrimSpace(description); {
	case text == "":
		return []string{"has no description"}
	case len(text) < 20:
		return []string{"says next to nothing: " + text}
	case !strings.HasSuffix(text, ".") && !strings.HasPrefix(text[strings.LastIndexByte(text, '\n')+1:], "More info: "):
		return []string{"does not end its sentence: " + text}
	case len(newWords(path, text)) < 3:
		return []string{"only repeats its name: " + text}
	}
	return nil
}

// newWords are the words of a description that are neither in the name of its field
// nor ones that any sentence has.
func newWords(path, description string) []string {
	name := path[strings.LastIndexByte(path, '.')+1:]
	var known []string
	start := 0
	for i, r := range name {
		if r >= 'A' && r <= 'Z' && i > start {
			known, start = append(known, strings.ToLower(name[start:i])), i
		}
	}
	known = append(known, strings.ToLower(name[start:]), strings.ToLower(name),
		"a", "an", "and", "field", "for", "is", "its", "object", "of", "set", "the", "this", "to", "value")
	var out []string
	for _, word := range strings.FieldsFunc(strings.ToLower(description), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if !slices.Contains(known, word) && !slices.Contains(known, strings.TrimSuffix(word, "s")) {
			out = append(out, word)
		}
	}
	return out
}

func TestADescriptionThatSaysNothingIsFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path, description string
		good              bool
	}{
		"none":                          {path: "spec.url"},
		"a tiny one":                    {path: "spec.url", description: "The URL."},
		"one that repeats the name":     {path: "spec.secretName", description: "SecretName is the name of the secret."},
		"one that is cut off":           {path: "spec.secretName", description: "SecretName is where the credentials that the broker gives"},
		"one that says what it is for":  {path: "spec.secretName", description: "SecretName is where the credentials go.", good: true},
		"a short one that says enough":  {path: "status.binding", description: "Names the stored Secret.", good: true},
		"a reference at the end is one": {path: "kind", description: "Kind says what this thing represents.\nMore info: https://example.com/#kinds", good: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.good, len(complaints(tc.path, tc.description)) == 0)
		})
	}
}

// A refusal names its field and the way out, in one or two plain sentences.
func TestEveryRuleSaysWhatToDo(t *testing.T) {
	t.Parallel()
	rules := 0
	for kind, c := range crds(t) {
		c.schema().walk("", func(path string, s schema) {
			for _, r := range s.Validations {
				rules++
				assert.True(t, strings.HasSuffix(r.Message, "."), "%s %s: %s", kind, path, r.Message)
				assert.LessOrEqual(t, strings.Count(r.Message, ". "), 1, "%s %s: %s", kind, path, r.Message)
				assert.Regexp(t, `[:;,.] [a-z A-Z]+`, r.Message, "%s %s: no way out", kind, path)
				assert.Regexp(t, `^(spec\.|spec names|secretRef\.|secretKeyRef\.|renameKey |addKey|removeKey\.|Each entry of spec\.)`, r.Message, "%s %s names no field", kind, path)
			}
		})
	}
	assert.Greater(t, rules, 80)
}

func TestKindsAreFoundAndListedAsUsersExpect(t *testing.T) {
	t.Parallel()
	short := map[string]string{}
	for kind, c := range crds(t) {
		assert.ElementsMatch(t, []string{"all", "svcat"}, c.Spec.Names.Categories, kind)
		assert.Equal(t, "true", c.Metadata.Labels["svcat"], "%s: v0.3's programs look CRDs up by it", kind)
		assert.Regexp(t, `^unapproved, `, c.Metadata.Annotations["api-approved.kubernetes.io"], kind)
		assert.Equal(t, "keep", c.Metadata.Annotations["helm.sh/resource-policy"], kind)
		require.Len(t, c.Spec.Names.ShortNames, 1, kind)
		other, taken := short[c.Spec.Names.ShortNames[0]]
		assert.False(t, taken, "%s and %s have the same short name", kind, other)
		short[c.Spec.Names.ShortNames[0]] = kind
		v := c.Spec.Versions[0]
		assert.LessOrEqual(t, len(v.SelectableFields), 8, "%s: more are refused", kind)
		var columns []string
		for _, column := range v.AdditionalPrinterColumns {
			columns = append(columns, column.Name)
		}
		for _, old := range columnsOfV03[kind] {
			assert.Contains(t, columns, old, "%s had this column in v0.3", kind)
		}
	}
	labels := crds(t)["ServiceBinding"].Metadata.Labels
	assert.Equal(t, "true", labels["servicebinding.io/provisioned-service"])
}

var columnsOfV03 = map[string][]string{
	"ClusterServiceBroker": {"URL", "Status", "Age"},
	"ServiceBroker":        {"URL", "Status", "Age"},
	"ClusterServiceClass":  {"External-Name", "Broker", "Age"},
	"ServiceClass":         {"External-Name", "Broker", "Age"},
	"ClusterServicePlan":   {"External-Name", "Broker", "Class", "Age"},
	"ServicePlan":          {"External-Name", "Broker", "Class", "Age"},
	"ServiceInstance":      {"Class", "Plan", "Status", "Age"},
	"ServiceBinding":       {"Service-Instance", "Secret-Name", "Status", "Age"},
}
