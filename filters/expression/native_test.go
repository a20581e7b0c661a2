package expression

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/ast"

	"kecho/channel"
	"kecho/filters"
	"kecho/filters/dynamic"
)

// both is source as closures, nil where there are none, and as the machine's
// program.
func both(t *testing.T, source string) (closures *native, machine *program) {
	t.Helper()
	plain, err := compile(source, false)
	if err != nil {
		t.Fatal(source, err)
	}
	check := &checker{direction: dynamic.Out, used: map[string]bool{}}
	node := plain.Node()
	ast.Walk(&node, check)
	if check.err != nil {
		t.Fatal(source, check.err)
	}
	code, err := compile(source, true)
	if err != nil {
		t.Fatal(source, err)
	}
	now := func() time.Time { return start }
	return newNative(node, check.used, now), newProgram(code, check.used, now)
}

// What filters mostly are needs no machine, and what closures cannot do goes to
// the machine whole.
func TestWhatIsNative(t *testing.T) {
	for source, want := range map[string]bool{
		`type == "job"`: true,
		`type == "job" && priority >= normal && number(event, "cost", 0) < 0.6`:               true,
		`type in ["job", "other"] and not flag(from, "paid", false)`:                          true,
		`sinks | filter(.zone == "a" || has(#, "gpu"))`:                                       true,
		`sinks | filter(!.local && .load < 0.8) | sortBy(.load) | take(2)`:                    true,
		`type == "job" ? (sinks | sortBy(number(#, "gpu", 0), "desc") | reverse()) : []`:      true,
		`sinks | filter(.capacity > len(sinks) - 3)`:                                          false,
		`sinks | filter(.load * 2 < 1)`:                                                       false,
		`type matches "^j"`:                                                                   false,
		`sinks | take(size)`:                                                                  false,
		`sinks | sortBy(.zone)`:                                                               false,
		`count(sinks, .local) == 0`:                                                           false,
		`type == "job" && lower(type) == type`:                                                false,
		`any(sinks, .load > 2) && none(sinks, .draining) && all(sinks, .weight >= 0)`:         true,
		`(sinks | filter(.age < 5)) == sinks`:                                                 false,
		`source == "00000000000000ab" && re != "" && size <= 100 && from == from`:             false,
		`source == "00000000000000ab" && re != "" && size <= 100 && text(from, "a", "") < ""`: true,
	} {
		if closures, _ := both(t, source); (closures != nil) != want {
			t.Errorf("%s: native %v, want %v", source, closures != nil, want)
		}
	}
}

// phrases makes random expressions of what closures can do.
type phrases struct{ *rand.Rand }

func (p phrases) one(of ...string) string { return of[p.IntN(len(of))] }

func (p phrases) number(inLoop bool) string {
	all := []string{"priority", "size", "normal", "urgent", "bulk", "0", "1", "100", "0.5", "len(sinks)",
		`number(event, "cost", 0)`, `number(event, "size", 0.5)`, `number(from, "load", priority)`, `number(event, "user", 3)`}
	if inLoop {
		all = append(all, ".load", ".capacity", ".age", ".service", ".weight", `number(#, "gpu", 0)`, `number(#, "load", .capacity)`)
	}
	return p.one(all...)
}

func (p phrases) text(inLoop bool) string {
	all := []string{"type", "source", "re", `"job"`, `""`, `"b"`, `text(event, "user", "")`, `text(event, "size", type)`}
	if inLoop {
		all = append(all, ".zone", ".name", ".node", `text(#, "zone", "?")`)
	}
	return p.one(all...)
}

