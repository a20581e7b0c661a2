package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modulePath is the prefix of our own import paths.
const modulePath = "kecho"

// source is one parsed Go file of the module.
type source struct {
	pkg  string // directory relative to the module's root, "/" between names
	name string // path relative to the module's root
	test bool
	fset *token.FileSet
	ast  *ast.File
}

// parseSource parses text as the file name; the policy checks' own tests use
// it on sources that break a rule.
func parseSource(t testing.TB, name, text string) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{
		pkg:  path.Dir(name),
		name: name,
		test: strings.HasSuffix(name, "_test.go"),
		fset: fset,
		ast:  file,
	}
}

// line is where pos stands in its file.
func (s source) line(pos token.Pos) int { return s.fset.Position(pos).Line }

// lines is how many lines the file has.
func (s source) lines() int { return s.fset.File(s.ast.FileStart).LineCount() }

// imports lists the import paths of the file.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.ast.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// tree parses every Go file of the module, whatever its build constraints, in
// the order of their names.
func tree(t testing.TB) []source {
	t.Helper()
	root := moduleRoot(t)
	var all []source
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != root && skipped(d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || skipped(d.Name()) {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		all = append(all, parseSource(t, filepath.ToSlash(rel), string(text)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 5 {
		t.Fatalf("found only %d Go files under %s: is this the module's root?", len(all), root)
	}
	return all
}

// skipped names what the go command itself leaves out.
func skipped(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// moduleRoot is the directory of go.mod, found upwards from the test's own.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's directory")
		}
		dir = up
	}
}

// packages lists the directories of sources, each once, in order.
func packages(sources []source) []string {
	var pkgs []string
	for _, s := range sources {
		pkgs = append(pkgs, s.pkg)
	}
	slices.Sort(pkgs)
	return slices.Compact(pkgs)
}

// report fails the test with one line a violation.
func report(t *testing.T, violations []string) {
	t.Helper()
	for _, v := range violations {
		t.Error(v)
	}
}

// expect fails unless found has exactly one violation for each of want, in
// order, that contains it.
func expect(t *testing.T, found []string, want ...string) {
	t.Helper()
	if len(found) != len(want) {
		t.Fatalf("found %d violations, want %d:\n%s", len(found), len(want), strings.Join(found, "\n"))
	}
	for i := range want {
		if !strings.Contains(found[i], want[i]) {
			t.Errorf("violation %d is %q, want one about %q", i, found[i], want[i])
		}
	}
}
