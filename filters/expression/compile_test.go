package expression

import (
	"errors"
	"strings"
	"testing"

	"kecho/filters/dynamic"
)

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		direction    dynamic.Direction
		source       string
		line, column int
		want         string // in the message
	}{
		{dynamic.Out, ``, 0, 0, "the expression is empty"},
		{dynamic.In, " \n", 0, 0, "the expression is empty"},
		{dynamic.Out, `type == `, 1, 8, "something is missing behind this"},
		{dynamic.Out, `tipe == "x"`, 1, 1, "unknown name tipe"},
		{dynamic.Out, "type == \"x\" &&\n  size > limit", 2, 10, "unknown name limit"},
		{dynamic.Out, `type > 1`, 1, 6, "invalid operation: > (mismatched types string and int)"},
		{dynamic.Out, `size + 1`, 1, 6, "this is a number"},
		{dynamic.Out, `type`, 1, 1, "this is a text"},
		{dynamic.Out, `["a"]`, 1, 1, "this is another list"},
		{dynamic.Out, `sinks[0].load`, 1, 10, "this is a number"},
		{dynamic.Out, `sinks | filter(.lod < 1)`, 1, 17, "has no field lod"},
		{dynamic.Out, `sinks | filter(.load)`, 1, 16, "predicate should return boolean"},
		{dynamic.Out, `[sinks[0], sinks[0]]`, 1, 1, "another list"},
		{dynamic.Out, `sinks | map(.load)`, 1, 12, "unknown name map"},
		{dynamic.Out, `sinks | filter(any(sinks, .local))`, 1, 16, "any inside of another loop"},
		{dynamic.Out, `sinks | filter(# in sinks)`, 1, 18, "in array"},
		{dynamic.Out, `type in (size > 1 ? ["a"] : ["b"])`, 1, 34, `"in" wants a list that is written here`},
		{dynamic.Out, `sinks | filter([#] == sinks)`, 1, 20, "only len(sinks) is allowed there"},
		{dynamic.Out, `sinks | filter(#["lo" + "ad"] < 1)`, 1, 17, "is undefined"},
		{dynamic.In, `len($env.sinks) > 1`, 1, 5, "$env: write the name alone"},
		{dynamic.Out, `any(1..1000000000, # > 5)`, 1, 6, "a range is not for filters"},
		{dynamic.Out, `type matches text(event, "p", "")`, 1, 14, "a pattern must be a constant text"},
		{dynamic.Out, `type matches "("`, 1, 6, "missing closing )"},
		{dynamic.Out, `number(event, "n", "x") > 1`, 1, 20, "cannot use string"},
		{dynamic.Out, `repeat("x", 1000000) == ""`, 1, 7, "unknown name repeat"},
		{dynamic.Out, `sinks | take(-1)`, 1, 14, "take of a number below 0"},
		{dynamic.In, `sinks | take(1)`, 1, 1, "only an OUT-filter picks sinks"},
		{dynamic.In, strings.Repeat("1 == 1 && ", 100) + "true", 0, 0, "exceeds maximum allowed nodes"},
		{dynamic.In, strings.Repeat(" ", 5000), 0, 0, "expression of 5000 bytes, at most 4096"},
	} {
		_, err := New(Config{}).Compile(c.direction, []byte(c.source))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.60s: %v is not an Error", c.source, err)
			continue
		}
		if c.line != 0 && (e.Line != c.line || e.Column != c.column || !strings.HasSuffix(e.Snippet, "^")) || !strings.Contains(e.Message, c.want) {
			t.Errorf("%.60s: %v\nwant %d:%d %s", c.source, err, c.line, c.column, c.want)
		}
	}
}
