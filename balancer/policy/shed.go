package policy

import "time"

// sheds reports whether a new request of a class, which holds as many bytes, is
// refused: because the oldest that would start before it has waited too long
// here, or there is no room. It goes by that age and not by a prediction, which
// refuses wrongly in a hot spot that peers are draining (docs/design.md,
// "Policy").
//
// What is less urgent is not in its way and so says nothing: a flood of it has
// its own kind refused and nobody else. What is starved by more urgent ones has
// its own kind refused too, and ends by its deadline.
func (c *Core) sheds(now time.Duration, class Class, bytes int64) bool {
	old := c.queue.oldest(class)
	return old != nil && now-old.key > c.cfg.ShedAge || c.full(class, bytes)
}

// full reports whether those who would go before a request of a class, which
// holds as many bytes, leave no room in the queue for it.
func (c *Core) full(class Class, bytes int64) bool {
	n, held := c.queue.upTo(class)
	return n >= c.cfg.Queue || held+bytes > c.cfg.QueueBytes
}

// displace makes room in the queue for r, which is not in it, at the cost of
// those that are less urgent: who would start last goes first. What has come
// back from a peer may be in the queue above its bounds; then nothing is
// gained.
func (c *Core) displace(now time.Duration, r *Request, out []Effect) []Effect {
	for {
		n, bytes := c.queue.upTo(LastClass)
		if n < c.cfg.Queue && bytes+r.Bytes <= c.cfg.QueueBytes {
			return out
		}
		last := c.queue.hindmost()
		switch {
		case last == nil || last.Class <= r.Class:
			return out
		case last.owner != 0:
			out = c.refuse(last, out)
		default:
			out = c.shed(last, c.release(last, out))
		}
		c.count.Displaced++
	}
}

// shed refuses an own request, which is not in the core.
func (c *Core) shed(r *Request, out []Effect) []Effect {
	c.count.Shed++
	return append(out, Effect{Do: DoShed, Request: r})
}
