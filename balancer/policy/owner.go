package policy

import (
	"slices"
	"time"
)

const (
	maxPushes  = 3                // of one request
	maxRefused = 6                // of one request, granted or pushed: then it stays
	maxRepeats = 2                // of one request, after losses
	leastLook  = time.Millisecond // between looks for a peer
)

// overflow looks for a peer for an own request that is queued.
func (c *Core) overflow(now time.Duration, r *Request, out []Effect) []Effect {
	if !r.Movable || c.cfg.Mode == Stay || len(c.peers.known) == 0 && !c.down {
		return out
	}
	if c.cfg.Mode == Paper {
		return c.byPaper(now, r, out)
	}
	if r.refused >= maxRefused || r.deadline-now <= c.median() { // no claim would be granted
		c.bind(r)
		return c.unwanted(now, r, out)
	}
	before := len(out)
	if out = c.race(now, r, out); len(out) > before || len(r.copies) > 0 {
		return out
	}
	// It stands in the queue itself. Below 2R and as much again nothing is
	// gained by asking.
	ahead, _ := c.queue.upTo(r.Class)
	wait := time.Duration(float64(ahead) * float64(c.service) / float64(c.cfg.Places))
	if soon := 3 * c.trip; wait <= soon && now-r.key <= soon && !c.down && r.notBefore <= now {
		c.lookAgain(now, r, r.key+soon+leastLook) // unless services are longer than they were
		return out
	}
	if !c.pulling(r) && !c.raised && r.tries < maxPushes {
		return c.push(now, r, wait, out)
	}
	return c.offer(now, r, out)
}

// offer has r offered to as many peers as the governor allows.
func (c *Core) offer(now time.Duration, r *Request, out []Effect) []Effect {
	k := c.copies(now)
	if k == 0 {
		c.lookAgain(now, r, now+window)
		return out
	}
	r.rounds++
	c.lookAgain(now, r, now+c.claimed())
	m := c.message(Offer, now, r)
	if c.cfg.Mode == Speculative && r.Repeatable && r.Light {
		r.tied = true
		m.Tied, m.Data = true, r.Data
	}
	return append(out, Effect{Do: DoSubmit, Request: r, Most: k, Choose: Random, Message: m})
}

// push takes r out of the queue while the driver looks for a peer where it
// would wait less.
func (c *Core) push(now time.Duration, r *Request, wait time.Duration, out []Effect) []Effect {
	c.unqueue(r)
	r.phase = asking
	maxWait := wait - c.trip
	if c.down || c.sick {
		maxWait = r.deadline - now
	}
	return append(out, Effect{Do: DoSubmit, Request: r, Most: 1, Choose: Best, Message: c.whole(now, r, maxWait)})
}

func (c *Core) message(kind Kind, now time.Duration, r *Request) Message {
	return Message{Kind: kind, ID: r.id, Epoch: r.epoch, Class: r.Class, Age: now - r.arrived, Left: r.deadline - now,
		Report: c.Report()}
}

// Sent says who was picked for a submission, m being its message. It is to be
// called once for each submission, with nobody when nobody was picked, before
// the message goes out; what it appends is to be done after. peers is not kept.
func (c *Core) Sent(now time.Duration, r *Request, m Message, peers []Peer, out []Effect) []Effect {
	c.countSent(now, m, len(peers))
	return c.dispatch(now, c.sent(now, r, m, peers, out))
}

// sent is what follows from who was picked. Who leaves the queue for it may have
// held up those behind.
func (c *Core) sent(now time.Duration, r *Request, m Message, peers []Peer, out []Effect) []Effect {
	if c.own[m.ID] != r || r.over || r.epoch != m.Epoch || m.Kind == Offer && r.phase != queued ||
		m.Tied && r.phase == running {
		// It was begun meanwhile, or its client is gone.
		for _, p := range peers {
			out = c.send(p, Message{Kind: Cancel, ID: m.ID, Epoch: m.Epoch}, out)
			if m.Kind == Push || m.Tied {
				out[len(out)-1].Request = r
			}
		}
		return out
	}
	switch {
	case m.Kind == Push && r.phase != asking:
		return c.forked(now, r, peers, out)
	case m.Kind == Push && len(peers) > 0:
		c.leaving.note(now)
		out = c.pushed(now, r, peers, out)
		r.allow(m.MaxWait)
		return out
	case m.Kind == Push:
		return c.unpushed(now, r, out)
	}
	r.tried = append(r.tried, peers...)
	r.asked = append(r.asked, peers...)
	if len(r.asked) == 0 {
		r.notBefore = 0
		c.bind(r)
	}
	return c.unwanted(now, r, out)
}

// countSent counts what goes to n peers.
func (c *Core) countSent(now time.Duration, m Message, n int) {
	if m.Kind == Push {
		c.count.Pushed += uint64(n)
		c.count.Carried += uint64(n)
		return
	}
	c.governor.note(now, n)
	if m.Tied {
		c.count.Copied += uint64(n)
		c.count.Carried += uint64(n)
		return
	}
	c.count.Offered += uint64(n)
	c.count.Control += uint64(n)
}

// unpushed puts a request back that no peer promises to serve sooner. Whoever
// has a place free before this node may still claim it.
func (c *Core) unpushed(now time.Duration, r *Request, out []Effect) []Effect {
	if c.cfg.Mode == Paper {
		return c.unmoved(now, r, out)
	}
	r.phase = queued
	c.queue.add(r)
	c.lookAgain(now, r, now+max(c.service, leastLook))
	if out = c.dispatch(now, out); r.phase != queued {
		return out
	}
	return c.offer(now, r, out)
}

