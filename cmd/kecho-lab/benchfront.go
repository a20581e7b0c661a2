package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/cmd/kecho-lab/fronts"
	"kecho/cmd/kecho-lab/live"
)

func benchFrontCommand() *cli.Command {
	return &cli.Command{
		Name:  "front",
		Usage: "what an agent costs before a web server, beside HAProxy, nginx and Go's ReverseProxy",
		Description: "Starts fronts as processes before one web server, the fronts on one CPU and the web\n" +
			"server and the clients on another, and asks them in turns. CPU times are the fronts'\n" +
			"own. Prints ratios with the least and the most of turns beside each other.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "part", Usage: "`PARTS` to measure (all): " + strings.Join(live.FrontParts, ", ")},
			&cli.IntFlag{Name: "connections", Value: 64, Usage: "clients at once"},
			&cli.IntFlag{Name: "size", Value: 1024, Usage: "of an answer in bytes"},
			&cli.Float64Flag{Name: "seconds", Value: 10, Usage: "for each front in each part"},
			&cli.Float64Flag{Name: "rate", Value: 2000, Usage: "requests a second of the part latency"},
			&cli.IntFlag{Name: "idle", Value: 10_000, Usage: "connections that do nothing, of the part idle"},
			&cli.IntFlag{Name: "mib", Value: 1024, Usage: "how much goes through in the part bytes"},
			&cli.BoolFlag{Name: "haproxy", Value: true, Usage: "also HAProxy"},
			&cli.BoolFlag{Name: "nginx", Value: true, Usage: "also nginx"},
			&cli.StringFlag{Name: "kecho", Usage: "`PATH` of the agents' program (beside kecho-lab, in PATH, or built)"},
			outputFlag(),
		},
		OnUsageError: onUsageError,
		Action:       runBenchFront,
	}
}

