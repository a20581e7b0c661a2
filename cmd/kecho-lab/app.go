package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// errUsage is a mistake on the command line.
var errUsage = errors.New("usage")

// run is the whole command; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name: "kecho-lab", Usage: "simulations and measurements of kecho",
		UsageText: "kecho-lab COMMAND [FLAGS]",
		Commands:  []*cli.Command{simCommand()},
		Writer:    stdout, ErrWriter: stderr,
		HideVersion: true, HideHelpCommand: true,
		ExitErrHandler: func(*cli.Context, error) {}, // reported below
		OnUsageError:   onUsageError,
		Action: func(c *cli.Context) error {
			return fmt.Errorf("%w: there is no command %q; see kecho-lab --help", errUsage, c.Args().First())
		},
	}
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "kecho-lab:", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

func onUsageError(_ *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w: %v", errUsage, err)
}
