package balancer

import (
	"sync/atomic"

	"kecho/channel"
)

// rules is a filter that an operator may have put beside the balancer's own.
type rules struct {
	now atomic.Pointer[channel.Filter]
}

// set makes f the filter from the next event on; nil takes it off.
func (r *rules) set(f channel.Filter) {
	if f == nil {
		r.now.Store(nil)
		return
	}
	r.now.Store(&f)
}

// filter is a channel.Filter.
func (r *rules) filter(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	f := r.now.Load()
	if f == nil {
		return sinks
	}
	return (*f)(e, sinks)
}

// SetPeers puts an operator's filter into the choice of peers, in place of the
// one before; nil takes it off. It runs for each offer and each request that is
// pushed, and sees all peers, before any of them is chosen: it can leave peers
// out, and who is chosen of the others stays the policy's. When it leaves none
// the request waits for this node's own web server. Of all other events, which
// belong to a request that somebody has already, it is not asked.
func (b *Balancer) SetPeers(f channel.Filter) { b.desk.peerRules.set(f) }

// SetOffers puts an operator's filter before the offers of peers, in place of
// the one before; nil takes it off. An offer that it drops is not claimed by this
// node; the others that it was made to may. Nothing else that arrives is shown to
// it: requests that were granted or pushed are never dropped.
func (b *Balancer) SetOffers(f channel.Filter) { b.offerRules.set(f) }
