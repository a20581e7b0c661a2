package channel

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Channel is one event channel as this node has it open. Its methods may be
// called by any goroutine.
type Channel struct {
	name   string
	node   *Node
	noSink error // ErrNoSink with the channel's name
	in     atomic.Pointer[Filter]
	out    atomic.Pointer[Filter]
	remote atomic.Pointer[[]*peer] // the nodes that have it open, ordered by id
	subs   table
	count  counters

	requests requests // of this node that wait for answers
	closed   atomic.Bool

	idle atomic.Bool // nobody here wants its events: see interest; changed under mu

	mu       sync.Mutex
	watchers []*watcher // guarded by mu
	total    int        // subscriptions; guarded by mu
	live     int        // of them not suspended; guarded by mu
}

// Name is what the channel was opened as.
func (c *Channel) Name() string { return c.name }

// NextID draws the id of an event that is submitted later, for who must know
// it before the answers come.
func (c *Channel) NextID() ID { return c.node.nextID() }

// SetOut replaces the OUT-filter, at once and while events flow: each event
// sees the old one or the new one. Nil: every sink gets everything.
func (c *Channel) SetOut(f Filter) { c.out.Store(stored(f)) }

// SetIn replaces the IN-filter like SetOut.
func (c *Channel) SetIn(f Filter) { c.in.Store(stored(f)) }

func stored(f Filter) *Filter {
	if f == nil {
		return nil
	}
	return &f
}

// scratch is what one Submit needs, kept for the next.
type scratch struct {
	event Event
	sinks []Sink
	attrs Attrs
	from  []byte
	frame []byte
	posting
}

// posting is what Request and Reply have Submit do beside.
type posting struct {
	to    NodeID     // only to this node, which has asked; zero: to the sinks
	asked *gathering // is told who is asked; nil: nobody
}

// Submit stamps e and sends it to every sink that the OUT-filter leaves. It
// returns the event's id, also together with an error.
//
// Normal and urgent events never wait; bulk ones wait for room in the links'
// queues until ctx or the deadline ends. The error is nil when at least one
// sink took the event; ErrNoSink when there was none, else what the links
// said: ErrQueueFull, ErrNoLink. Whether it arrived is not known: delivery is
// at most once. e.Attrs and e.Body are the caller's again when Submit returns.
func (c *Channel) Submit(ctx context.Context, e Event) (ID, error) {
	if e.ID.IsZero() {
		e.ID = c.node.nextID()
	}
	return e.ID, c.post(ctx, &e, posting{})
}

// post submits *e, which it copies.
func (c *Channel) post(ctx context.Context, e *Event, p posting) error {
	if c.closed.Load() || c.node.stopped.Load() {
		return fmt.Errorf("submit on channel %q: %w", c.name, ErrClosed)
	}
	if err := c.node.check(e); err != nil {
		return fmt.Errorf("submit on channel %q: %w", c.name, err)
	}
	s := c.node.scratch.Get().(*scratch)
	s.event, s.posting = *e, p
	err := c.submit(ctx, s)
	s.event, s.posting = Event{}, posting{}
	clear(s.sinks[:cap(s.sinks)])
	c.node.scratch.Put(s)
	if err == ErrNoSink {
		return c.noSink // made once: a filter that discards should cost nothing
	}
	if err != nil {
		err = fmt.Errorf("submit on channel %q: %w", c.name, err)
	}
	return err
}

// check refuses what peers would refuse.
func (n *Node) check(e *Event) error {
	switch {
	case e.Type == "" || len(e.Type) > MaxName:
		return fmt.Errorf("event type %.80q: want 1 to %d bytes", e.Type, MaxName)
	case e.Priority < Bulk || e.Priority > Urgent:
		return fmt.Errorf("priority %d: want Urgent, Normal or Bulk", e.Priority)
	case len(e.Body) > MaxBody:
		return fmt.Errorf("body of %d bytes, at most %d: %w", len(e.Body), MaxBody, ErrTooLarge)
	case !e.ID.IsZero() && e.ID.Source != n.id:
		return fmt.Errorf("event id %v is not of this node: draw it with NextID", e.ID)
	}
	return checkAttrs(e.Attrs)
}

func (c *Channel) submit(ctx context.Context, s *scratch) error {
	e := &s.event
	var left time.Duration
	if !e.Deadline.IsZero() {
		if left = time.Until(e.Deadline); left < time.Microsecond {
			c.count.late.Add(1)
			return context.DeadlineExceeded
		}
	}
	c.count.submitted.Add(1)
	s.from, s.attrs = c.node.desc.appendTo(s.from[:0], s.attrs[:0])
	e.From = s.attrs
	sinks := c.pickSinks(s)
	if len(sinks) == 0 {
		c.count.noSink.Add(1)
		return ErrNoSink
	}
	if slices.ContainsFunc(sinks, func(s Sink) bool { return !s.Local }) {
		s.frame = appendEnvelope(s.frame[:0], c.name, e, left, s.from)
		if head := len(s.frame) - len(e.Body); head > MaxHead {
			return fmt.Errorf("head of %d bytes, at most %d: %w", head, MaxHead, ErrTooLarge)
		}
	}
	if s.asked != nil {
		s.asked.expect(sinks)
	}
	return c.send(ctx, s, sinks)
}

