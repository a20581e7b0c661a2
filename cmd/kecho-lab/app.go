package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// usageError is a mistake on the command line.
type usageError struct{ detail string }

func (e *usageError) Error() string { return e.detail }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// run is the whole command; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name: "kecho-lab", Usage: "simulations and measurements of kecho",
		UsageText: "kecho-lab COMMAND [FLAGS]",
		Commands:  []*cli.Command{simCommand(), benchCommand()},
		Writer:    stdout, ErrWriter: stderr,
		HideVersion: true, HideHelpCommand: true,
		ExitErrHandler: func(*cli.Context, error) {}, // reported below
		OnUsageError:   onUsageError,
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usagef("which command? See kecho-lab --help")
			}
			return usagef("there is no command %q; see kecho-lab --help", c.Args().First())
		},
	}
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "kecho-lab:", err)
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return 2
	}
	return 1
}

func onUsageError(_ *cli.Context, err error, _ bool) error {
	return usagef("%v", err)
}
