package policy

import "time"

// SetOverflow says whether this server has too much to do, whatever its places
// say. While it has, what may move is offered first and starts here only when
// nobody takes it; nothing is taken from peers, and they may count on no place.
// What waits already goes on as it was.
func (c *Core) SetOverflow(now time.Duration, raised bool, out []Effect) []Effect {
	c.raised = raised
	return c.dispatch(now, out)
}

// reluctant reports whether a request that may move is better served elsewhere.
func (c *Core) reluctant() bool { return c.raised && c.cfg.Mode != Stay || c.slow() }

// AtOnce reports whether all that Arrive would do with r is to give it a place:
// one is free, nobody waits, and there is no reason for it to be elsewhere, or to
// be there too. Nothing changes.
func (c *Core) AtOnce(r *Request) bool {
	switch c.cfg.Mode {
	case Race, Hedge, Speculative:
		if r.Movable && r.Repeatable && len(c.peers.known) > 0 {
			return false
		}
	}
	timeout := r.Timeout
	setDefault(&timeout, c.cfg.Timeout)
	return !c.down && c.vacant() > 0 && c.queue.len() == 0 &&
		!(r.Movable && c.reluctant() && len(c.peers.known) > 0) && !c.brief.late(timeout)
}
