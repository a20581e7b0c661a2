package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"kecho/cmd/kecho-lab/paper"
)

func benchPaperCommand() *cli.Command {
	return &cli.Command{
		Name:  "paper",
		Usage: "repeat the papers' measurements of channels and filters",
		Description: "KECho's Figure 7 (what filters save) and Table 1 (what channels cost), and AEM's\n" +
			"Figure 6 (what an active link costs beside idle ones), over links on loopback, with\n" +
			"what the papers have beside.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "events", Value: 1000, Usage: "in a turn"},
			&cli.IntFlag{Name: "turns", Value: 10, Usage: "for each figure"},
			&cli.IntSliceFlag{Name: "idle", Usage: "links beside an active one, each number in a process of its own", Value: cli.NewIntSlice(0, 100, 1000, 5000)},
			outputFlag(),
		},
		OnUsageError: onUsageError,
		Action:       runBenchPaper,
	}
}

// benchHubCommand is one process of bench paper.
func benchHubCommand() *cli.Command {
	return &cli.Command{
		Name: "hub", Hidden: true,
		Flags:        []cli.Flag{&cli.IntFlag{Name: "idle"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			return paper.Hub(c.Context, c.Int("idle"), os.Stdin, c.App.Writer)
		},
	}
}

// benchSinkCommand is another.
func benchSinkCommand() *cli.Command {
	return &cli.Command{
		Name: "sink", Hidden: true,
		Flags:        []cli.Flag{&cli.StringFlag{Name: "name"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			return paper.Sink(c.Context, c.String("name"), os.Stdin, c.App.Writer)
		},
	}
}

func runBenchPaper(c *cli.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cfg := paper.Config{
		Process: []string{self, "bench"}, Idle: c.IntSlice("idle"), Events: c.Int("events"), Turns: c.Int("turns"),
		Note: func(what string) { fmt.Fprintln(c.App.ErrWriter, what) },
	}
	if err := checkOutput(c, "bench paper"); err != nil {
		return err
	}
	switch {
	case cfg.Events < 1 || cfg.Turns < 1:
		return usagef("--events %d --turns %d: want more than 0", cfg.Events, cfg.Turns)
	}
	if err := cfg.Check(); err != nil {
		return usagef("%v", err)
	}
	res, err := paper.Run(c.Context, cfg)
	if err != nil {
		return err
	}
	return output(c, res, func() error { return printRepeated(c.App.Writer, c.App.ErrWriter, res) })
}

// printRepeated prints a line a figure, and says below what was not measured.
func printRepeated(w, notes io.Writer, res paper.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OF\tWHAT\tPAPER\tus\tRATIO\tLEAST\tMOST\tGOAL")
	for _, l := range res.Lines {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Of, l.What, dash(l.Paper),
			number("%.3g", l.Took), number("%.2f", l.Ratio), number("%.2f", l.Least), number("%.2f", l.Most), number("%g", l.Goal))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, why := range res.Busy {
		fmt.Fprintf(notes, "? %s\n", why)
	}
	return nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func number(format string, v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}
