package expression

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"kecho/filters/dynamic"
)

const (
	maxSource = 4 << 10 // bytes
	maxNodes  = 256
)

// builtins are the functions of the language that are left: none of them
// loops over what the expression did not list, or makes anything large.
var builtins = []string{
	"all", "any", "none", "one", "count", "sum", "filter", "sortBy", "take", "reverse",
	"len", "abs", "min", "max", "lower", "upper", "hasPrefix", "hasSuffix",
}

// Config configures a Compiler; its zero value is ready for use.
type Config struct {
	// Now is the clock of a sink's age. Nil: time.Now.
	Now func() time.Time
}

// Compiler compiles expressions. It is immutable.
type Compiler struct {
	now func() time.Time
}

var _ dynamic.Compiler = (*Compiler)(nil)

// New makes a Compiler.
func New(cfg Config) *Compiler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Compiler{now: cfg.Now}
}

// Error is an expression that does not compile.
type Error struct {
	Line, Column int    // from 1; 0: it has no place
	Message      string // without place
	Snippet      string // the line and a caret below the place; may be empty
}

// Error is "line:column: message" and the snippet on lines of its own.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%d:%d: %s%s", e.Line, e.Column, e.Message, e.Snippet)
}

// Compile reads one expression. The error is an *Error.
func (c *Compiler) Compile(d dynamic.Direction, source []byte) (dynamic.Program, error) {
	if len(source) > maxSource {
		return nil, &Error{Message: fmt.Sprintf("expression of %d bytes, at most %d", len(source), maxSource)}
	}
	text := string(source)
	if strings.TrimSpace(text) == "" {
		return nil, &Error{Message: "the expression is empty"}
	}
	// Unoptimized first: the checks want the tree as it was written.
	plain, err := compile(text, false)
	if err != nil {
		return nil, located(err)
	}
	check := &checker{direction: d, used: map[string]bool{}}
	node := plain.Node()
	ast.Walk(&node, check)
	list := isSinks(node)
	if check.err == nil && !list && !isBool(node) {
		check.refuse(node, "an expression is a condition (true or false) or a list of sinks, this is "+describe(node))
	}
	if check.err != nil {
		return nil, located(check.err.Bind(plain.Source()))
	}
	if p := newNative(node, check.used, c.now); p != nil {
		return p, nil
	}
	code, err := compile(text, true)
	if err != nil {
		return nil, located(err)
	}
	return newProgram(code, check.used, c.now), nil
}

func compile(text string, optimize bool) (*vm.Program, error) {
	options := []expr.Option{
		expr.Env(environment{}), expr.Optimize(optimize), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins(),
	}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	return expr.Compile(text, append(options, functions()...)...)
}

// located is err as an *Error.
func located(err error) error {
	var f *file.Error
	if !errors.As(err, &f) {
		return &Error{Message: err.Error()}
	}
	message := f.Message
	if message == "unexpected token EOF" {
		message = "something is missing behind this"
	}
	return &Error{Line: f.Line, Column: f.Column + 1, Message: message, Snippet: f.Snippet}
}

func isBool(node ast.Node) bool { return node.Type() != nil && node.Type().Kind() == reflect.Bool }

// isSinks reports whether node can only be sinks of the list that was given,
// each once.
func isSinks(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value == "sinks"
	case *ast.BuiltinNode:
		switch n.Name {
		case "filter", "sortBy", "take", "reverse":
			return isSinks(n.Arguments[0])
		}
	case *ast.ConditionalNode:
		return isSinks(n.Exp1) && isSinks(n.Exp2)
	case *ast.ArrayNode:
		return len(n.Nodes) == 0
	}
	return false
}

func describe(node ast.Node) string {
	t := node.Type()
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.Int, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "another list"
	}
	return "neither"
}
