package resmgr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kecho/resmgr/syntax"
)

// Tags is what a manager says of its resources: "zone" = "a". A name is like a
// kind's, at most MaxTag bytes; a value is letters, digits and "._-:/", at most
// MaxTag bytes, or empty.
type Tags map[string]string

// Limits of tags.
const (
	MaxTag  = 64 // bytes of a name, of a value
	MaxTags = 32
)

const tagBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/"

// Check refuses names and values that no selector could name.
func (t Tags) Check() error {
	if len(t) > MaxTags {
		return fmt.Errorf("%d tags, at most %d", len(t), MaxTags)
	}
	for name, value := range t {
		if name == "" || len(name) > MaxTag || syntax.NameLength(name) != len(name) {
			return fmt.Errorf("tag %.80q: want a name of at most %d letters, digits, '.', '_' and '-'", name, MaxTag)
		}
		if len(value) > MaxTag || syntax.SpanOf(value, tagBytes) != len(value) {
			return fmt.Errorf("tag %s=%.80q: want a value of at most %d letters, digits and \"._-:/\"", name, value, MaxTag)
		}
	}
	return nil
}

// String is "arch=arm,zone=a", by name.
func (t Tags) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		all = append(all, name+"="+t[name])
	}
	return strings.Join(all, ",")
}

// Selector says which managers may be asked, by their tags. The zero value is
// all of them. It is immutable.
type Selector struct {
	terms []term
}

// term is one condition on one tag.
type term struct {
	tag    string
	values []string // of the tag, sorted; nil: any
	not    bool     // the tag is not there, or has none of values
}

// ParseSelector reads conditions that must all hold, with commas between them:
//
//	zone=a          the tag has this value
//	zone!=a         it has another, or is not there
//	ssd             the tag is there
//	!ssd            it is not
//	zone in (a, b)  it has one of these values
//	zone not in (a, b)
//
// An empty text is the selector of all. Its errors are of type
// *syntax.Error.
func ParseSelector(text string) (Selector, error) {
	p := parser{syntax.New(text)}
	var s Selector
	for more := !p.Done(); more; more = p.Comma() {
		if len(s.terms) == MaxTags {
			p.Fail(p.At, "more than %d conditions", MaxTags)
		}
		s.terms = append(s.terms, p.term())
	}
	if p.Err != nil {
		return Selector{}, p.Err
	}
	return s, nil
}

func (p parser) term() term {
	if p.Peek("!") {
		p.Word("!", "!")
		return term{tag: p.Name("a tag", MaxTag), not: true}
	}
	t := term{tag: p.Name("a tag, such as zone", MaxTag)}
	switch {
	case p.Peek("!="):
		p.Word("!=", "!=")
		t.not, t.values = true, []string{p.value()}
	case p.Peek("="):
		p.Word("=", "=")
		t.values = []string{p.value()}
	case p.Err == nil && syntax.NameLength(p.Rest()) > 0:
		p.set(&t)
	}
	return t
}

// set takes "in (a, b)" or "not in (a, b)".
func (p parser) set(t *term) {
	const wanted = "=, !=, in, not in, a comma or the end"
	start := p.At
	word := p.Name(wanted, MaxTag)
	if word == "not" {
		t.not = true
		word = p.Name("in", MaxTag)
	}
	if word != "in" {
		p.At = start
		p.Want(wanted)
		return
	}
	p.Word("(", "( and values")
	for more := true; more && p.Err == nil; {
		t.values = append(t.values, p.value())
		if more = p.Peek(","); more {
			p.Word(",", ",")
		}
	}
	p.Word(")", "a comma or )")
	slices.Sort(t.values)
	t.values = slices.Compact(t.values)
}

// value takes a tag's value; an empty one too.
func (p parser) value() string {
	p.Space()
	n := syntax.SpanOf(p.Rest(), tagBytes)
	if n > MaxTag {
		p.Fail(p.At, "a value of %d characters, at most %d", n, MaxTag)
	}
	v := p.Rest()[:n]
	p.At += n
	return v
}

// Matches reports whether tags meet every condition.
func (s Selector) Matches(tags Tags) bool {
	_, ok := s.misses(tags)
	return !ok
}

// misses is the first condition that tags do not meet.
func (s Selector) misses(tags Tags) (t term, ok bool) {
	for _, t := range s.terms {
		value, there := tags[t.tag]
		holds := there && (t.values == nil || slices.Contains(t.values, value))
		if holds == t.not {
			return t, true
		}
	}
	return term{}, false
}

// String is what ParseSelector reads.
func (s Selector) String() string {
	var all []string
	for _, t := range s.terms {
		all = append(all, t.String())
	}
	return strings.Join(all, ",")
}

func (t term) String() string {
	not := ""
	switch {
	case t.values == nil && t.not:
		return "!" + t.tag
	case t.values == nil:
		return t.tag
	case t.not:
		not = "!"
	}
	if len(t.values) == 1 {
		return t.tag + not + "=" + t.values[0]
	}
	if t.not {
		not = "not "
	}
	return t.tag + " " + not + "in (" + strings.Join(t.values, ",") + ")"
}
