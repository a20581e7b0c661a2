package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/cmd/kecho/demo"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "see it work: a hot web server's requests, answered by its idle neighbours",
		Description: "Starts web servers with an agent each in this process, on free ports of the\n" +
			"loopback, and sends the first one more than it can do: first with every agent\n" +
			"alone, then with all of them joined. Prints what was measured.",
		Flags: slices.Concat([]cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 4, Usage: "web servers, with an agent each"},
			&cli.IntFlag{Name: "slow", Usage: "how many of them, not the first, are 4 times slower"},
			&cli.Float64Flag{Name: "rate", DefaultText: "1.9 times what one can do", Usage: "requests a second, all to the first"},
			&cli.DurationFlag{Name: "duration", DefaultText: "8s", Usage: "how long the load of each phase lasts"},
		}, webFlags(), []cli.Flag{
			&cli.StringFlag{Name: "log-format", Value: "none", Usage: "`FORMAT` of the agents' log on standard error: none, json or text"},
			&cli.StringFlag{Name: "log-level", Value: "info", Usage: "least `LEVEL` that is logged"},
		}, outputFlags()),
		Subcommands: []*cli.Command{demoWebCommand(), demoLoadCommand()},
		Action:      runDemo,
	}
}

func runDemo(c *cli.Context) error {
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	if err := checkWebFlags(c); err != nil {
		return err
	}
	if err := refuseZeros(c, demoZeros); err != nil {
		return usageError(c, "%v", err)
	}
	cfg := demo.ClusterConfig{
		Nodes: c.Int("nodes"), Slow: c.Int("slow"),
		Workers: c.Int("workers"), Work: c.Duration("work"),
		Rate: c.Float64("rate"), Duration: c.Duration("duration"),
		Progress: demoProgress(c.App.ErrWriter),
	}
	if c.String("log-format") != "none" {
		if cfg.Logger, err = newLogger(c); err != nil {
			return err
		}
	}
	cluster, err := demo.NewCluster(cfg)
	if err != nil {
		return usageError(c, "%v", err)
	}
	report, err := cluster.Run(c.Context)
	clearLine(c.App.ErrWriter)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(report)
	}
	return printReport(p, c.App.ErrWriter, report)
}

// demoProgress writes over one line on a terminal; elsewhere it writes a line
// for each thing that begins.
func demoProgress(w io.Writer) func(string, *demo.Progress) {
	if !terminal(w) {
		return func(phase string, p *demo.Progress) {
			if p == nil {
				fmt.Fprintf(w, "%s\n", phase)
			}
		}
	}
	return func(phase string, p *demo.Progress) {
		if p == nil {
			fmt.Fprintf(w, "\r%s\x1b[K", phase)
			return
		}
		progressLine(w, phase)(*p)
	}
}

// printReport prints a row a phase, with a column for each server.
func printReport(p *printer, notes io.Writer, r demo.Report) error {
	fmt.Fprintf(notes, "%d web servers of %d workers, %.4g ms a request: one can do %.0f requests/s; web1 got %.0f for %.3g s\n\n",
		r.Nodes, r.Workers, r.Work, r.Capacity, r.Rate, r.Duration)
	heading := []cell{text("BALANCING"), text("SENT"), text("OK"), text("ERRORS"), text("P50"), text("P99")}
	rows := [][]cell{nil}
	for i, phase := range r.Phases {
		rows = append(rows, phaseRow(phase))
		for _, s := range phase.Servers {
			if i == 0 {
				heading = append(heading, text(serverHeading(s)))
			}
		}
	}
	rows[0] = heading
	return p.printTable(rows)
}

func phaseRow(phase demo.Phase) []cell {
	name, paint := "without", red
	if phase.Balancing {
		name = "with"
	}
	if phase.Errors == 0 {
		paint = green
	}
	row := []cell{
		text(name), number("%d", phase.Sent), number("%d", phase.OK),
		{text: fmt.Sprint(phase.Errors), paint: paint, right: true},
		latency(phase.Result, phase.P50), latency(phase.Result, phase.P99),
	}
	for _, s := range phase.Servers {
		row = append(row, number("%d", phase.ServedBy[s.Name]))
	}
	return row
}

func serverHeading(s demo.Server) string {
	if s.Slow {
		return strings.ToUpper(s.Name) + " (SLOW)"
	}
	return strings.ToUpper(s.Name)
}
