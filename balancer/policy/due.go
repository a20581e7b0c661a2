package policy

import "time"

// schedule has Tick look at r at the given time, instead of when it would have.
func (c *Core) schedule(r *Request, at time.Duration) {
	c.timers.remove(r)
	r.due = at
	c.timers.add(r)
}

// lookAgain has Tick look at an own request that waits at the given time, and
// before that when it may start here.
func (c *Core) lookAgain(now time.Duration, r *Request, at time.Duration) {
	r.look = min(at, r.deadline)
	c.plan(now, r)
}

// plan has Tick look at an own request when time alone changes something.
func (c *Core) plan(now time.Duration, r *Request) {
	at := r.deadline
	switch r.phase {
	case running:
		if r.backup == 0 {
			c.timers.remove(r)
			return
		}
		at = r.backup
	case moved:
		if r.backup != 0 {
			at = min(at, r.backup)
		}
		for i := range r.copies {
			if silent := r.copies[i].silent; silent != 0 {
				at = min(at, silent)
			}
		}
	default:
		if at = r.look; r.notBefore > now {
			at = min(at, r.notBefore)
		}
	}
	c.schedule(r, at)
}

// Next is when Tick has something to do if nothing else happens; false when it
// has not.
func (c *Core) Next() (at time.Duration, ok bool) {
	if r := c.timers.first(); r != nil {
		return r.due, true
	}
	return 0, false
}

// Tick does what is due: times that are over, offers that found nobody, claims
// and peers that got no answer.
func (c *Core) Tick(now time.Duration, out []Effect) []Effect {
	for {
		r := c.timers.first()
		if r == nil || r.due > now {
			return c.dispatch(now, out)
		}
		switch {
		case r.owner != 0:
			out = c.guestDue(now, r, out)
		case r.phase == running:
			out = c.hedge(now, r, out)
		case r.deadline <= now:
			out = c.expire(now, r, out)
		case r.phase == moved && r.backup != 0 && r.backup <= now:
			out = c.hedge(now, r, out)
		case r.phase == moved:
			out = c.quiet(now, r, out)
		default:
			out = c.ownDue(now, r, out)
		}
	}
}

// expire ends an own request whose time is over.
func (c *Core) expire(now time.Duration, r *Request, out []Effect) []Effect {
	c.count.Late++
	c.blame(now, r)
	return append(c.release(r, out), Effect{Do: DoExpire, Request: r})
}

// ownDue gives an own request that still waits its next chance: a second round
// of offers, another look for a peer to push to. While the web server is down
// peers are its only chance, and those that were asked may be again.
func (c *Core) ownDue(now time.Duration, r *Request, out []Effect) []Effect {
	if r.look > now { // it may start here from now on
		c.schedule(r, r.look)
		return out
	}
	c.lookAgain(now, r, r.deadline)
	switch {
	case r.phase != queued || len(r.copies) > 0:
		return out
	case c.cfg.Mode == Paper:
		return c.overflow(now, r, out)
	case c.down:
		out = c.cancelOffers(r, 0, out)
		r.epoch++
		r.tried, r.tries, r.rounds = r.tried[:0], 0, 0
		return c.overflow(now, r, out)
	}
	c.bind(r)
	if out = c.dispatch(now, out); r.phase == queued && r.rounds < 2 {
		return c.overflow(now, r, out)
	}
	return out
}

// quiet is what becomes of a request that is only at peers, and one of them has
// said nothing: that counts against the peer, and if no other has spoken the
// request goes elsewhere if it may be begun twice. If it may not, an answer may
// yet come.
func (c *Core) quiet(now time.Duration, r *Request, out []Effect) []Effect {
	mute := 0
	for i := range r.copies {
		d := &r.copies[i]
		if d.silent != 0 && d.silent <= now {
			c.settle(r, i)
			d.mute = true
			c.count.Silent++
			c.peers.fail(now, d.peer)
		}
		if d.mute {
			mute++
		}
	}
	if mute < len(r.copies) || !r.Repeatable || r.repeats >= maxRepeats || !c.budget.Spend(now, 1) {
		c.plan(now, r)
		return out
	}
	p := r.copies[0].peer
	return c.again(now, r, p, false, c.cancelCopies(r, 0, out)) // it is paid for
}

// guestDue ends a guest whose time is over, and what a claim has kept when
// nothing came. The claim itself stays: a grant may be late, and must find it.
func (c *Core) guestDue(now time.Duration, g *Request, out []Effect) []Effect {
	if g.deadline > now {
		if g.holds || g.loose {
			c.peers.owe(now, g)
		}
		c.unhold(g)
		c.schedule(g, g.deadline)
		return out
	}
	if g.phase == queued || g.tied {
		c.ended.add(g.name())
	}
	return c.drop(g, out)
}
