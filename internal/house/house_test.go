package house

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the linter's import rules into .golangci.yml")

// root is the checkout, seen from this package's folder, where tests run.
var root = filepath.Join("..", "..")

// list returns the packages of the root module.
func list(t *testing.T) []Package {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var packages []Package
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := decoder.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			require.NoError(t, err)
		}
		packages = append(packages, p)
	}
}

func TestTheCheckoutKeepsTheImportRules(t *testing.T) {
	t.Parallel()
	packages := list(t)
	require.Greater(t, len(packages), 5, "go list found next to nothing")
	for _, sentence := range CheckImports(rooms, packages) {
		t.Error(sentence)
	}
}

func TestTheCheckoutKeepsTheLimits(t *testing.T) {
	t.Parallel()
	found, err := CheckFiles(os.DirFS(root), rooms)
	require.NoError(t, err)
	for _, sentence := range found {
		t.Error(sentence)
	}
}

func TestTheLinterHasTheSameImportRules(t *testing.T) {
	t.Parallel()
	file := filepath.Join(root, ".golangci.yml")
	config, err := os.ReadFile(file)
	require.NoError(t, err)
	want, err := replaceRules(string(config), Depguard(rooms))
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
		return
	}
	assert.Equal(t, want, string(config), "run: go test ./internal/house -update")
}

func TestAForbiddenImportIsFound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ from, imports, want string }{
		"a pure room takes no context":               {"internal/lifecycle", "context", "is pure"},
		"a pure room takes no clock":                 {"internal/lifecycle", "k8s.io/utils/clock", "may import"},
		"a pure room takes no client":                {"internal/resolve", "sigs.k8s.io/controller-runtime/pkg/client", "may import"},
		"a pure room takes no logger":                {"internal/inject", "log/slog", "is pure"},
		"a pure room takes no environment":           {"internal/inject", "os", "is pure"},
		"the API knows no room":                      {"api/v1beta1", Module + "/osb", "may import"},
		"the OSB client stands alone":                {"osb", "github.com/google/uuid", "may import std"},
		"the OSB client does not know the server":    {"osb", Module + "/osb/broker", "may import"},
		"controllers do not know the webhook":        {"controllers", Module + "/webhook", "may import"},
		"the webhook does not know the controllers":  {"webhook", Module + "/controllers", "may import"},
		"the webhook does not know the certificates": {"webhook", Module + "/certs", "may import"},
		"certificates do not know the webhook":       {"certs", Module + "/webhook", "may import"},
		"certificates do not know our kinds":         {"certs", Module + "/api/v1beta1", "may import"},
		"a broker does not know the controllers":     {"internal/brokers/postgres", Module + "/controllers", "may import"},
		"a broker does not know another":             {"internal/brokers/postgres", Module + "/internal/brokers/test", "may import"},
		"nobody imports a command":                   {"controllers", Module + "/cmd/catalog", "wiring"},
		"a prefix of a name is not its folder":       {"internal/inject", "k8s.io/api/core/v1alpha1", "may import"},
		"a new folder needs a room":                  {"pkg/util", "fmt", "is in no room"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := CheckImports(rooms, []Package{{ImportPath: Module + "/" + tc.from, Imports: []string{tc.imports}}})
			require.Len(t, found, 1)
			assert.Contains(t, found[0], tc.want)
		})
	}
}

func TestAnAllowedImportIsNotFound(t *testing.T) {
	t.Parallel()
	assert.Empty(t, CheckImports(rooms, []Package{
		{ImportPath: Module + "/internal/lifecycle", Imports: []string{"time", Module + "/osb", Module + "/api/v1beta1"}},
		{ImportPath: Module + "/internal/lifecycle/deep", Imports: []string{Module + "/internal/lifecycle"}},
		{ImportPath: Module + "/osb/broker", Imports: []string{"net/http", Module + "/osb"}},
		{ImportPath: Module + "/controllers", Imports: []string{"context", "sigs.k8s.io/controller-runtime/pkg/client"}},
		{ImportPath: Module + "/cmd/catalog", Imports: []string{Module + "/controllers", Module + "/webhook", Module + "/certs"}},
	}))
}

func TestABrokenLimitIsFound(t *testing.T) {
	t.Parallel()
	doc := "// Package p is one of\n// five\n// lines\n// of\n// text.\npackage p\n"
	long := "package p\n\nfunc f() {\n" + strings.Repeat("\tprintln()\n", MaxFunctionLines) + "}\n"
	tests := map[string]struct {
		path, source string
		want         string // "" for none
	}{
		"a long file":                            {"controllers/a.go", "package p\n" + strings.Repeat("\n", MaxFileLines), "401 lines"},
		"a long generated file is nobody's":      {"controllers/a.go", "// Code generated by x. DO NOT EDIT.\n\npackage p\n" + strings.Repeat("\n", MaxFileLines), ""},
		"a long function":                        {"controllers/a.go", long, "f has 82 lines"},
		"a long test is a table":                 {"controllers/a_test.go", long, ""},
		"a package that says too little":         {"controllers/doc.go", "// Package p is.\npackage p\n", "says 1 lines"},
		"the time in a pure room":                {"internal/inject/a.go", "package p\n\nimport \"time\"\n\nvar x = time.Now\n", "time.Now"},
		"the time under another name":            {"internal/inject/a.go", "package p\n\nimport m \"time\"\n\nvar x = m.Since\n", "m.Since"},
		"the time elsewhere":                     {"controllers/a.go", "package p\n\nimport \"time\"\n\nvar x = time.Now\n", ""},
		"a real API server under any name":       {"controllers/a_test.go", "package p\n\nimport _ \"sigs.k8s.io/controller-runtime/pkg/envtest\"\n", "_integration_test.go"},
		"a real API server under its right name": {"controllers/a_integration_test.go", "package p\n\nimport _ \"sigs.k8s.io/controller-runtime/pkg/envtest\"\n", ""},
		"a test behind a tag that nobody sets":   {"controllers/a_test.go", "//go:build slow\n\npackage p\n", "never runs it"},
		"a tagged test under a plain name":       {"controllers/a_test.go", "//go:build integration\n\npackage p\n", "never runs it"},
		"a tagged test under its right name":     {"controllers/a_integration_test.go", "//go:build integration\n\npackage p\n", ""},
		"another ring's tag":                     {"controllers/a_integration_test.go", "//go:build cluster\n\npackage p\n", "never runs it"},
		"a platform is no tag":                   {"controllers/a_test.go", "//go:build linux\n\npackage p\n", ""},
		"what lies in testdata":                  {"controllers/testdata/a.go", "no Go at all", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{
				"controllers/doc.go":     {Data: []byte(doc)},
				"internal/inject/doc.go": {Data: []byte(doc)},
			}
			tree[tc.path] = &fstest.MapFile{Data: []byte(tc.source)}
			found, err := CheckFiles(tree, rooms)
			require.NoError(t, err)
			if tc.want == "" {
				assert.Empty(t, found)
				return
			}
			require.NotEmpty(t, found)
			assert.Contains(t, found[0], tc.want)
		})
	}
}

func TestAPackageWithoutDocGoIsFound(t *testing.T) {
	t.Parallel()
	found, err := CheckFiles(fstest.MapFS{"webhook/a.go": {Data: []byte("package p\n")}}, rooms)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Contains(t, found[0], "webhook has no doc.go")
}
