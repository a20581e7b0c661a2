package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

func watchCommand() *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "gauges as they change, a line a change, until interrupted", ArgsUsage: "[NAME...]",
		Flags: append([]cli.Flag{
			&cli.DurationFlag{Name: "every", Value: time.Second, Usage: "how often to look"},
			&cli.DurationFlag{Name: "for", DefaultText: "until interrupted", Usage: "how long to look"},
		}, askFlags()...),
		Action: watchGauges,
	}
}

func watchGauges(c *cli.Context) error {
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	p.lines = p.json // a stream has no end to indent to
	agent, err := api.New(c.String("api"))
	if err != nil {
		return usageError(c, "--api: %v", err)
	}
	every, patience := c.Duration("every"), c.Duration("timeout")
	if every < 10*time.Millisecond || patience <= 0 {
		return usageError(c, "want --every of 10ms at least, and --timeout above 0")
	}
	ctx := c.Context
	w := watcher{p: p, names: c.Args().Slice(), seen: make(map[string]string)}
	for first := true; ; first = false {
		if err := w.look(ctx, agent, patience); err != nil || ctx.Err() != nil {
			if ctx.Err() != nil {
				return nil // it was to end now
			}
			return err
		}
		if d := c.Duration("for"); first && d > 0 { // however late the first answer is, it is shown
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

// watcher prints gauges that have changed.
type watcher struct {
	p     *printer
	names []string          // those to watch; none: all
	seen  map[string]string // values, as they were printed
}

// change is a line of JSON of `gauge watch`.
type change struct {
	Time  time.Time `json:"time"`
	Name  string    `json:"name"`
	Value *float64  `json:"value"`
}

func (w *watcher) look(ctx context.Context, agent *api.Client, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := agent.Gauges(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	var errs []error
	for _, g := range all {
		shown := value(g.Value).text
		if w.seen[g.Name] == shown || len(w.names) > 0 && !slices.Contains(w.names, g.Name) {
			continue
		}
		w.seen[g.Name] = shown
		if w.p.json {
			errs = append(errs, w.p.printJSON(change{Time: now, Name: g.Name, Value: g.Value}))
			continue
		}
		_, err := io.WriteString(w.p.out, fmt.Sprintf("%s  %-24s %s\n", now.Format("15:04:05.000"), clean(g.Name), shown))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
