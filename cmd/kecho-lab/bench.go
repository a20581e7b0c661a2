package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/cmd/kecho-lab/live"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:            "bench",
		Usage:           "measure real processes",
		Subcommands:     []*cli.Command{benchClusterCommand(), benchLeaseCommand(), benchChannelCommand(), benchFrontCommand(), benchPaperCommand(), benchHostsCommand(), benchStationCommand(), benchStandCommand(), benchHubCommand(), benchSinkCommand()},
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Action: func(c *cli.Context) error {
			return usagef("bench what? There are bench cluster, bench front, bench lease, bench channel and bench paper; see kecho-lab bench --help")
		},
	}
}

func benchClusterCommand() *cli.Command {
	return &cli.Command{
		Name:  "cluster",
		Usage: "run agents before real web servers, and hold them against one central queue",
		Description: "Starts an agent and a web server a node as processes of this machine, sends the\n" +
			"scenario's requests when they are due, and replays the same through one queue\n" +
			"for all workers. Times of a machine that was too busy are marked with ?.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 8, Usage: "agents, with a web server each"},
			&cli.IntFlag{Name: "places", Aliases: []string{"workers"}, Usage: "workers of each web server (the scenario's)"},
			&cli.StringSliceFlag{Name: "scenario", Usage: "`SCENARIOS` of kecho-lab sim, or sweeps of them", Value: cli.NewStringSlice("uniform-.8")},
			&cli.StringSliceFlag{Name: "policy", Usage: "`POLICIES`: none, or what kecho agent --policy takes", Value: cli.NewStringSlice("auto")},
			&cli.BoolFlag{Name: "haproxy", Usage: "also one HAProxy before all web servers, with maxconn at their workers"},
			&cli.Float64Flag{Name: "seconds", Value: 30, Usage: "of load for each run; the first tenth is not measured"},
			&cli.DurationFlag{Name: "service", Usage: "mean time of a request (the scenario's)"},
			&cli.StringSliceFlag{Name: "distribution", Usage: "of the service times, `KINDS`: fixed, exponential, lognormal, bimodal, or all (the scenario's)"},
			&cli.DurationFlag{Name: "timeout", Value: 5 * time.Second, Usage: "how long a client waits"},
			&cli.StringFlag{Name: "method", Value: "POST", Usage: "`METHOD` of the requests; POST is never sent twice"},
			&cli.BoolFlag{Name: "burn", Usage: "workers use CPU instead of sleeping"},
			&cli.BoolFlag{Name: "kill", Usage: "kill a node and later another agent during each run, and start them again"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of arrivals and services"},
			&cli.StringFlag{Name: "kecho", Usage: "`PATH` of the agents' program (beside kecho-lab, in PATH, or built)"},
			&cli.StringFlag{Name: "records", Usage: "`FILE` to write every request to, a line of JSON each"},
			outputFlag(),
		},
		OnUsageError: onUsageError,
		Action:       runBenchCluster,
	}
}

// benchHostsCommand is the process of the web servers of bench cluster.
func benchHostsCommand() *cli.Command {
	return &cli.Command{
		Name: "hosts", Hidden: true,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 1},
			&cli.IntFlag{Name: "workers", Value: 1},
			&cli.BoolFlag{Name: "burn"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			cfg := live.HostConfig{Nodes: c.Int("nodes"), Workers: c.Int("workers"), Burn: c.Bool("burn")}
			return live.Host(c.Context, cfg, c.App.Writer)
		},
	}
}

func runBenchCluster(c *cli.Context) (err error) {
	if err := checkOutput(c, "bench cluster"); err != nil {
		return err
	}
	runs, err := benchRuns(c)
	if err != nil {
		return err
	}
	programs, err := findPrograms(c)
	if err != nil {
		return err
	}
	defer programs.remove()
	for i := range runs {
		programs.into(&runs[i])
		if err := runs[i].Check(); err != nil {
			return usagef("%v", err)
		}
	}
	records, err := openRecords(c.String("records"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, records.close()) }()
	results, err := runBench(c, runs, records)
	if len(results) == 0 {
		return err
	}
	return errors.Join(err, output(c, results, func() error { return printBench(c.App.Writer, c.App.ErrWriter, results) }))
}

