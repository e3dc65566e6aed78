package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A reason that a user meets and cannot look up is one that nobody answers for.
func TestEveryReasonIsInTheTroubleshootingPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "troubleshooting.md"))
	require.NoError(t, err)
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "api", "v1beta1", "conditions.go"), nil, 0)
	require.NoError(t, err)
	reasons := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		reasons++
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		explained := strings.Contains(string(page), "`"+value+"`") // not assert.Contains, which prints the page
		assert.True(t, explained, "docs/troubleshooting.md does not say what %s means", value)
		return false
	})
	assert.Greater(t, reasons, 30, "the reasons were found")
}
