package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/balancer/sim"
)

func simCommand() *cli.Command {
	return &cli.Command{
		Name:  "sim",
		Usage: "simulate clusters: every policy on the same arrivals, beside one central queue",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 8, Usage: "nodes of the cluster"},
			&cli.StringSliceFlag{Name: "policy", Usage: "`POLICIES`: none, paper, push, offers, auto, jsq, central, or all", Value: cli.NewStringSlice("auto")},
			&cli.StringSliceFlag{Name: "scenario", Usage: "`SCENARIOS`, or all; --list names them", Value: cli.NewStringSlice("uniform-.8")},
			&cli.BoolFlag{Name: "list", Usage: "only name the scenarios"},
			&cli.Float64Flag{Name: "seconds", Value: 120, Usage: "of simulated time"},
			&cli.IntFlag{Name: "places", Usage: "of each node (the scenario's)"},
			&cli.DurationFlag{Name: "service", Usage: "mean time of a request (the scenario's)"},
			&cli.DurationFlag{Name: "delay", Value: 500 * time.Microsecond, Usage: "of a message, one way"},
			&cli.Float64Flag{Name: "loss", Usage: "share of messages that are lost, from 0 to below 1"},
			&cli.DurationFlag{Name: "reports", Usage: "how often loads are reported besides on messages (never)"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the random streams"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"},
		},
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Action:          runSim,
	}
}

// row is one result with its ratios to the central queue.
type row struct {
	sim.Result
	RatioP99  float64 `json:"p99_ratio"`
	RatioP999 float64 `json:"p999_ratio"`
	RatioMean float64 `json:"mean_ratio"`
}

func runSim(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("sim takes flags only: what is %q?", c.Args().First())
	}
	format := c.String("output")
	if format != "table" && format != "json" {
		return usagef("--output %q: want table or json", format)
	}
	if c.Bool("list") {
		for _, s := range sim.Scenarios() {
			fmt.Fprintln(c.App.Writer, s.Name)
		}
		return nil
	}
	if err := checkFigures(c); err != nil {
		return err
	}
	scenarios, policies, err := wanted(c)
	if err != nil {
		return err
	}
	var rows []row
	for _, s := range scenarios {
		more, err := runScenario(c, s, policies)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	if format == "json" {
		enc := json.NewEncoder(c.App.Writer)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	}
	return printRows(c.App.Writer, rows)
}

// checkFigures names the flag whose figure no simulation can have.
func checkFigures(c *cli.Context) error {
	switch {
	case c.Int("nodes") < 1:
		return usagef("--nodes %d: want at least 1", c.Int("nodes"))
	case !(c.Float64("seconds") > 0 && c.Float64("seconds") <= 1e6):
		return usagef("--seconds %v: want more than 0 and at most 1000000", c.Float64("seconds"))
	case !(c.Float64("loss") >= 0 && c.Float64("loss") < 1):
		return usagef("--loss %v: want a share from 0 to below 1", c.Float64("loss"))
	case c.IsSet("places") && c.Int("places") < 1:
		return usagef("--places %d: want at least 1", c.Int("places"))
	case c.IsSet("service") && c.Duration("service") <= 0:
		return usagef("--service %v: want more than 0", c.Duration("service"))
	case c.Duration("delay") <= 0:
		return usagef("--delay %v: want more than 0", c.Duration("delay"))
	case c.Duration("reports") < 0:
		return usagef("--reports %v: want 0 or more", c.Duration("reports"))
	}
	return nil
}

func policyNames() string {
	var names []string
	for _, p := range sim.Policies() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// wanted is the scenarios and policies that the flags name.
func wanted(c *cli.Context) (scenarios []sim.Scenario, policies []sim.Policy, err error) {
	for _, name := range c.StringSlice("policy") {
		switch p := sim.Policy(name); {
		case name == "all":
			policies = append(policies, sim.Policies()...)
		case slices.Contains(sim.Policies(), p):
			policies = append(policies, p)
		default:
			return nil, nil, usagef("there is no policy %q; there are %s", name, policyNames())
		}
	}
	for _, name := range c.StringSlice("scenario") {
		if name == "all" {
			scenarios = append(scenarios, sim.Scenarios()...)
			continue
		}
		s, err := sim.Named(name)
		if err != nil {
			return nil, nil, usagef("%v", err)
		}
		scenarios = append(scenarios, s)
	}
	for i := range scenarios {
		if c.IsSet("places") {
			scenarios[i].Places = c.Int("places")
		}
		if c.IsSet("service") {
			scenarios[i].Service = c.Duration("service")
		}
	}
	return scenarios, policies, nil
}

// runScenario runs the central queue and then each policy on what it saw.
func runScenario(c *cli.Context, s sim.Scenario, policies []sim.Policy) ([]row, error) {
	var rows []row
	var central sim.Result
	for i, p := range slices.Concat([]sim.Policy{sim.Central}, policies) {
		if i > 0 && p == sim.Central {
			rows = append(rows, row{central, 1, 1, 1})
			continue
		}
		fmt.Fprintf(c.App.ErrWriter, "%s, %s\n", s.Name, p)
		cfg := sim.Config{
			Scenario: s, Policy: p, Nodes: c.Int("nodes"), Seconds: c.Float64("seconds"), Delay: c.Duration("delay"),
			Loss: c.Float64("loss"), Reports: c.Duration("reports"), Seed: c.Uint64("seed"),
			Progress: progress(c.App.ErrWriter),
		}
		if err := cfg.Check(); err != nil {
			return nil, usagef("%v", err)
		}
		r, err := sim.Run(c.Context, cfg)
		if err != nil {
			return nil, fmt.Errorf("simulate %s under %s: %w", s.Name, p, err)
		}
		if i == 0 {
			central = r
			continue
		}
		rows = append(rows, row{r, ratio(r.P99, central.P99), ratio(r.P999, central.P999), ratio(r.Mean, central.Mean)})
	}
	return rows, nil
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// progress writes a line each quarter of a run that takes longer than a few
// seconds.
func progress(w io.Writer) func(float64) {
	began, next := time.Now(), 0.25
	return func(share float64) {
		if share < next {
			return
		}
		if passed := time.Since(began); passed > 2*time.Second {
			fmt.Fprintf(w, "  %.0f %% after %.0f s\n", 100*share, passed.Seconds())
		}
		for next <= share {
			next += 0.25
		}
	}
}

func printRows(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join([]string{"SCENARIO", "POLICY", "P50 ms", "P99 ms", "P99.9 ms", "MEAN ms", "P99 x", "P99.9 x", "MEAN x",
		"GOODPUT", "REFUSED", "LATE", "FAILED", "WASTED", "TWICE", "MOVED", "CONTROL", ""}, "\t"))
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%.3f\t%.4f\t%.4f\t%.4f\t%.4f\t%d\t%.3f\t%.2f\t\n",
			r.Scenario, r.Policy, r.P50, r.P99, r.P999, r.Mean, r.RatioP99, r.RatioP999, r.RatioMean,
			r.Goodput, r.Refused, r.Late, r.Failed, r.Wasted, r.Twice, r.Moved, r.Control)
	}
	return t.Flush()
}