// runBench runs one after the other; with an error it returns those that ended
// before it.
func runBench(c *cli.Context, runs []live.Config, records *records) (results []live.Result, err error) {
	for i, cfg := range runs {
		fmt.Fprintf(c.App.ErrWriter, "%s, %s: run %d of %d, %.0f s\n", cfg.Scenario.Name, cfg.Policy, i+1, len(runs), cfg.Length.Seconds())
		cfg.Note = func(what string) { fmt.Fprintf(c.App.ErrWriter, "  %s\n", what) }
		r, err := live.Run(c.Context, cfg)
		if err != nil {
			return results, fmt.Errorf("%s, %s: %w", cfg.Scenario.Name, cfg.Policy, err)
		}
		if err := records.write(r); err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

// benchRuns is a run for each scenario and policy, but for the programs.
func benchRuns(c *cli.Context) ([]live.Config, error) {
	policies := c.StringSlice("policy")
	if c.Bool("haproxy") && !slices.Contains(policies, live.HAProxy) {
		policies = append(policies, live.HAProxy)
	}
	if err := checkBenchFlags(c); err != nil {
		return nil, err
	}
	scenarios, err := wantedScenarios(c)
	if err != nil {
		return nil, err
	}
	var runs []live.Config
	for _, s := range scenarios {
		for _, p := range policies {
			runs = append(runs, live.Config{
				Scenario: s, Policy: p, Nodes: c.Int("nodes"),
				Length:  time.Duration(c.Float64("seconds") * float64(time.Second)),
				Timeout: c.Duration("timeout"), Method: c.String("method"),
				Burn: c.Bool("burn"), Kill: c.Bool("kill") && p != live.HAProxy, Seed: c.Uint64("seed"),
			})
		}
	}
	return runs, nil
}

// checkBenchFlags names the flag whose value no run can have.
func checkBenchFlags(c *cli.Context) error {
	switch {
	case c.Int("nodes") < 1 || c.Int("nodes") > 64:
		return usagef("--nodes %d: want 1 to 64: they share one machine", c.Int("nodes"))
	case !(c.Float64("seconds") >= 1 && c.Float64("seconds") <= 3600):
		return usagef("--seconds %v: want 1 to 3600", c.Float64("seconds"))
	case c.IsSet("places") && (c.Int("places") < 1 || c.Int("places") > 1000):
		return usagef("--places %d: want 1 to 1000", c.Int("places"))
	case c.IsSet("service") && c.Duration("service") <= 0:
		return usagef("--service %v: want more than 0", c.Duration("service"))
	case c.Duration("timeout") <= 0:
		return usagef("--timeout %v: want more than 0", c.Duration("timeout"))
	case c.Bool("kill") && c.Int("nodes") < 2:
		return usagef("--kill needs --nodes 2 or more")
	}
	return nil
}

// printBench prints a row a run, and says below what not to trust.
func printBench(w, notes io.Writer, results []live.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join([]string{"SCENARIO", "SERVICE", "POLICY", "REQUESTS", "P50 ms", "P99 ms", "P99.9 ms", "MEAN ms",
		"P99 x", "P99.9 x", "MEAN x", "P99 x JSQ", "REFUSED", "FAILED", "LATE", "MOVED", "TWICE", "WASTED", "LOST",
		"MESSAGES", "CONTROL", "CPU us", ""}, "\t"))
	for _, r := range results {
		fmt.Fprintln(t, strings.Join(benchRow(r), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		for _, why := range r.Busy {
			fmt.Fprintf(notes, "? %s, %s: the machine was too busy for its times to be trusted: %s\n", r.Scenario, r.Policy, why)
		}
	}
	return nil
}

func benchRow(r live.Result) []string {
	mark := ""
	if r.Busy != nil {
		mark = "?"
	}
	row := []string{r.Scenario, r.Distribution, r.Policy, strconv.Itoa(r.Requests)}
	for _, ms := range []float64{r.P50, r.P99, r.P999, r.Mean} {
		row = append(row, fmt.Sprintf("%.1f%s", ms, mark))
	}
	for _, x := range []float64{r.PerCentral.P99, r.PerCentral.P999, r.PerCentral.Mean, r.PerJSQ.P99} {
		row = append(row, fmt.Sprintf("%.2f%s", x, mark))
	}
	for _, share := range []float64{r.Refused, r.Failed, r.Late, r.Moved} {
		row = append(row, fmt.Sprintf("%.4f", share))
	}
	return append(row, strconv.Itoa(r.Twice), strconv.Itoa(r.Wasted), strconv.Itoa(r.Lost),
		fmt.Sprintf("%.2f", r.Messages), fmt.Sprintf("%.2f", r.Control), fmt.Sprintf("%.0f", r.FrontCPU), "")
}

// records is the file of --records; nil is none.
type records struct {
	file *os.File
	enc  *json.Encoder
}

func openRecords(path string) (*records, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, usagef("--records: %v", err)
	}
	return &records{file, json.NewEncoder(file)}, nil
}

func (r *records) write(result live.Result) error {
	if r == nil {
		return nil
	}
	for _, rec := range result.Records {
		line := struct {
			Scenario string `json:"scenario"`
			Policy   string `json:"policy"`
			live.Record
		}{result.Scenario, result.Policy, rec}
		if err := r.enc.Encode(line); err != nil {
			return fmt.Errorf("--records: %w", err)
		}
	}
	return nil
}

func (r *records) close() error {
	if r == nil {
		return nil
	}
	return r.file.Close()
}