func (p phrases) condition(depth int, inLoop bool) string {
	if depth > 0 && p.IntN(3) > 0 {
		a, b := p.condition(depth-1, inLoop), p.condition(depth-1, inLoop)
		return p.one("("+a+" && "+b+")", "("+a+" or "+b+")", "!("+a+")", "("+a+" == "+b+")", "("+a+" != "+b+")")
	}
	switch p.IntN(4) {
	case 0:
		return "(" + p.text(inLoop) + p.one(" == ", " != ", " < ", " >= ") + p.text(inLoop) + ")"
	case 1:
		return "(" + p.number(inLoop) + " in [" + p.number(inLoop) + ", " + p.number(inLoop) + "])"
	case 2:
		all := []string{"true", `flag(event, "paid", false)`, `has(event, "user")`, `has(from, "x")`}
		if inLoop {
			all = append(all, ".local", ".draining", `has(#, "gpu")`, `flag(#, "draining", .local)`)
		}
		return p.one(all...)
	}
	return "(" + p.number(inLoop) + p.one(" == ", " != ", " < ", " <= ", " > ", " >= ") + p.number(inLoop) + ")"
}

func (p phrases) list(depth int) string {
	if depth == 0 {
		return p.one("sinks", "sinks", "sinks", "[]")
	}
	of := p.list(depth - 1)
	switch p.IntN(5) {
	case 0:
		return "reverse(" + of + ")"
	case 1:
		return fmt.Sprintf("take(%s, %d)", of, p.IntN(10))
	case 2:
		return "sortBy(" + of + ", " + p.number(true) + p.one("", `, "asc"`, `, "desc"`) + ")"
	case 3:
		return "(" + p.condition(1, false) + " ? " + of + " : " + p.list(depth-1) + ")"
	}
	return "filter(" + of + ", " + p.condition(2, true) + ")"
}

// Closures keep the sinks that the machine keeps, in its order, whatever the
// expression, the event and the sinks are.
func TestNativeAgainstMachine(t *testing.T) {
	p := phrases{rand.New(rand.NewPCG(1, 2))}
	natives := 0
	for range 3000 {
		source := p.condition(3, false)
		switch p.IntN(3) {
		case 0:
			source = p.list(3)
		case 1:
			source = p.one("any", "all", "none") + "(sinks, " + p.condition(2, true) + ") && " + source
		}
		if len(source) > 1000 || strings.Contains(source, "sortBy([]") { // whose elements have no fields
			continue
		}
		closures, machine := both(t, source)
		if closures == nil {
			continue
		}
		natives++
		for n := range 4 {
			given := someSinks(3 * n) // fewer than 12: there the machine's order is that of equals too
			for i := range given {
				if p.IntN(4) == 0 {
					given[i].Attrs = channel.Attrs{filters.Draining.Of(true), filters.Weight.Of(float64(p.IntN(3)))}
				}
			}
			e := anEvent()
			if n%2 == 1 {
				e.Type, e.Re, e.Attrs, e.Priority = "other", channel.ID{}, nil, channel.Bulk
			}
			want, err := machine.Run(e, slices.Clone(given))
			got, err2 := closures.Run(e, slices.Clone(given))
			if err != nil || err2 != nil || !slices.Equal(nodesOf(got), nodesOf(want)) {
				t.Fatalf("%s of %d sinks: %v, %v; the machine: %v, %v", source, len(given), nodesOf(got), err2, nodesOf(want), err)
			}
		}
	}
	if natives < 1000 {
		t.Errorf("only %d expressions were compared", natives)
	}
}

func TestNativeAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("sync.Pool forgets under the race detector")
	}
	for _, source := range []string{
		`type == "job" && number(event, "cost", 0) < 0.6 && text(event, "user", "") != ""`,
		`sinks | filter(!.local && .load < 0.8) | sortBy(.load) | take(2)`,
	} {
		p, e, given := compiled(t, dynamic.Out, source), anEvent(), someSinks(8)
		sinks := slices.Clone(given)
		if n := testing.AllocsPerRun(100, func() {
			copy(sinks, given)
			p.Run(e, sinks)
		}); n != 0 {
			t.Errorf("%s allocates %v times, want 0", source, n)
		}
	}
}
