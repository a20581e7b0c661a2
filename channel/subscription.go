package channel

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Subscription is one handler's interest. It lasts until Close.
type Subscription struct {
	cfg      SubscriptionConfig
	terms    []Match        // what the table has it under; at least one, none twice
	termSet  map[Match]bool // the same, when they are many
	priority Priority
	channel  *Channel
	timeouts *timeouts // nil: there are none
	count    subscriptionCounters

	closed    atomic.Bool // changed under mu
	suspended atomic.Bool // changed under mu

	mu       sync.Mutex
	waiting  backlog       // guarded by mu
	together correlation   // guarded by mu
	swept    time.Duration // when the full queue was last rid of what is late, from Node.start; guarded by mu
	running  bool          // a goroutine is at the queue; guarded by mu
}

// sweepEvery is how long a full queue is left alone after it was searched for
// what is late.
const sweepEvery = 10 * time.Millisecond

// Subscribe calls h for each event that matches, the urgent ones first and else in
// order, one at a time, on a goroutine that is not the link's: h may block, and then up to MaxQueue
// events or MaxQueueBytes wait for it. Before Run they wait too. It is the
// short form of SubscribeWith.
func (c *Channel) Subscribe(m Match, h Handler) (*Subscription, error) {
	return c.SubscribeWith(SubscriptionConfig{Match: m, Handler: h})
}

// SubscribeInline is Subscribe without the queue: h is called on the reader of
// the link that the event came by, or by the Submit that it comes from, so it
// must return at once. Calls for different sources are concurrent.
func (c *Channel) SubscribeInline(m Match, h Handler) (*Subscription, error) {
	return c.SubscribeWith(SubscriptionConfig{Match: m, Handler: h, Inline: true})
}

// Close ends the subscription: what waits for the handler is dropped. It does
// not wait for a call that is under way.
func (s *Subscription) Close() {
	if s.drop() {
		s.channel.subs.remove(s)
		live := 0
		if !s.suspended.Load() {
			live = -1
		}
		s.channel.interest(-1, live)
	}
}

// drop ends it, but leaves it in the table; false: it had ended before.
func (s *Subscription) drop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearLocked()
	return !s.closed.Swap(true)
}

// clearLocked drops what waits and says how many events that were.
func (s *Subscription) clearLocked() int {
	s.stopTimeoutsLocked()
	return s.waiting.clear() + s.together.clear()
}

// Suspend stops the subscription until Resume. It costs no more than a flag:
// nothing is queued or handled meanwhile, no timeout passes, and what waits for
// the handler, or for the rest of its correlation, is dropped and counted. A call that is under way is not waited for. When none
// of the channel's subscriptions on this node is left that is not suspended,
// the other nodes are told, and this one is no sink of theirs until one is
// resumed. Suspending what is suspended or closed does nothing.
func (s *Subscription) Suspend() {
	s.mu.Lock()
	if s.closed.Load() || s.suspended.Swap(true) {
		s.mu.Unlock()
		return
	}
	n := uint64(s.clearLocked())
	s.mu.Unlock()
	s.count.suspended.Add(n)
	s.channel.count.suspended.Add(n)
	s.channel.interest(0, -1)
}

// Resume ends Suspend. Events that are submitted from the moment on at which
// the others have heard of it arrive again; timeouts count from now. It does nothing to a subscription
// that is not suspended.
func (s *Subscription) Resume() {
	s.mu.Lock()
	if s.closed.Load() || !s.suspended.Swap(false) {
		s.mu.Unlock()
		return
	}
	s.startTimeoutsLocked()
	s.mu.Unlock()
	s.channel.interest(0, 1)
}

// wants reports whether an event that the table has found it by, under the
// key of that kind, is to be delivered: of several keys that match the first.
func (s *Subscription) wants(kind int, typ Type, source NodeID) bool {
	if s.suspended.Load() {
		return false
	}
	if len(s.terms) > 1 {
		ks := keys(typ, source)
		for k := range kind {
			if s.hasTerm(ks[k]) {
				return false
			}
		}
	}
	return true
}

