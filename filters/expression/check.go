package expression

import (
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"kecho/filters/dynamic"
)

// checker refuses what would make the cost of a run unbounded, and notes which
// names are used. It is an ast.Visitor.
type checker struct {
	direction dynamic.Direction
	used      map[string]bool
	err       *file.Error // the first
}

func (c *checker) refuse(node ast.Node, message string) {
	if c.err == nil {
		c.err = &file.Error{Location: node.Location(), Message: message}
	}
}

// Visit checks one node; those below it were visited before.
func (c *checker) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		c.used[n.Value] = true
		switch {
		case n.Value == "$env":
			c.refuse(n, "$env: write the name alone")
		case n.Value == "sinks" && c.direction == dynamic.In:
			c.refuse(n, "sinks: only an OUT-filter picks sinks, an IN-filter is a condition")
		}
	case *ast.StringNode:
		c.used[n.Value] = true // a member's name stands as a text
	case *ast.BinaryNode:
		c.binary(n)
	case *ast.PredicateNode:
		c.predicate(n)
	case *ast.BuiltinNode:
		if n.Name == "take" && len(n.Arguments) == 2 && isNegative(n.Arguments[1]) {
			c.refuse(n.Arguments[1], belowZero)
		}
	}
}

// belowZero is what is wrong with a take that the language itself has no word for.
const belowZero = "take of a number below 0"

// isNegative reports whether node is written as a number below 0.
func isNegative(node ast.Node) bool {
	minus, ok := node.(*ast.UnaryNode)
	if !ok || minus.Operator != "-" {
		return false
	}
	n, ok := minus.Node.(*ast.IntegerNode)
	return ok && n.Value > 0
}

func (c *checker) binary(n *ast.BinaryNode) {
	_, array := n.Right.(*ast.ArrayNode)
	_, text := n.Right.(*ast.StringNode)
	switch {
	case n.Operator == "..":
		c.refuse(n, "a range is not for filters: there are only loops over sinks")
	case n.Operator == "matches" && !text:
		c.refuse(n.Right, "a pattern must be a constant text")
	case n.Operator == "in" && !array:
		c.refuse(n.Right, `"in" wants a list that is written here, like ["a", "b"]`)
	}
}

// predicate refuses a loop inside of a predicate, which is run once for each
// element of a loop itself.
func (c *checker) predicate(n *ast.PredicateNode) {
	inner := new(innerLoops)
	ast.Walk(&n.Node, inner)
	switch {
	case inner.loop != nil:
		c.refuse(inner.loop, inner.loop.Name+" inside of another loop: their cost would multiply")
	case inner.sinks > inner.lens:
		c.refuse(n.Node, "sinks inside of a loop over sinks: only len(sinks) is allowed there")
	}
}

// innerLoops finds what loops. It is an ast.Visitor.
type innerLoops struct {
	loop        *ast.BuiltinNode // the first
	sinks, lens int              // times that "sinks" and "len(sinks)" stand there
}

// Visit looks at one node.
func (v *innerLoops) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "sinks" {
			v.sinks++
		}
	case *ast.BuiltinNode:
		if v.loop == nil && loops(n) {
			v.loop = n
		}
		if n.Name == "len" && len(n.Arguments) == 1 && isSinks(n.Arguments[0]) {
			v.lens++
		}
	}
}

func loops(n *ast.BuiltinNode) bool {
	switch n.Name {
	case "len", "abs", "lower", "upper", "hasPrefix", "hasSuffix":
		return false
	case "min", "max":
		return len(n.Arguments) < 2 // of a list
	}
	return true
}
