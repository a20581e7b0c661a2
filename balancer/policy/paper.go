package policy

import "time"

// Between looks for a peer, once none has a place free, doubled each time.
const (
	paperFirst = 25 * time.Millisecond
	paperMost  = 400 * time.Millisecond
)

// byPaper moves a request that has waited for Copies.After to the least loaded
// peers that have a place free (the KECho paper, section 4), as copies if it may
// be begun more than once.
func (c *Core) byPaper(now time.Duration, r *Request, out []Effect) []Effect {
	if due := r.arrived + c.cfg.Copies.After; now < due && !c.down && !c.raised {
		c.lookAgain(now, r, due)
		return out
	}
	n := c.cfg.Copies.Most
	if n > 1 && !(r.Repeatable && c.budget.Spend(now, n-1)) {
		n = 1
	}
	r.paid = n - 1
	r.tied = n > 1 && c.cfg.Copies.Cancel == OnStart
	c.unqueue(r)
	r.phase = asking
	return append(out, Effect{Do: DoSubmit, Request: r, Most: n, Choose: c.cfg.Copies.To, Message: c.whole(now, r, onlyFree)})
}

// unmoved puts a request back that no peer has a place for, and has them asked
// again in a while.
func (c *Core) unmoved(now time.Duration, r *Request, out []Effect) []Effect {
	c.budget.Return(now, r.paid)
	r.phase, r.tried, r.paid, r.notBefore = queued, r.tried[:0], 0, 0
	c.queue.add(r)
	c.bind(r)
	c.lookAgain(now, r, now+min(paperFirst<<min(r.returns, 10), paperMost))
	r.returns++
	if out = c.dispatch(now, out); r.phase != queued {
		return out
	}
	return c.unwanted(now, r, out)
}
