package balancer

import (
	"sync/atomic"

	"kecho/balancer/policy"
)

// counters is what happened, counted.
type counters struct {
	local, forwarded, received, rejected atomic.Uint64
	shed, noPeer, timeouts, abandoned    atomic.Uint64
	overflowed                           atomic.Uint64
	retries, cancels, refused, wasted    atomic.Uint64
	malformed, unsent                    atomic.Uint64
	copies                               struct{ sent, answered, busy, lost, silent atomic.Uint64 }
}

func (n *counters) route(r Route) {
	switch r {
	case RouteLocal:
		n.local.Add(1)
	case RouteForwarded:
		n.forwarded.Add(1)
	case RouteReceived:
		n.received.Add(1)
	case RouteRejected:
		n.rejected.Add(1)
	}
}

// overflow counts a request that goes to the peers because there is no place
// for it here: once, and not if it had one.
func (n *counters) overflow(j *job) {
	if !j.overflowed && !j.lost {
		j.overflowed = true
		n.overflowed.Add(1)
	}
}

// unwanted counts, once, a request that no peer took.
func (n *counters) unwanted(j *job) {
	if !j.unwanted {
		j.unwanted = true
		n.noPeer.Add(1)
	}
}

// Stats is a Balancer's state at one moment and what it did since the start.
type Stats struct {
	State      policy.State
	UpstreamUp bool
	Calls      int // requests that peers are asked about now
	Exchanges  int // requests served for peers now
	Websockets int // open here now

	// By route.
	Local, Forwarded, Received, Rejected uint64

	// Requests, each once, however often peers were tried: one may be in more
	// than one of these.

	Overflowed uint64 // found no place here and went to the peers
	NoPeer     uint64 // no peer took it, at least at first
	Shed       uint64 // refused because too many wait
	Timeouts   uint64 // no server had time

	Abandoned uint64 // the client was gone first
	Retries   uint64 // tried again after a loss
	Cancels   uint64 // cancel events sent
	Refused   uint64 // peers' requests refused as busy
	Wasted    uint64 // peers' requests begun here and cancelled
	Malformed uint64 // peers' events that made no sense
	Unsent    uint64 // small events that no link took

	// Copies sent to peers, and what came of them.
	CopiesSent, CopiesAnswered, CopiesBusy, CopiesLost, CopiesSilent uint64

	Duplicates uint64 // events of answers dropped because another peer's won
	Late       uint64 // events of answers dropped because their call was over
}

// Stats is the state now.
func (b *Balancer) Stats() Stats {
	n := &b.count
	first := b.first.Stats()
	return Stats{
		State: b.gate.state(), UpstreamUp: b.upstream.up(),
		Calls: b.calls.len(), Exchanges: b.exchanges.len(), Websockets: b.upstream.websockets.len(),
		Local: n.local.Load(), Forwarded: n.forwarded.Load(), Received: n.received.Load(), Rejected: n.rejected.Load(),
		Overflowed: n.overflowed.Load(), NoPeer: n.noPeer.Load(), Shed: n.shed.Load(), Timeouts: n.timeouts.Load(), Abandoned: n.abandoned.Load(),
		Retries: n.retries.Load(), Cancels: n.cancels.Load(), Refused: n.refused.Load(), Wasted: n.wasted.Load(),
		Malformed: n.malformed.Load(), Unsent: n.unsent.Load(),
		CopiesSent: n.copies.sent.Load(), CopiesAnswered: n.copies.answered.Load(), CopiesBusy: n.copies.busy.Load(),
		CopiesLost: n.copies.lost.Load(), CopiesSilent: n.copies.silent.Load(),
		Duplicates: uint64(first.Duplicates), Late: uint64(first.Late),
	}
}
