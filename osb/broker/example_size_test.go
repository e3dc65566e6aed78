package broker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb/broker"
)

// TestTheExampleIsFortyLines counts what a broker's author writes: the lines of
// example_test.go but its platform, its imports, comments and blank lines.
func TestTheExampleIsFortyLines(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "example_test.go", source, parser.SkipObjectResolution)
	require.NoError(t, err)
	lines := strings.Split(string(source), "\n")
	code := 0
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Example" {
			continue
		}
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		for _, line := range lines[files.Position(d.Pos()).Line-1 : files.Position(d.End()).Line] {
			if strings.TrimSpace(line) != "" {
				code++
			}
		}
	}
	assert.Greater(t, code, 20, "the broker was found")
	assert.LessOrEqual(t, code, 40)
}

// TestTheExampleKeepsToTheSpec: what people copy must be right (B12, B17, B19, B27).
func TestTheExampleKeepsToTheSpec(t *testing.T) {
	t.Parallel()
	h := broker.NewHandler(&notes{}, options())
	offered, err := (&notes{}).Catalog(t.Context())
	require.NoError(t, err)
	require.NoError(t, broker.CheckCatalog(offered))
	service := offered.Services[0].ID
	plan := offered.Services[0].Plans[0].ID
	provision := `{"service_id":"` + service + `","plan_id":"` + plan + `","organization_guid":"o","space_guid":"s","parameters":{"color":"red"}}`
	bind := `{"service_id":"` + service + `","plan_id":"` + plan + `"}`
	query := "?service_id=" + service + "&plan_id=" + plan
	for _, step := range []struct {
		why    string
		do     request
		status int
	}{
		{"nothing is there to bind to", request{"PUT", bindingPath, bind, nil}, 400},
		{"new", request{"PUT", instancePath, provision, nil}, 201},
		{"the same again", request{"PUT", instancePath, provision, nil}, 200},
		{"other parameters", request{"PUT", instancePath, strings.Replace(provision, "red", "blue", 1), nil}, 409},
		{"another space", request{"PUT", instancePath, strings.Replace(provision, `"s"`, `"s2"`, 1), nil}, 409},
		{"a key", request{"PUT", bindingPath, bind, nil}, 201},
		{"the same key again", request{"PUT", bindingPath, bind, nil}, 200},
		{"the key with parameters", request{"PUT", bindingPath, strings.Replace(bind, "{", `{"parameters":{"a":1},`, 1), nil}, 409},
		{"revoked", request{"DELETE", bindingPath + query, "", nil}, 200},
		{"revoked again", request{"DELETE", bindingPath + query, "", nil}, 410},
		{"deleted", request{"DELETE", instancePath + query, "", nil}, 200},
		{"deleted again", request{"DELETE", instancePath + query, "", nil}, 410},
	} {
		w := send(h, step.do)
		assert.Equal(t, step.status, w.Code, "%s: %s", step.why, w.Body.String())
	}
}
