package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func thresholdCommand() *cli.Command {
	return &cli.Command{
		Name:  "threshold",
		Usage: "what is watched on gauges, and what that does",
		Subcommands: []*cli.Command{
			{
				Name: "ls", Usage: "all thresholds",
				Flags: askFlags(), Action: ask(listThresholds),
			},
			{
				Name: "add", Usage: "watch a condition, until it is taken away or the agent ends", ArgsUsage: "'CONDITION [do ACTION...]'",
				Description: "A CONDITION is 'cpu > 0.85 cancel < 0.7' or 'rate(app.errors, 10s) > 5'. An ACTION is\n" +
					"overflow, event=CHANNEL/TYPE or webhook=URL. Without any it is logged only.",
				Flags: askFlags(), Action: addThreshold,
			},
			{
				Name: "rm", Usage: "take thresholds away", ArgsUsage: "ID...",
				Flags: askFlags(), Action: removeThresholds,
			},
		},
	}
}

func listThresholds(ctx context.Context, agent *api.Client, p *printer) error {
	all, err := thresholds(ctx, agent)
	if err != nil {
		return err
	}
	return printThresholds(p, all)
}

// thresholds are all of an agent.
func thresholds(ctx context.Context, agent *api.Client) (all []api.Threshold, err error) {
	gauges, err := agent.Gauges(ctx)
	all = []api.Threshold{}
	for _, g := range gauges {
		all = append(all, g.Thresholds...)
	}
	return all, err
}

func printThresholds(p *printer, all []api.Threshold) error {
	if p.json {
		return printItems(p, all)
	}
	rows := [][]cell{{text("ID"), text("CONDITION"), text("STATE"), text("VALUE"), text("SINCE"), text("DOES"), text("")}}
	for _, t := range all {
		state, since := text("-"), text("-")
		if t.Raised {
			state = cell{text: "raised", paint: red}
		}
		if t.Since != nil {
			since = text(t.Since.Local().Format(time.DateTime))
		}
		rows = append(rows, []cell{text(t.ID), text(t.Condition), state, value(t.Value), since, text(orDash(t.Actions.String())), text(t.LastError)})
	}
	return p.printTable(rows)
}

func addThreshold(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usageError(c, "want one condition, in quotes: %s %s", commandPath(c), c.Command.ArgsUsage)
	}
	n, err := api.ParseThreshold(c.Args().First())
	if err != nil {
		return usageError(c, "%v", err)
	}
	if _, err := n.Gauge(); err != nil {
		return usageError(c, "%v", err)
	}
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		t, err := agent.Watch(ctx, n)
		if err != nil {
			return err
		}
		return printThresholds(p, []api.Threshold{t})
	})(c)
}

func removeThresholds(c *cli.Context) error {
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		all, err := thresholds(ctx, agent)
		if err != nil {
			return err
		}
		gauge := make(map[string]string)
		for _, t := range all {
			gauge[t.ID] = t.Gauge
		}
		for _, id := range c.Args().Slice() {
			if gauge[id] == "" {
				return &api.Error{Code: api.NotFound, Detail: fmt.Sprintf("there is no threshold %.40q: kecho gauge threshold ls has their ids", id)}
			}
			if err := agent.Unwatch(ctx, gauge[id], id); err != nil {
				return err
			}
		}
		return nil
	})(c)
}
