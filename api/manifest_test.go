package api_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// manifest is a file of the corpus; testdata/README.md says how it is written.
type manifest struct {
	name    string // of the file, without .yaml
	shows   string // valid: its first line
	refused string // invalid: the sentence of its first line
	again   string
	without string // a part of the release that is switched off meanwhile
	needs   []string
	warns   []string
	fills   []string
	docs    []document
}

// document is an object and what is done with it, by whom.
type document struct {
	obj      *unstructured.Unstructured
	as, verb string // empty: by default
}

// last is the document that a test is about.
func (m *manifest) last() document { return m.docs[len(m.docs)-1] }

// load reads the manifests of a folder, sorted by name.
func load(t *testing.T, folder string) []*manifest {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "there are no manifests in %s", folder)
	var all []*manifest
	for _, file := range files {
		all = append(all, read(t, file))
	}
	return all
}

// read reads one file.
func read(t *testing.T, file string) *manifest {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	m := &manifest{name: strings.TrimSuffix(filepath.Base(file), ".yaml")}
	for i, part := range strings.Split(string(text), "\n---\n") {
		doc := document{obj: &unstructured.Unstructured{}}
		for n, line := range head(part) {
			m.take(t, &doc, line, i == 0 && n == 0)
		}
		if i > 0 && doc.as == "" {
			doc.as = m.docs[0].as
		}
		asJSON, err := yaml.YAMLToJSONStrict([]byte(part))
		require.NoError(t, err, file)
		require.NoError(t, doc.obj.UnmarshalJSON(asJSON), file)
		m.docs = append(m.docs, doc)
	}
	return m
}

// head returns the comment lines that a document begins with.
func head(text string) []string {
	var lines []string
	for in := bufio.NewScanner(strings.NewReader(text)); in.Scan(); {
		line, ok := strings.CutPrefix(in.Text(), "# ")
		if !ok {
			break
		}
		lines = append(lines, line)
	}
	return lines
}

// take reads one comment line into the manifest or its document.
func (m *manifest) take(t *testing.T, doc *document, line string, first bool) {
	t.Helper()
	key, value, _ := strings.Cut(line, ": ")
	switch key {
	case "refused":
		require.True(t, first, "%s: what is expected stands in the first line", m.name)
		m.refused = value
	case "again":
		m.again = value
	case "as":
		doc.as = value
	case "verb":
		require.Contains(t, []string{"create", "update", "patch", "apply", "delete", "status"}, value, m.name)
		doc.verb = value
	case "without":
		require.Equal(t, "webhook", value, m.name)
		m.without = value
	case "needs":
		m.needs = strings.Split(value, ", ")
	case "warns":
		m.warns = append(m.warns, value)
	case "fills":
		require.Contains(t, value, "=", m.name)
		m.fills = append(m.fills, value)
	default:
		if first {
			m.shows = line
		}
	}
}

// identity names an object for as long as it has a name.
func identity(obj *unstructured.Unstructured) string {
	name := obj.GetName()
	if name == "" {
		name = obj.GetGenerateName() + "*"
	}
	return strings.Join([]string{obj.GetKind(), obj.GetNamespace(), name}, " ")
}

// clusterScoped reports whether the object's kind has no namespace.
func clusterScoped(obj *unstructured.Unstructured) bool {
	return slices.Contains([]string{"ClusterServiceBroker", "ClusterServiceClass", "ClusterServicePlan"}, obj.GetKind())
}

// user is who applies the document.
func (d document) user() string {
	switch {
	case d.as != "":
		return d.as
	case clusterScoped(d.obj):
		return "operator"
	case d.obj.GetKind() == "ServiceBroker":
		return "owner"
	}
	return "developer"
}

// verbAfter is what is done with the document once the earlier ones are there.
func (d document) verbAfter(earlier []document) string {
	switch {
	case d.verb != "":
		return d.verb
	case slices.ContainsFunc(earlier, func(e document) bool { return identity(e.obj) == identity(d.obj) }):
		return "update"
	}
	return "create"
}
