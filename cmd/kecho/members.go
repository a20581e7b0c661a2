package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func membersCommand() *cli.Command {
	return &cli.Command{
		Name:  "members",
		Usage: "who is in the cluster, as one agent sees it",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "links", Usage: "what went over the links to them, at each priority"},
		}, askFlags()...),
		Action: func(c *cli.Context) error {
			return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
				return members(ctx, agent, p, c.Bool("links"))
			})(c)
		},
	}
}

func members(ctx context.Context, agent *api.Client, p *printer, links bool) error {
	list, err := agent.Members(ctx)
	if err != nil {
		return err
	}
	if p.json {
		return printItems(p, list)
	}
	if links {
		return printLinks(p, list)
	}
	slices.SortFunc(list, func(a, b api.Member) int { return cmp.Compare(a.Name, b.Name) })
	rows := [][]cell{{text("NAME"), text("STATUS"), text("LINK"), text("RTT"), text("LOAD"), text("CAPACITY"), text("HEARD"), text("ADDRESS"), text("")}}
	for _, m := range list {
		rows = append(rows, memberRow(m))
	}
	return p.printTable(rows)
}

func printLinks(p *printer, list []api.Member) error {
	rows := [][]cell{{
		text("NAME"), text("PRIORITY"), text("OUT"), text("BYTES"), text("IN"), text("BYTES"), text("REFUSED"), text("LATE"), text("QUEUED"), text("BYTES"),
	}}
	for _, m := range list {
		if m.Link == nil {
			continue
		}
		for _, at := range []struct {
			priority string
			flow     api.LinkFlow
		}{{"urgent", m.Link.Urgent}, {"normal", m.Link.Normal}, {"bulk", m.Link.Bulk}} {
			count := func(n uint64) cell { return number("%d", n) }
			f := at.flow
			rows = append(rows, []cell{
				text(m.Name), text(at.priority), count(f.FramesOut), count(f.BytesOut), count(f.FramesIn), count(f.BytesIn),
				count(f.Refused), count(f.Late), number("%d", f.Queued), number("%d", f.QueuedBytes),
			})
		}
	}
	return p.printTable(rows)
}

func memberRow(m api.Member) []cell {
	link, rtt, note := linkCells(m)
	capacity := number("%d", m.Capacity)
	if !m.Self && m.Heard == nil {
		capacity = number("-") // it has not said
	}
	return []cell{
		text(m.Name), statusCell(m), link, rtt,
		share(m.Load), capacity, heard(m.Heard), text(m.Address), note,
	}
}

func statusCell(m api.Member) cell {
	switch {
	case m.Draining:
		return cell{text: "draining", paint: yellow}
	case m.Status == "alive":
		return cell{text: m.Status, paint: green}
	case m.Status == "failed":
		return cell{text: m.Status, paint: red}
	}
	return text(m.Status)
}

func linkCells(m api.Member) (link, rtt, note cell) {
	none := number("-")
	switch {
	case m.Self:
		return text("self"), none, note
	case m.Link == nil:
		return text("-"), none, note
	case m.Link.Up:
		return cell{text: "up", paint: green}, number("%.1f ms", m.Link.RTT), note
	}
	return cell{text: "down", paint: red}, none, text(m.Link.LastError)
}

// share prints a load, 1 is full; "-" when it is not known.
func share(v *float64) cell {
	if v == nil {
		return number("-")
	}
	return number("%.2f", *v)
}

func heard(ms *float64) cell {
	if ms == nil {
		return number("-")
	}
	d := time.Duration(*ms * float64(time.Millisecond))
	if d < 10*time.Second {
		return number("%.1f s", d.Seconds())
	}
	return number("%s", fmt.Sprint(d.Round(time.Second)))
}
