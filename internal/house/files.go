package house

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits on the size of things, in lines. A function counts from its first line
// to its closing brace, without its doc comment; functions in tests are exempt,
// because a table of cases is one.
const (
	MaxFileLines      = 400
	MaxFunctionLines  = 80
	MaxMedianFunction = 25
	minDocLines       = 5
	maxDocLines       = 20
)

// skippedFolders hold no source of ours.
var skippedFolders = []string{".git", ".cluster", "bin", "dist", "node_modules", "testdata", "vendor"}

// survey is what CheckFiles gathers as it walks.
type survey struct {
	found     []string        // sentences
	documents map[string]bool // folder to: has a doc.go
	lengths   []int           // of functions outside tests
}

// CheckFiles returns one sentence for each file, function or package of the tree
// that breaks a limit, lacks its doc.go, or is impure in a pure room.
func CheckFiles(tree fs.FS, rooms []Room) ([]string, error) {
	s := &survey{documents: map[string]bool{}}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skippedFolders, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		return s.add(tree, rooms, name)
	})
	if err != nil {
		return nil, err
	}
	for folder, has := range s.documents {
		if !has {
			s.complain("%s has no doc.go: say what the package does, what it refuses to do, and where to start reading", folder)
		}
	}
	slices.Sort(s.lengths)
	if n := len(s.lengths); n > 0 && s.lengths[n/2] >= MaxMedianFunction {
		s.complain("the median function has %d lines, it should stay under %d", s.lengths[n/2], MaxMedianFunction)
	}
	slices.Sort(s.found)
	return s.found, nil
}

// complain adds a sentence.
func (s *survey) complain(format string, args ...any) {
	s.found = append(s.found, fmt.Sprintf(format, args...))
}

// add takes one file into the survey.
func (s *survey) add(tree fs.FS, rooms []Room, name string) error {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		return err
	}
	folder := path.Dir(name)
	s.documents[folder] = s.documents[folder] || path.Base(name) == "doc.go"
	if ast.IsGenerated(file) {
		return nil
	}
	if lines := strings.Count(string(source), "\n"); lines > MaxFileLines {
		s.complain("%s has %d lines, more than %d", name, lines, MaxFileLines)
	}
	if path.Base(name) == "doc.go" {
		s.addDocument(name, file)
	}
	if strings.HasSuffix(name, "_test.go") {
		s.addTest(name, file)
		return nil
	}
	s.addFunctions(files, name, file)
	if room, ok := roomOf(rooms, Module+"/"+folder); ok && room.Pure {
		s.addImpurities(files, file)
	}
	return nil
}

// addDocument checks the size of a package comment, blank lines not counted.
func (s *survey) addDocument(name string, file *ast.File) {
	lines := 0
	for line := range strings.Lines(file.Doc.Text()) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if lines < minDocLines || lines > maxDocLines {
		s.complain("%s says %d lines about its package; say %d to %d", name, lines, minDocLines, maxDocLines)
	}
}

// ring is a folder and the build tag under which `make test` runs what carries
// it there; a test behind any other tag would never run.
type ring struct{ below, tag, suffix string }

var rings = []ring{
	{below: "e2e", tag: "cluster", suffix: "_test.go"},
	{below: ".", tag: "integration", suffix: "_integration_test.go"},
}

// addTest checks that a test is one that `make test` finds: what needs a real API
// server by the file's name, what is behind a build tag by the tag.
func (s *survey) addTest(name string, file *ast.File) {
	r := rings[slices.IndexFunc(rings, func(r ring) bool { return r.below == "." || isBelow(name, r.below) })]
	for _, tag := range buildTags(file) {
		if tag != r.tag || !strings.HasSuffix(name, r.suffix) {
			s.complain("%s is built for %s alone, so `make test` never runs it: here it is %s in *%s", name, tag, r.tag, r.suffix)
		}
	}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if imported == "sigs.k8s.io/controller-runtime/pkg/envtest" && !strings.HasSuffix(name, r.suffix) {
			s.complain("%s uses envtest: name it *%s, or `make test` never runs it", name, r.suffix)
		}
	}
}

// buildTags returns the tags in the file's build constraint that neither the
// platform nor the toolchain sets.
func buildTags(file *ast.File) []string {
	var tags []string
	for _, group := range file.Comments {
		for _, comment := range group.List {
			expr, err := constraint.Parse(comment.Text)
			if err != nil || comment.Pos() > file.Package {
				continue
			}
			expr.Eval(func(tag string) bool {
				if tag != "linux" && tag != "race" && !strings.HasPrefix(tag, "go1") {
					tags = append(tags, tag)
				}
				return true
			})
		}
	}
	return tags
}

// addFunctions measures the file's functions.
func (s *survey) addFunctions(files *token.FileSet, name string, file *ast.File) {
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		lines := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1
		s.lengths = append(s.lengths, lines)
		if lines > MaxFunctionLines {
			s.complain("%s: %s has %d lines, more than %d", name, f.Name.Name, lines, MaxFunctionLines)
		}
	}
}

// addImpurities looks for the calls that a pure room must not make.
func (s *survey) addImpurities(files *token.FileSet, file *ast.File) {
	impure := map[string][]string{} // by the name the file has for the package
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		impure[name] = impureCalls[imported]
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && slices.Contains(impure[pkg.Name], selector.Sel.Name) {
			s.complain("%s uses %s.%s in a pure room: let the caller say it", files.Position(n.Pos()), pkg.Name, selector.Sel.Name)
		}
		return true
	})
}
