package resmgr

import (
	"errors"
	"strings"
	"testing"

	"kecho/resmgr/syntax"
)

func TestSelector(t *testing.T) {
	tags := Tags{"zone": "a", "arch": "arm", "ssd": ""}
	for text, want := range map[string]bool{
		"":                                 true,
		"zone=a":                           true,
		"zone=b":                           false,
		"zone!=b":                          true,
		"zone!=a":                          false,
		"rack!=1":                          true,
		"rack=1":                           false,
		"ssd":                              true,
		"!ssd":                             false,
		"!rack":                            true,
		"ssd=":                             true,
		"zone in (a, b)":                   true,
		"zone in(b,c)":                     false,
		"zone not in (b,c)":                true,
		"zone not in (a)":                  false,
		"rack not in (a)":                  true,
		"zone=a,arch=arm":                  true,
		"zone = a , arch != arm":           false,
		" !rack , ssd , zone in (a) , ssd": true,
	} {
		s, err := ParseSelector(text)
		if err != nil || s.Matches(tags) != want {
			t.Errorf("%q: %v, %v; want %v", text, s.Matches(tags), err, want)
		}
		again, err := ParseSelector(s.String())
		if err != nil || again.String() != s.String() || again.Matches(tags) != want {
			t.Errorf("%q prints as %q, which is %q, %v", text, s, again, err)
		}
	}
}

func TestSelectorSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"zone=a,":                      "column 8: want a tag, such as zone, found the end",
		"zone==a":                      `column 6: want a comma or the end, found "="`,
		"zone>a":                       `column 5: want a comma or the end, found ">"`,
		"zone is a":                    `column 6: want =, !=, in, not in, a comma or the end, found "is"`,
		"zone in a":                    `column 9: want ( and values, found "a"`,
		"zone in (a":                   `column 11: want a comma or ), found the end`,
		"zone not on (a)":              `column 6: want =, !=, in, not in`,
		"=a":                           `column 1: want a tag, such as zone, found "="`,
		"!=a":                          `column 2: want a tag, found "="`,
		"zone=a b":                     `column 8: want a comma or the end, found "b"`,
		"zone=" + longText(65):         "a value of 65 characters",
		longText(65):                   "a name of 65 characters",
		strings.Repeat("a,", 32) + "a": "more than 32 conditions",
	} {
		_, err := ParseSelector(text)
		var wrong *syntax.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want %s", text, err, want)
		}
	}
}

func TestTagsCheck(t *testing.T) {
	if err := (Tags{"zone": "eu-1/a", "ssd": ""}).Check(); err != nil {
		t.Error(err)
	}
	for _, tags := range []Tags{{"": "a"}, {"a b": ""}, {"a": "b c"}, {"a": "b,c"}, {"a": "ä"}, {longText(65): ""}, {"a": longText(65)}} {
		if tags.Check() == nil {
			t.Errorf("%v passes", tags)
		}
	}
}

// FuzzSelector: what is read prints as what reads the same.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"zone=a", "!x,y", "a in (b,c)", "a not in ()", "a!=", "a in (,)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			return
		}
		again, err := ParseSelector(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q is %q, which is %q, %v", text, s, again, err)
		}
	})
}
