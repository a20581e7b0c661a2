package expression

import (
	"reflect"
	"sync"
	"time"

	"github.com/expr-lang/expr/ast"

	"kecho/channel"
)

// What most expressions are made of, comparisons of attributes and fields, is
// compiled to closures: they read what they need from the event and the sinks as
// they are, where the language's machine wants them copied into structs that it
// reads by reflection. Whatever else there is in an expression has the machine
// run the whole of it; a test holds the two against each other.

// look is what closures see of one run.
type look struct {
	event *channel.Event
	sinks []channel.Sink // as they were given; in a list's steps only their number is
	now   time.Time      // if an age is looked at

	order ordered // scratch of sortBy
}

// The closures. The sink is that of the loop they are in; nil outside.
type (
	condition func(l *look, s *channel.Sink) bool
	number    func(l *look, s *channel.Sink) float64
	text      func(l *look, s *channel.Sink) string
	list      func(l *look, sinks []channel.Sink) []channel.Sink
)

// native is a program of closures: of one of the two.
type native struct {
	holds condition
	pick  list
	aged  bool // an age is looked at
	now   func() time.Time
	looks sync.Pool // of *look
}

// newNative is node as a program; nil: the machine's.
func newNative(node ast.Node, used map[string]bool, now func() time.Time) *native {
	p := &native{aged: used["age"], now: now}
	if isSinks(node) {
		p.pick = nativeList(node)
	} else {
		p.holds = nativeCondition(node)
	}
	if p.pick == nil && p.holds == nil {
		return nil
	}
	p.looks.New = func() any { return new(look) }
	return p
}

// Run is dynamic.Program's.
func (p *native) Run(e *channel.Event, sinks []channel.Sink) ([]channel.Sink, error) {
	l := p.looks.Get().(*look)
	l.event, l.sinks = e, sinks
	if p.aged {
		l.now = p.now()
	}
	left := sinks
	if p.pick != nil {
		left = p.pick(l, sinks)
	} else if !p.holds(l, nil) {
		left = sinks[:0]
	}
	l.event, l.sinks, l.order.sinks = nil, nil, nil
	p.looks.Put(l)
	return left, nil
}

// Close is dynamic.Program's; there is nothing to free.
func (p *native) Close() error { return nil }

// kindOf is what a node is: Bool, Float64 for any number, String; else Invalid.
func kindOf(node ast.Node) reflect.Kind {
	if node.Type() == nil {
		return reflect.Invalid
	}
	switch k := node.Type().Kind(); k {
	case reflect.Int:
		return reflect.Float64
	case reflect.Bool, reflect.Float64, reflect.String:
		return k
	}
	return reflect.Invalid
}

// nativeCondition is node as a closure; nil: the machine's.
func nativeCondition(node ast.Node) condition {
	switch n := node.(type) {
	case *ast.BoolNode:
		return func(*look, *channel.Sink) bool { return n.Value }
	case *ast.UnaryNode:
		if inner := nativeCondition(n.Node); inner != nil && (n.Operator == "!" || n.Operator == "not") {
			return func(l *look, s *channel.Sink) bool { return !inner(l, s) }
		}
	case *ast.BinaryNode:
		return nativeBinary(n)
	case *ast.MemberNode:
		return sinkConditions[sinkField(n)]
	case *ast.CallNode:
		return nativeFlag(n)
	case *ast.BuiltinNode:
		return nativeLoop(n)
	}
	return nil
}

func nativeBinary(n *ast.BinaryNode) condition {
	switch n.Operator {
	case "&&", "and", "||", "or":
		a, b := nativeCondition(n.Left), nativeCondition(n.Right)
		switch {
		case a == nil || b == nil:
			return nil
		case n.Operator == "&&" || n.Operator == "and":
			return func(l *look, s *channel.Sink) bool { return a(l, s) && b(l, s) }
		}
		return func(l *look, s *channel.Sink) bool { return a(l, s) || b(l, s) }
	case "in":
		return nativeIn(n)
	}
	if kindOf(n.Left) != kindOf(n.Right) {
		return nil
	}
	switch kindOf(n.Left) {
	case reflect.Float64:
		return comparison(n.Operator, nativeNumber(n.Left), nativeNumber(n.Right))
	case reflect.String:
		return comparison(n.Operator, nativeText(n.Left), nativeText(n.Right))
	case reflect.Bool:
		a, b := nativeCondition(n.Left), nativeCondition(n.Right)
		if a != nil && b != nil && (n.Operator == "==" || n.Operator == "!=") {
			equal := n.Operator == "=="
			return func(l *look, s *channel.Sink) bool { return (a(l, s) == b(l, s)) == equal }
		}
	}
	return nil
}

