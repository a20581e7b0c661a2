package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
	"kecho/agent/cloudevents"
)

func requestCommand() *cli.Command {
	return &cli.Command{
		Name: "request", Usage: "ask whoever has a channel open, and print the answers", ArgsUsage: "NAME",
		Description: "It ends when there are as many answers as --replies says, when after one no other has come\n" +
			"for --gap, when every node that was asked has answered, and after --timeout. Fewer answers\n" +
			"than --replies is exit code 124 after the timeout and 75 before.",
		Flags: append(append(eventFlags(),
			&cli.IntFlag{Name: "replies", DefaultText: "as many as come, and at least 1", Usage: "how many answers are enough"},
			&cli.DurationFlag{Name: "gap", DefaultText: "until --timeout", Usage: "how long to wait for another answer"},
		), askFlags()...),
		Action: request,
	}
}

// answerTime is how long the agent has for the answers that it has gathered.
const answerTime = 5 * time.Second

func request(c *cli.Context) error {
	e, err := oneEvent(c)
	if err != nil {
		return err
	}
	g := api.Gather{Replies: c.Int("replies"), Gap: c.Duration("gap"), Timeout: c.Duration("timeout")}
	if g.Replies < 0 || g.Gap < 0 {
		return usageError(c, "--replies and --gap: want 0 or more")
	}
	return askLonger(c, answerTime, func(ctx context.Context, agent *api.Client, p *printer) error {
		out, err := agent.Request(ctx, c.Args().First(), e, g)
		if err != nil {
			return err
		}
		if err := printAnswers(p, out); err != nil {
			return err
		}
		if want := max(g.Replies, 1); len(out.Items) < want {
			code := api.TryLater
			if out.End == "timeout" {
				code = api.Timeout
			}
			return &api.Error{Code: code, Detail: tooFew(len(out.Items), want, out)}
		}
		return nil
	})
}

// tooFew says why there are got answers and not want.
func tooFew(got, want int, out api.ChannelAnswers) string {
	if out.Asked == 0 {
		return fmt.Sprintf("%d answers of %d: no node was asked; others have to open the channel, or a program beside this agent to read it", got, want)
	}
	why := map[string]string{
		"all": "all of them have answered or are gone", "gap": "no other answer came for --gap", "timeout": "--timeout was over",
	}[out.End]
	return fmt.Sprintf("%d answers of %d: nodes asked %d, and %s", got, want, out.Asked, cmp.Or(why, "it ended by "+out.End))
}

func printAnswers(p *printer, out api.ChannelAnswers) error {
	if p.json && !p.lines {
		return p.printJSON(out)
	}
	rows := [][]cell{{text("SOURCE"), text("TYPE"), text("DATA")}}
	for _, item := range out.Items {
		var e cloudevents.Event
		if err := json.Unmarshal(item, &e); err != nil {
			return err
		}
		if p.json {
			if err := p.printJSON(e); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []cell{text(e.Text(cloudevents.Source)), text(e.Text(cloudevents.Type)), text(shownData(e))})
	}
	if p.json {
		return nil
	}
	return p.printTable(rows)
}
