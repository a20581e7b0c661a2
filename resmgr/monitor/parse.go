package monitor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"kecho/resmgr/syntax"
)

// What makes up numbers and operators.
const (
	numbers   = "0123456789+-.eE"
	operators = "<>=!"
)

// Parse reads a condition as the package's documentation shows them; spaces
// do not matter between its parts. Its errors are of type *syntax.Error.
func Parse(text string) (Condition, error) {
	p := newParser(text)
	c := p.condition("cancel or the end")
	if !p.Done() {
		p.Want("the end")
	}
	if p.Err != nil {
		return Condition{}, p.Err
	}
	return c, nil
}

// ParseKey reads a gauge's name, with its item if it has one, as Key.String
// writes it. Its errors are of type *syntax.Error.
func ParseKey(text string) (Key, error) {
	p := newParser(text)
	k := p.item(p.Name("a gauge, such as cpu", maxName))
	if !p.Done() {
		p.Want("the end")
	}
	if p.Err != nil {
		return Key{}, p.Err
	}
	return k, nil
}

// ParseList reads conditions with commas between them; none, of an empty text.
func ParseList(text string) ([]Condition, error) {
	p := newParser(text)
	var all []Condition
	for more := !p.Done(); more; more = p.Comma() {
		all = append(all, p.condition("cancel, a comma or the end"))
	}
	if p.Err != nil {
		return nil, p.Err
	}
	return all, nil
}

// parser reads from left to right. After the first error, which it keeps,
// nothing that it returns matters.
type parser struct{ *syntax.Parser }

func newParser(text string) parser { return parser{syntax.New(text, numbers, operators)} }

// condition takes one; after is what may follow its first bound.
func (p parser) condition(after string) Condition {
	var c Condition
	c.Of = p.measure()
	c.Raise = p.bound()
	if p.Done() || p.Peek(",") {
		return c
	}
	p.Word("cancel", after)
	p.Space()
	at := p.At
	c.Cancel = p.bound()
	if err := c.checkSide(); p.Err == nil && err != nil {
		p.Fail(at, "%v", err)
	}
	return c
}

// measure takes a gauge, or a function of one.
func (p parser) measure() Measure {
	p.Space()
	start := p.At
	name := p.Name("a gauge, such as cpu", maxName)
	if !p.Peek("(") {
		return Measure{Of: p.item(name)}
	}
	var m Measure
	switch name {
	case "high":
		m.Kind = High
	case "low":
		m.Kind = Low
	case "rate":
		m.Kind = Rate
	case "leaky":
		m.Kind = Leaky
	default:
		p.Fail(start, "no statistic is called %.32q: want high, low, rate or leaky", name)
	}
	p.Word("(", "(")
	m.Of = p.item(p.Name("a gauge, such as errors", maxName))
	if m.Kind.timed() {
		p.Word(",", map[Kind]string{Rate: ", and a window such as 10s", Leaky: ", and a leak such as 2/s"}[m.Kind])
	}
	switch m.Kind {
	case Rate:
		m.Window = p.window()
	case Leaky:
		m.Leak = p.leak()
	}
	p.Word(")", ")")
	return m
}

// item takes what may follow a gauge's name.
func (p parser) item(name string) Key {
	k := Key{Name: name}
	if !p.Peek("{") {
		return k
	}
	p.Word("{", "{")
	p.Word("item", "item=")
	p.Word("=", "=")
	p.Space()
	start := p.At
	if p.Peek(`"`) {
		k.Item = p.quoted()
	} else {
		n := 0
		for n < len(p.Rest()) && p.Rest()[n] != '}' {
			n++
		}
		k.Item = p.Rest()[:n]
		p.At += n
	}
	if p.Err == nil && (k.Item == "" || k.Check() != nil || p.Text[start] != '"' && !bareItem(k.Item)) {
		p.Fail(start, "want an item: printable text of 1 to %d bytes, in quotes if it has spaces, braces, quotes or backslashes", maxItem)
	}
	p.Word("}", "}")
	return k
}

func (p parser) quoted() string {
	q, err := strconv.QuotedPrefix(p.Rest())
	if err != nil {
		p.Fail(p.At, "a quote that does not end, or has a wrong escape")
		return ""
	}
	p.At += len(q)
	s, _ := strconv.Unquote(q) // QuotedPrefix has checked it
	return s
}

// bareItem reports whether an item can stand without quotes.
func bareItem(s string) bool { return !strings.ContainsAny(s, " {}\"\\") }

// bound takes an operator and a number.
func (p parser) bound() Bound {
	p.Space()
	n := syntax.SpanOf(p.Rest(), operators)
	for op := Above; op <= AtMost; op++ {
		if p.Rest()[:n] == op.String() {
			p.At += n
			return Bound{Op: op, Value: p.number("a number, such as 0.85")}
		}
	}
	p.Want(">, >=, < or <=")
	return Bound{}
}

func (p parser) number(what string) float64 {
	p.Space()
	n := syntax.SpanOf(p.Rest(), numbers)
	if n == 0 {
		p.Want(what)
		return 0
	}
	v, err := strconv.ParseFloat(p.Rest()[:n], 64)
	if err != nil {
		p.Want(what)
	}
	p.At += n
	return v
}

// span takes a duration: everything to the closing bracket. A unit alone is
// one of it.
func (p parser) span() time.Duration {
	p.Space()
	start := p.At
	n := strings.IndexByte(p.Rest(), ')')
	if n < 0 {
		n = len(p.Rest())
	}
	text := strings.TrimSpace(p.Rest()[:n])
	p.At += n
	if syntax.NameLength(text) > 0 {
		text = "1" + text
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		p.Fail(start, "want a duration, such as 10s, 500ms or 1m30s")
	}
	return d
}

func (p parser) window() time.Duration {
	p.Space()
	start := p.At
	d := p.span()
	if d < minWindow || d > maxWindow {
		p.Fail(start, "%v", errWindow)
	}
	return d
}

// leak takes 2/s, and makes 10/1m to a sixth a second.
func (p parser) leak() float64 {
	p.Space()
	start := p.At
	amount := p.number("what leaks, such as 2/s")
	p.Word("/", "/ and a duration, such as 2/s")
	over := p.span().Seconds()
	leak := amount / over
	if !(amount > 0 && over > 0 && leak > 0) || math.IsInf(leak, 0) {
		p.Fail(start, "%v", errLeak)
	}
	return leak
}
