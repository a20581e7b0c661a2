package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func listLeases(ctx context.Context, agent *api.Client, p *printer) error {
	all, err := agent.Leases(ctx)
	if err != nil {
		return err
	}
	return printLeases(p, all)
}

func printLeases(p *printer, all []api.Lease) error {
	if p.json {
		return printItems(p, all)
	}
	rows := [][]cell{{text("ID"), text("NODE"), text("FENCE"), text("RESOURCES"), text("TTL"), text("LEFT"), text("HOLDER"), text("REQUEST")}}
	for _, l := range all {
		left := time.Duration(l.Left * float64(time.Millisecond))
		rows = append(rows, []cell{
			text(l.ID), text(l.Node), number("%d", l.Fence), text(l.Amounts.String()), number("%s", l.TTL),
			number("%.0f s", left.Seconds()), text(l.Holder), text(l.Request),
		})
	}
	return p.printTable(rows)
}

func showLease(c *cli.Context) error {
	if c.NArg() != 1 {
		return usageError(c, "want one ID, such as web1:17")
	}
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		l, err := agent.Lease(ctx, c.Args().First())
		switch {
		case err != nil:
			return err
		case p.json:
			return p.printJSON(l)
		}
		return printLeases(p, []api.Lease{l})
	})(c)
}

func renewLeases(c *cli.Context) error {
	if err := refuseZeros(c, leaseZeros); err != nil {
		return usageError(c, "%v", err)
	}
	r := api.LeaseRenewal{Holder: holder(c)}
	if c.IsSet("ttl") {
		r.TTL = c.Duration("ttl").String()
	}
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		var renewed []api.Lease
		for _, id := range c.Args().Slice() {
			l, err := agent.Renew(ctx, id, r)
			if err != nil {
				return err
			}
			renewed = append(renewed, l)
		}
		return printLeases(p, renewed)
	})(c)
}

func releaseLeases(c *cli.Context) error {
	return ask(func(ctx context.Context, agent *api.Client, _ *printer) error {
		for _, id := range c.Args().Slice() {
			if err := agent.Release(ctx, id, holder(c)); err != nil {
				return err
			}
		}
		return nil
	})(c)
}
