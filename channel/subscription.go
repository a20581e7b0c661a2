package channel

import (
	"fmt"
	"slices"
	"sync"
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

	mu      sync.Mutex
	queue   []*Event // guarded by mu
	running bool     // a goroutine is at the queue; guarded by mu
	closed  bool     // guarded by mu
}

// MaxQueue is how many events wait for a subscription's handler at most;
// further ones are dropped and counted.
const MaxQueue = 1024

// Subscribe calls h for each event that matches, in order, one at a time, on
// a goroutine that is not the link's: h may block, and then up to MaxQueue
// events wait for it.
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

// Close ends the subscription: what waits for the handler is dropped; a call
// that is under way finishes.
func (s *Subscription) Close() {
	s.channel.subs.remove(s)
	s.drop()
}

func (s *Subscription) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.queue = nil
}

// deliver hands e to the handler or to its queue.
func (s *Subscription) deliver(e *Event) {
	count := &s.channel.count
	if s.inline {
		count.delivered.Add(1)
		s.handler(e)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case len(s.queue) == MaxQueue:
		count.overrun.Add(1)
	default:
		s.queue = append(s.queue, e.Clone())
		if !s.running {
			s.running = s.channel.node.workers.start(s.drain)
		}
	}
}

// drain calls the handler until the queue is empty; the next event starts it
// again, so that a quiet subscription costs no goroutine.
func (s *Subscription) drain() {
	count := &s.channel.count
	for {
		s.mu.Lock()
		batch := s.queue
		s.queue = nil
		s.running = len(batch) > 0
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, e := range batch {
			switch {
			case s.isClosed():
				return
			case !e.Deadline.IsZero() && time.Now().After(e.Deadline):
				count.late.Add(1)
			default:
				count.delivered.Add(1)
				s.handler(e)
			}
		}
	}
}

func (s *Subscription) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// table finds the subscriptions that match an event with four look-ups,
// however many there are.
type table struct {
	mu     sync.RWMutex
	byKey  map[Match][]*Subscription // the slices are immutable; guarded by mu
	closed bool                      // guarded by mu
}

func (t *table) add(s *Subscription) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if t.byKey == nil {
		t.byKey = make(map[Match][]*Subscription)
	}
	have := t.byKey[s.match]
	t.byKey[s.match] = append(have[:len(have):len(have)], s)
	return true
}

func (t *table) remove(s *Subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(t.byKey[s.match]), func(have *Subscription) bool { return have == s })
	if len(left) == 0 {
		delete(t.byKey, s.match)
	} else {
		t.byKey[s.match] = left
	}
}

func (t *table) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, subs := range t.byKey {
		for _, s := range subs {
			s.drop()
		}
	}
	t.byKey = nil
}

// find is the subscriptions of the four keys that match.
func (t *table) find(typ Type, source NodeID) (found [4][]*Subscription) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.byKey) == 0 {
		return found
	}
	found[0] = t.byKey[Match{Type: typ, Source: source}]
	found[1] = t.byKey[Match{Type: typ}]
	found[2] = t.byKey[Match{Source: source}]
	found[3] = t.byKey[Match{}]
	return found
}

// any reports whether anybody subscribes to such events.
func (t *table) any(typ Type, source NodeID) bool {
	found := t.find(typ, source)
	return len(found[0])+len(found[1])+len(found[2])+len(found[3]) > 0
}

// each calls f for every subscription that matches, outside the lock.
func (t *table) each(typ Type, source NodeID, f func(*Subscription)) {
	found := t.find(typ, source)
	for _, subs := range found {
		for _, s := range subs {
			f(s)
		}
	}
}
