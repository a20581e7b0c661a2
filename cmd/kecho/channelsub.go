package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
	"kecho/agent/cloudevents"
)

func subCommand() *cli.Command {
	return &cli.Command{
		Name: "sub", Usage: "print a channel's events as they come, until interrupted", ArgsUsage: "NAME",
		Description: "When the agent goes away it is asked again, once a second, for what came meanwhile. A gap\n" +
			"is told of. --timeout is not for the stream, which ends with the channel.",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "type", Usage: "only events of this `TYPE`; may be repeated"},
			&cli.StringSliceFlag{Name: "source", Usage: "only events of this `SOURCE`; may be repeated"},
			&cli.StringFlag{Name: "after", Usage: "the kechocursor of the last event that was seen: those after it come first; 0-0: all that is kept"},
			&cli.IntFlag{Name: "count", DefaultText: "until interrupted", Usage: "end after this many events"},
		}, askFlags()...),
		Action: subscribe,
	}
}

const askAgain = time.Second // for events of an agent that is gone

func subscribe(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usageError(c, "want one channel, not %d", c.Args().Len())
	}
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	p.lines = p.json // a stream has no end to indent to
	left := c.Int("count")
	if left < 0 || left == 0 && c.IsSet("count") {
		return usageError(c, "--count %d: want 1 or more", left)
	}
	if err := noneEmpty(c, "type", "source"); err != nil {
		return err
	}
	s := api.Selection{Types: c.StringSlice("type"), Sources: c.StringSlice("source"), After: c.String("after")}
	all := s.After == "0-0" // nothing was seen that could be missed
	return follow(c, s, func(item api.ChannelItem) error {
		if all && !p.json && item.Gap != nil && item.Gap.Missed == 0 {
			return nil
		}
		all = all && item.Gap != nil
		if err := printItem(p, item); err != nil {
			return err
		}
		if item.Gap != nil {
			return nil // it is no event
		}
		if left--; left == 0 {
			return errEnough
		}
		return nil
	})
}

// noneEmpty refuses flags that may be repeated and have an empty value, such as that
// of a variable that is not set: the agent would take them for not given.
func noneEmpty(c *cli.Context, flags ...string) error {
	for _, name := range flags {
		if slices.Contains(c.StringSlice(name), "") {
			return usageError(c, "--%s is empty: leave it out for all", name)
		}
	}
	return nil
}

// follow calls each for the events of the channel that the command names until
// interrupted, or each has enough, over the ends of agents.
func follow(c *cli.Context, s api.Selection, each func(api.ChannelItem) error) error {
	agent, patience, err := whom(c)
	if err != nil {
		return err
	}
	name := c.Args().First()
	ctx, cancel := context.WithTimeout(c.Context, patience)
	defer cancel()
	ch, err := agent.Channel(ctx, name)
	if err != nil { // an agent that was never there is not one that went away
		return err
	}
	if s.After == "" { // from now on, and so behind what was last when it is asked again
		s.After = ch.Last
	}
	lost := false
	for {
		err := agent.Follow(c.Context, name, s, func(item api.ChannelItem) error {
			lost = false
			if item.Cursor != "" {
				s.After = item.Cursor
			}
			return each(item)
		})
		var coded *api.Error
		switch {
		case errors.Is(err, errEnough) || c.Context.Err() != nil:
			return nil
		case err == nil || errors.As(err, &coded) && (coded.Code == api.Unreachable || coded.Code == api.NotReady):
			// The channel was closed, which the next try says, or the agent has ended.
		default:
			return err
		}
		if !lost {
			lost = true
			report(c.App.ErrWriter, fmt.Errorf("the agent at %s ended the stream: it is asked again each second", c.String("api")))
		}
		select {
		case <-time.After(askAgain):
		case <-c.Context.Done():
			return nil
		}
	}
}

func printItem(p *printer, item api.ChannelItem) error {
	if item.Gap != nil {
		return printGap(p, *item.Gap)
	}
	if p.json {
		return p.printJSON(item.Event)
	}
	line := []string{
		p.padded(text(clean(item.Event.Text(cloudevents.Type))), 16), p.padded(text(clean(item.Event.Text(cloudevents.Source))), 16), shownData(item.Event),
	}
	_, err := io.WriteString(p.out, strings.TrimRight(strings.Join(line, "  "), " ")+"\n")
	return err
}

func printGap(p *printer, gap api.Gap) error {
	if p.json {
		return p.printJSON(map[string]api.Gap{"gap": gap})
	}
	if gap.Missed == 0 {
		_, err := io.WriteString(p.out, "a gap: what came before is not there any more\n")
		return err
	}
	_, err := fmt.Fprintf(p.out, "a gap: %d events are not there any more\n", gap.Missed)
	return err
}

// shownData is an event's data on one line.
func shownData(e cloudevents.Event) string {
	if !utf8.Valid(e.Data) {
		return fmt.Sprintf("%d bytes", len(e.Data))
	}
	return clean(string(e.Data))
}
