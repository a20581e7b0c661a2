package monitor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// SyntaxError says where a condition's text is wrong.
type SyntaxError struct {
	Text   string
	Column int // in characters, from 1
	Reason string
}

// Error quotes the text, cut at 128 bytes.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%.128q, column %d: %s", e.Text, e.Column, e.Reason)
}

// maxText bounds what is parsed.
const maxText = 1024

// Parse reads a condition as the package's documentation shows them; spaces
// do not matter between its parts. Its errors are of type *SyntaxError.
func Parse(text string) (Condition, error) {
	p := newParser(text)
	c := p.condition("cancel or the end")
	if !p.done() {
		p.want("the end")
	}
	if p.err != nil {
		return Condition{}, p.err
	}
	return c, nil
}

// ParseKey reads a gauge's name, with its item if it has one, as Key.String
// writes it. Its errors are of type *SyntaxError.
func ParseKey(text string) (Key, error) {
	p := newParser(text)
	k := p.item(p.name("a gauge, such as cpu"))
	if !p.done() {
		p.want("the end")
	}
	if p.err != nil {
		return Key{}, p.err
	}
	return k, nil
}

// ParseList reads conditions with commas between them; none, of an empty text.
func ParseList(text string) ([]Condition, error) {
	p := newParser(text)
	var all []Condition
	for more := !p.done(); more; {
		all = append(all, p.condition("cancel, a comma or the end"))
		if more = !p.done(); more {
			p.word(",", "a comma or the end")
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	return all, nil
}

func newParser(text string) *parser {
	p := &parser{text: text}
	if len(text) > maxText {
		p.fail(maxText, "longer than %d bytes", maxText)
	}
	return p
}

// parser reads from left to right. After the first error, which it keeps,
// nothing that it returns matters.
type parser struct {
	text string
	at   int // in bytes
	err  error
}

func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{Text: p.text, Column: utf8.RuneCountInString(p.text[:at]) + 1, Reason: fmt.Sprintf(format, args...)}
	}
}

// want says what should stand here.
func (p *parser) want(what string) {
	p.space()
	found := strconv.Quote(p.rest()[:p.tokenLength()])
	if p.at == len(p.text) {
		found = "the end"
	}
	p.fail(p.at, "want %s, found %s", what, found)
}

func (p *parser) rest() string { return p.text[p.at:] }

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// done is true after an error too.
func (p *parser) done() bool {
	p.space()
	return p.err != nil || p.at == len(p.text)
}

// tokenLength is how much of the rest a person would call one thing.
func (p *parser) tokenLength() int {
	rest := p.rest()
	if n := max(nameLength(rest), spanOf(rest, "0123456789+-.eE"), spanOf(rest, "<>=!")); n > 0 {
		return min(n, 32)
	}
	_, n := utf8.DecodeRuneInString(rest)
	return n
}

// condition takes one; after is what may follow its first bound.
func (p *parser) condition(after string) Condition {
	var c Condition
	c.Of = p.measure()
	c.Raise = p.bound()
	if p.done() || p.peek(",") {
		return c
	}
	p.word("cancel", after)
	p.space()
	at := p.at
	c.Cancel = p.bound()
	if err := c.checkSide(); p.err == nil && err != nil {
		p.fail(at, "%v", err)
	}
	return c
}

// word takes exactly w, which what describes.
func (p *parser) word(w, what string) {
	p.space()
	if strings.HasPrefix(p.rest(), w) && (nameLength(w) == 0 || nameLength(p.rest()) == len(w)) {
		p.at += len(w)
		return
	}
	p.want(what)
}

// peek reports whether w is next.
func (p *parser) peek(w string) bool {
	p.space()
	return strings.HasPrefix(p.rest(), w)
}

