package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func leaseCommand() *cli.Command {
	return &cli.Command{
		Name:  "lease",
		Usage: "resources of the cluster's nodes, to have alone for a time",
		Subcommands: []*cli.Command{
			{
				Name: "request", Usage: "ask the cluster for resources",
				Description: "Prints a lease of each node that gives some; whoever has it renews it in time, or it\n" +
					"is over. kecho lease run does all that. Without room the exit code is 75, and each\n" +
					"node's reason is told.",
				Flags: slices.Concat(requestFlags(), nodesFlags(), askFlags()), Action: requestLeases,
			},
			{
				Name: "offers", Usage: "what could be had now, and why the other nodes cannot give it",
				Flags: slices.Concat(requestFlags(), nodesFlags(), askFlags()), Action: listOffers,
			},
			{
				Name: "ls", Usage: "the leases that a node has given, and those that were asked for through it",
				Flags: askFlags(), Action: ask(listLeases),
			},
			{
				Name: "show", Usage: "one of them", ArgsUsage: "ID",
				Flags: askFlags(), Action: showLease,
			},
			{
				Name: "renew", Usage: "give leases their whole time again", ArgsUsage: "ID...",
				Flags: slices.Concat([]cli.Flag{
					holderFlag(),
					&cli.DurationFlag{Name: "ttl", DefaultText: "as it is", Usage: "another `TIME` that they last from now on; never shorter"},
				}, askFlags()), Action: renewLeases,
			},
			{
				Name: "release", Usage: "end leases", ArgsUsage: "ID...",
				Flags: append([]cli.Flag{holderFlag()}, askFlags()...), Action: releaseLeases,
			},
			{Name: "join", Usage: "have the node give its resources again", Flags: askFlags(), Action: setJoined(true)},
			{
				Name: "leave", Usage: "take the node's resources out: nothing more is granted, and holders are told",
				Flags: askFlags(), Action: setJoined(false),
			},
			leaseRunCommand(),
		},
	}
}

func setJoined(joined bool) cli.ActionFunc {
	return ask(func(ctx context.Context, agent *api.Client, _ *printer) error { return agent.SetJoined(ctx, joined) })
}

func holderFlag() cli.Flag {
	return &cli.StringFlag{Name: "holder", EnvVars: env("holder"), DefaultText: "user@host", Usage: "`NAME` of who has the lease; only that may renew and release it"}
}

// requestFlags say what is asked for, from one node.
func requestFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cpu", Usage: "processors: `2`, 0.5 or 500m"},
		&cli.StringFlag{Name: "mem", Usage: "memory: `512Mi`, 1.5G or bytes"},
		&cli.StringFlag{Name: "disk", Usage: "disk: `10Gi`, 1.5G or bytes"},
		&cli.StringFlag{Name: "net", Usage: "bytes a second: `10M`"},
		&cli.StringSliceFlag{Name: "need", Usage: "`KIND=QUANTITY` of anything that nodes have, such as gpu=1; may be repeated"},
		&cli.StringFlag{Name: "select", Usage: "`CONDITIONS` on tags, all of which hold: 'zone=a', 'zone in (a, b), !spot'; node=NAME is a tag too"},
		&cli.StringFlag{Name: "criteria", Value: "first", Usage: "which offers are best: `first` to come, nearest, spread (most free), pack (least free), least (lowest load)"},
		&cli.DurationFlag{Name: "ttl", Value: 30 * time.Second, Usage: "`TIME` that a lease lasts without a renewal: 1s to 1h"},
		&cli.DurationFlag{Name: "wait", Usage: "how long to wait where there is no room now: up to 1h"},
		holderFlag(),
	}
}

// nodesFlags are of those that can ask for more than one lease.
func nodesFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "nodes", Value: 1, Usage: "how many different nodes must give it, all or none"},
		&cli.StringFlag{Name: "id", Usage: "`NAME` of the request: who asks again with it within 10 minutes has the same leases"},
	}
}

