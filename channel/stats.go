package channel

import "sync/atomic"

// counters is what happened on a channel, counted.
type counters struct {
	submitted, sent, received, delivered atomic.Uint64
	bytesOut, bytesIn                    atomic.Uint64
	noSink, unsent, late                 atomic.Uint64
	filtered, overrun                    atomic.Uint64
}

// Stats is what happened on a channel since it was opened on this node.
type Stats struct {
	Submitted uint64 // events submitted here
	Sent      uint64 // frames that links took, one per remote sink
	Received  uint64 // events that came from other nodes
	Delivered uint64 // calls of handlers
	BytesOut  uint64 // bytes of frames sent
	BytesIn   uint64 // bytes of frames received

	NoSink   uint64 // submitted, but nobody was there or the OUT-filter left none
	Unsent   uint64 // frames that a link did not take
	Late     uint64 // dropped because the deadline had passed
	Filtered uint64 // received, but the IN-filter left no sink
	Overrun  uint64 // dropped because a subscription's queue was full
}

// Stats counts what happened on the channel.
func (c *Channel) Stats() Stats {
	n := &c.count
	return Stats{
		Submitted: n.submitted.Load(), Sent: n.sent.Load(), Received: n.received.Load(), Delivered: n.delivered.Load(),
		BytesOut: n.bytesOut.Load(), BytesIn: n.bytesIn.Load(),
		NoSink: n.noSink.Load(), Unsent: n.unsent.Load(), Late: n.late.Load(),
		Filtered: n.filtered.Load(), Overrun: n.overrun.Load(),
	}
}
