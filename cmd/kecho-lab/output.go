package main

import (
	"encoding/json"

	"github.com/urfave/cli/v2"
)

// outputFlag says in which form figures are printed.
func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"}
}

// checkOutput refuses arguments, which name has none of, and unknown forms.
func checkOutput(c *cli.Context, name string) error {
	if c.Args().Present() {
		return usagef("%s takes flags only: what is %q?", name, c.Args().First())
	}
	if format := c.String("output"); format != "table" && format != "json" {
		return usagef("--output %q: want table or json", format)
	}
	return nil
}

// output prints what was measured: as JSON where that is asked for, else by
// table.
func output(c *cli.Context, figures any, table func() error) error {
	if c.String("output") != "json" {
		return table()
	}
	enc := json.NewEncoder(c.App.Writer)
	enc.SetIndent("", "  ")
	return enc.Encode(figures)
}
