package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/cmd/kecho-lab/events"
	"kecho/cmd/kecho-lab/live"
)

func benchChannelCommand() *cli.Command {
	return &cli.Command{
		Name:  "channel",
		Usage: "send events to processes over channels, beside NATS",
		Description: "Starts a source and its sinks as processes of this machine, linked as agents are,\n" +
			"and the same again over NATS, and has them send in turns: at a rate, for the time\n" +
			"from submit to handler, and as fast as they can, for events a second and CPU.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "sinks", Value: 8, Usage: "processes that hear the events"},
			&cli.Float64Flag{Name: "rate", Value: 1000, Usage: "events a second where latency is measured"},
			&cli.IntSliceFlag{Name: "size", Usage: "of the bodies in bytes, in one measurement after the other", Value: cli.NewIntSlice(100)},
			&cli.Float64Flag{Name: "seconds", Value: 5, Usage: "for each in each measurement"},
			&cli.BoolFlag{Name: "quic", Usage: "also kecho over QUIC"},
			&cli.BoolFlag{Name: "nats", Usage: "also NATS: nats-server is in PATH"},
			outputFlag(),
		},
		OnUsageError: onUsageError,
		Action:       runBenchChannel,
	}
}

// benchStationCommand is one process of bench channel.
func benchStationCommand() *cli.Command {
	return &cli.Command{
		Name: "station", Hidden: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bus"}, &cli.StringFlag{Name: "name"}, &cli.StringFlag{Name: "seed"},
			&cli.StringSliceFlag{Name: "subjects"}, &cli.BoolFlag{Name: "sink"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			return events.Serve(c.Context, events.Config{
				Bus: c.String("bus"), Name: c.String("name"), Seed: c.String("seed"),
				Subjects: c.StringSlice("subjects"), Sink: c.Bool("sink"),
			}, c.App.Writer)
		},
	}
}

func runBenchChannel(c *cli.Context) error {
	cfg, err := channelConfig(c)
	if err != nil {
		return err
	}
	if c.Bool("nats") {
		if cfg.NATS, err = lookup("nats-server"); err != nil {
			return errors.New("nats-server is not in PATH: go install github.com/nats-io/nats-server/v2@latest, or do without --nats")
		}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cfg.Station = []string{self, "bench", "station"}
	cfg.Note = func(what string) { fmt.Fprintln(c.App.ErrWriter, what) }
	res, err := live.Channels(c.Context, cfg)
	if err != nil {
		return err
	}
	return output(c, res, func() error { return printChannels(c.App.Writer, c.App.ErrWriter, res) })
}

// channelConfig is what the flags say; the error names the flag.
func channelConfig(c *cli.Context) (live.ChannelConfig, error) {
	cfg := live.ChannelConfig{
		Sinks: c.Int("sinks"), Rate: c.Float64("rate"), Sizes: c.IntSlice("size"), QUIC: c.Bool("quic"),
		Length: time.Duration(c.Float64("seconds") * float64(time.Second)),
	}
	if err := checkOutput(c, "bench channel"); err != nil {
		return cfg, err
	}
	switch {
	case !(c.Float64("seconds") >= 1 && c.Float64("seconds") <= 3600):
		return cfg, usagef("--seconds %v: want 1 to 3600", c.Float64("seconds"))
	case cfg.Sinks < 1:
		return cfg, usagef("--sinks %d: want at least 1", cfg.Sinks)
	case !(cfg.Rate > 0):
		return cfg, usagef("--rate %v: want more than 0", cfg.Rate)
	}
	if err := cfg.Check(); err != nil {
		return cfg, usagef("%v", err)
	}
	return cfg, nil
}

// printChannels prints a row for each medium under each load, and says below
// what not to trust.
func printChannels(w, notes io.Writer, res live.ChannelResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "SINKS\tBYTES\tRATE\tWHO\tEVENTS\tLOST\tP50 us\tP99 us\tEVENTS/s\tCPU us\tKECHO x\tLEAST\tMOST\tP99 x\tLEAST\tMOST\tCPU x\tLEAST\tMOST\t")
	for _, r := range res.Runs {
		for _, row := range r.Took {
			fmt.Fprintln(t, strings.Join(channelRow(r, row), "\t"))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if res.NATS != "" {
		fmt.Fprintln(w, "nats is "+res.NATS)
	}
	for _, r := range res.Runs {
		for _, why := range r.Busy {
			fmt.Fprintf(notes, "? %v: not to be trusted: %s\n", r.ChannelLoad, why)
		}
	}
	return nil
}

func channelRow(r live.ChannelRun, row live.ChannelTook) []string {
	mark := ""
	if r.Busy != nil {
		mark = "?"
	}
	number := func(format string, v float64) string { return fmt.Sprintf(format, v) + mark }
	rate, first, second := "most", row.KechoRate, live.Beside{}
	took := []string{"-", "-"}
	if r.Rate > 0 {
		rate, first, second = fmt.Sprintf("%g", r.Rate), row.KechoP50, row.KechoP99
		took = []string{number("%.0f", row.P50), number("%.0f", row.P99)}
	}
	cells := append([]string{strconv.Itoa(r.Sinks), strconv.Itoa(r.Size), rate, row.Name, strconv.Itoa(row.Events), strconv.Itoa(row.Lost)}, took...)
	cells = append(cells, number("%.0f", row.PerSecond), number("%.2f", row.CPU))
	for _, b := range []live.Beside{first, second, row.KechoCPU} {
		if b == (live.Beside{}) {
			cells = append(cells, "-", "-", "-")
			continue
		}
		cells = append(cells, number("%.2f", b.Ratio), number("%.2f", b.Least), number("%.2f", b.Most))
	}
	return append(cells, "")
}
