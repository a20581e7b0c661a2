package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxText bounds what is parsed, in bytes.
const MaxText = 1024

// maxToken is how many bytes of what was found an error quotes.
const maxToken = 32

// Error says where a text is wrong.
type Error struct {
	Text   string
	Column int // in characters, from 1
	Reason string
}

// Error quotes the text, cut at 128 bytes.
func (e *Error) Error() string {
	return fmt.Sprintf("%.128q, column %d: %s", e.Text, e.Column, e.Reason)
}

// Parser reads a text from left to right.
type Parser struct {
	Text string
	At   int   // how many of its bytes have been read
	Err  error // the first error, an *Error

	runs []string
}

// New is a Parser at the begin of text. Besides a name, as many bytes of one of
// runs as stand together are one thing to a person who is told of them.
func New(text string, runs ...string) *Parser {
	p := &Parser{Text: text, runs: runs}
	if len(text) > MaxText {
		p.Fail(MaxText, "longer than %d bytes", MaxText)
	}
	return p
}

// Fail keeps an error at that byte, unless there is one already.
func (p *Parser) Fail(at int, format string, args ...any) {
	if p.Err == nil {
		p.Err = &Error{Text: p.Text, Column: utf8.RuneCountInString(p.Text[:at]) + 1, Reason: fmt.Sprintf(format, args...)}
	}
}

// Rest is what has not been read.
func (p *Parser) Rest() string { return p.Text[p.At:] }

// Space takes white space, if there is any.
func (p *Parser) Space() { p.At += SpanOf(p.Rest(), " \t\r\n") }

// Done is true at the end, and after an error too.
func (p *Parser) Done() bool {
	p.Space()
	return p.Err != nil || p.At == len(p.Text)
}

// Comma takes the comma before the next part; false at the end.
func (p *Parser) Comma() bool {
	if p.Done() {
		return false
	}
	p.Word(",", "a comma or the end")
	return p.Err == nil
}

// Peek reports whether the rest begins with w.
func (p *Parser) Peek(w string) bool {
	p.Space()
	return strings.HasPrefix(p.Rest(), w)
}

// Word takes exactly w, which what describes: a whole name, or something else.
func (p *Parser) Word(w, what string) {
	if p.Peek(w) && (NameLength(w) == 0 || NameLength(p.Rest()) == len(w)) {
		p.At += len(w)
		return
	}
	p.Want(what)
}

// Name takes a name of at most limit bytes.
func (p *Parser) Name(what string, limit int) string {
	p.Space()
	n := NameLength(p.Rest())
	if n == 0 {
		p.Want(what)
	} else if n > limit {
		p.Fail(p.At, "a name of %d characters, at most %d", n, limit)
	}
	name := p.Rest()[:n]
	p.At += n
	return name
}

// Want fails: it says what should stand here.
func (p *Parser) Want(what string) {
	p.Space()
	found := "the end"
	if p.At < len(p.Text) {
		found = strconv.Quote(p.token())
	}
	p.Fail(p.At, "want %s, found %s", what, found)
}

// token is how much of the rest a person would call one thing.
func (p *Parser) token() string {
	rest := p.Rest()
	n := NameLength(rest)
	for _, set := range p.runs {
		n = max(n, SpanOf(rest, set))
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(rest)
	}
	return rest[:min(n, maxToken)]
}

// NameLength is how long the name is that s begins with; 0: it does not.
func NameLength(s string) int {
	n := 0
	for n < len(s) && (letter(s[n]) || n > 0 && strings.IndexByte("0123456789._-", s[n]) >= 0) {
		n++
	}
	return n
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// SpanOf is how many bytes of set s begins with.
func SpanOf(s, set string) int {
	n := 0
	for n < len(s) && strings.IndexByte(set, s[n]) >= 0 {
		n++
	}
	return n
}
