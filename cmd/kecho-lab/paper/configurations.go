package paper

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"kecho/channel"
	"kecho/channel/link"
)

// configuration is one way to subscribe to a channel.
type configuration struct {
	what    string
	cfg     channel.SubscriptionConfig
	in      channel.Filter
	handled func(events int) int // calls of the handler
}

// configurations are the plain one and what can be put on it, one at a time.
// TAO's paper (4.4) has a full channel and subsets of it.
func configurations(handled *atomic.Int64) []configuration {
	all := func(events int) int { return events }
	none := func(int) int { return 0 }
	one := func(*channel.Event) { handled.Add(1) }
	some := func([]*channel.Event) { handled.Add(1) }
	either := [][]channel.Match{{{Type: probe}, {Type: "other"}}}
	inline := channel.SubscriptionConfig{Match: channel.Match{Type: probe}, Handler: one, Inline: true}
	with := func(change func(*channel.SubscriptionConfig)) channel.SubscriptionConfig {
		cfg := inline
		change(&cfg)
		return cfg
	}
	return []configuration{
		{"an inline handler", inline, nil, all},
		{"with an IN-filter", inline, keeping(1), all},
		{"with an IN-filter that discards", inline, keeping(0), none},
		{"with a priority", with(func(cfg *channel.SubscriptionConfig) { cfg.Priority = channel.Urgent }), nil, all},
		{"with a watchdog", with(func(cfg *channel.SubscriptionConfig) {
			cfg.Silence, cfg.Elapsed = time.Hour, func(channel.Timeout) {}
		}), nil, all},
		{"with a correlation", channel.SubscriptionConfig{All: either, Together: some, Inline: true}, nil, all},
		{"with a queue", with(func(cfg *channel.SubscriptionConfig) { cfg.Inline = false }), nil, all},
		{"with a queue and a correlation", channel.SubscriptionConfig{All: either, Together: some}, nil, all},
	}
}

// bursts have so many events, few enough for every queue.
const burst = 100

// subset is what an event costs from the link to its handler on a channel that is
// plain, and on channels with more. The first has a node for itself, the others
// share one: who uses nothing pays for nothing that others use.
func subset(ctx context.Context, cfg Config) ([]Line, error) {
	var alone, shared atomic.Int64
	plain := configurations(&alone)[:1]
	first, err := newReplay(ctx, plain, &alone)
	if err != nil {
		return nil, err
	}
	defer first.town.stop()
	rest, err := newReplay(ctx, configurations(&shared), &shared)
	if err != nil {
		return nil, err
	}
	defer rest.town.stop()
	c := contest{lines: []Line{{What: plain[0].what}}}
	for i, k := range rest.kinds {
		what := k.what
		if i == 0 {
			what += ", beside channels with all of the following"
		}
		c.lines = append(c.lines, Line{What: what})
	}
	c.turns = make([][]float64, len(c.lines))
	for range cfg.Turns {
		for k := range c.lines {
			r, i := first, 0
			if k > 0 {
				r, i = rest, k-1
			}
			took, err := r.least(ctx, i, max(1, cfg.Events/burst))
			if err != nil {
				return nil, err
			}
			c.turns[k] = append(c.turns[k], took)
		}
	}
	lines := c.finish()
	for i := range lines {
		lines[i].Of, lines[i].What = "TAO, 4.4", "delivery of an event from the link, "+lines[i].What
	}
	return lines, ctx.Err()
}

// replay gives the second node of a town frames that the first once sent.
type replay struct {
	town    *town
	kinds   []configuration
	frames  [][]byte // of each kind
	handled *atomic.Int64
}

func newReplay(ctx context.Context, kinds []configuration, handled *atomic.Int64) (*replay, error) {
	t, err := newTown(ctx, 2, link.Config{})
	if err != nil {
		return nil, err
	}
	r := &replay{town: t, kinds: kinds, handled: handled}
	for _, k := range kinds {
		if err := r.add(ctx, k); err != nil {
			t.stop()
			return nil, err
		}
	}
	return r, nil
}

// add has a channel for k, and keeps an event of it.
func (r *replay) add(ctx context.Context, k configuration) error {
	on, err := r.town.open(ctx, k.what)
	if err != nil {
		return err
	}
	r.town.heard[1].keep()
	if _, err := on[0].Submit(ctx, channel.Event{Type: probe, Body: make([]byte, 100)}); err != nil {
		return err
	}
	if err := await(ctx, func() error {
		if on[1].Stats().Received == 0 {
			return fmt.Errorf("no event has come on channel %q", k.what)
		}
		return nil
	}); err != nil {
		return err
	}
	r.frames = append(r.frames, r.town.heard[1].kept())
	on[1].SetIn(k.in)
	_, err = on[1].SubscribeWith(k.cfg)
	return err
}

// least is the microseconds of an event of that kind, the least of so many
// bursts: what interrupts only adds.
func (r *replay) least(ctx context.Context, kind, bursts int) (least float64, err error) {
	k, frame := r.kinds[kind], r.frames[kind]
	peer, to := r.town.nodes[0].ID(), r.town.heard[1].receiver()
	for range bursts {
		want := r.handled.Load() + int64(k.handled(burst))
		began := time.Now()
		for range burst {
			if err := to.Receive(peer, began, frame, false); err != nil {
				return 0, err
			}
		}
		for r.handled.Load() < want {
			if time.Since(began) > patience || ctx.Err() != nil {
				return 0, fmt.Errorf("%s: %d events are missing", k.what, want-r.handled.Load())
			}
		}
		if took := float64(time.Since(began)) / 1e3 / burst; least == 0 || took < least {
			least = took
		}
	}
	return least, nil
}
