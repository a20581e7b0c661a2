package expression

import (
	"github.com/expr-lang/expr/ast"

	"kecho/channel"
	"kecho/filters"
)

// What closures read of an event and of a sink, by the names of environment.go.
var (
	eventNumbers = map[string]number{
		"priority": func(l *look, _ *channel.Sink) float64 { return float64(l.event.Priority) },
		"urgent":   func(*look, *channel.Sink) float64 { return float64(channel.Urgent) },
		"normal":   func(*look, *channel.Sink) float64 { return float64(channel.Normal) },
		"bulk":     func(*look, *channel.Sink) float64 { return float64(channel.Bulk) },
		"size":     func(l *look, _ *channel.Sink) float64 { return float64(len(l.event.Body)) },
	}
	eventTexts = map[string]text{
		"type":   func(l *look, _ *channel.Sink) string { return string(l.event.Type) },
		"source": func(l *look, _ *channel.Sink) string { return l.event.ID.Source.String() },
		"re":     func(l *look, _ *channel.Sink) string { return reOf(l.event) },
	}
	sinkConditions = map[string]condition{
		"local":    func(_ *look, s *channel.Sink) bool { return s.Local },
		"draining": func(_ *look, s *channel.Sink) bool { return drainingOf(s) },
	}
	sinkNumbers = map[string]number{
		"age":      func(l *look, s *channel.Sink) float64 { return ageOf(s, l.now) },
		"load":     func(_ *look, s *channel.Sink) float64 { return loadOf(s) },
		"capacity": func(_ *look, s *channel.Sink) float64 { return float64(capacityOf(s)) },
		"service":  func(_ *look, s *channel.Sink) float64 { return serviceOf(s) },
		"weight":   func(_ *look, s *channel.Sink) float64 { return filters.WeightIn(s.Attrs) },
	}
	sinkTexts = map[string]text{
		"node": func(_ *look, s *channel.Sink) string { return s.Node.String() },
		"name": func(_ *look, s *channel.Sink) string { return valueIn(s.Attrs, string(filters.Name), "") },
		"zone": func(_ *look, s *channel.Sink) string { return valueIn(s.Attrs, string(filters.Zone), "") },
	}
)

// sinkField is the field of a predicate's sink that n is; "": it is something
// else.
func sinkField(n *ast.MemberNode) string {
	pointer, ok := n.Node.(*ast.PointerNode)
	name, named := n.Property.(*ast.StringNode)
	if !ok || !named || pointer.Name != "" || n.Optional || n.Method {
		return ""
	}
	return name.Value
}

// holderOf is whose attributes a function is given; nil: it is something else.
func holderOf(node ast.Node) func(*look, *channel.Sink) channel.Attrs {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		switch n.Value {
		case "event":
			return func(l *look, _ *channel.Sink) channel.Attrs { return l.event.Attrs }
		case "from":
			return func(l *look, _ *channel.Sink) channel.Attrs { return l.event.From }
		}
	case *ast.PointerNode:
		if n.Name == "" {
			return func(_ *look, s *channel.Sink) channel.Attrs { return s.Attrs }
		}
	}
	return nil
}

// called is the holder and the name of a call of that function; nil: it is
// something else.
func called(n *ast.CallNode, function string, arguments int) (func(*look, *channel.Sink) channel.Attrs, string) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || callee.Value != function || len(n.Arguments) != arguments {
		return nil, ""
	}
	name, ok := n.Arguments[1].(*ast.StringNode)
	if !ok {
		return nil, ""
	}
	return holderOf(n.Arguments[0]), name.Value
}

// nativeLookup is a call of number or text.
func nativeLookup[F ~func(*look, *channel.Sink) V, V any](n *ast.CallNode, function string, find func(channel.Attrs, string, V) V, compile func(ast.Node) F) F {
	attrs, name := called(n, function, 3)
	if attrs == nil {
		return nil
	}
	or := compile(n.Arguments[2])
	if or == nil {
		return nil
	}
	return func(l *look, s *channel.Sink) V { return find(attrs(l, s), name, or(l, s)) }
}

// nativeFlag is a call of flag or has.
func nativeFlag(n *ast.CallNode) condition {
	if attrs, name := called(n, "has", 2); attrs != nil {
		return func(l *look, s *channel.Sink) bool { return hasIn(attrs(l, s), name) }
	}
	return nativeLookup(n, "flag", valueIn[bool], nativeCondition)
}
