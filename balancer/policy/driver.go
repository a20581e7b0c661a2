package policy

import (
	"slices"
	"time"
)

// What a driver learns of an own request after its arrival.

// Extend moves the deadline of an own request to left from now: its time does
// not run while its body is still being sent.
func (c *Core) Extend(now time.Duration, r *Request, left time.Duration) {
	if c.own[r.id] != r || r.over {
		return
	}
	r.deadline = now + left
	c.plan(now, r)
}

// Fix says that an own request cannot go to peers after all.
func (c *Core) Fix(r *Request) { r.Movable = false }

// Unsent says that the peer which was to have r did not get it, which is nobody's
// fault: the link to it is full, or just gone.
func (c *Core) Unsent(now time.Duration, r *Request, from Peer, out []Effect) []Effect {
	if from == 0 || !c.Awaits(r, from, r.epoch) {
		return out
	}
	return c.dispatch(now, c.sentBack(now, r, from, out))
}

// Offered reports whether a claim of the peer p would find the request that is
// called so and was offered to it: the condition of the IN-filter for claims.
func (c *Core) Offered(p Peer, number uint64, epoch uint32) bool {
	r := c.own[number]
	return r != nil && r.epoch == epoch && r.phase == queued && slices.Contains(r.asked, p)
}

// Keeps reports whether data is what came with the peer's request that is called
// so, and that waits here.
func (c *Core) Keeps(p Peer, number uint64, epoch uint32, data any) bool {
	g := c.guests[guestName{p, number, epoch}]
	return g != nil && g.Data == data
}
