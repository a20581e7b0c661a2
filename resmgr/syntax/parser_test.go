package syntax

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// assignments reads "a=b, c=d": enough for each of a Parser's methods.
func assignments(text string) (all []string, err error) {
	p := New(text, "0123456789")
	for more := !p.Done(); more; more = p.Comma() {
		name := p.Name("a name", 5)
		if p.Peek("is") {
			p.Word("is", "is or =")
		} else {
			p.Word("=", "is or =")
		}
		all = append(all, name+"="+p.Name("a value", 40))
	}
	return all, p.Err
}

func TestParser(t *testing.T) {
	for text, want := range map[string][]string{
		"":                      nil,
		" \t\r\n":               nil,
		"a=b":                   {"a=b"},
		" a = b\t,\nc.1_-=D ":   {"a=b", "c.1_-=D"},
		"a is b, is is is":      {"a=b", "is=is"},
		"a=" + name(maxToken+1): {"a=" + name(maxToken+1)},
	} {
		if got, err := assignments(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a":                  "column 2: want is or =, found the end",
		"a isnt b":           `column 3: want is or =, found "isnt"`, // is is not the whole name
		"a=123x":             `column 3: want a value, found "123"`,
		"a=+3":               `column 3: want a value, found "+"`,
		"ä=b":                `column 1: want a name, found "ä"`,
		"a=b c":              `column 5: want a comma or the end, found "c"`,
		"a=b,":               `column 5: want a name, found the end`,
		"abcdef=b, =":        `column 1: a name of 6 characters, at most 5`, // the first error is kept
		"a " + name(40):      `column 3: want is or =, found "` + name(maxToken) + `"`,
		"a=\xff":             `column 3: want a value, found "\xff"`,
		"a=b" + spaces(1100): "column 1025: longer than 1024 bytes",
	} {
		_, err := assignments(text)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Text != text || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%.60q: %v; want %s", text, err, want)
		}
	}
}

func name(n int) string { return strings.Repeat("x", n) }

func spaces(n int) string { return strings.Repeat(" ", n) }