// nameLength is how long the name is that s begins with; 0: it does not.
func nameLength(s string) int {
	n := 0
	for n < len(s) && (letter(s[n]) || n > 0 && strings.IndexByte("0123456789._-", s[n]) >= 0) {
		n++
	}
	return n
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// spanOf is how many bytes of set s begins with.
func spanOf(s, set string) int {
	n := 0
	for n < len(s) && strings.IndexByte(set, s[n]) >= 0 {
		n++
	}
	return n
}

// name takes a gauge's or a function's name.
func (p *parser) name(what string) string {
	p.space()
	n := nameLength(p.rest())
	if n == 0 {
		p.want(what)
	} else if n > maxName {
		p.fail(p.at, "a name of %d characters, at most %d", n, maxName)
	}
	name := p.rest()[:n]
	p.at += n
	return name
}

// measure takes a gauge, or a function of one.
func (p *parser) measure() Measure {
	p.space()
	start := p.at
	name := p.name("a gauge, such as cpu")
	if !p.peek("(") {
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
		p.fail(start, "no statistic is called %.32q: want high, low, rate or leaky", name)
	}
	p.word("(", "(")
	m.Of = p.item(p.name("a gauge, such as errors"))
	if m.Kind.timed() {
		p.word(",", map[Kind]string{Rate: ", and a window such as 10s", Leaky: ", and a leak such as 2/s"}[m.Kind])
	}
	switch m.Kind {
	case Rate:
		m.Window = p.window()
	case Leaky:
		m.Leak = p.leak()
	}
	p.word(")", ")")
	return m
}

// item takes what may follow a gauge's name.
func (p *parser) item(name string) Key {
	k := Key{Name: name}
	if !p.peek("{") {
		return k
	}
	p.word("{", "{")
	p.word("item", "item=")
	p.word("=", "=")
	p.space()
	start := p.at
	if p.peek(`"`) {
		k.Item = p.quoted()
	} else {
		n := 0
		for n < len(p.rest()) && p.rest()[n] != '}' {
			n++
		}
		k.Item = p.rest()[:n]
		p.at += n
	}
	if p.err == nil && (k.Item == "" || k.Check() != nil || p.text[start] != '"' && !bareItem(k.Item)) {
		p.fail(start, "want an item: printable text of 1 to %d bytes, in quotes if it has spaces, braces, quotes or backslashes", maxItem)
	}
	p.word("}", "}")
	return k
}

func (p *parser) quoted() string {
	q, err := strconv.QuotedPrefix(p.rest())
	if err != nil {
		p.fail(p.at, "a quote that does not end, or has a wrong escape")
		return ""
	}
	p.at += len(q)
	s, _ := strconv.Unquote(q) // QuotedPrefix has checked it
	return s
}

// bareItem reports whether an item can stand without quotes.
func bareItem(s string) bool { return !strings.ContainsAny(s, " {}\"\\") }

// bound takes an operator and a number.
func (p *parser) bound() Bound {
	p.space()
	n := spanOf(p.rest(), "<>=!")
	for op := Above; op <= AtMost; op++ {
		if p.rest()[:n] == op.String() {
			p.at += n
			return Bound{Op: op, Value: p.number("a number, such as 0.85")}
		}
	}
	p.want(">, >=, < or <=")
	return Bound{}
}

func (p *parser) number(what string) float64 {
	p.space()
	n := spanOf(p.rest(), "0123456789+-.eE")
	if n == 0 {
		p.want(what)
		return 0
	}
	v, err := strconv.ParseFloat(p.rest()[:n], 64)
	if err != nil {
		p.want(what)
	}
	p.at += n
	return v
}

// span takes a duration: everything to the closing bracket. A unit alone is
// one of it.
func (p *parser) span() time.Duration {
	p.space()
	start := p.at
	n := strings.IndexByte(p.rest(), ')')
	if n < 0 {
		n = len(p.rest())
	}
	text := strings.TrimSpace(p.rest()[:n])
	p.at += n
	if nameLength(text) > 0 {
		text = "1" + text
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		p.fail(start, "want a duration, such as 10s, 500ms or 1m30s")
	}
	return d
}

func (p *parser) window() time.Duration {
	p.space()
	start := p.at
	d := p.span()
	if d < minWindow || d > maxWindow {
		p.fail(start, "%v", errWindow)
	}
	return d
}

// leak takes 2/s, and makes 10/1m to a sixth a second.
func (p *parser) leak() float64 {
	p.space()
	start := p.at
	amount := p.number("what leaks, such as 2/s")
	p.word("/", "/ and a duration, such as 2/s")
	over := p.span().Seconds()
	leak := amount / over
	if !(amount > 0 && over > 0 && leak > 0) || math.IsInf(leak, 0) {
		p.fail(start, "%v", errLeak)
	}
	return leak
}