// leaseRequest is what the flags say; the agent says what is wrong with it.
func leaseRequest(c *cli.Context) (api.LeaseRequest, error) {
	var needs []string
	for _, kind := range []string{"cpu", "mem", "disk", "net"} {
		if c.IsSet(kind) {
			needs = append(needs, kind+"="+c.String(kind))
		}
	}
	needs = append(needs, c.StringSlice("need")...)
	if len(needs) == 0 {
		return api.LeaseRequest{}, usageError(c, "nothing is asked for: give --cpu, --mem, --disk, --net or --need")
	}
	if err := refuseZeros(c, leaseZeros); err != nil {
		return api.LeaseRequest{}, usageError(c, "%v", err)
	}
	return api.LeaseRequest{
		ID: c.String("id"), Holder: holder(c), Needs: strings.Join(needs, ","), Nodes: c.Int("nodes"), Selector: c.String("select"),
		Criteria: c.String("criteria"), TTL: c.Duration("ttl").String(), Wait: c.Duration("wait").String(),
	}, nil
}

// holder is who says nothing else: user@host.
func holder(c *cli.Context) string {
	if name := c.String("holder"); name != "" {
		return name
	}
	host, _ := os.Hostname()
	return cmp.Or(os.Getenv("USER"), fmt.Sprintf("uid-%d", os.Getuid())) + "@" + cmp.Or(host, "localhost")
}

func requestLeases(c *cli.Context) error {
	r, err := leaseRequest(c)
	if err != nil {
		return err
	}
	return askLonger(c, c.Duration("wait"), func(ctx context.Context, agent *api.Client, p *printer) error {
		grant, err := agent.RequestLease(ctx, r)
		if err != nil {
			return withReasons(err)
		}
		return printLeases(p, grant.Leases)
	})
}

// withReasons is err with each node's reason on a line of its own.
func withReasons(err error) error {
	var failed *api.Error
	if !errors.As(err, &failed) || len(failed.Reasons) == 0 {
		return err
	}
	worded := *failed
	worded.Detail = "no node has room for it now:"
	if failed.Code == api.Impossible {
		worded.Detail = "no node has it:"
	}
	for _, r := range failed.Reasons {
		worded.Detail += fmt.Sprintf("\n  %s: %s", clean(r.Node), clean(r.Detail))
	}
	return &worded
}

func listOffers(c *cli.Context) error {
	r, err := leaseRequest(c)
	if err != nil {
		return err
	}
	return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
		offers, err := agent.Offers(ctx, r)
		if err == nil {
			err = printOffers(p, offers)
		}
		switch {
		case err == nil && offers.Never():
			err = &api.Error{Code: api.Impossible, Detail: "no node has it at all"}
		case err == nil && len(offers.Items) < r.Nodes:
			err = &api.Error{Code: api.NoOffer, Detail: fmt.Sprintf("%d of %d nodes could give it now", len(offers.Items), r.Nodes)}
		}
		return err
	})(c)
}

func printOffers(p *printer, offers api.LeaseOffers) error {
	switch {
	case p.lines:
		for _, o := range offers.Items {
			if err := p.printJSON(o); err != nil {
				return err
			}
		}
		for _, r := range offers.Reasons {
			if err := p.printJSON(r); err != nil {
				return err
			}
		}
		return nil
	case p.json:
		return p.printJSON(offers)
	}
	rows := [][]cell{{text("NODE"), text("FREE"), text("OF"), text("LOAD"), text("TRIP"), text("TAGS"), text("WHY NOT")}}
	for _, o := range offers.Items {
		var tags []string
		for name, value := range o.Tags {
			tags = append(tags, name+"="+value)
		}
		slices.Sort(tags)
		rows = append(rows, []cell{
			text(o.Node), text(o.Free.String()), text(o.Capacity.String()), value(o.Load), number("%.1f ms", o.Trip), text(strings.Join(tags, ",")), text(""),
		})
	}
	for _, r := range offers.Reasons {
		rows = append(rows, []cell{text(r.Node), text("-"), text("-"), number("-"), number("-"), text("-"), text(r.Detail)})
	}
	return p.printTable(rows)
}
