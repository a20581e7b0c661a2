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
)

// Channel is one open channel of an application.
type Channel struct {
	channel *channel.Channel
	log     *news.Log
	sub     atomic.Pointer[channel.Subscription]
	missed  uint64 // of sub's drops, told to the log; owned by the handler
	held    bool   // guarded by Table.mu

	mu     sync.Mutex
	budget float64   // events that may be published now; guarded by mu
	since  time.Time // when budget was that; guarded by mu
}

func newChannel(opened *channel.Channel, node channel.NodeID) (*Channel, error) {
	c := &Channel{channel: opened, budget: MaxRate, since: time.Now()}
	// Each opening has a log of its own: who comes back after a Close has
	// missed something.
	c.log = news.New(news.Config{
		ID:   fmt.Sprintf("%v.%d", node, opened.NextID().Seq),
		Kept: keptEvents, Largest: keptBytes, Bytes: keptBytes,
	})
	sub, err := opened.SubscribeWith(channel.SubscriptionConfig{
		Handler: c.keep, Queue: queueEvents, QueueBytes: keptBytes, WhenFull: channel.DropOldest,
	})
	c.sub.Store(sub)
	return c, err
}

// keep puts an event into the log.
func (c *Channel) keep(e *channel.Event) {
	if sub := c.sub.Load(); sub != nil { // nil: it comes before SubscribeWith has returned
		s := sub.Stats()
		if dropped := s.Displaced + s.Refused; dropped > c.missed {
			c.log.Miss(dropped - c.missed)
			c.missed = dropped
		}
	}
	c.log.Add(string(e.Type), fromChannel(e))
}

// Log is the channel's last events, as JSON CloudEvents; it ends when the
// channel is closed.
func (c *Channel) Log() *news.Log { return c.log }

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
	all := make([]channel.Event, len(events))
	for i, e := range events {
		var err error
		if all[i], err = toChannel(e); err != nil {
			return nil, fmt.Errorf("event %d of %d: %w", i+1, len(events), err)
		}
	}
	if !c.take(len(all)) {
		return nil, ErrFast
	}
	ids := make([]channel.ID, len(all))
	for i, e := range all {
		id, err := c.channel.Submit(ctx, e)
		switch {
		case errors.Is(err, channel.ErrTooLarge):
			return ids[:i], fmt.Errorf("event %d of %d: %w: %w", i+1, len(all), ErrLarge, err)
		case errors.Is(err, channel.ErrQueueFull):
			return ids[:i], fmt.Errorf("event %d of %d: %w: %w", i+1, len(all), ErrFull, err)
		case err != nil && !errors.Is(err, channel.ErrNoSink): // a filter has left nobody
			return ids[:i], fmt.Errorf("event %d of %d: %w", i+1, len(all), err)
		}
		ids[i] = id
	}
	return ids, nil
}

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
	c.channel.Close()
	c.log.Close()
}
