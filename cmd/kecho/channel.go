package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func channelCommand() *cli.Command {
	return &cli.Command{
		Name:  "channel",
		Usage: "event channels that are open on a node",
		Subcommands: []*cli.Command{
			{
				Name: "ls", Usage: "all channels, the agent's own too",
				Flags: askFlags(), Action: ask(func(ctx context.Context, agent *api.Client, p *printer) error {
					list, err := agent.Channels(ctx)
					if err != nil {
						return err
					}
					return printChannels(p, list)
				}),
			},
			infoCommand(),
			{
				Name: "open", Usage: "open channels: their events are kept on the node from now on", ArgsUsage: "NAME...",
				Description: "With --idle the node keeps a channel's events while somebody reads them and for that long\n" +
					"after; then the others send it nothing until somebody reads again. With --type it keeps\n" +
					"events of these types only, and a gateway brings no others from other clusters.",
				Flags: append([]cli.Flag{
					&cli.DurationFlag{Name: "idle", DefaultText: "never", Usage: "how long nobody reads until nothing is kept"},
					&cli.StringSliceFlag{Name: "type", DefaultText: "all", Usage: "only events of this `TYPE` are kept; may be repeated"},
				}, askFlags()...),
				Action: func(c *cli.Context) error {
					if err := noneEmpty(c, "type"); err != nil {
						return err
					}
					if c.IsSet("idle") && c.Duration("idle") == 0 { // which would stand for never
						return usageError(c, "--idle 0s: want 1s to 1h, or leave it out")
					}
					return eachChannel(func(agent *api.Client, ctx context.Context, name string) (api.Channel, error) {
						return agent.OpenChannelWith(ctx, name, api.Keep{Idle: c.Duration("idle"), Types: c.StringSlice("type")})
					}, printChannels)(c)
				},
			},
			{
				Name: "close", Usage: "close channels on the node", ArgsUsage: "NAME...",
				Flags: askFlags(), Action: closeChannels,
			},
			pubCommand(), subCommand(), requestCommand(), replyCommand(),
		},
	}
}

// eachChannel is an action that prints what do says of each channel it names.
func eachChannel(do func(*api.Client, context.Context, string) (api.Channel, error), show func(*printer, []api.Channel) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		return ask(func(ctx context.Context, agent *api.Client, p *printer) error {
			var all []api.Channel
			for _, name := range c.Args().Slice() {
				ch, err := do(agent, ctx, name)
				if err != nil {
					return err
				}
				all = append(all, ch)
			}
			return show(p, all)
		})(c)
	}
}

func closeChannels(c *cli.Context) error {
	return ask(func(ctx context.Context, agent *api.Client, _ *printer) error {
		for _, name := range c.Args().Slice() {
			if err := agent.CloseChannel(ctx, name); err != nil {
				return err
			}
		}
		return nil
	})(c)
}

func printChannels(p *printer, list []api.Channel) error {
	if p.json {
		return printItems(p, list)
	}
	rows := [][]cell{{text("NAME"), text("OF"), text("SINKS"), text("SUBMITTED"), text("RECEIVED"), text("DROPPED"), text("QUEUED")}}
	for _, ch := range list {
		of, dropped := "applications", uint64(0)
		if ch.Own {
			of = "the agent"
		}
		for _, n := range ch.Stats.Dropped {
			dropped += n
		}
		rows = append(rows, []cell{
			text(ch.Name), text(of), number("%d", len(ch.Sinks)), number("%d", ch.Stats.Submitted),
			number("%d", ch.Stats.Received), number("%d", dropped), number("%d", ch.Stats.Queued),
		})
	}
	return p.printTable(rows)
}
