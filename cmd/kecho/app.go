package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

// run is the whole command: args with the program's name first, what it
// prints, and the exit code it returns. The environment is the process's.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := newApp(stdout, stderr)
	err := app.RunContext(ctx, plainWords(args))
	if err == nil {
		return 0
	}
	var child childEnded
	if errors.As(err, &child) {
		return int(child)
	}
	report(stderr, err)
	return api.ExitCode(err)
}

func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:      "kecho",
		Usage:     "agents beside web servers that share their overflow",
		UsageText: "kecho COMMAND [FLAGS]",
		Commands: []*cli.Command{
			agentCommand(), membersCommand(), statusCommand(), gaugeCommand(), channelCommand(), gatewayCommand(), filterCommand(), leaseCommand(), eventsCommand(), demoCommand(), versionCommand(),
		},
		HideVersion:    true,
		Writer:         stdout,
		ErrWriter:      stderr,
		ExitErrHandler: func(*cli.Context, error) {}, // run reports, and exits
		OnUsageError:   onUsageError,
		Action:         needCommand,
	}
	app.HideHelpCommand = true
	tame(app.Commands)
	return app
}

// tame gives each command what cli.App does not hand down: the house's usage
// errors in place of a page of help on standard output, and no "help" command
// that takes arguments for topics and exits 3.
func tame(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
		switch {
		case c.Action == nil:
			c.Action = needCommand
		case c.ArgsUsage != "":
			c.Action = withArguments(c.Action)
		default:
			c.Action = withoutArguments(c.Action)
		}
		tame(c.Subcommands)
	}
}

// plainWords understands `kecho help COMMAND...` and `kecho --version`, which
// people type, as the flag and the command that they mean.
func plainWords(args []string) []string {
	switch {
	case len(args) < 2:
	case args[1] == "help":
		return slices.Concat(args[:1], args[2:], []string{"--help"})
	case args[1] == "--version":
		return slices.Concat(args[:1], []string{"version"}, args[2:])
	}
	return args
}

// report prints what went wrong, a line a mistake, and the hint if there is
// one.
func report(stderr io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		line = clean(strings.TrimSuffix(line, "\n")) // an agent's words may be in it
		if !strings.HasPrefix(line, seeHelp) {
			line = "kecho: " + line
		}
		fmt.Fprintln(stderr, line)
	}
}
