package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

// askedField is where an agent found a mistake in what it was asked.
var askedField = regexp.MustCompile(`(?:^|: )(?:body|query|header)\.([\w-]+): (.*)$`)

// fieldFlags are the flags that make fields of other names.
var fieldFlags = map[string][]string{
	"needs":         {"cpu", "mem", "disk", "net", "need"},
	"selector":      {"select"},
	"Last-Event-ID": {"after"},
}

// byFlag is err by the name of the flag that was typed, when it is about a
// field of the API that was made of one.
func byFlag(c *cli.Context, err error) error {
	var coded *api.Error
	if !errors.As(err, &coded) || coded.Code != api.Invalid {
		return err
	}
	m := askedField.FindStringSubmatch(coded.Detail)
	if m == nil {
		return err
	}
	flags, known := fieldFlags[m[1]]
	if !known {
		flags = []string{m[1]}
	}
	names := flagNames(c)
	flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return !slices.Contains(names, f) })
	if len(flags) == 0 {
		return err
	}
	if len(flags) > 1 {
		return usageError(c, "--%s: %s", strings.Join(flags, ", --"), m[2])
	}
	what := m[2]
	if !strings.HasPrefix(what, `"`) { // the value
		what = c.String(flags[0]) + ": " + what
	}
	return usageError(c, "--%s %s", flags[0], what)
}
