package channel

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// Channel is one event channel as this node has it open. Its methods may be
// called by any goroutine.
type Channel struct {
	name   string
	node   *Node
	share  uint8 // see Handling; set by Node.add
	noSink error // ErrNoSink with the channel's name
	in     atomic.Pointer[Filter]
	out    atomic.Pointer[Filter]
	remote atomic.Pointer[[]*peer] // the nodes that have it open, ordered by id
	subs   table
	count  counters

	requests requests // of this node that wait for answers
	closed   atomic.Bool

	askers askers      // of requests from other clusters
	seen   seen        // of events from other clusters
	asked  atomic.Bool // somebody asks what this node wants of it; changed under Node.mu
	idle   atomic.Bool // nobody here wants its events: see interest; changed under mu

	mu       sync.Mutex
	watchers []*watcher // guarded by mu
	total    int        // subscriptions; guarded by mu
	live     int        // of them not suspended; guarded by mu

	curious   []*interestWatcher      // copied on write; guarded by Node.mu
	bringers  map[*Bringer][]Interest // guarded by Node.mu
	toldPeers interest                // owned by Node.tellInterests
	untold    []NodeID                // of them those whose links had no room; owned by Node.tellInterests
}

// Name is what the channel was opened as.
func (c *Channel) Name() string { return c.name }

// Node is who this node is.
func (c *Channel) Node() NodeID { return c.node.id }

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
	sinks []Sink   // what an OUT-filter chooses from
	nodes []NodeID // the other nodes that get the event
	attrs Attrs
	from  []byte
	frame []byte
	posting
}

// posting is what Request, Reply and Forward have Submit do beside.
type posting struct {
	to        NodeID     // only to this node, which has asked; zero: to the sinks
	asked     *gathering // is told who is asked; nil: nobody
	forwarded bool       // it came from another cluster
	had       bool       // and this node has had it by another way
}

// Submit stamps e and sends it to every sink that the OUT-filter leaves. It
// returns the event's id, also together with an error.
//
// Normal and urgent events never wait: a link whose queue is full does not get
// them. Bulk ones wait for room in the links' queues, after all links that have
// room have got them, until each has taken the event or has ended. So one node that
// does not read holds up who submits bulk, until ctx is done or the event's
// Deadline passes: give either, or submit it as Normal. There is no other choice
// of what a link's queue does when it is full; that of a subscription
// (SubscriptionConfig.WhenFull) is about its own queue, at the other end. The
// error is nil when at least one sink took the event, whoever else did not
// (Stats.Unsent); ErrNoSink when there was none, else what the links said:
// ErrQueueFull, ErrNoLink, or why ctx was done. Whether it arrived is not known: delivery is
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
	err := checkEvent(e)
	if err == nil && !p.forwarded {
		err = c.node.checkOwn(e)
	}
	if err != nil {
		return fmt.Errorf("submit on channel %q: %w", c.name, err)
	}
	s := c.node.scratch.Get().(*scratch)
	s.event, s.posting = *e, p
	err = c.submit(ctx, s)
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

// checkEvent refuses what peers would refuse.
func checkEvent(e *Event) error {
	switch {
	case e.Type == "" || len(e.Type) > MaxName:
		return fmt.Errorf("event type %.80q: want 1 to %d bytes", e.Type, MaxName)
	case e.Priority < Bulk || e.Priority > Urgent:
		return fmt.Errorf("priority %d: want Urgent, Normal or Bulk", e.Priority)
	case len(e.Body) > MaxBody:
		return fmt.Errorf("body of %d bytes, at most %d: %w", len(e.Body), MaxBody, ErrTooLarge)
	}
	return checkAttrs(e.Attrs)
}

