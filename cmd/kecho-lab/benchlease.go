package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/cmd/kecho-lab/live"
)

func benchLeaseCommand() *cli.Command {
	return &cli.Command{
		Name:  "lease",
		Usage: "take leases of agents, beside etcd",
		Description: "Starts agents with journals on the disk, and etcd on the same, and asks them in turns:\n" +
			"agents for a lease, etcd for a lease and a key under it, both over HTTP, JSON and a\n" +
			"connection that is kept. Times of a machine that was too busy are marked with ?.",
		Flags: []cli.Flag{
			&cli.IntSliceFlag{Name: "nodes", Usage: "agents, in one cluster after the other", Value: cli.NewIntSlice(3, 16)},
			&cli.IntFlag{Name: "managers", Usage: "how many of the agents have something to give (all)"},
			&cli.IntSliceFlag{Name: "clients", Usage: "how many ask at once, in one measurement after the other", Value: cli.NewIntSlice(1)},
			&cli.Float64Flag{Name: "seconds", Value: 10, Usage: "for each in each measurement"},
			&cli.BoolFlag{Name: "etcd", Usage: "also etcd"},
			&cli.IntSliceFlag{Name: "members", Usage: "of etcd, in clusters beside each other", Value: cli.NewIntSlice(1, 3)},
			&cli.IntFlag{Name: "fill", Usage: "also give one agent so many leases, for its memory and how long it takes to start again"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for the journals, on the disk that is meant (the system's temporary one)"},
			&cli.StringFlag{Name: "kecho", Usage: "`PATH` of the agents' program (beside kecho-lab, in PATH, or built)"},
			outputFlag(),
		},
		OnUsageError: onUsageError,
		Action:       runBenchLease,
	}
}

func runBenchLease(c *cli.Context) error {
	cfg, err := leaseConfig(c)
	if err != nil {
		return err
	}
	if c.Bool("etcd") {
		if cfg.Etcd, err = lookup("etcd"); err != nil {
			return errors.New("etcd is not installed: apt-get install etcd-server, or do without --etcd")
		}
	}
	programs, err := findPrograms(c)
	if err != nil {
		return err
	}
	defer programs.remove()
	cfg.Kecho = programs.kecho
	cfg.Note = func(what string) { fmt.Fprintln(c.App.ErrWriter, what) }
	res, err := live.Leases(c.Context, cfg)
	if err != nil {
		return err
	}
	return output(c, res, func() error { return printLeases(c.App.Writer, c.App.ErrWriter, res) })
}

// leaseConfig is what the flags say; the error names the flag.
func leaseConfig(c *cli.Context) (live.LeaseConfig, error) {
	cfg := live.LeaseConfig{
		Nodes: c.IntSlice("nodes"), Managers: c.Int("managers"), Clients: c.IntSlice("clients"), Members: c.IntSlice("members"),
		Length: time.Duration(c.Float64("seconds") * float64(time.Second)), Fill: c.Int("fill"), Dir: c.String("dir"),
	}
	if err := checkOutput(c, "bench lease"); err != nil {
		return cfg, err
	}
	switch {
	case !(c.Float64("seconds") >= 1 && c.Float64("seconds") <= 3600):
		return cfg, usagef("--seconds %v: want 1 to 3600", c.Float64("seconds"))
	case c.IsSet("managers") && cfg.Managers < 1:
		return cfg, usagef("--managers %d: want at least 1: nobody else has anything to give", cfg.Managers)
	}
	if err := cfg.Check(); err != nil {
		return cfg, usagef("%v", err)
	}
	return cfg, nil
}

// printLeases prints a row for each who gave leases, and says below what not to
// trust.
func printLeases(w, notes io.Writer, res live.LeaseResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "NODES\tMANAGERS\tCLIENTS\tWHO\tLEASES\tP50 ms\tP99 ms\tLEASES/s\tCPU us\tKECHO x\tLEAST\tMOST\tSYNC ms\t")
	for _, r := range res.Runs {
		for _, row := range r.Took {
			fmt.Fprintln(t, strings.Join(leaseRow(r, row), "\t"))
		}
	}
	if len(res.Runs) == 0 {
		return errors.New("nothing was measured")
	}
	if err := errors.Join(t.Flush(), printFills(w, res.Fills)); err != nil {
		return err
	}
	for _, why := range res.Busy {
		fmt.Fprintf(notes, "? %s\n", why)
	}
	for _, r := range res.Runs {
		for _, why := range r.Busy {
			fmt.Fprintf(notes, "? %d nodes, %d clients: the machine was too busy for the times to be trusted: %s\n", r.Nodes, r.Clients, why)
		}
	}
	return nil
}

func leaseRow(r live.LeaseRun, row live.LeaseTook) []string {
	mark := ""
	if r.Busy != nil {
		mark = "?"
	}
	cells := []string{strconv.Itoa(r.Nodes), strconv.Itoa(r.Managers), strconv.Itoa(r.Clients), row.Name, strconv.Itoa(row.Leases)}
	for _, ms := range []float64{row.P50, row.P99} {
		cells = append(cells, fmt.Sprintf("%.2f%s", ms, mark))
	}
	cells = append(cells, fmt.Sprintf("%.0f%s", row.PerSecond, mark), fmt.Sprintf("%.0f", row.CPU))
	for _, x := range []float64{row.Ratio, row.Least, row.Most} {
		cells = append(cells, fmt.Sprintf("%.2f%s", x, mark))
	}
	return append(cells, fmt.Sprintf("%.2f", r.Sync.P50), "")
}

func printFills(w io.Writer, fills []live.LeaseFill) error {
	if len(fills) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "WHO\tLEASES\tTAKING s\tMiB/10,000\tMiB\tMiB RESTARTED\tRESTART ms\tEMPTY RESTART ms\t")
	for _, f := range fills {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t\n", f.Name, f.Leases, f.Taking, f.Per10k(), f.After, f.Restarted, f.Restart, f.Empty)
	}
	return t.Flush()
}
