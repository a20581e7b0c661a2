package channel

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Match says which events a subscription gets.
type Match struct {
	// Type is the type of the events. Zero: any.
	Type Type
	// Source is the node that submitted them. Zero: any.
	Source NodeID
}

// Handler gets an event. The event is lent: see Event.
type Handler func(e *Event)

// Subscription is one handler's interest. It lasts until Close.
type Subscription struct {
	match   Match
	handler Handler
	channel *Channel
	inline  bool
	closed  atomic.Bool

	mu      sync.Mutex
	queue   []*Event // guarded by mu
	size    int      // of the events in queue, in bytes; guarded by mu
	running bool     // a goroutine is at the queue; guarded by mu
}

// Limits on what waits for a subscription's handler, beside the event that it
// is at; further events are dropped and counted (Stats.Overrun).
const (
	MaxQueue      = 1024    // events
	MaxQueueBytes = 4 << 20 // bytes of their bodies and attributes
)

// Subscribe calls h for each event that matches, in order, one at a time, on
// a goroutine that is not the link's: h may block, and then up to MaxQueue
// events or MaxQueueBytes wait for it. Before Run they wait too.
func (c *Channel) Subscribe(m Match, h Handler) (*Subscription, error) {
	return c.subscribe(&Subscription{match: m, handler: h, channel: c})
}

// SubscribeInline is Subscribe without the queue: h is called on the reader of
// the link that the event came by, or by the Submit that it comes from, so it
// must return at once. Calls for different sources are concurrent.
func (c *Channel) SubscribeInline(m Match, h Handler) (*Subscription, error) {
	return c.subscribe(&Subscription{match: m, handler: h, channel: c, inline: true})
}

func (c *Channel) subscribe(s *Subscription) (*Subscription, error) {
	if s.handler == nil {
		return nil, fmt.Errorf("subscribe to channel %q: the handler is nil", c.name)
	}
	if len(s.match.Type) > MaxName {
		return nil, fmt.Errorf("subscribe to channel %q: type %.80q is longer than %d bytes", c.name, s.match.Type, MaxName)
	}
	if !c.subs.add(s) {
		return nil, fmt.Errorf("subscribe to channel %q: %w", c.name, ErrClosed)
	}
	return s, nil
}

// Close ends the subscription: what waits for the handler is dropped. It does
// not wait for a call that is under way.
func (s *Subscription) Close() {
	s.channel.subs.remove(s)
	s.drop()
}

func (s *Subscription) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	s.queue, s.size = nil, 0
}

// deliver hands e to the handler or to its queue.
func (s *Subscription) deliver(e *Event) {
	if !s.inline {
		s.enqueue(e)
		return
	}
	if !s.closed.Load() {
		s.channel.count.delivered.Add(1)
		s.handler(e)
	}
}

func (s *Subscription) enqueue(e *Event) {
	size := e.size()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
	case len(s.queue) == MaxQueue || s.size+size > MaxQueueBytes:
		s.channel.count.overrun.Add(1)
	default:
		s.queue = append(s.queue, e.Clone())
		s.size += size
		s.wakeLocked()
	}
}

// wake lets what is in the queue be handled, if nobody is at it.
func (s *Subscription) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakeLocked()
}

func (s *Subscription) wakeLocked() {
	if !s.running && len(s.queue) > 0 {
		s.running = s.channel.node.workers.run(s.drain)
	}
}

// drain calls the handler until the queue is empty; the next event starts it
// again, so that a quiet subscription costs no goroutine.
func (s *Subscription) drain() {
	count := &s.channel.count
	for e := s.next(); e != nil; e = s.next() {
		if !e.Deadline.IsZero() && time.Now().After(e.Deadline) {
			count.late.Add(1)
			continue
		}
		count.delivered.Add(1)
		s.handler(e)
	}
}

// next takes the event at the front; nil at the end, or when the node stops.
func (s *Subscription) next() *Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 || s.channel.node.stopped.Load() {
		s.running = false
		return nil
	}
	e := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.size -= e.size()
	return e
}
