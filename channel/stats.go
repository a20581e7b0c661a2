package channel

import (
	"sync/atomic"
	"time"
)

// counters is what happened on a channel, counted.
type counters struct {
	submitted, sent, received, delivered atomic.Uint64
	bytesOut, bytesIn                    atomic.Uint64
	noSink, unsent, late                 atomic.Uint64
	filtered, overrun                    atomic.Uint64
	conflated, suspended, unasked        atomic.Uint64
	repeated, returned                   atomic.Uint64
	in, out                              FilterRuns
	waited                               timing
}

// Stats is what happened on a channel since it was opened on this node.
type Stats struct {
	Submitted uint64 // events submitted here
	Sent      uint64 // frames that links took, one per remote sink
	Received  uint64 // events that came from other nodes
	Delivered uint64 // calls of handlers
	BytesOut  uint64 // bytes of frames sent
	BytesIn   uint64 // bytes of frames received

	NoSink    uint64 // submitted, but nobody was there or the OUT-filter left none
	Unsent    uint64 // frames that a link did not take
	Late      uint64 // dropped because the deadline had passed
	Filtered  uint64 // received, but the IN-filter left no sink
	Overrun   uint64 // dropped because a subscription's queue was full
	Conflated uint64 // dropped because a newer one of the same key, or group of a correlation, took its place
	Suspended uint64 // dropped because the subscription that they waited for was suspended

	Unasked uint64 // answers to a Request that was over

	Repeated uint64 // from another cluster: had come by another way already
	Returned uint64 // from another cluster: was submitted in this one

	// In and Out are what all filters cost that there were, whoever's.
	In, Out FilterStats
	// Waited is how long events waited in subscriptions' queues, from their
	// arrival on this node until their handler was called.
	Waited Timing
	// Queued and QueuedBytes are what waits for handlers now.
	Queued, QueuedBytes int
	// Subscriptions is how many there are now; Live how many of them are not
	// suspended.
	Subscriptions, Live int
}

// Stats counts what happened on the channel. It takes time in proportion to
// the number of subscriptions.
func (c *Channel) Stats() Stats {
	n := &c.count
	s := Stats{
		Submitted: n.submitted.Load(), Sent: n.sent.Load(), Received: n.received.Load(), Delivered: n.delivered.Load(),
		BytesOut: n.bytesOut.Load(), BytesIn: n.bytesIn.Load(),
		NoSink: n.noSink.Load(), Unsent: n.unsent.Load(), Late: n.late.Load(),
		Filtered: n.filtered.Load(), Overrun: n.overrun.Load(),
		Conflated: n.conflated.Load(), Suspended: n.suspended.Load(), Unasked: n.unasked.Load(),
		Repeated: n.repeated.Load(), Returned: n.returned.Load(),
		In: n.in.Stats(), Out: n.out.Stats(), Waited: n.waited.read(),
	}
	c.subs.every(func(sub *Subscription) {
		events, bytes := sub.queued()
		s.Queued += events
		s.QueuedBytes += bytes
		s.Subscriptions++
		if !sub.suspended.Load() {
			s.Live++
		}
	})
	return s
}

// FilterStats is what a filter cost, or all that a channel had in one direction.
type FilterStats struct {
	Runs uint64
	// Sampled is how long the first and then every 64th run took: to look at
	// the clock each time would cost more than many a filter.
	Sampled Timing
}

const sampling = 64 // a power of two

// FilterRuns counts the runs of filters, for whoever runs them. It counts from
// zero, and its methods may be called by any goroutine.
type FilterRuns struct {
	runs    atomic.Uint64
	sampled timing
}

// Begin counts a run. It returns the time for End, or zero when this run is
// not timed.
func (n *FilterRuns) Begin() time.Time {
	if n.runs.Add(1)%sampling != 1 {
		return time.Time{}
	}
	return time.Now()
}

// End is called at the end of a run with what Begin has returned.
func (n *FilterRuns) End(begin time.Time) {
	if !begin.IsZero() {
		n.sampled.add(time.Since(begin))
	}
}

// Stats is what was counted.
func (n *FilterRuns) Stats() FilterStats {
	return FilterStats{Runs: n.runs.Load(), Sampled: n.sampled.read()}
}

func (n *FilterRuns) run(f Filter, e *Event, sinks []Sink) []Sink {
	begin := n.Begin()
	left := f(e, sinks)
	n.End(begin)
	return left
}

// subscriptionCounters is what happened to one subscription's events.
type subscriptionCounters struct {
	delivered, refused, displaced, conflated, late, suspended atomic.Uint64
	waited                                                    timing
}

// SubscriptionStats is what happened to the events of one subscription.
type SubscriptionStats struct {
	Delivered uint64 // calls of the handler

	Refused   uint64 // dropped on arrival because the queue was full
	Displaced uint64 // dropped from the full queue for a newer one (DropOldest)
	Conflated uint64 // dropped because a newer one of the same key, or group, took its place
	Late      uint64 // dropped because the deadline had passed
	Suspended uint64 // dropped by Suspend

	Waited              Timing // in the queue
	Queued, QueuedBytes int    // waiting now
}

// Stats counts what happened since the subscription was made.
func (s *Subscription) Stats() SubscriptionStats {
	n := &s.count
	stats := SubscriptionStats{
		Delivered: n.delivered.Load(), Refused: n.refused.Load(), Displaced: n.displaced.Load(),
		Conflated: n.conflated.Load(), Late: n.late.Load(), Suspended: n.suspended.Load(), Waited: n.waited.read(),
	}
	stats.Queued, stats.QueuedBytes = s.queued()
	return stats
}

func (s *Subscription) queued() (events, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.events, s.waiting.bytes
}

// Timing is how long something took: every time by one clock, this node's.
type Timing struct {
	Count uint64
	Total time.Duration
	Max   time.Duration
}

// Mean is Total by Count; zero when there was none.
func (t Timing) Mean() time.Duration {
	if t.Count == 0 {
		return 0
	}
	return t.Total / time.Duration(t.Count)
}

// timing is a Timing in the making.
type timing struct {
	count      atomic.Uint64
	total, max atomic.Int64
}

func (t *timing) add(d time.Duration) {
	t.count.Add(1)
	t.total.Add(int64(d))
	for {
		longest := t.max.Load()
		if int64(d) <= longest || t.max.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

func (t *timing) read() Timing {
	return Timing{Count: t.count.Load(), Total: time.Duration(t.total.Load()), Max: time.Duration(t.max.Load())}
}
