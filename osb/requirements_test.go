package osb_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/osb-requirements.md")

const (
	requirementsPage = "../docs/osb-requirements.md"
	tablesBegin      = "<!-- Made from the tests: go test ./osb -run Requirements -update -->\n"
	tablesEnd        = "<!-- The end of the tables. -->\n"
)

// TestRequirementsHaveTests holds docs/osb-requirements.md to the tests: each
// rule of the client's and the kit's is named by a test, each name is of a rule,
// and the page says which test that is.
func TestRequirementsHaveTests(t *testing.T) {
	t.Parallel()
	named := namedRules(t, ".", "broker")
	var text strings.Builder
	for _, table := range []struct {
		title, prefix string
		rules         []rule
	}{
		{"What a platform has to do", "", platformRules},
		{"What a broker has to do", "", brokerRules},
		{"What brokers in the wild have taught", "pitfall ", pitfalls},
	} {
		fmt.Fprintf(&text, "\n## %s\n\n%s\n\n| rule | what it asks | also, or only, kept by | tests |\n| --- | --- | --- | --- |\n", table.title, summary(table.rules))
		for _, r := range table.rules {
			tests := named[table.prefix+r.number]
			delete(named, table.prefix+r.number)
			assert.True(t, r.none || len(tests) > 0, "no test names %s%s: %s", table.prefix, r.number, r.text)
			assert.False(t, r.none && len(tests) > 0, "%s%s is tested here, so a part of it is kept here", table.prefix, r.number)
			fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", r.number, r.text, r.elsewhere, strings.Join(tests, ", "))
		}
	}
	assert.Empty(t, named, "tests name rules that there are not")

	page, err := os.ReadFile(requirementsPage)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(page), tablesBegin)
	require.True(t, ok, "%s has lost its marks", requirementsPage)
	_, after, ok := strings.Cut(rest, tablesEnd)
	require.True(t, ok, "%s has lost its marks", requirementsPage)
	want := before + tablesBegin + text.String() + "\n" + tablesEnd + after
	if *update {
		require.NoError(t, os.WriteFile(requirementsPage, []byte(want), 0o644))
		return
	}
	stale := want != string(page) // not assert.Equal, which prints both pages
	assert.False(t, stale, "%s is stale: go test ./osb -run Requirements -update", requirementsPage)
}

// summary counts the rules of a table.
func summary(rules []rule) string {
	elsewhere := 0
	for _, r := range rules {
		if r.none {
			elsewhere++
		}
	}
	return fmt.Sprintf("%d rules: %d are kept and tested here, %d elsewhere alone, and none is missing.", len(rules), len(rules)-elsewhere, elsewhere)
}

var (
	ruleNumber  = regexp.MustCompile(`\b[PB][0-9]+\b`)
	pitfallList = regexp.MustCompile(`\bpitfalls? ([0-9]+(?:(?:, | and )[0-9]+)*)`)
	digits      = regexp.MustCompile(`[0-9]+`)
)

// namedRules finds, for each rule, the tests that name it: in their doc comment,
// or in a text such as the name of a subtest.
func namedRules(t *testing.T, folders ...string) map[string][]string {
	t.Helper()
	named := map[string][]string{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
					continue
				}
				test := fmt.Sprintf("`%s`", strings.TrimPrefix(folder+".", "..")+f.Name.Name)
				for _, number := range numbersIn(f) {
					if !slices.Contains(named[number], test) {
						named[number] = append(named[number], test)
					}
				}
			}
		}
	}
	return named
}

func numbersIn(f *ast.FuncDecl) []string {
	texts := []string{strings.Join(strings.Fields(f.Doc.Text()), " ")}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			texts = append(texts, lit.Value)
		}
		return true
	})
	var found []string
	for _, text := range texts {
		found = append(found, ruleNumber.FindAllString(text, -1)...)
		for _, list := range pitfallList.FindAllStringSubmatch(text, -1) {
			for _, n := range digits.FindAllString(list[1], -1) {
				found = append(found, "pitfall "+n)
			}
		}
	}
	return found
}