// hasTerm reports whether the table has s under that key.
func (s *Subscription) hasTerm(m Match) bool {
	if s.termSet != nil {
		return s.termSet[m]
	}
	return slices.Contains(s.terms, m)
}

// bridges reports whether it is a gateway's.
func (s *Subscription) bridges() bool { return s.cfg.Interests != nil }

// deliver hands e to the handler or to its queue.
func (s *Subscription) deliver(e *Event) {
	if s.cfg.Together != nil {
		s.correlate(e)
		return
	}
	s.hear()
	if !s.cfg.Inline {
		s.enqueue(e)
		return
	}
	if s.hears() {
		s.handled()
		s.cfg.Handler(e)
	}
}

// plain reports whether all there is to do for an event is to call the handler.
func (s *Subscription) plain() bool {
	return s.cfg.Inline && s.cfg.Together == nil && s.timeouts == nil
}

func (s *Subscription) hears() bool { return !s.closed.Load() && !s.suspended.Load() }

func (s *Subscription) handled() {
	s.count.delivered.Add(1)
	s.channel.count.delivered.Add(1)
}

func (s *Subscription) enqueue(e *Event) {
	it := item{size: e.size(), since: s.channel.node.elapsed()}
	if s.cfg.WhenFull == KeepNewest {
		it.key = s.cfg.Key(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() || s.suspended.Load() {
		return
	}
	if s.admitLocked(&it, laneOf(e)) {
		it.event = e.Clone()
		s.waiting.put(it)
		s.wakeLocked()
	}
}

// admitLocked makes room for it, or reports that there is none. In a full queue
// what is late goes first; that is looked for at most once in a while, because
// it takes time in proportion to the queue.
func (s *Subscription) admitLocked(it *item, lane int) bool {
	if !s.waiting.fits(it.size) && it.since-s.swept >= sweepEvery {
		s.swept = it.since
		n := uint64(s.waiting.expire(time.Now()))
		s.count.late.Add(n)
		s.channel.count.late.Add(n)
	}
	v := s.waiting.admit(it.key, it.size, lane)
	switch {
	case v.refused:
		s.count.refused.Add(1)
		s.channel.count.overrun.Add(1)
	case v.displaced > 0:
		s.count.displaced.Add(uint64(v.displaced))
		s.channel.count.overrun.Add(uint64(v.displaced))
	case v.conflated:
		s.count.conflated.Add(1)
		s.channel.count.conflated.Add(1)
	}
	return !v.refused
}

// wake lets what is in the queue be handled, if nobody is at it.
func (s *Subscription) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakeLocked()
}

func (s *Subscription) wakeLocked() {
	if !s.running && (s.waiting.events > 0 || s.passedLocked() != 0) {
		s.running = s.channel.node.workers.run(s.drain)
	}
}

// drain calls the handler until the queue is empty; the next event starts it
// again, so that a quiet subscription costs no goroutine.
func (s *Subscription) drain() {
	for it, ok := s.next(); ok; it, ok = s.next() {
		s.handle(&it)
	}
}

// next takes the item at the front; false at the end, or when the node stops.
func (s *Subscription) next() (item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := s.passedLocked()
	if s.waiting.events == 0 && passed == 0 || s.channel.node.stopped.Load() {
		s.running = false
		return item{}, false
	}
	if passed != 0 {
		s.timeouts.due[passed] = false
		return item{time: passed}, true
	}
	return s.waiting.take(), true
}

func (s *Subscription) handle(it *item) {
	if it.time != 0 {
		s.cfg.Elapsed(it.time)
		return
	}
	now := time.Now()
	if it.late(now) {
		s.count.late.Add(1)
		s.channel.count.late.Add(1)
		return
	}
	waited := now.Sub(s.channel.node.start) - it.since
	s.count.waited.add(waited)
	s.channel.count.waited.add(waited)
	s.handled()
	if it.set != nil {
		s.cfg.Together(it.set)
		return
	}
	s.cfg.Handler(it.event)
}
