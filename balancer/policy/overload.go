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
