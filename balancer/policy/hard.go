package policy

import "time"

// Places above Config.Places, up to Config.Hard, are for what no peer takes or
// may take.

// alone reports whether nobody but this node may serve r.
func (c *Core) alone(r *Request) bool {
	return !r.Movable || c.cfg.Mode == Stay || len(c.peers.known) == 0
}

// bind has r, which is in the queue, use the places up to the hard limit.
func (c *Core) bind(r *Request) {
	if c.cfg.Hard > c.cfg.Places && r.phase == queued && r.slot[lasts] == 0 {
		c.bound.add(r)
	}
}

// unqueue takes r out of the queue, if it is there.
func (c *Core) unqueue(r *Request) {
	c.queue.remove(r)
	c.bound.remove(r)
}

// spareRoom reports whether there is a place up to the hard limit, and nobody
// waits for one.
func (c *Core) spareRoom() bool {
	return !c.down && c.cfg.Hard > c.cfg.Places && c.running+c.held < c.cfg.Hard && c.bound.len() == 0
}

// dispatchBound gives the places up to the hard limit out.
func (c *Core) dispatchBound(now time.Duration, out []Effect) []Effect {
	for !c.down && c.running+c.held < c.cfg.Hard {
		r := c.bound.first()
		if r == nil {
			return out
		}
		out = c.begin(now, r, out)
	}
	return out
}

// anotherRound is after how many services what nobody claimed is offered to
// others as well. After 2, a cluster at .95 sends 11 messages a request instead
// of 8.4, for the same p99: all its peers are as busy as the first four.
const anotherRound = 8

// claimed is how long a request that was offered waits to be claimed before it
// is looked at again. Whoever has a place free claims it within a round trip:
// then it may have one here beyond the places.
func (c *Core) claimed() time.Duration {
	if c.cfg.Hard > c.cfg.Places {
		return max(min(4*c.trip, 2*c.service), leastLook)
	}
	if c.down || c.sick {
		return max(2*c.service, leastLook)
	}
	return max(anotherRound*c.service, leastLook)
}
