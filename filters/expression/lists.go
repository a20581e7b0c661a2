package expression

import (
	"cmp"
	"slices"
	"sort"

	"github.com/expr-lang/expr/ast"

	"kecho/channel"
)

// nativeList is node, which isSinks, as a closure that narrows and orders in
// place; nil: the machine's.
func nativeList(node ast.Node) list {
	switch n := node.(type) {
	case *ast.IdentifierNode: // sinks
		return func(_ *look, sinks []channel.Sink) []channel.Sink { return sinks }
	case *ast.ArrayNode:
		return func(_ *look, sinks []channel.Sink) []channel.Sink { return sinks[:0] }
	case *ast.ConditionalNode:
		cond, yes, no := nativeCondition(n.Cond), nativeList(n.Exp1), nativeList(n.Exp2)
		if cond == nil || yes == nil || no == nil {
			return nil
		}
		return func(l *look, sinks []channel.Sink) []channel.Sink {
			if cond(l, nil) {
				return yes(l, sinks)
			}
			return no(l, sinks)
		}
	case *ast.BuiltinNode:
		if of := nativeList(n.Arguments[0]); of != nil {
			return nativeStep(n, of)
		}
	}
	return nil
}

// nativeStep is what a function makes of the list.
func nativeStep(n *ast.BuiltinNode, of list) list {
	switch n.Name {
	case "reverse":
		return func(l *look, sinks []channel.Sink) []channel.Sink {
			sinks = of(l, sinks)
			slices.Reverse(sinks)
			return sinks
		}
	case "take":
		count, ok := n.Arguments[1].(*ast.IntegerNode)
		if !ok || count.Value < 0 {
			return nil
		}
		return func(l *look, sinks []channel.Sink) []channel.Sink {
			sinks = of(l, sinks)
			return sinks[:min(count.Value, len(sinks))]
		}
	case "filter":
		keep := nativePredicate(n, nativeCondition)
		if keep == nil {
			return nil
		}
		return func(l *look, sinks []channel.Sink) []channel.Sink {
			sinks = of(l, sinks)
			kept := sinks[:0]
			for i := range sinks {
				if keep(l, &sinks[i]) {
					kept = append(kept, sinks[i])
				}
			}
			return kept
		}
	case "sortBy":
		return nativeSort(n, of)
	}
	return nil
}

// nativePredicate is the second argument of a loop.
func nativePredicate[F ~func(*look, *channel.Sink) V, V any](n *ast.BuiltinNode, compile func(ast.Node) F) F {
	p, ok := n.Arguments[1].(*ast.PredicateNode)
	if !ok {
		return nil
	}
	return compile(p.Node)
}

// nativeSort orders by a number.
func nativeSort(n *ast.BuiltinNode, of list) list {
	descending := false
	if len(n.Arguments) == 3 {
		order, ok := n.Arguments[2].(*ast.StringNode)
		if !ok || order.Value != "asc" && order.Value != "desc" {
			return nil
		}
		descending = order.Value == "desc"
	}
	key := nativePredicate(n, nativeNumber)
	if key == nil {
		return nil
	}
	return func(l *look, sinks []channel.Sink) []channel.Sink {
		sinks = of(l, sinks)
		o := &l.order
		o.keys, o.sinks, o.descending = o.keys[:0], sinks, descending
		for i := range sinks {
			o.keys = append(o.keys, key(l, &sinks[i]))
		}
		sort.Stable(o)
		return sinks
	}
}

// ordered is sinks with what they are sorted by.
type ordered struct {
	keys       []float64
	sinks      []channel.Sink
	descending bool
}

// Len implements sort.Interface.
func (o *ordered) Len() int { return len(o.keys) }

// Less implements sort.Interface.
func (o *ordered) Less(i, j int) bool {
	if o.descending {
		i, j = j, i
	}
	return cmp.Less(o.keys[i], o.keys[j])
}

// Swap implements sort.Interface.
func (o *ordered) Swap(i, j int) {
	o.keys[i], o.keys[j] = o.keys[j], o.keys[i]
	o.sinks[i], o.sinks[j] = o.sinks[j], o.sinks[i]
}
