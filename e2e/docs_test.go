package e2e

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docSections are the headings that a library package's doc.go must have.
var docSections = []string{"# Concurrency", "# Limits"}

// standardMethods mean what the standard library says, on every type.
var standardMethods = []string{
	"Error", "String", "Unwrap", "Is", "ServeHTTP", "RoundTrip",
	"Len", "Less", "Swap", "Push", "Pop", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
}

func TestDocs(t *testing.T) {
	sources := tree(t)
	report(t, checkPackageDocs(sources))
	report(t, checkNameDocs(sources))
}

func TestDocsCheckFinds(t *testing.T) {
	sources := []source{
		parseSource(t, "full/doc.go", "// Package full is.\n//\n// # Concurrency\n//\n// # Limits\npackage full"),
		parseSource(t, "bare/doc.go", "package bare"),
		parseSource(t, "short/doc.go", "// Package short is.\n//\n// # Limits\npackage short"),
		parseSource(t, "none/a.go", "// Package none is.\npackage none"),
		parseSource(t, "cmd/doc.go", "// Command cmd is.\npackage main"),
	}
	expect(t, checkPackageDocs(sources),
		"bare/doc.go has no package comment",
		"none has no doc.go",
		`short/doc.go has no section "# Concurrency"`,
	)
	expect(t, checkNameDocs([]source{
		parseSource(t, "p/a.go", `package p
func Bare() {}
// Said is said.
func Said() {}
func quiet() {}
type T struct{}
func (*T) Method() {}
func (T) quiet() {}
func (T) Error() string { return "" }
func String() {}
type hidden struct{}
func (hidden) Method() {}
// I is said.
type I interface { Naked(); /* x */ quiet()
	// Said is said.
	Said() }
const A = 1
// The group is said.
const (
	B = 1
	C = 2
)
var (
	// D is said.
	D = 1
	E = 2
	F = 3 // F is said.
)
`),
		parseSource(t, "p/a_test.go", "package p\nfunc TestBare() {}"),
	}),
		"Bare", "T has", "T.Method", "String", "I.Naked", "A has", "E has")
}

// checkPackageDocs names the packages without a doc.go, or with one that does
// not say what the house asks for.
func checkPackageDocs(sources []source) []string {
	var bad []string
	for _, pkg := range packages(sources) {
		i := slices.IndexFunc(sources, func(s source) bool { return s.name == path.Join(pkg, "doc.go") })
		if i < 0 {
			bad = append(bad, fmt.Sprintf("package %s has no doc.go", pkg))
			continue
		}
		doc := sources[i]
		if doc.ast.Doc == nil {
			bad = append(bad, doc.name+" has no package comment")
			continue
		}
		if doc.ast.Name.Name == "main" {
			continue
		}
		lines := strings.Split(doc.ast.Doc.Text(), "\n")
		for _, section := range docSections {
			if !slices.Contains(lines, section) {
				bad = append(bad, fmt.Sprintf("%s has no section %q", doc.name, section))
			}
		}
	}
	return bad
}

// checkNameDocs names what is exported and not explained: functions, methods
// of exported types, methods of exported interfaces, types, constants and
// variables. One comment over a group counts for its names; fields are left to
// their struct's comment.
func checkNameDocs(sources []source) []string {
	var bad []string
	for _, s := range sources {
		if s.test {
			continue
		}
		for _, name := range undocumented(s.ast) {
			bad = append(bad, fmt.Sprintf("%s: %s has no comment", s.name, name))
		}
	}
	return bad
}

func undocumented(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if name, exported := funcName(d); exported && d.Doc == nil {
				names = append(names, name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				names = append(names, undocumentedSpec(d, spec)...)
			}
		}
	}
	return names
}

func undocumentedSpec(d *ast.GenDecl, spec ast.Spec) []string {
	var names []string
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil
		}
		if d.Doc == nil && s.Doc == nil {
			names = append(names, s.Name.Name)
		}
		if i, ok := s.Type.(*ast.InterfaceType); ok {
			for _, m := range i.Methods.List {
				if len(m.Names) > 0 && m.Names[0].IsExported() && m.Doc == nil {
					names = append(names, s.Name.Name+"."+m.Names[0].Name)
				}
			}
		}
	case *ast.ValueSpec:
		if d.Doc != nil || s.Doc != nil || s.Comment != nil {
			return nil
		}
		for _, name := range s.Names {
			if name.IsExported() {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

// funcName is Name or Type.Name, and whether both parts are exported and its
// own words are needed.
func funcName(d *ast.FuncDecl) (name string, exported bool) {
	if d.Recv == nil {
		return d.Name.Name, d.Name.IsExported()
	}
	t := receiverType(d.Recv.List[0].Type)
	exported = d.Name.IsExported() && ast.IsExported(t) && !slices.Contains(standardMethods, d.Name.Name)
	return t + "." + d.Name.Name, exported
}

func receiverType(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiverType(x.X)
	case *ast.IndexExpr:
		return receiverType(x.X)
	case *ast.IndexListExpr:
		return receiverType(x.X)
	case *ast.Ident:
		return x.Name
	}
	return "?"
}

// TestReferences holds that what a comment refers to in docs/ is there, down to
// the heading.
func TestReferences(t *testing.T) {
	reference := regexp.MustCompile(`docs/([a-z]+\.md)(?:, "([^"]+)")?`)
	for _, s := range tree(t) {
		for _, group := range s.ast.Comments {
			text := strings.Join(strings.Fields(group.Text()), " ")
			for _, r := range reference.FindAllStringSubmatch(text, -1) {
				doc, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", r[1]))
				switch {
				case err != nil:
					t.Errorf("%s refers to docs/%s: %v", s.name, r[1], err)
				case r[2] != "" && !strings.Contains(string(doc), "\n## "+r[2]):
					t.Errorf("%s refers to %q in docs/%s, which has no such heading", s.name, r[2], r[1])
				}
			}
		}
	}
}