// benchStandCommand is one process of bench front.
func benchStandCommand() *cli.Command {
	return &cli.Command{
		Name: "stand", Hidden: true,
		Flags:        []cli.Flag{&cli.StringFlag{Name: "kind"}, &cli.StringFlag{Name: "to"}, &cli.IntFlag{Name: "size"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			return fronts.Serve(c.Context, fronts.Stand{Kind: c.String("kind"), To: c.String("to"), Size: c.Int("size")}, c.App.Writer)
		},
	}
}

func runBenchFront(c *cli.Context) error {
	cfg, err := frontConfig(c)
	if err != nil {
		return err
	}
	if c.Bool("nginx") {
		if cfg.Nginx, err = lookup("nginx"); err != nil {
			return errors.New("nginx is not installed: apt-get install nginx, or do without it by --nginx=false")
		}
	}
	programs, err := findPrograms(c)
	if err != nil {
		return err
	}
	defer programs.remove()
	cfg.Kecho, cfg.HAProxy, cfg.Stand = programs.kecho, programs.proxy, []string{programs.self, "bench", "stand"}
	cfg.Note = func(what string) { fmt.Fprintf(c.App.ErrWriter, "measuring %s\n", what) }
	res, err := live.Fronts(c.Context, cfg)
	if err != nil {
		return err
	}
	return output(c, res, func() error { return printFronts(c.App.Writer, c.App.ErrWriter, res) })
}

// frontConfig is what the flags say; the error names the flag.
func frontConfig(c *cli.Context) (live.FrontsConfig, error) {
	cfg := live.FrontsConfig{
		Parts: c.StringSlice("part"), Connections: c.Int("connections"), Size: c.Int("size"), Idle: c.Int("idle"),
		Length: time.Duration(c.Float64("seconds") * float64(time.Second)), Rate: c.Float64("rate"), Bytes: int64(c.Int("mib")) << 20,
	}
	if err := checkOutput(c, "bench front"); err != nil {
		return cfg, err
	}
	switch {
	case !(c.Float64("seconds") >= 1 && c.Float64("seconds") <= 3600):
		return cfg, usagef("--seconds %v: want 1 to 3600", c.Float64("seconds"))
	case cfg.Connections < 1, cfg.Size < 1, cfg.Idle < 1, cfg.Rate < 1, cfg.Bytes < 1: // which mean the default in the configuration
		return cfg, usagef("--connections, --size, --idle, --rate and --mib: want 1 at least of each")
	}
	if err := cfg.Check(); err != nil {
		return cfg, usagef("%v", err)
	}
	return cfg, nil
}

// printFronts prints a table for each part, with the goals, and says below what
// not to trust.
func printFronts(w, notes io.Writer, res live.FrontsResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(res.CPU) > 0 {
		fmt.Fprintln(t, "LOCAL PATH\tREQUESTS\tREQUESTS/s\tCPU us\tx HAPROXY\t(turns)\tx REVERSEPROXY\t(turns)\tGOAL\t")
		for _, r := range res.CPU {
			fmt.Fprintf(t, "%s\t%d\t%.0f\t%.1f\t%s\t%s\t%s\t\n", r.Name, r.Requests, r.PerSecond, r.CPU, cells(r.HAProxy), cells(r.Reverse), goalOf(r.Name))
		}
		fmt.Fprintln(t)
	}
	if len(res.Latency) > 0 {
		fmt.Fprintln(t, "OPEN LOOP\tREQUESTS\tP50 us\tP99 us\tADDED P50\tADDED P99\tx HAPROXY P50\tP99\tGOAL\t")
		for _, r := range res.Latency {
			goal := ""
			if r.Name == "kecho" {
				goal = "1.5, 1.5"
			}
			fmt.Fprintf(t, "%s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%s\t\n", r.Name, r.Requests, r.P50, r.P99, r.AddedP50, r.AddedP99, r.X50, r.X99, goal)
		}
		fmt.Fprintln(t)
	}
	if len(res.Idle) > 0 {
		fmt.Fprintln(t, "IDLE CONNECTIONS\tHOW MANY\tLOST\tKiB EACH\tTHROUGHPUT x\t(turns)\tCPU x\t(turns)\tGOAL\t")
		for _, r := range res.Idle {
			fmt.Fprintf(t, "%s\t%d\t%d\t%.1f\t%s\t%s\t8 KiB, 0.95\t\n", r.Name, r.Idle, r.Lost, r.KiB, cells(r.Throughput), cells(r.CPU))
		}
		fmt.Fprintln(t)
	}
	return errors.Join(printMoreFronts(t, res), printBusy(notes, res.Busy))
}

// printMoreFronts prints the parts that are one figure each, or nearly.
func printMoreFronts(t *tabwriter.Writer, res live.FrontsResult) error {
	if len(res.Bytes) > 0 {
		fmt.Fprintln(t, "LONG ANSWERS\tCPU ns/KiB\tx RELAY\t(turns)\tMEMORY +MiB\tGOAL\t")
		for _, r := range res.Bytes {
			goal := ""
			if r.Name == "kecho" {
				goal = "1.2, flat"
			}
			fmt.Fprintf(t, "%s\t%.0f\t%s\t%.1f\t%s\t\n", r.Name, r.CPU, cells(r.Relay), r.Growth, goal)
		}
		fmt.Fprintln(t)
	}
	if f := res.Forwarded; f != nil {
		fmt.Fprintln(t, "FORWARDED\tREQUESTS\tLOCAL CPU us\tBOTH AGENTS CPU us\tx LOCAL\t(turns)\tGOAL\t")
		fmt.Fprintf(t, "by a peer\t%d\t%.1f\t%.1f\t%s\t3\t\n\n", f.Requests, f.Local, f.CPU, cells(f.X))
	}
	if m := res.Middleware; m != nil {
		fmt.Fprintln(t, "MIDDLEWARE\tCPU ns\tALLOCATIONS\tGOAL\t")
		fmt.Fprintf(t, "in the program\t%.0f\t%.0f\t2000, 0\t\n", m.Nanoseconds, m.Allocations)
	}
	return t.Flush()
}

func printBusy(notes io.Writer, busy []string) error {
	for _, why := range busy {
		if _, err := fmt.Fprintf(notes, "? the machine was too busy for the figures to be trusted: %s\n", why); err != nil {
			return err
		}
	}
	return nil
}

// cells are a ratio and its spread.
func cells(s live.Spread) string {
	if s.Ratio == 0 {
		return "-\t-"
	}
	return fmt.Sprintf("%.2f\t%.2f-%.2f", s.Ratio, s.Least, s.Most)
}

// goalOf is what a front of ours may cost on the local path: beside HAProxy, and
// beside ReverseProxy.
func goalOf(name string) string {
	switch name {
	case "kecho":
		return "1.2; 0.4"
	case "kecho, fast lane off":
		return "-; 0.6"
	}
	return ""
}
