package charts_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite the tables of values in the charts' READMEs")

// The table of values stands between these lines of a chart's README.md.
const (
	tableBegin = "<!-- Made from values.yaml: go test ./charts -run README -update -->\n"
	tableEnd   = "<!-- The end of the values. -->\n"
)

// chartFolders returns the folders of all charts, at least one.
func chartFolders(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*/Chart.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files, "no chart was found beside this test")
	for i, file := range files {
		files[i] = filepath.Dir(file)
	}
	return files
}

// value is one row of a table: a value, what it is when nobody says otherwise,
// and what it is for.
type value struct {
	path, fallback, text string
}

// documented returns the values that the comments of a values.yaml document, and
// the paths of those that no comment covers. A comment whose text begins with "--"
// documents the key below it with all that the key holds.
func documented(node *yaml.Node, path string) (rows []value, bare []string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, held := node.Content[i], node.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if text, ok := comment(key.HeadComment); ok {
			rows = append(rows, value{path: at, fallback: inline(held), text: text})
			continue
		}
		if held.Kind != yaml.MappingNode || len(held.Content) == 0 {
			bare = append(bare, at)
			continue
		}
		inner, bareInner := documented(held, at)
		rows, bare = append(rows, inner...), append(bare, bareInner...)
	}
	return rows, bare
}

// comment returns the text of a documenting comment as one line.
func comment(head string) (string, bool) {
	// Only the last block counts: the ones above belong to the file.
	if i := strings.LastIndex(head, "\n\n"); i >= 0 {
		head = head[i+2:]
	}
	text, ok := strings.CutPrefix(head, "# -- ")
	return strings.ReplaceAll(text, "\n# ", " "), ok
}

// inline returns a value as one line of JSON.
func inline(node *yaml.Node) string {
	var held any
	if err := node.Decode(&held); err != nil {
		return err.Error()
	}
	line, err := json.Marshal(held)
	if err != nil {
		return err.Error()
	}
	return string(line)
}

// values returns the documented and the bare values of a chart.
func values(t *testing.T, chart string) (rows []value, bare []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	require.NoError(t, err)
	var file yaml.Node
	require.NoError(t, yaml.Unmarshal(raw, &file))
	require.Len(t, file.Content, 1, "%s/values.yaml is empty", chart)
	return documented(file.Content[0], "")
}

func TestEveryValueIsDocumented(t *testing.T) {
	t.Parallel()
	for _, chart := range chartFolders(t) {
		rows, bare := values(t, chart)
		assert.NotEmpty(t, rows, chart)
		assert.Empty(t, bare, "%s/values.yaml: a comment that begins with \"# -- \" is missing above these", chart)
	}
}

func TestREADMEHasTheValues(t *testing.T) {
	t.Parallel()
	for _, chart := range chartFolders(t) {
		name := filepath.Join(chart, "README.md")
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		before, rest, ok := strings.Cut(string(raw), tableBegin)
		_, after, ended := strings.Cut(rest, tableEnd)
		require.True(t, ok && ended, "%s has lost the lines around its table of values:\n%s%s", name, tableBegin, tableEnd)

		var table strings.Builder
		fmt.Fprintf(&table, "\n| value | default | what it is for |\n| --- | --- | --- |\n")
		rows, _ := values(t, chart)
		for _, row := range rows {
			fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", row.path, row.fallback, strings.ReplaceAll(row.text, "|", "\\|"))
		}
		want := before + tableBegin + table.String() + "\n" + tableEnd + after
		if *update {
			require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
			continue
		}
		assert.Equal(t, want, string(raw), "%s is not what values.yaml says: go test ./charts -run README -update", name)
	}
}

// A function that gives another answer each time makes every GitOps tool see drift.
func TestNoTemplateCallsWhatChangesFromRenderingToRendering(t *testing.T) {
	t.Parallel()
	for _, chart := range chartFolders(t) {
		templates := os.DirFS(filepath.Join(chart, "templates"))
		err := fs.WalkDir(templates, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			raw, err := fs.ReadFile(templates, name)
			assert.NotRegexp(t, `\b(gen(CA|SelfSigned|Signed|PrivateKey)\w*|lookup|rand\w+|uuidv4|now|shuffle|htpasswd|bcrypt)\s`,
				actions(string(raw)), "%s: %s", chart, name)
			return err
		})
		require.NoError(t, err)
	}
}

// actions returns what a template computes, without its comments and its text.
func actions(template string) string {
	var all strings.Builder
	for {
		_, rest, ok := strings.Cut(template, "{{")
		action, after, closed := strings.Cut(rest, "}}")
		if !ok || !closed {
			return all.String()
		}
		if template = after; !strings.HasPrefix(strings.TrimLeft(action, "- "), "/*") {
			all.WriteString(action + " \n")
		}
	}
}