// checkOwn refuses what another node has submitted.
func (n *Node) checkOwn(e *Event) error {
	switch {
	case !e.ID.IsZero() && e.ID.Source != n.id:
		return fmt.Errorf("event id %v is not of this node: draw it with NextID", e.ID)
	case e.Path != nil:
		return errors.New("it has a path: what comes from another cluster is for Forward")
	}
	return nil
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
	if s.forwarded {
		s.from = appendPairs(appendArrayHeader(s.from[:0], 2*len(e.From)), e.From)
	} else {
		e.From = s.attrs
	}
	local := c.pick(s)
	if len(s.nodes) == 0 && !local {
		c.count.noSink.Add(1)
		return ErrNoSink
	}
	if len(s.nodes) > 0 {
		s.frame = appendEnvelope(s.frame[:0], c.name, e, left, s.from)
		if head := len(s.frame) - len(e.Body); head > MaxHead {
			return fmt.Errorf("head of %d bytes, at most %d: %w", head, MaxHead, ErrTooLarge)
		}
	}
	if s.asked != nil {
		s.asked.expect(s.nodes...)
		switch {
		case local && s.asked.others:
			s.asked.admit(c.node.id)
		case local:
			s.asked.expect(c.node.id)
		}
	}
	return c.send(ctx, s, local)
}

// pick puts who gets the event into s.nodes and reports whether this node does:
// who the OUT-filter leaves, or who has asked. Without a filter nothing is made
// for one to look at.
func (c *Channel) pick(s *scratch) (local bool) {
	s.nodes = s.nodes[:0]
	if s.to != 0 {
		if s.to == c.node.id {
			return true
		}
		s.nodes = append(s.nodes, s.to)
		return false
	}
	out := c.out.Load()
	if out == nil {
		for _, p := range *c.remote.Load() {
			if !s.forwarded || p.told.wants(c.name, &s.event) {
				s.nodes = append(s.nodes, p.id)
			}
		}
		return c.here(s)
	}
	s.sinks = c.appendSinks(s)
	for _, sink := range c.count.out.run(*out, &s.event, s.sinks) {
		if sink.Local {
			local = true
		} else {
			s.nodes = append(s.nodes, sink.Node)
		}
	}
	return local
}

// appendSinks is who could get the event: the nodes that have the channel open,
// or, of an event from another cluster, those that want it, and this one when
// somebody here subscribes to what it is.
func (c *Channel) appendSinks(s *scratch) []Sink {
	sinks := s.sinks[:0]
	for _, p := range *c.remote.Load() {
		if !s.forwarded || p.told.wants(c.name, &s.event) {
			sinks = append(sinks, c.sink(p))
		}
	}
	if c.here(s) {
		sinks = append(sinks, Sink{Node: c.node.id, Local: true, Attrs: s.attrs, Heard: time.Now()})
	}
	return sinks
}

// here reports whether somebody here subscribes to what the event is, and has not
// had it.
func (c *Channel) here(s *scratch) bool {
	return !s.had && c.subs.any(s.event.Type, s.event.ID.Source)
}

// receive is Submit's other end: an event has come from p, whose reader this
// is.
func (c *Channel) receive(p *peer, e *Event, size int, more bool) {
	p.tally.receive(c, size, more)
	if e.Re.asks() {
		c.answered(e, p.id)
		return
	}
	if e.Asks() && !c.takeRequest(p, e) {
		return
	}
	found := p.way.find(c, e)
	in := c.in.Load()
	if in == nil && !e.Asks() {
		if only := p.way.only; only == nil {
			c.subs.eachOf(found, e.Type, e.ID.Source, func(sub *Subscription) { sub.deliver(e) })
		} else if only.hears() {
			p.tally.deliver(only, more)
			only.cfg.Handler(e)
		}
		return
	}
	p.sinks = p.sinks[:0]
	now := c.node.start.Add(time.Duration(p.heard.Load()))
	c.subs.eachOf(found, e.Type, e.ID.Source, func(sub *Subscription) {
		p.sinks = append(p.sinks, Sink{Node: c.node.id, Local: true, Heard: now, sub: sub})
	})
	if len(p.sinks) == 0 {
		return
	}
	left := p.sinks
	if in != nil {
		left = c.count.in.run(*in, e, p.sinks)
	}
	if len(left) == 0 {
		c.count.filtered.Add(1)
		if e.Asks() {
			c.Done(e.ID, 0)
		}
	}
	if e.Asks() {
		giveRequest(e, left)
		return
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
