package policy

import (
	"slices"
	"time"
)

// duplicate is one copy of an own request, at a peer. Most requests have one,
// and then they are nowhere else.
type duplicate struct {
	peer    Peer
	counted bool          // not yet in the load heard from the peer
	paid    bool          // from the budget
	silent  time.Duration // when its silence counts against the peer; 0: it has spoken, or did
	mute    bool          // it did
	since   time.Duration // when it was sent
	allowed time.Duration // how long it may wait there
}

// at is where the copy at p stands in r's copies; below 0 when there is none.
func (r *Request) at(p Peer) int {
	return slices.IndexFunc(r.copies, func(d duplicate) bool { return d.peer == p })
}

// lend notes that p has r from now on.
func (c *Core) lend(now time.Duration, r *Request, p Peer) {
	r.copies = append(r.copies, duplicate{peer: p, counted: true, silent: now + max(4*c.trip, c.cfg.Silence), since: now})
	c.peers.lend(p, 1)
	c.peers.count(p, 1)
}

// allow notes how long r may wait where it is.
func (r *Request) allow(wait time.Duration) {
	for i := range r.copies {
		r.copies[i].allowed = wait
	}
}

// settle notes that the peer of the i-th copy said something, so that its load
// counts the copy from now on.
func (c *Core) settle(r *Request, i int) {
	d := &r.copies[i]
	d.silent, d.mute = 0, false
	if d.counted {
		d.counted = false
		c.peers.count(d.peer, -1)
	}
}

// forget drops the i-th copy of r; whoever has it is not told.
func (c *Core) forget(r *Request, i int) {
	c.settle(r, i)
	c.peers.lend(r.copies[i].peer, -1)
	r.copies = slices.Delete(r.copies, i, i+1)
}

// done drops what is at p of r, which has said so itself.
func (c *Core) done(r *Request, p Peer) {
	if i := r.at(p); i >= 0 {
		c.forget(r, i)
		return
	}
	r.asked = slices.DeleteFunc(r.asked, func(q Peer) bool { return q == p })
}

// mayBegin reports whether the peer was offered r with the request in it.
func (c *Core) mayBegin(r *Request, p Peer) bool {
	return r.tied && r.phase == queued && slices.Contains(r.asked, p)
}

// cancelCopies takes back every copy of r but the one at the peer that is
// spared.
func (c *Core) cancelCopies(r *Request, spared Peer, out []Effect) []Effect {
	for i := len(r.copies) - 1; i >= 0; i-- {
		if p := r.copies[i].peer; p != spared {
			c.forget(r, i)
			out = c.send(p, Message{Kind: Cancel, ID: r.id, Epoch: r.epoch}, out)
			out[len(out)-1].Request = r
		}
	}
	return out
}

// Awaits reports whether an answer to r, of the peer from in an epoch, is still
// wanted: the condition of the IN-filter. From zero it is of this node's own
// web server.
func (c *Core) Awaits(r *Request, from Peer, epoch uint32) bool {
	if c.own[r.id] != r || r.over || r.epoch != epoch {
		return false
	}
	return from == 0 && r.phase == running || r.at(from) >= 0 || c.mayBegin(r, from)
}

// Answered says that the head of an answer has come, of the peer from or, from
// zero, of this node's own web server, that Awaits says is wanted. What else was
// begun or asked for the request is ended. The core is done with it, but for
// one that runs here: that has its place until Finish.
func (c *Core) Answered(now time.Duration, r *Request, from Peer, out []Effect) []Effect {
	if !c.Awaits(r, from, r.epoch) {
		return out
	}
	return c.dispatch(now, c.answered(now, r, from, out))
}

func (c *Core) answered(now time.Duration, r *Request, from Peer, out []Effect) []Effect {
	if from != 0 {
		if i := r.at(from); i >= 0 {
			c.praise(now, &r.copies[i])
		}
		c.done(r, from)
	}
	here := r.phase == running && from != 0
	c.took(now, r, from, here || len(r.copies) > 0)
	if c.cfg.Copies.Cancel == Never {
		for len(r.copies) > 0 {
			c.forget(r, len(r.copies)-1)
		}
	} else if here {
		out = append(out, Effect{Do: DoAbort, Request: r})
	}
	return c.release(r, out)
}

// praise notes how long the peer of a copy took to answer, beside what it was
// allowed to.
func (c *Core) praise(now time.Duration, d *duplicate) {
	took := now - d.since - 4*c.trip - d.allowed
	c.peers.good(now, d.peer, float64(took)/float64(max(c.median(), c.service)))
}

// blame notes against those that have r that its time is over, if it was with
// them for most of it.
func (c *Core) blame(now time.Duration, r *Request) {
	for i := range r.copies {
		if d := &r.copies[i]; now-d.since > r.Timeout/2 {
			c.peers.fail(now, d.peer)
		}
	}
}

// NoAnswer says that the peer from, which has r in this epoch, has no answer for
// it; begun says that its web server may have begun it.
func (c *Core) NoAnswer(now time.Duration, r *Request, from Peer, begun bool, out []Effect) []Effect {
	if from == 0 || !c.Awaits(r, from, r.epoch) {
		return out
	}
	c.peers.fail(now, from)
	c.done(r, from)
	return c.dispatch(now, c.without(now, r, from, begun, out))
}

// without is what becomes of r when its copy at a peer is no more: nothing,
// while it is somewhere else.
func (c *Core) without(now time.Duration, r *Request, from Peer, begun bool, out []Effect) []Effect {
	if r.phase != moved || len(r.copies) > 0 {
		c.plan(now, r)
		return out
	}
	return c.again(now, r, from, begun, out)
}
