package policy

import "time"

// onlyFree is the wait of what is to start at once, or not there.
const onlyFree = 1

// race has copies of a request that has just come wait at peers too.
func (c *Core) race(now time.Duration, r *Request, out []Effect) []Effect {
	if r.raced || c.cfg.Mode != Race || len(c.peers.known) == 0 {
		return out
	}
	r.raced = true
	return c.fork(now, r, c.cfg.Copies.Most-1, r.deadline-now, out)
}

// fork submits copies of r beside what there is of it, to at most n peers where
// it may wait for maxWait, if it may be begun twice, this node does not shed and the budget has room.
func (c *Core) fork(now time.Duration, r *Request, n int, maxWait time.Duration, out []Effect) []Effect {
	if n <= 0 || !r.Repeatable || !r.Movable || c.standing(now, r.Class, r.Timeout) || !c.budget.Spend(now, n) {
		return out
	}
	r.paid = n
	r.tied = c.cfg.Copies.Cancel == OnStart
	return append(out, Effect{Do: DoSubmit, Request: r, Most: n, Choose: c.cfg.Copies.To,
		Message: c.whole(now, r, maxWait)})
}

// whole is the message that has r with it.
func (c *Core) whole(now time.Duration, r *Request, maxWait time.Duration) Message {
	m := c.message(Push, now, r)
	m.Data, m.MaxWait, m.Tied = r.Data, maxWait, r.tied
	return m
}

// forked notes who was picked for copies.
func (c *Core) forked(now time.Duration, r *Request, peers []Peer, out []Effect) []Effect {
	c.lendAll(now, r, peers, 0)
	if c.cfg.Mode == Hedge {
		c.hedged(now, r, len(peers))
	}
	c.plan(now, r)
	if len(peers) == 0 && r.phase == queued {
		return c.overflow(now, r, out)
	}
	return out
}

// pushed notes who was picked for a request that leaves this node.
func (c *Core) pushed(now time.Duration, r *Request, peers []Peer, out []Effect) []Effect {
	r.phase = moved
	r.tries++
	out = c.cancelOffers(r, 0, out)
	c.lendAll(now, r, peers, 1)
	c.plan(now, r)
	return out
}

// lendAll notes that peers have r from now on. All but the first few that are
// free are paid; what was paid for more is given back.
func (c *Core) lendAll(now time.Duration, r *Request, peers []Peer, free int) {
	for i, p := range peers {
		r.tried = append(r.tried, p)
		c.lend(now, r, p)
		r.copies[len(r.copies)-1].paid = i >= free
	}
	paid := max(len(peers)-free, 0)
	c.count.Copied += uint64(paid)
	c.budget.Return(now, r.paid-paid)
	r.paid = 0
}

// unpay gives back what was paid for the i-th copy, which was not begun.
func (c *Core) unpay(now time.Duration, r *Request, i int) {
	if !r.copies[i].paid {
		return
	}
	c.budget.Return(now, 1)
	if c.cfg.Mode == Hedge {
		c.unhedged(now, r)
	}
}

// first keeps the one copy of r that was begun, where copies end then.
func (c *Core) first(now time.Duration, r *Request, p Peer, out []Effect) []Effect {
	c.unqueue(r)
	r.phase = moved
	if r.at(p) < 0 { // it was offered with the request in it
		c.lend(now, r, p)
		c.settle(r, r.at(p))
	}
	out = c.cancelOffers(r, p, out)
	return c.cancelCopies(r, p, out)
}
