package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func gaugeCommand() *cli.Command {
	return &cli.Command{
		Name:  "gauge",
		Usage: "values that rise and fall, and thresholds on them",
		Subcommands: []*cli.Command{
			{
				Name: "ls", Usage: "all gauges",
				Flags: askFlags(), Action: ask(listGauges),
			},
			{
				Name: "set", Usage: "set gauges for a time, after which they are absent", ArgsUsage: "NAME=VALUE...",
				Description: "A VALUE is a number, or none: absent from now on. Names have a dot in them, such as\n" +
					"app.queue, and may have an item: 'disk.used{item=/data}=0.7'. The machine's own\n" +
					"gauges are read, not set.",
				Flags: append([]cli.Flag{
					&cli.DurationFlag{Name: "ttl", Value: time.Minute, Usage: "`TIME` after which they are absent: 1s to 24h"},
				}, askFlags()...),
				Action: setGauges,
			},
			watchCommand(), thresholdCommand(),
		},
	}
}

func listGauges(ctx context.Context, agent *api.Client, p *printer) error {
	list, err := agent.Gauges(ctx)
	if err != nil {
		return err
	}
	return printGauges(p, list)
}

func printGauges(p *printer, list []api.Gauge) error {
	if p.json {
		return printItems(p, list)
	}
	rows := [][]cell{{text("NAME"), text("VALUE"), text("SOURCE"), text("EXPIRES"), text("THRESHOLDS")}}
	for _, g := range list {
		expires := number("-")
		if g.Expires != nil {
			expires = number("%.0f s", *g.Expires/1000)
		}
		rows = append(rows, []cell{text(g.Name), value(g.Value), text(orDash(g.Source)), expires, raisedCell(g.Thresholds)})
	}
	return p.printTable(rows)
}

// value prints a gauge's value; "-" when it is absent.
func value(v *float64) cell {
	if v == nil {
		return number("-")
	}
	return number("%s", strconv.FormatFloat(*v, 'g', 6, 64))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// raisedCell is "2, 1 raised" of the thresholds on a gauge.
func raisedCell(thresholds []api.Threshold) cell {
	raised := 0
	for _, t := range thresholds {
		if t.Raised {
			raised++
		}
	}
	if raised == 0 {
		return text(strconv.Itoa(len(thresholds)))
	}
	return cell{text: fmt.Sprintf("%d, %d raised", len(thresholds), raised), paint: red}
}

func setGauges(c *cli.Context) error {
	type setting struct {
		name  string
		value *float64
	}
	var all []setting
	for _, arg := range c.Args().Slice() {
		i := strings.LastIndexByte(arg, '=')
		if i <= 0 {
			return usageError(c, "%.200q: want NAME=VALUE, such as app.queue=12", arg)
		}
		s := setting{name: arg[:i]}
		if word := arg[i+1:]; word != "none" {
			v, err := strconv.ParseFloat(word, 64)
			if err != nil || v-v != 0 {
				return usageError(c, "%.200q: want a number behind the =, or the word none: absent from now on", arg)
			}
			s.value = &v
		}
		all = append(all, s)
	}
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		var set []api.Gauge
		for _, s := range all {
			g, err := agent.SetGauge(ctx, s.name, api.GaugeValue{Value: s.value, TTL: c.Duration("ttl").String()})
			if err != nil {
				return err
			}
			set = append(set, g)
		}
		return printGauges(p, set)
	})(c)
}
