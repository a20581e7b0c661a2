package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/balancer/sim"
)

func simCommand() *cli.Command {
	return &cli.Command{
		Name:  "sim",
		Usage: "simulate clusters: every policy on the same arrivals, beside one central queue",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 8, Usage: "nodes of the cluster, to 10,000"},
			&cli.StringSliceFlag{Name: "policy", Usage: "`POLICIES`: " + policyNames() + ", or all", Value: cli.NewStringSlice("auto")},
			&cli.StringSliceFlag{Name: "scenario", Usage: "`SCENARIOS`, sweeps of them, the paper's figure-8, figure-9 and figure-9b, or all; --list names them", Value: cli.NewStringSlice("uniform-.8")},
			&cli.StringSliceFlag{Name: "distribution", Usage: "of the service times, `KINDS`: fixed, exponential, lognormal, bimodal, or all (the scenario's)"},
			&cli.BoolFlag{Name: "list", Usage: "only name the scenarios"},
			&cli.Float64Flag{Name: "seconds", Value: 120, Usage: "of simulated time"},
			&cli.IntFlag{Name: "places", Usage: "of each node (the scenario's)"},
			&cli.DurationFlag{Name: "service", Usage: "mean time of a request (the scenario's)"},
			&cli.DurationFlag{Name: "delay", Value: 500 * time.Microsecond, Usage: "of a message, one way"},
			&cli.Float64Flag{Name: "loss", Usage: "share of messages that are lost, from 0 to below 1"},
			&cli.DurationFlag{Name: "reports", Usage: "how often loads are reported besides on messages (never; 1s under paper, p2c and least)"},
			&cli.DurationFlag{Name: "message-cost", Value: 10 * time.Microsecond, Usage: "CPU time of a message, sent or received"},
			&cli.IntFlag{Name: "copies", Usage: "of a request at most, under race, hedge (2) and paper (1)"},
			&cli.StringFlag{Name: "cancel", Value: "complete", Usage: "what ends the copies that lose, under race, hedge and paper: complete, start or none"},
			&cli.BoolFlag{Name: "unbounded", Usage: "no budget of copies"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the random streams"},
			&cli.IntFlag{Name: "parallel", Value: runtime.GOMAXPROCS(0), Usage: "runs at a time; the results do not depend on it"},
			&cli.BoolFlag{Name: "progress", Usage: "say what is done, also when standard error is no terminal"},
			&cli.StringFlag{Name: "plot", Usage: "draw the results into files in `DIR`, SVG and PNG"},
			outputFlag(),
		},
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Action:          runSim,
	}
}

func runSim(c *cli.Context) error {
	if err := checkOutput(c, "sim"); err != nil {
		return err
	}
	if c.Bool("list") {
		for _, name := range sim.Names() {
			fmt.Fprintln(c.App.Writer, name)
		}
		return nil
	}
	if err := checkFigures(c); err != nil {
		return err
	}
	planned, err := wanted(c)
	if err != nil {
		return err
	}
	dir := c.String("plot")
	if err := makeDir(dir); err != nil {
		return err
	}
	rows, err := runAll(c.Context, planned, c.Int("parallel"), newProgress(c.App.ErrWriter, c.Bool("progress")))
	if err != nil {
		return err
	}
	if dir != "" {
		if err := plotAll(dir, rows); err != nil {
			return err
		}
	}
	return output(c, rows, func() error {
		if err := printRows(c.App.Writer, rows); err != nil {
			return err
		}
		return printPaper(c.App.Writer, rows)
	})
}