// unwanted fails a request that can neither run here nor was wanted elsewhere.
func (c *Core) unwanted(now time.Duration, r *Request, out []Effect) []Effect {
	if c.down && len(r.asked)+len(r.copies) == 0 {
		return c.fail(now, r, out)
	}
	return out
}

// move notes that r is at p from now on, and nowhere else.
func (c *Core) move(now time.Duration, r *Request, p Peer) {
	r.phase = moved
	c.lend(now, r, p)
	c.plan(now, r)
}

// onClaim grants the request to the first who claims it. Who comes later was
// sent a cancel already.
func (c *Core) onClaim(now time.Duration, from Peer, m Message, out []Effect) []Effect {
	r := c.own[m.ID]
	if r == nil || r.epoch != m.Epoch || r.phase != queued {
		return out
	}
	i := slices.Index(r.asked, from)
	if i < 0 {
		return out
	}
	if r.deadline-now <= c.median() || !c.mayHave(now, from) {
		r.asked = slices.Delete(r.asked, i, i+1)
		return c.send(from, Message{Kind: Deny, ID: r.id, Epoch: r.epoch}, out)
	}
	c.count.Granted++
	c.count.Carried++
	c.unqueue(r)
	c.leaving.note(now)
	c.move(now, r, from)
	grant := c.message(Grant, now, r)
	grant.Data = r.Data
	out = append(out, Effect{Do: DoSend, Request: r, To: from, Message: grant})
	return c.cancelOffers(r, from, out)
}

// cancelOffers takes back every offer of r but the one to the peer that is
// spared.
func (c *Core) cancelOffers(r *Request, spared Peer, out []Effect) []Effect {
	for _, p := range r.asked {
		if p != spared {
			out = c.send(p, Message{Kind: Cancel, ID: r.id, Epoch: r.epoch}, out)
			if r.tied {
				out[len(out)-1].Request = r
			}
		}
	}
	r.asked = r.asked[:0]
	return out
}

// onWord hears what a peer that has r says of it: started, queued or refused.
func (c *Core) onWord(now time.Duration, from Peer, m Message, out []Effect) []Effect {
	r := c.own[m.ID]
	if r == nil || r.over || r.epoch != m.Epoch {
		return out
	}
	i := r.at(from)
	switch {
	case i < 0 && !(m.Kind == Started && c.mayBegin(r, from)):
		return out
	case m.Kind == Refuse:
		c.count.Refused++
		if m.Report.room() || !m.Report.possible() { // it could, or what it says is nonsense
			c.peers.fail(now, from)
		}
		return c.sentBack(now, r, from, out)
	case i >= 0:
		c.settle(r, i)
	}
	if m.Kind == Started {
		c.begun(now, r, from)
		if r.tied {
			out = c.first(now, r, from, out)
		}
	}
	c.plan(now, r)
	return out
}

// sentBack takes a copy of r from a peer that has not begun it. If there is no
// other it goes on from here.
func (c *Core) sentBack(now time.Duration, r *Request, p Peer, out []Effect) []Effect {
	if i := r.at(p); i >= 0 {
		c.unpay(now, r, i)
	}
	c.done(r, p)
	switch {
	case len(r.copies)+len(r.asked) > 0 || r.phase == running:
		c.plan(now, r)
		return out
	case r.phase == moved:
		r.refused++
		return c.retake(now, r, p, out)
	}
	return c.overflow(now, r, out)
}

// retake puts a request back that was not served where it was, at its old age:
// at the peer from, or here. After this node's own server peers come first.
func (c *Core) retake(now time.Duration, r *Request, from Peer, out []Effect) []Effect {
	r.notBefore = 0
	if from == 0 && len(c.peers.known) > 0 {
		r.notBefore = now + max(c.patience(), 4*c.trip)
	}
	r.epoch++
	r.rounds, r.begun, r.backup, r.tied = 0, 0, 0, false
	if c.pulling(r) {
		r.tried = append(r.tried[:0], from) // not that one, for now
	}
	r.phase = queued
	c.queue.add(r)
	c.lookAgain(now, r, r.deadline)
	switch {
	case c.down && !r.Movable:
		return c.fail(now, r, out)
	case c.alone(r):
		c.bind(r)
	}
	if out = c.dispatch(now, out); r.phase != queued {
		return out
	}
	return c.overflow(now, r, out)
}

// again decides about an own request that has no answer from where it was, the
// peer from or here, and is nowhere else: back into the queue if nobody began
// it, or if it may be begun twice and was not yet; otherwise it fails, or its
// time is over.
func (c *Core) again(now time.Duration, r *Request, from Peer, begun bool, out []Effect) []Effect {
	if r.deadline <= now {
		return c.expire(now, r, out)
	}
	if r.repeats >= maxRepeats || !r.Movable || begun && !(r.Repeatable && c.budget.Spend(now, 1)) {
		return c.fail(now, r, out)
	}
	r.repeats++
	c.count.Lost++
	return c.retake(now, r, from, out)
}

// PeerGone says that a peer left or its link is broken for good.
func (c *Core) PeerGone(now time.Duration, p Peer, out []Effect) []Effect {
	c.peers.forget(p)
	all := c.inOrder()
	for _, r := range all { // first, so that none of them is begun by what follows
		if r.owner == p {
			out = c.onCancel(r, out)
		}
	}
	for _, r := range all {
		switch {
		case r.owner == 0 && r.at(p) >= 0:
			r.copies[r.at(p)].counted = false
			c.forget(r, r.at(p))
			out = c.without(now, r, p, true, out)
		case r.owner == 0:
			if i := slices.Index(r.asked, p); i >= 0 {
				if r.asked = slices.Delete(r.asked, i, i+1); len(r.asked) == 0 {
					c.lookAgain(now, r, now)
				}
			}
		}
	}
	return c.dispatch(now, out)
}