// comparison is of two numbers or two texts.
func comparison[F ~func(*look, *channel.Sink) V, V float64 | string](operator string, a, b F) condition {
	if a == nil || b == nil {
		return nil
	}
	switch operator {
	case "==":
		return func(l *look, s *channel.Sink) bool { return a(l, s) == b(l, s) }
	case "!=":
		return func(l *look, s *channel.Sink) bool { return a(l, s) != b(l, s) }
	case "<":
		return func(l *look, s *channel.Sink) bool { return a(l, s) < b(l, s) }
	case "<=":
		return func(l *look, s *channel.Sink) bool { return a(l, s) <= b(l, s) }
	case ">":
		return func(l *look, s *channel.Sink) bool { return a(l, s) > b(l, s) }
	case ">=":
		return func(l *look, s *channel.Sink) bool { return a(l, s) >= b(l, s) }
	}
	return nil
}

// nativeIn is a text or a number in a list that is written out.
func nativeIn(n *ast.BinaryNode) condition {
	array, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return nil
	}
	var equal []condition
	for _, one := range array.Nodes {
		c := nativeBinary(&ast.BinaryNode{Operator: "==", Left: n.Left, Right: one})
		if c == nil {
			return nil
		}
		equal = append(equal, c)
	}
	return func(l *look, s *channel.Sink) bool {
		for _, c := range equal {
			if c(l, s) {
				return true
			}
		}
		return false
	}
}

// nativeLoop is all, any or none of the sinks.
func nativeLoop(n *ast.BuiltinNode) condition {
	if n.Name != "all" && n.Name != "any" && n.Name != "none" || len(n.Arguments) != 2 {
		return nil
	}
	if !isGiven(n.Arguments[0]) {
		return nil
	}
	holds := nativePredicate(n, nativeCondition)
	if holds == nil {
		return nil
	}
	until, found := n.Name != "all", n.Name == "any" // all ends with the first that is not so
	return func(l *look, _ *channel.Sink) bool {
		for i := range l.sinks {
			if holds(l, &l.sinks[i]) == until {
				return found
			}
		}
		return !found
	}
}

// nativeNumber is node as a closure; nil: the machine's. Whole numbers are small
// enough for a float64, as long as nothing is worked out with them.
func nativeNumber(node ast.Node) number {
	switch n := node.(type) {
	case *ast.IntegerNode:
		v := float64(n.Value)
		return func(*look, *channel.Sink) float64 { return v }
	case *ast.FloatNode:
		return func(*look, *channel.Sink) float64 { return n.Value }
	case *ast.IdentifierNode:
		return eventNumbers[n.Value]
	case *ast.MemberNode:
		return sinkNumbers[sinkField(n)]
	case *ast.CallNode:
		return nativeLookup(n, "number", numberIn, nativeNumber)
	case *ast.BuiltinNode:
		if n.Name == "len" && isGiven(n.Arguments[0]) {
			return func(l *look, _ *channel.Sink) float64 { return float64(len(l.sinks)) }
		}
	}
	return nil
}

// isGiven reports whether node is the list as it was given.
func isGiven(node ast.Node) bool {
	id, ok := node.(*ast.IdentifierNode)
	return ok && id.Value == "sinks"
}

// nativeText is node as a closure; nil: the machine's.
func nativeText(node ast.Node) text {
	switch n := node.(type) {
	case *ast.StringNode:
		return func(*look, *channel.Sink) string { return n.Value }
	case *ast.IdentifierNode:
		return eventTexts[n.Value]
	case *ast.MemberNode:
		return sinkTexts[sinkField(n)]
	case *ast.CallNode:
		return nativeLookup(n, "text", valueIn[string], nativeText)
	}
	return nil
}
