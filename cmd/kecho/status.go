package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

// waitPatience is how long --wait waits when --timeout says nothing.
const waitPatience = 30 * time.Second

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "what an agent is doing; exits 69 when it is not ready",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "wait", Usage: "ask again until the agent is in this `STATE`: ready"},
		}, askFlags()...),
		Action: func(c *cli.Context) error {
			wait := c.String("wait")
			if wait != "" && wait != string(api.Ready) {
				return usageError(c, "--wait %q: the state to wait for is ready", wait)
			}
			if wait != "" && !c.IsSet("timeout") {
				if err := c.Set("timeout", waitPatience.String()); err != nil {
					return err
				}
			}
			return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
				if wait != "" {
					if err := awaitReady(ctx, agent); err != nil {
						return err
					}
				}
				return status(ctx, agent, p)
			})(c)
		},
	}
}

// awaitReady asks until the agent is ready, and says what was missing last
// when it did not get there in time.
func awaitReady(ctx context.Context, agent *api.Client) error {
	const pause = 100 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	missing := "it did not answer"
	for {
		r, err := agent.Ready(ctx)
		switch {
		case err == nil && r.Ready:
			return nil
		case err == nil:
			missing = failedChecks(r)
		case ctx.Err() == nil:
			missing = err.Error()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &api.Error{Code: api.Timeout, Err: ctx.Err(), Detail: "not ready in time: " + missing}
			}
			return &api.Error{Code: api.Failed, Err: ctx.Err(), Detail: "interrupted"}
		}
	}
}

// failedChecks is "upstream: connection refused, draining".
func failedChecks(r api.Readiness) string {
	var failed []string
	for _, c := range r.Checks {
		if c.OK {
			continue
		}
		why := c.Name
		if c.Detail != "" {
			why += ": " + c.Detail
		}
		failed = append(failed, clean(why))
	}
	return strings.Join(failed, ", ")
}

// agentStatus is what `status -o json` prints.
type agentStatus struct {
	Node      api.Node      `json:"node"`
	Readiness api.Readiness `json:"readiness"`
}

func status(ctx context.Context, agent *api.Client, p *printer) error {
	node, err := agent.Node(ctx)
	if err != nil {
		return err
	}
	r, err := agent.Ready(ctx)
	if err != nil {
		return err
	}
	if p.json {
		err = p.printJSON(agentStatus{Node: node, Readiness: r})
	} else {
		err = printStatus(p, node, r)
	}
	if err == nil && !r.Ready {
		err = &api.Error{Code: api.NotReady, Detail: "not ready: " + failedChecks(r)}
	}
	return err
}

func printStatus(p *printer, n api.Node, r api.Readiness) error {
	state := cell{text: string(n.State), paint: yellow}
	if r.Ready {
		state.paint = green
	}
	upstream := cell{text: n.Upstream.URL + " is up"}
	switch {
	case !n.Upstream.Up:
		upstream = cell{text: n.Upstream.URL + " is down", paint: red}
	case n.Upstream.Failing:
		upstream = cell{text: n.Upstream.URL + " is up and fails too many of its requests", paint: yellow}
	}
	if since := n.Upstream.Since; since != nil {
		upstream.text += " since " + since.Local().Format(time.DateTime)
	}
	rows := [][]cell{
		{text(n.Name), state},
		{text("cluster"), text(n.Cluster)},
		{text("version"), text(cmp.Or(n.Version, "-"))},
		{text("started"), text(n.Started.Local().Format(time.DateTime))},
		{text("upstream"), upstream},
		{text("listens"), text(fmt.Sprintf("http %s, admin %s, gossip %s, link %s", cmp.Or(n.Addresses.HTTP, "by the program itself"), n.Addresses.Admin, n.Addresses.Gossip, n.Addresses.Link))},
		{text("limits"), text(fmt.Sprintf("soft %d, hard %d, queue %d", n.Limits.Soft, n.Limits.Hard, n.Limits.Queue))},
		{text("load"), text(fmt.Sprintf("%.2f: %d running, %d queued", n.Load.Load, n.Load.Running, n.Load.Queued))},
		{text("clients"), text(connections(n.Connections))},
		{text("moves"), text(moves(n.Counters))},
		{text("machine"), text(fmt.Sprintf("cpu %s and memory %s in use", part(n.Load.CPU), part(n.Load.Memory)))},
	}
	for _, c := range r.Checks {
		mark := cell{text: "ok", paint: green}
		if !c.OK {
			mark = cell{text: "failed", paint: red}
		}
		mark.text += " " + c.Detail
		rows = append(rows, []cell{text("check " + c.Name), mark})
	}
	return p.printTable(rows)
}

// connections is "3 connections, 1 busy, of 9744 at most; 2 refused", of which
// the last part is there when a limit was met.
func connections(c api.Connections) string {
	if c.Most == 0 {
		return "connections of the program itself"
	}
	s := fmt.Sprintf("%d connections, %d busy, of %d at most", c.Open, c.Busy, c.Most)
	for _, limit := range []struct{ reason, what string }{
		{"address", "refused for their address"}, {"room", "closed for others"}, {"busy", "pauses"}, {"files", "without a descriptor"}, {"flood", "ended for a flood"},
	} {
		if times := c.Limited[limit.reason]; times > 0 {
			s += fmt.Sprintf("; %d %s", times, limit.what)
		}
	}
	return s
}

// moves is what went to peers and came from them since the start.
func moves(n map[string]int64) string {
	return fmt.Sprintf("%d offers, %d granted, %d pushed; %d claims, %d refused; %d ejections",
		n["moves_offer"], n["moves_grant"], n["moves_push"], n["moves_claim"], n["moves_refusal"], n["ejections"])
}

// part is a share, "-" when it is not known.
func part(share *float64) string {
	if share == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *share)
}
