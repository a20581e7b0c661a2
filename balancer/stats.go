package balancer

import (
	"sync/atomic"
	"time"

	"kecho/balancer/policy"
)

// counters is what happened, counted.
type counters struct {
	local, forwarded, received, rejected atomic.Uint64
	shed, timeouts, abandoned            atomic.Uint64
	cancels, refused, wasted             atomic.Uint64
	wastedTime                           atomic.Int64 // nanoseconds
	malformed, unsent                    atomic.Uint64
	claims, lateClaims                   atomic.Uint64
	straight                             atomic.Uint64
	moved                                struct{ sent, answered, busy, lost, recalled atomic.Uint64 }
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

// waste counts a request that was begun here for a peer and is not needed.
func (n *counters) waste(x *exchange) {
	n.wasted.Add(1)
	n.wastedTime.Add(int64(time.Since(x.began)))
}

// Stats is a Balancer's state at one moment and what it did since the start.
type Stats struct {
	State      policy.State
	Upstream   UpstreamState
	Calls      int // requests that peers are asked about now
	Exchanges  int // requests served for peers now
	Websockets int // open here now

	// By route.
	Local, Forwarded, Received, Rejected uint64
	Straight                             uint64 // of Local, as bytes from end to end

	// Requests, each once, however often peers were tried: one may be in more
	// than one of these.

	Overflowed uint64 // found no place here and went to the peers
	NoPeer     uint64 // of them, no peer took
	Shed       uint64 // refused because too many wait
	Displaced  uint64 // of them, had waited and made room for more urgent ones
	Timeouts   uint64 // no server had time
	Early      uint64 // of them and of peers', ended when what was left was too short to begin

	Abandoned uint64 // the client was gone first
	Retries   uint64 // begun again after a loss
	Cancels   uint64 // cancel events sent
	Refused   uint64 // peers' requests that were sent back
	Wasted    uint64 // peers' requests that nobody needed any more when they were here
	// WastedTime is how long the web server worked on those.
	WastedTime time.Duration
	Malformed  uint64 // peers' events that made no sense
	Unsent     uint64 // small events that no link took

	// What is said before a request moves.

	Offers     uint64 // to one peer each
	Claims     uint64 // sent
	LateClaims uint64 // received when their request was not waiting any more
	Unanswered uint64 // claims sent that their owners did not answer in time
	Grants     uint64 // of claims
	Pushes     uint64 // to peers that had not claimed
	Copies     uint64 // beside the first place that a request was sent to
	Backups    uint64 // of them, for what took long
	Control    uint64 // all messages sent that carry no request

	Ejections uint64 // times that a peer which failed was left alone for a while
	Ejected   int    // peers that are, now

	// Requests sent to peers, granted or pushed, and what came of them.
	CopiesSent, CopiesAnswered, CopiesBusy, CopiesLost, CopiesSilent uint64

	Duplicates uint64 // events of answers dropped because another peer's won
	Late       uint64 // events of answers dropped because their call was over
}

// Stats is the state now.
func (b *Balancer) Stats() Stats {
	n := &b.count
	first := b.first.Stats()
	s := Stats{
		Upstream: b.upstream.health.now(),
		Calls:    b.calls.len(), Exchanges: b.exchanges.len(), Websockets: b.upstream.websockets.len(),
		Local: n.local.Load(), Forwarded: n.forwarded.Load(), Received: n.received.Load(), Rejected: n.rejected.Load(),
		Straight: n.straight.Load(),
		Shed:     n.shed.Load(), Timeouts: n.timeouts.Load(), Abandoned: n.abandoned.Load(),
		Cancels: n.cancels.Load(), Refused: n.refused.Load(), Wasted: n.wasted.Load(), WastedTime: time.Duration(n.wastedTime.Load()),
		Malformed: n.malformed.Load(), Unsent: n.unsent.Load(), Claims: n.claims.Load(), LateClaims: n.lateClaims.Load(),
		CopiesSent: n.moved.sent.Load(), CopiesAnswered: n.moved.answered.Load(), CopiesBusy: n.moved.busy.Load(),
		CopiesLost: n.moved.lost.Load(),
		Duplicates: uint64(first.Duplicates), Late: uint64(first.Late),
	}
	b.desk.count(&s)
	return s
}
