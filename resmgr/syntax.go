package resmgr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"kecho/resmgr/monitor"
)

// maxText bounds what is parsed.
const maxText = 1024

func newParser(text string) *parser {
	p := &parser{text: text}
	if len(text) > maxText {
		p.fail(maxText, "longer than %d bytes", maxText)
	}
	return p
}

// parser reads amounts and selectors from left to right. After the first
// error, which it keeps, nothing that it returns matters.
type parser struct {
	text string
	at   int // in bytes
	err  error
}

func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = &monitor.SyntaxError{Text: p.text, Column: utf8.RuneCountInString(p.text[:at]) + 1, Reason: fmt.Sprintf(format, args...)}
	}
}

func (p *parser) rest() string { return p.text[p.at:] }

func (p *parser) space() {
	p.at += spanOf(p.rest(), " \t\r\n")
}

// done is true after an error too.
func (p *parser) done() bool {
	p.space()
	return p.err != nil || p.at == len(p.text)
}

// comma takes the comma before the next part; false at the end.
func (p *parser) comma() bool {
	if p.done() {
		return false
	}
	p.word(",", "a comma or the end")
	return p.err == nil
}

// peek reports whether w is next.
func (p *parser) peek(w string) bool {
	p.space()
	return strings.HasPrefix(p.rest(), w)
}

// word takes exactly w, which what describes.
func (p *parser) word(w, what string) {
	if p.peek(w) {
		p.at += len(w)
		return
	}
	p.want(what)
}

// want says what should stand here.
func (p *parser) want(what string) {
	p.space()
	found := "the end"
	if p.at < len(p.text) {
		n := min(nameLength(p.rest()), 32)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(p.rest())
		}
		found = strconv.Quote(p.rest()[:n])
	}
	p.fail(p.at, "want %s, found %s", what, found)
}

// name takes a name of at most limit bytes.
func (p *parser) name(what string, limit int) string {
	p.space()
	n := nameLength(p.rest())
	if n == 0 {
		p.want(what)
	} else if n > limit {
		p.fail(p.at, "a name of %d characters, at most %d", n, limit)
	}
	name := p.rest()[:n]
	p.at += n
	return name
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
