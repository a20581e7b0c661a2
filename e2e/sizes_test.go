package e2e

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The sizes of the house. Functions in test files are free.
const (
	maxFileLines     = 400
	maxTestFileLines = 600
	maxFuncLines     = 60
	maxMethods       = 4
	maxParams        = 5
)

// sizeExceptions are the places that may break a size, by the start of the
// message, each with its reason. One that is not needed any more fails.
var sizeExceptions = map[string]string{}

func TestSizes(t *testing.T) {
	report(t, except(checkSizes(tree(t)), sizeExceptions))
}

func TestShape(t *testing.T) {
	report(t, checkShape(tree(t)))
}

func TestSizesCheckFinds(t *testing.T) {
	body := strings.Repeat("\n", maxFuncLines-1)
	sources := []source{
		parseSource(t, "p/fits.go", "package p"+strings.Repeat("\n", maxFileLines)),
		parseSource(t, "p/long.go", "package p"+strings.Repeat("\n", maxFileLines+1)),
		parseSource(t, "p/fits_test.go", "package p"+strings.Repeat("\n", maxTestFileLines)),
		parseSource(t, "p/long_test.go", "package p"+strings.Repeat("\n", maxTestFileLines+1)),
		parseSource(t, "p/f.go", "package p\nfunc fits() {"+body+"}\nfunc (t *T) long() {"+body+"\n}"),
		parseSource(t, "p/f_test.go", "package p\nfunc long() {"+body+"\n}"),
		parseSource(t, "p/i.go", `package p
type four interface { a(); b(); c(); error }
type five interface { a(); b(); c(); d(); error }
type none interface {}
type number interface { ~int | ~float64 }
func f(x any, y interface{ a() }) {}
`),
		parseSource(t, "p/params.go", `package p
func five(a, b, c, d, e int) {}
func six(a, b, c int, d, e, f string) {}
type fn func(int, int, int, int, int, int)
var lit = func(a, b, c, d, e, f int) {}
`),
	}
	found := checkSizes(sources)
	expect(t, found,
		"p/long.go: 401 lines",
		"p/long_test.go: 601 lines",
		"p/f.go: T.long: 61 lines",
		"p/i.go: five: 5 methods",
		"p/i.go: none: 0 methods",
		"p/params.go: six: 6 parameters",
		"p/params.go: fn: 6 parameters",
		"p/params.go: line 5: 6 parameters",
	)
	excepted := except(found[:2], map[string]string{"p/long.go": "a table", "p/short.go": "was long once"})
	expect(t, excepted, "p/long_test.go", "p/short.go")
}

func TestShapeCheckFinds(t *testing.T) {
	expect(t, checkShape([]source{
		parseSource(t, "p/a.go", "package p\nfunc init() {}\ntype T struct{}\nfunc (T) init() {}"),
		parseSource(t, "x/util/a.go", "package util"),
		parseSource(t, "p/b.go", "package p\nimport . \"fmt\""),
		parseSource(t, "utility/a.go", "package utility"),
	}), "p/a.go has an init function", "x/util/a.go", "p/b.go imports")
}

// except takes out what the table excepts, and adds what it excepts for
// nothing.
func except(violations []string, table map[string]string) []string {
	var bad []string
	needed := map[string]bool{}
	for _, v := range violations {
		excepted := false
		for prefix := range table {
			if strings.HasPrefix(v, prefix+":") {
				needed[prefix], excepted = true, true
			}
		}
		if !excepted {
			bad = append(bad, v)
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(table)) {
		if !needed[prefix] {
			bad = append(bad, prefix+": the exception is not needed any more: take it out")
		}
	}
	return bad
}

// checkSizes names everything that is larger than the house allows, as
// "file: what: how large".
func checkSizes(sources []source) []string {
	var bad []string
	for _, s := range sources {
		most := maxFileLines
		if s.test {
			most = maxTestFileLines
		}
		if n := s.lines(); n > most {
			bad = append(bad, fmt.Sprintf("%s: %d lines, at most %d: a file is one noun", s.name, n, most))
		}
		if !s.test {
			bad = append(bad, oversized(s)...)
		}
	}
	return bad
}

func oversized(s source) []string {
	var bad []string
	// Types and functions are named where they are declared; what has no name
	// of its own is named by its line.
	names := map[ast.Node]string{}
	name := func(n ast.Node) string {
		if known, ok := names[n]; ok {
			return known
		}
		return fmt.Sprintf("line %d", s.line(n.Pos()))
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Type], _ = funcName(n)
			if lines := s.line(n.End()) - s.line(n.Pos()) + 1; lines > maxFuncLines {
				bad = append(bad, fmt.Sprintf("%s: %s: %d lines, at most %d: a function fits a screen", s.name, names[n.Type], lines, maxFuncLines))
			}
		case *ast.TypeSpec:
			names[n.Type] = n.Name.Name
			if i, ok := n.Type.(*ast.InterfaceType); ok {
				if m, constraint := methods(i); !constraint && (m < 1 || m > maxMethods) {
					bad = append(bad, fmt.Sprintf("%s: %s: %d methods, want 1 to %d", s.name, n.Name.Name, m, maxMethods))
				}
			}
		case *ast.FuncType:
			if p := n.Params.NumFields(); p > maxParams {
				bad = append(bad, fmt.Sprintf("%s: %s: %d parameters, at most %d", s.name, name(n), p, maxParams))
			}
		}
		return true
	})
	return bad
}

// methods counts an interface's methods, an embedded interface as one. An
// interface with a union in it is a constraint and counts nothing.
func methods(i *ast.InterfaceType) (n int, constraint bool) {
	for _, m := range i.Methods.List {
		switch m.Type.(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr:
			return 0, true
		}
		n += max(1, len(m.Names))
	}
	return n, false
}

// emptyNames say nothing about what a package is.
var emptyNames = map[string]bool{"util": true, "utils": true, "common": true, "helper": true, "helpers": true, "types": true, "misc": true}

// checkShape names init functions, packages whose name says nothing, and
// imports that hide where a name comes from.
func checkShape(sources []source) []string {
	var bad []string
	for _, s := range sources {
		if emptyNames[s.ast.Name.Name] {
			bad = append(bad, fmt.Sprintf("%s is in a package %s, a name that says nothing", s.name, s.ast.Name.Name))
		}
		for _, i := range s.ast.Imports {
			if i.Name != nil && i.Name.Name == "." {
				bad = append(bad, fmt.Sprintf("%s imports %s without its name", s.name, i.Path.Value))
			}
		}
		for _, decl := range s.ast.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				bad = append(bad, fmt.Sprintf("%s has an init function: construct where it is used", s.name))
			}
		}
	}
	return bad
}
