package paper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kecho/channel"
	"kecho/channel/link"
)

// table1 is what channels cost: to make, to open to others, to submit on, and
// to be delivered from.
func table1(ctx context.Context, cfg Config) ([]Line, error) {
	t, err := newTown(ctx, 2, link.Config{})
	if err != nil {
		return nil, err
	}
	defer t.stop()
	work, err := t.open(ctx, "work")
	if err != nil {
		return nil, err
	}
	steps := []struct {
		line Line
		run  func() ([]time.Duration, error)
	}{
		{Line{What: "channel creation", Paper: "850 us in ECho, 170 in KECho", Goal: 170}, func() ([]time.Duration, error) { return creating(t.nodes[0], cfg.Events/10) }},
		{Line{What: "channel opening, until a running peer's first event is handled", Paper: "about 1.5 s", Goal: 1.5e6}, func() ([]time.Duration, error) { return opening(ctx, t, cfg.Events/10) }},
		{Line{What: "submission, to 1 sink", Paper: "100 us in ECho, 85 in KECho", Goal: 85}, func() ([]time.Duration, error) { return submit(ctx, work[0], cfg.Events, apart) }},
		{Line{What: "delivery without polling, from submit to handler", Paper: "250 to 300 us from the socket alone", Goal: 250}, func() ([]time.Duration, error) { return delivering(ctx, work, cfg.Events) }},
	}
	lines := make([]Line, len(steps))
	for i, s := range steps {
		var medians []float64
		for range cfg.Turns {
			took, err := s.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.line.What, err)
			}
			medians = append(medians, medianOf(took))
		}
		lines[i] = s.line
		lines[i].Of, lines[i].Took = "KECho, Table 1", middle(medians)
	}
	return lines, ctx.Err()
}

func creating(n *channel.Node, times int) (took []time.Duration, err error) {
	for i := range times {
		name := fmt.Sprint("new ", i)
		began := time.Now()
		c, err := n.Open(name)
		took = append(took, time.Since(began))
		if err != nil {
			return nil, err
		}
		c.Close()
	}
	return took, nil
}

// opening has the second node open a channel that the first has open, and submits
// on until it has a sink.
func opening(ctx context.Context, t *town, times int) (took []time.Duration, err error) {
	near, err := t.nodes[0].Open("opening")
	if err != nil {
		return nil, err
	}
	defer near.Close()
	for range times {
		arrived := make(chan time.Time, 1)
		began := time.Now()
		far, err := t.nodes[1].Open("opening")
		if err != nil {
			return nil, err
		}
		if _, err := far.SubscribeInline(channel.Match{Type: probe}, func(*channel.Event) { arrived <- time.Now() }); err != nil {
			return nil, err
		}
		for err = channel.ErrNoSink; errors.Is(err, channel.ErrNoSink) && time.Since(began) < patience; {
			_, err = near.Submit(ctx, channel.Event{Type: probe})
		}
		if err != nil {
			return nil, err
		}
		select {
		case at := <-arrived:
			took = append(took, at.Sub(began))
		case <-time.After(patience):
			return nil, fmt.Errorf("nothing arrived on a channel that was opened %v ago", patience)
		}
		far.Close()
		if err := sinks(ctx, near, 0); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// delivering submits when the event before was handled.
func delivering(ctx context.Context, work []*channel.Channel, times int) (took []time.Duration, err error) {
	arrived := make(chan time.Time, 1)
	s, err := work[1].SubscribeInline(channel.Match{Type: "delivery"}, func(*channel.Event) { arrived <- time.Now() })
	if err != nil {
		return nil, err
	}
	defer s.Close()
	body := make([]byte, 100)
	for range times {
		began := time.Now()
		if _, err := work[0].Submit(ctx, channel.Event{Type: "delivery", Body: body}); err != nil {
			return nil, err
		}
		select {
		case at := <-arrived:
			took = append(took, at.Sub(began))
		case <-time.After(patience):
			return nil, fmt.Errorf("an event was not handled within %v", patience)
		}
		time.Sleep(time.Until(began.Add(apart)))
	}
	return took, nil
}