// pickSinks is who gets the event: who the OUT-filter leaves, or who has asked.
func (c *Channel) pickSinks(s *scratch) []Sink {
	if s.to != 0 {
		s.sinks = append(s.sinks[:0], Sink{Node: s.to, Local: s.to == c.node.id})
		return s.sinks
	}
	s.sinks = c.appendSinks(s.sinks[:0], s.attrs, &s.event)
	if out := c.out.Load(); out != nil {
		return c.count.out.run(*out, &s.event, s.sinks)
	}
	return s.sinks
}

// appendSinks appends who could get e: the nodes that have the channel open,
// and this one when somebody here subscribes to what e is.
func (c *Channel) appendSinks(sinks []Sink, self Attrs, e *Event) []Sink {
	for _, p := range *c.remote.Load() {
		sinks = append(sinks, c.sink(p))
	}
	if c.subs.any(e.Type, c.node.id) {
		sinks = append(sinks, Sink{Node: c.node.id, Local: true, Attrs: self, Heard: time.Now()})
	}
	return sinks
}

// send gives the event to each of sinks, this node last: its handlers may
// submit what answers the event, and nobody should see that first.
func (c *Channel) send(ctx context.Context, s *scratch, sinks []Sink) error {
	e := &s.event
	if e.Priority == Bulk && !e.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, e.Deadline)
		defer cancel()
	}
	taken, local := 0, false
	var errs []error
	for i := range sinks {
		if sinks[i].Local {
			local = true
			continue
		}
		if err := c.node.links.Send(ctx, sinks[i].Node, e.Priority, e.Deadline, s.frame); err != nil {
			c.count.unsent.Add(1)
			errs = append(errs, err)
			if s.asked != nil {
				s.asked.unsent(sinks[i].Node)
			}
			continue
		}
		taken++
		c.count.sent.Add(1)
		c.count.bytesOut.Add(uint64(len(s.frame)))
	}
	if local {
		taken++
		if s.to != 0 {
			c.answered(e)
			return nil
		}
		c.subs.each(e.Type, e.ID.Source, func(sub *Subscription) { sub.deliver(e) })
	}
	if taken > 0 {
		return nil
	}
	return errors.Join(errs...)
}

// receive is Submit's other end: an event has come from p, whose reader this
// is.
func (c *Channel) receive(p *peer, e *Event, size int) {
	c.count.received.Add(1)
	c.count.bytesIn.Add(uint64(size))
	if e.Re.asks() && e.Re.Source == c.node.id {
		c.answered(e)
		return
	}
	in := c.in.Load()
	if in == nil {
		c.subs.each(e.Type, p.id, func(sub *Subscription) { sub.deliver(e) })
		return
	}
	p.sinks = p.sinks[:0]
	now := c.node.start.Add(time.Duration(p.heard.Load()))
	c.subs.each(e.Type, p.id, func(sub *Subscription) {
		p.sinks = append(p.sinks, Sink{Node: c.node.id, Local: true, Heard: now, sub: sub})
	})
	if len(p.sinks) == 0 {
		return
	}
	left := c.count.in.run(*in, e, p.sinks)
	if len(left) == 0 {
		c.count.filtered.Add(1)
	}
	for i := range left {
		if sub := left[i].sub; sub != nil { // nil: of the filter's own making
			sub.deliver(e)
		}
	}
}

// Sinks is the nodes that have the channel open now, without this one.
func (c *Channel) Sinks() iter.Seq[Sink] {
	return func(yield func(Sink) bool) {
		for _, p := range *c.remote.Load() {
			if !yield(c.sink(p)) {
				return
			}
		}
	}
}

func (c *Channel) sink(p *peer) Sink {
	return Sink{Node: p.id, Attrs: p.desc.Load().attrs, Heard: c.node.start.Add(time.Duration(p.heard.Load()))}
}

// Close closes the channel on this node: peers are told, subscriptions and
// watches end, submits fail with ErrClosed. It does not wait for handlers that
// are under way.
func (c *Channel) Close() {
	if c.closed.Swap(true) {
		return
	}
	c.node.remove(c)
	c.remote.Store(new([]*peer))
	c.endWatches()
	c.requests.close()
	c.subs.clear()
}
