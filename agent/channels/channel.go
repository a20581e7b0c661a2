package channels

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"kecho/agent/cloudevents"
	"kecho/agent/news"
	"kecho/channel"
)

// MaxRate is how many events a second one channel takes from here: it is there
// so that a publisher without an end leaves room for others.
const MaxRate = 20000

const (
	keptEvents  = 1024
	keptBytes   = 1 << 20
	queueEvents = 256
	fastPause   = 10 * time.Millisecond // of a publisher that is too fast
)

// Channel is one open channel of an application.
type Channel struct {
	channel *channel.Channel
	shelf   shelf
	sub     atomic.Pointer[channel.Subscription]
	missed  uint64 // of sub's drops, told to the log; owned by the handler
	held    bool   // guarded by Table.mu
	shared  bool   // a gateway has it open too
	refused atomic.Uint64
	types   []string // that are kept; nil: all

	mu     sync.Mutex
	budget float64   // events that may be published now; guarded by mu
	since  time.Time // when budget was that; guarded by mu
}

func newChannel(opened *channel.Channel, node channel.NodeID, k Keep) (*Channel, error) {
	c := &Channel{channel: opened, types: k.Types, budget: MaxRate, since: time.Now()}
	c.shelf = shelf{
		idle: k.Idle, left: time.Now(), done: make(chan struct{}),
		fresh: func() *news.Log {
			return news.New(news.Config{
				ID:   fmt.Sprintf("%v.%d", node, opened.NextID().Seq),
				Kept: keptEvents, Largest: keptBytes, Bytes: keptBytes,
			})
		},
		suspend: func() { c.sub.Load().Suspend() },
		resume:  func() { c.sub.Load().Resume() },
	}
	c.shelf.log = c.shelf.fresh()
	cfg := channel.SubscriptionConfig{
		Handler: c.keep, Queue: queueEvents, QueueBytes: keptBytes, WhenFull: channel.DropOldest,
	}
	if len(k.Types) > 0 {
		kept := channel.Interest{}
		for _, typ := range k.Types {
			kept.Terms = append(kept.Terms, channel.Match{Type: channel.Type(typ)})
		}
		cfg.Interests = []channel.Interest{kept}
	}
	if k.Idle > 0 {
		cfg.Every, cfg.Elapsed = k.Idle, func(channel.Timeout) { c.shelf.rest() }
	}
	sub, err := opened.SubscribeWith(cfg)
	c.sub.Store(sub)
	return c, err
}

// keep puts an event into the log.
func (c *Channel) keep(e *channel.Event) {
	log := c.shelf.logNow()
	if sub := c.sub.Load(); sub != nil { // nil: it comes before SubscribeWith has returned
		s := sub.Stats()
		if dropped := s.Displaced + s.Refused; dropped > c.missed {
			log.Miss(dropped - c.missed)
			c.missed = dropped
		}
	}
	event := fromChannel(e)
	log.AddFrom(event.Text(cloudevents.Source), string(e.Type), event)
}

// Log is the channel's last events, as JSON CloudEvents; it ends when the
// channel is closed. Of an idle one it is another each time that it was idle:
// who follows it enters first.
func (c *Channel) Log() *news.Log { return c.shelf.logNow() }

// Done is closed when the channel is, or the table has ended.
func (c *Channel) Done() <-chan struct{} { return c.shelf.done }

// Sinks is how many other nodes have the channel open.
func (c *Channel) Sinks() int {
	n := 0
	for range c.channel.Sinks() {
		n++
	}
	return n
}

// Publish submits the events in order. The error is ErrFast, or says what one
// of them has that a channel's event cannot have (ErrEvent, ErrLarge), and then
// none was submitted; or it is that of Channel.Submit. That nobody else is there
// is no error.
func (c *Channel) Publish(ctx context.Context, events []cloudevents.Event) ([]channel.ID, error) {
	all, err := toChannels(events)
	if err != nil {
		return nil, err
	}
	if !c.take(len(all)) {
		c.refused.Add(uint64(len(all)))
		return nil, ErrFast
	}
	return c.submitAll(ctx, all)
}

// PublishInTurn is Publish of one event that waits while it would be too fast,
// until ctx is done.
func (c *Channel) PublishInTurn(ctx context.Context, event cloudevents.Event) (channel.ID, error) {
	all, err := toChannels([]cloudevents.Event{event})
	if err != nil {
		return channel.ID{}, err
	}
	for !c.take(1) {
		select {
		case <-time.After(fastPause):
		case <-ctx.Done():
			c.refused.Add(1)
			return channel.ID{}, ErrFast
		}
	}
	ids, err := c.submitAll(ctx, all)
	if err != nil {
		return channel.ID{}, err
	}
	return ids[0], nil
}

func toChannels(events []cloudevents.Event) ([]channel.Event, error) {
	all := make([]channel.Event, len(events))
	for i, e := range events {
		var err error
		if all[i], err = toChannel(e); err != nil {
			return nil, fmt.Errorf("%s%w", ofMany(i, len(events)), err)
		}
	}
	return all, nil
}

// ofMany names the event i of n for an error, when there are several.
func ofMany(i, n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf("event %d of %d: ", i+1, n)
}

// submitAll submits events in order, until one is not taken.
func (c *Channel) submitAll(ctx context.Context, all []channel.Event) ([]channel.ID, error) {
	ids := make([]channel.ID, len(all))
	for i, e := range all {
		id, err := c.submit(ctx, e)
		switch {
		case errors.Is(err, channel.ErrTooLarge):
			return ids[:i], fmt.Errorf("%s%w: %w", ofMany(i, len(all)), ErrLarge, err)
		case errors.Is(err, channel.ErrNoLink) && asks(e.Re):
			return ids[:i], fmt.Errorf("%s%w", ofMany(i, len(all)), ErrGone)
		case errors.Is(err, channel.ErrQueueFull):
			return ids[:i], fmt.Errorf("%s%w: %w", ofMany(i, len(all)), ErrFull, err)
		case err != nil && !errors.Is(err, channel.ErrNoSink): // a filter has left nobody
			return ids[:i], fmt.Errorf("%s%w", ofMany(i, len(all)), err)
		}
		ids[i] = id
	}
	return ids, nil
}

// submit submits an event, or gives it to who asked for it.
func (c *Channel) submit(ctx context.Context, e channel.Event) (channel.ID, error) {
	if asks(e.Re) {
		return c.channel.Reply(ctx, &channel.Event{ID: e.Re}, e)
	}
	return c.channel.Submit(ctx, e)
}

// asks reports whether the event of that ID is a request.
func asks(id channel.ID) bool { return (&channel.Event{ID: id}).Asks() }

// take takes n events from what may be published now, if there is that much.
func (c *Channel) take(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.budget = min(MaxRate, c.budget+MaxRate*now.Sub(c.since).Seconds())
	c.since = now
	if float64(n) > c.budget {
		return false
	}
	c.budget -= float64(n)
	return true
}

func (c *Channel) close() {
	if c.shared {
		c.sub.Load().Close()
	} else {
		c.channel.Close()
	}
	c.shelf.end()
}
