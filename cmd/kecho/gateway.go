package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func gatewayCommand() *cli.Command {
	return &cli.Command{
		Name:  "gateway",
		Usage: "what an agent shares with another cluster",
		Description: "A line for each shared channel and direction: what is wanted there, and what\n" +
			"became of the events. LEFT are those that another gateway, or another way, has for\n" +
			"its own; -o json has the reasons of the DROPPED. `kecho agent --help` has the flags\n" +
			"that make an agent a gateway.",
		Flags:  askFlags(),
		Action: ask(showGateway),
	}
}

func showGateway(ctx context.Context, agent *api.Client, p *printer) error {
	g, err := agent.Gateway(ctx)
	if err != nil {
		return err
	}
	if p.lines {
		return printItems(p, g.Flows)
	}
	if p.json {
		return p.printJSON(g)
	}
	rows := [][]cell{{text("CHANNEL"), text("FROM"), text("TO"), text("FORWARDED"), text("LEFT"), text("DROPPED"), text("QUEUED"), text("WANTED")}}
	for _, f := range g.Flows {
		dropped := uint64(0)
		for _, n := range f.Dropped {
			dropped += n
		}
		rows = append(rows, []cell{
			text(f.Channel), text(f.From), text(f.To), number("%d", f.Forwarded), number("%d", f.Left), number("%d", dropped), number("%d", f.Queued),
			text(wantedThere(f.Wanted)),
		})
	}
	return p.printTable(rows)
}

// wantedThere is "price, alert; price in west, east"; "-" for nothing.
func wantedThere(all []api.Wanted) string {
	var parts []string
	for _, w := range all {
		var terms []string
		for _, t := range w.Terms {
			term := t.Type
			if term == "" {
				term = "all"
			}
			if t.Source != "" {
				term += " of " + t.Source
			}
			terms = append(terms, term)
		}
		part := strings.Join(terms, ", ")
		if len(w.Path) > 1 { // else it is in the column TO
			part += " in " + w.Path[len(w.Path)-1]
		}
		parts = append(parts, part)
	}
	if parts == nil {
		return "-"
	}
	return strings.Join(parts, "; ")
}
