package main

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func eventsCommand() *cli.Command {
	return &cli.Command{
		Name:  "events",
		Usage: "what happens on a node, as it happens, until interrupted",
		Description: "Thresholds that are raised and cancelled, members that join, leave and fail, links that\n" +
			"come up and go down, the node's own state (ready, draining), and leases that were asked\n" +
			"for through it and are granted or over. A gap is told of. --timeout is not for the stream, which ends with the agent.",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "type", Usage: "only events of this `TYPE`: threshold, member, link, state, lease; may be repeated"},
			&cli.StringFlag{Name: "after", Usage: "the `ID` of the last event that was seen: those after it come first; 0-0: all that is kept"},
			&cli.IntFlag{Name: "count", DefaultText: "until interrupted", Usage: "end after this many"},
		}, askFlags()...),
		Action: events,
	}
}

// eventTypes are those of an agent of this version.
var eventTypes = []string{api.EventThreshold, api.EventMember, api.EventLink, api.EventState, api.EventLease}

var errEnough = errors.New("enough events")

func events(c *cli.Context) error {
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	p.lines = p.json // a stream has no end to indent to
	for _, t := range c.StringSlice("type") {
		if !slices.Contains(eventTypes, t) {
			return usageError(c, "--type %.80q: want one of %s", t, strings.Join(eventTypes, ", "))
		}
	}
	agent, err := api.New(c.String("api"))
	if err != nil {
		return usageError(c, "--api: %v", err)
	}
	left := c.Int("count")
	err = agent.Events(c.Context, c.String("after"), c.StringSlice("type"), func(e api.Event) error {
		if err := printEvent(p, e); err != nil {
			return err
		}
		if e.Type == api.EventGap {
			return nil // what is not there any more does not count
		}
		if left--; left == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || c.Context.Err() != nil {
		return nil
	}
	return err
}

func printEvent(p *printer, e api.Event) error {
	if p.json {
		return p.printJSON(e)
	}
	line := []string{e.Time.Local().Format("15:04:05.000"), p.padded(text(clean(e.Type)), 10), clean(string(e.Data))}
	_, err := io.WriteString(p.out, strings.Join(line, "  ")+"\n")
	return err
}
