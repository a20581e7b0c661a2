package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func infoCommand() *cli.Command {
	return &cli.Command{
		Name: "info", Usage: "channels with all that happened on them, and their sinks", ArgsUsage: "NAME...",
		Flags: askFlags(), Action: eachChannel((*api.Client).Channel, printInfo),
	}
}

func printInfo(p *printer, list []api.Channel) error {
	if p.json {
		return printItems(p, list)
	}
	var rows [][]cell
	row := func(name, format string, args ...any) {
		rows = append(rows, []cell{text(name), text(fmt.Sprintf(format, args...))})
	}
	for i, ch := range list {
		if i > 0 {
			row("", "")
		}
		s := ch.Stats
		of := fmt.Sprintf("of applications, %d follow it", ch.Readers)
		if ch.Idle != "" {
			of += ", idle after " + ch.Idle
		}
		if len(ch.Types) > 0 {
			of += ", for the types " + strings.Join(ch.Types, ", ")
		}
		if ch.Own {
			of = "of the agent"
		}
		row(ch.Name, "%s", of)
		row("events", "%d submitted, %d received, %d delivered", s.Submitted, s.Received, s.Delivered)
		row("bytes", "%d out in %d frames, %d in", s.BytesOut, s.Sent, s.BytesIn)
		row("dropped", "%s", drops(s.Dropped))
		row("queued", "%d events, %d bytes", s.Queued, s.QueuedBytes)
		row("waited", "%.3f ms on average, %.3f ms at most", s.WaitedMean, s.WaitedMax)
		row("subscriptions", "%d, %d suspended", s.Subscriptions, s.Subscriptions-s.Live)
		row("IN-filters", "%s", cost(s.In))
		row("OUT-filters", "%s", cost(s.Out))
		if ch.Last != "" {
			row("last", "%s", ch.Last)
		}
		for _, sink := range ch.Sinks {
			row("sink", "%s", strings.TrimSpace(sink.ID+" "+attributes(sink.Attributes)))
		}
	}
	return p.printTable(rows)
}

// drops is "3 late, 1 overrun", or "none".
func drops(dropped map[string]uint64) string {
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(dropped)) {
		if n := dropped[reason]; n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, reason))
		}
	}
	if all == nil {
		return "none"
	}
	return strings.Join(all, ", ")
}

func cost(c api.FilterCost) string {
	if c.Runs == 0 {
		return "none ran"
	}
	return fmt.Sprintf("%d runs, %.4f ms on average, %.4f ms at most", c.Runs, c.Mean, c.Max)
}

// attributes is "load=0.25 zone=a".
func attributes(values map[string]any) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := fmt.Sprint(values[name])
		if f, ok := values[name].(float64); ok {
			value = strconv.FormatFloat(f, 'f', -1, 64)
		}
		all = append(all, name+"="+value)
	}
	return strings.Join(all, " ")
}
