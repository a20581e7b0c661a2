package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

// seeHelp begins the line of an error that says where to read on.
const seeHelp = "see: "

// usageError is a mistake on the command line: one line that says what is
// wrong, and how to find out what is right.
func usageError(c *cli.Context, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return &api.Error{
		Code:   api.Usage,
		Detail: detail + "\n" + fromEnvironment(c, detail) + seeHelp + commandPath(c) + " --help",
	}
}

// commandPath is the command as it is typed, "kecho demo web".
func commandPath(c *cli.Context) string {
	if c.Command == nil || c.Command.HelpName == "" {
		return c.App.Name
	}
	return c.Command.HelpName
}

// onUsageError words what package flag found wrong as the rest of the command
// speaks: flags with two dashes, and a guess at what was meant.
func onUsageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		name = strings.TrimLeft(name, "-")
		guess := ""
		if near := nearest(name, flagNames(c)); near != "" {
			guess = "; did you mean --" + near + "?"
		}
		return usageError(c, "there is no flag %s%s", dashed(name), guess)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return usageError(c, "%s needs a value", dashed(strings.TrimLeft(name, "-")))
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		return usageError(c, "--%s %s: %s", m[2], m[1], wanted(c, m[2]))
	}
	if m := badEnv.FindStringSubmatch(text); m != nil {
		return usageError(c, "%s=%s: %s", m[2], m[1], wanted(c, m[3]))
	}
	return usageError(c, "%s", text)
}

// dashed is a flag as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// What package flag and cli say of a value that does not parse, on the
// command line and in the environment.
var (
	badValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-+([\w-]+):`)
	badEnv   = regexp.MustCompile(`^could not parse (".*") as \w+ value from environment variable "(\w+)" for flag ([\w-]+):`)
)

// wanted says what a flag's value should look like.
func wanted(c *cli.Context, name string) string {
	for _, f := range c.Command.Flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		switch f.(type) {
		case *cli.DurationFlag:
			return "want a time with its unit, such as 500ms or 30s"
		case *cli.IntFlag:
			return "want a whole number"
		case *cli.Float64Flag:
			return "want a number"
		case *cli.BoolFlag:
			return "want true or false"
		}
	}
	return "it cannot be read"
}

func flagNames(c *cli.Context) []string {
	var names []string
	for _, f := range c.Command.Flags {
		names = append(names, f.Names()...)
	}
	return names
}

// needCommand is the action of a command that only has subcommands.
func needCommand(c *cli.Context) error {
	name := c.Args().First()
	if name == "" {
		return usageError(c, "which command?")
	}
	return unknownCommand(c, name)
}

func unknownCommand(c *cli.Context, name string) error {
	var names []string
	for _, sub := range c.Command.Subcommands {
		names = append(names, sub.Name)
	}
	guess := ""
	if near := nearest(name, names); near != "" {
		guess = fmt.Sprintf("; did you mean %q?", near)
	}
	return usageError(c, "there is no command %q%s", name, guess)
}

// withoutArguments wraps the action of a command that takes flags only. What
// stands behind an argument is not read as a flag by package flag, but as one
// more argument, silently: so arguments are refused, with the right order.
func withoutArguments(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		args := c.Args().Slice()
		if len(args) == 0 {
			return refuseParents(c, action)
		}
		if len(c.Command.Subcommands) > 0 && len(args) == 1 {
			return unknownCommand(c, args[0])
		}
		if late := lateFlag(args); late > 0 {
			return usageError(c, "%s stands behind %q and would not be read: flags come first, and %q takes no arguments: %s %s",
				args[late], args[0], commandPath(c), commandPath(c), strings.Join(args[late:], " "))
		}
		return usageError(c, "%q takes no arguments, only flags: what is %q?", commandPath(c), args[0])
	}
}

// withArguments wraps the action of a command that says in ArgsUsage which
// arguments it needs. Behind "--" is another command, with flags of its own.
func withArguments(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		args := c.Args().Slice()
		own := args
		if i := slices.Index(args, "--"); i >= 0 && strings.Contains(c.Command.ArgsUsage, " -- ") {
			own = args[:i]
		}
		if late := lateFlag(own); late > 0 && !strings.HasPrefix(c.Command.ArgsUsage, "-- ") {
			return usageError(c, "%s stands behind %q and would not be read: flags come first: %s %s %s",
				args[late], args[0], commandPath(c), strings.Join(args[late:], " "), c.Command.ArgsUsage)
		}
		if len(args) == 0 && !strings.HasPrefix(c.Command.ArgsUsage, "[") {
			return usageError(c, "%s is missing", c.Command.ArgsUsage)
		}
		return refuseParents(c, action)
	}
}

// lateFlag is which of args, behind the first, looks like a flag; 0: none. A
// dash alone is stdin.
func lateFlag(args []string) int {
	return max(0, slices.IndexFunc(args, func(arg string) bool { return len(arg) > 1 && arg[0] == '-' }))
}

// refuseParents runs action unless flags of the command above were given, as
// in `kecho demo --nodes 3 load`, where nobody would read them.
func refuseParents(c *cli.Context, action cli.ActionFunc) error {
	for _, parent := range c.Lineage()[1:] {
		if parent.Command == nil {
			continue
		}
		if names := parent.LocalFlagNames(); len(names) > 0 {
			return usageError(c, "--%s belongs to %q, and stands before %q: it would not be read",
				names[0], commandPath(parent), c.Command.Name)
		}
	}
	return byFlag(c, action(c))
}

// nearest is the candidate that differs least from word, if it is near enough
// to have been meant.
func nearest(word string, candidates []string) string {
	best, least := "", 3 // more than two slips are another word
	for _, c := range candidates {
		d := distance(word, c)
		if len(word) > 2 && strings.HasPrefix(c, word) {
			d = 1
		}
		if d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's: how many letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
