package main

import (
	"github.com/urfave/cli/v2"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:        "demo",
		Usage:       "see it work: a hot web server's requests, answered by its idle neighbours",
		Subcommands: []*cli.Command{demoWebCommand(), demoLoadCommand()},
	}
}
