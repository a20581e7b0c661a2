package paper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"kecho/channel"
	"kecho/channel/link"
	"kecho/filters"
)

// What the KECho paper's filters leave of 8 sinks.
var cuts = []struct {
	what string
	left int
}{{"to all of 8 sinks", 8}, {"filtered to 1 of 8", 1}, {"filtered to none", 0}}

// paperFigure7 is the paper's microseconds, and the goals the shares of the
// unfiltered that they are.
var paperFigure7 = map[channel7][3]float64{inward: {950, 312, 200}, outward: {430, 156, 56}}

type channel7 string

const (
	inward  channel7 = "IN-filter, handling"
	outward channel7 = "OUT-filter, submitting"
)

// figure7 is what filters save where events arrive, and where they are submitted.
func figure7(ctx context.Context, cfg Config) ([]Line, error) {
	handling, err := figure7in(ctx, cfg)
	if err != nil || cfg.Process == nil {
		return handling, err
	}
	submitting, err := figure7out(ctx, cfg)
	return append(handling, submitting...), err
}

// figure7in times handling on a node with 8 subscriptions.
func figure7in(ctx context.Context, cfg Config) (lines []Line, err error) {
	t, err := newTown(ctx, 2, link.Config{})
	if err != nil {
		return nil, err
	}
	defer t.stop()
	file, err := os.CreateTemp("", "kecho-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	in, err := t.open(ctx, "in")
	if err != nil {
		return nil, err
	}
	if err := subscribe8(in[1], file); err != nil {
		return nil, err
	}
	return measure7(ctx, cfg, inward, in[1].SetIn, func(n int) ([]time.Duration, error) {
		t.heard[1].collect(true)
		if _, err := submit(ctx, in[0], n, 0); err != nil {
			return nil, err
		}
		var took []time.Duration
		err := await(ctx, func() error {
			if took = append(took, t.heard[1].collect(true)...); len(took) < n {
				return fmt.Errorf("%d events of %d have come", len(took), n)
			}
			return nil
		})
		t.heard[1].collect(false)
		return took, err
	})
}

// figure7out times Submit to 8 nodes, each a process.
func figure7out(ctx context.Context, cfg Config) ([]Line, error) {
	t, err := newTown(ctx, 1, link.Config{})
	if err != nil {
		return nil, err
	}
	defer t.stop()
	out, err := t.nodes[0].Open(outName)
	if err != nil {
		return nil, err
	}
	sinks, err := startSinks(ctx, cfg.Process, t, out, 8)
	if err != nil {
		return nil, err
	}
	defer stopAll(sinks)
	return measure7(ctx, cfg, outward, out.SetOut, func(n int) ([]time.Duration, error) { return submit(ctx, out, n, apart) })
}

// subscribe8 has handling be what it was in the paper: the event is copied into a
// buffer, and the time is printed into a file.
func subscribe8(c *channel.Channel, file *os.File) error {
	var buffer, line []byte
	for range 8 {
		if _, err := c.SubscribeInline(channel.Match{Type: probe}, func(e *channel.Event) {
			buffer = append(buffer[:0], e.Body...)
			line = append(time.Now().AppendFormat(line[:0], time.RFC3339Nano), '\n')
			file.Write(line) // what it says is nobody's
		}); err != nil {
			return err
		}
	}
	return nil
}

// measure7 measures each cut in turns.
func measure7(ctx context.Context, cfg Config, side channel7, set func(channel.Filter), run func(n int) ([]time.Duration, error)) ([]Line, error) {
	paper := paperFigure7[side]
	c := contest{turns: make([][]float64, len(cuts))}
	for k, cut := range cuts {
		l := Line{Of: "KECho, Figure 7", What: fmt.Sprintf("%s %s", side, cut.what), Paper: fmt.Sprintf("%.0f us", paper[k])}
		if k > 0 {
			l.Goal = goal7(side, k)
			l.Paper += fmt.Sprintf(", %.2f", l.Goal)
		}
		c.lines = append(c.lines, l)
	}
	for range cfg.Turns {
		for k, cut := range cuts {
			set(keeping(cut.left))
			took, err := run(cfg.Events)
			if err != nil {
				return nil, err
			}
			c.turns[k] = append(c.turns[k], medianOf(took))
		}
	}
	set(nil)
	return c.finish(), ctx.Err()
}

// goal7 is the share that the paper's filter leaves, to two places.
func goal7(side channel7, k int) float64 {
	paper := paperFigure7[side]
	return math.Round(100*paper[k]/paper[0]) / 100
}

// keeping is a filter of a few comparisons, as the paper's are; of 8 there is
// none.
func keeping(left int) channel.Filter {
	if left == 8 {
		return nil
	}
	return func(e *channel.Event, sinks []channel.Sink) []channel.Sink {
		if e.Type != probe || e.Priority == channel.Urgent {
			return sinks
		}
		if load, ok := filters.Load.In(e.From); ok && load > 1 {
			return sinks[:0]
		}
		return sinks[:min(left, len(sinks))]
	}
}

// probe is the type of the events.
const probe channel.Type = "probe"

// apart is between two events that are no stream.
const apart = 250 * time.Microsecond

// submit submits n events of 100 bytes, one at a time or, if nothing is between two,
// a stream of bulk, and is how long each Submit took. An event that a filter left
// nobody for is no error.
func submit(ctx context.Context, c *channel.Channel, n int, apart time.Duration) ([]time.Duration, error) {
	took, e := make([]time.Duration, 0, n), channel.Event{Type: probe, Body: make([]byte, 100)}
	if apart == 0 {
		e.Priority = channel.Bulk // it waits for room
	}
	for range n {
		began := time.Now()
		_, err := c.Submit(ctx, e)
		took = append(took, time.Since(began))
		if err != nil && !errors.Is(err, channel.ErrNoSink) {
			return nil, err
		}
		for time.Since(began) < apart { // a timer would be a millisecond late
		}
	}
	return took, nil
}
