package policy

import (
	"cmp"
	"slices"
	"time"
)

// guestName names one try to have a request served elsewhere.
type guestName struct {
	owner Peer
	id    uint64
	epoch uint32
}

func (r *Request) name() guestName { return guestName{r.owner, r.id, r.epoch} }

// Receive takes a message of a peer. None may come after PeerGone.
func (c *Core) Receive(now time.Duration, from Peer, m Message, out []Effect) []Effect {
	c.peers.hear(now, from, m.Report)
	if m.Kind != Grant && m.Kind != Push {
		c.governor.note(now, 1)
	}
	switch m.Kind {
	case Claim:
		out = c.onClaim(now, from, m, out)
	case Refuse, Started, Queued:
		out = c.onWord(now, from, m, out)
	default:
		out = c.onOwner(now, guestName{from, m.ID, m.Epoch}, m, out)
	}
	return c.dispatch(now, out)
}

// onOwner hears an owner about a request of its own. What is known already, or
// is over, is not begun again whatever is repeated.
func (c *Core) onOwner(now time.Duration, name guestName, m Message, out []Effect) []Effect {
	g := c.guests[name]
	over := c.ended.has(name)
	switch {
	case g != nil && (m.Kind == Deny || m.Kind == Cancel):
		return c.onCancel(g, out)
	case over:
		return out
	case m.Kind == Cancel: // it came before what it is about
		c.ended.add(name)
	case m.Kind == Offer && g == nil:
		return c.onOffer(now, name, m, out)
	case m.Kind == Push && g == nil:
		return c.onPush(now, name, m, out)
	case m.Kind == Grant:
		return c.onGrant(now, g, name, m, out)
	}
	return out
}

// Hear notes what a peer says of itself outside any request.
func (c *Core) Hear(now time.Duration, from Peer, r Report) { c.peers.hear(now, from, r) }

// onOffer keeps a placeholder for what a peer offers, as if it were two
// services younger than it is: a stranger counts less than who is here.
func (c *Core) onOffer(now time.Duration, name guestName, m Message, out []Effect) []Effect {
	if c.closed(now, m) || m.Left < c.service || len(c.guests) >= maxGuests || !c.peers.mayOffer(now, name.owner, c.cfg.Places) {
		return out
	}
	g := c.welcome(now, name, m)
	g.key = g.arrived + c.distance(m.Report)
	if c.slow() {
		g.key += max(c.service-c.median(), 0)
	}
	g.phase = placeholder
	c.shadows.add(g)
	return out
}

// distance is how much younger an offer counts than it is: two services, and up
// to three and a half when its owner has over six to wait for. So the clients of
// nodes that help a hot one do not wait for its queue: p99 beside one at 6 x is
// at most 6 % above what it is alone, with two services for all 23 %
// (docs/sim.md).
func (c *Core) distance(owner Report) time.Duration {
	far := 7 * c.service / 2
	if !owner.possible() {
		return far
	}
	return min(max(owner.Wait(0)-4*c.service, 2*c.service), far)
}

// closed reports whether nothing like what m is about is taken from peers now.
func (c *Core) closed(now time.Duration, m Message) bool {
	return c.draining || c.raised || c.down || c.sick || c.sheds(now, m.Class.known(), max(m.Bytes, 0), maxLeft)
}

// maxLeft is how long a guest is kept at most, whatever its owner says.
const maxLeft = 10 * time.Minute

// welcome makes the guest that a message is about. No age makes it older than a
// request of this node can be: a peer that lies does not get every place.
func (c *Core) welcome(now time.Duration, name guestName, m Message) *Request {
	m.Age = min(max(m.Age, 0), c.cfg.Timeout)
	m.Left = min(max(m.Left, 0), maxLeft)
	var g *Request
	if n := len(c.spare); n > 0 {
		g, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		g = new(Request)
	}
	*g = Request{Class: m.Class.known(), Bytes: max(m.Bytes, 0), id: name.id, owner: name.owner, epoch: name.epoch, arrived: now - m.Age,
		deadline: now + m.Left, Data: m.Data, tied: m.Tied, asked: g.asked[:0], tried: g.tried[:0]}
	c.guests[name] = g
	c.peers.keep(g)
	c.schedule(g, g.deadline)
	return g
}

// seize takes a place that is free for what was offered: the request itself
// starts, if it came with its offer.
func (c *Core) seize(now time.Duration, g *Request, out []Effect) []Effect {
	if !g.tied {
		return c.claim(now, g, out)
	}
	c.shadows.remove(g)
	return c.start(now, g, out)
}

// claim says that a place is free for what was offered. Where the service is
// long beside the round trip the place is kept for the answer.
func (c *Core) claim(now time.Duration, g *Request, out []Effect) []Effect {
	c.shadows.remove(g)
	if !c.peers.mayOffer(now, g.owner, c.cfg.Places) {
		return c.drop(g, out)
	}
	g.phase = claimed
	if float64(c.service) >= 8*float64(c.trip)*float64(c.cfg.Places) {
		g.holds = true
		c.held++
	} else {
		g.loose = true
		c.loose++
	}
	c.schedule(g, min(now+4*c.trip, g.deadline))
	return c.send(g.owner, Message{Kind: Claim, ID: g.id, Epoch: g.epoch}, out)
}

// unhold gives back what a claim kept.
func (c *Core) unhold(g *Request) {
	if g.holds {
		g.holds = false
		c.held--
	}
	if g.loose {
		g.loose = false
		c.loose--
	}
}

// onGrant starts what was claimed, or queues it at its age when its place was
// not kept. A grant that was never claimed, or claimed too long ago, goes back
// whole, once.
func (c *Core) onGrant(now time.Duration, g *Request, name guestName, m Message, out []Effect) []Effect {
	if g == nil {
		c.ended.add(name)
		out = c.send(name.owner, Message{Kind: Refuse, ID: name.id, Epoch: name.epoch, Data: m.Data}, out)
		return append(out, Effect{Do: DoForget, Message: Message{Data: m.Data}})
	}
	if g.phase != claimed {
		return out
	}
	c.unhold(g)
	c.peers.paid(g, true)
	g.Data, g.Bytes, g.deadline = m.Data, max(m.Bytes, 0), now+min(max(m.Left, 0), maxLeft)
	switch {
	case c.down:
		return c.refuse(g, out)
	case c.vacant() > 0:
		return c.start(now, g, out)
	case c.full(g.Class, g.Bytes):
		return c.refuse(g, out)
	}
	return c.keep(now, g, out)
}

// keep queues a guest that is this node's to serve.
func (c *Core) keep(now time.Duration, g *Request, out []Effect) []Effect {
	out = c.displace(now, g, out)
	g.phase, g.key = queued, g.arrived
	c.queue.add(g)
	c.schedule(g, g.deadline)
	return c.send(g.owner, Message{Kind: Queued, ID: g.id, Epoch: g.epoch, Data: g.Data}, out)
}

// onPush takes a request that would not wait longer here than its owner
// allows, and refuses it otherwise.
func (c *Core) onPush(now time.Duration, name guestName, m Message, out []Effect) []Effect {
	g := c.welcome(now, name, m)
	wait := c.predicted(g.Class)
	switch {
	case c.closed(now, m) || m.Left < c.service || len(c.guests) > maxGuests || wait > 0 && wait+c.trip >= m.MaxWait:
		return c.refuse(g, out)
	case c.vacant() > 0 && c.queue.len() == 0:
		return c.start(now, g, out)
	}
	return c.keep(now, g, out)
}

// refuse sends a guest home that was not begun, and remembers it, so that a
// repeated message does not begin it after all.
func (c *Core) refuse(g *Request, out []Effect) []Effect {
	c.ended.add(g.name())
	out = c.send(g.owner, Message{Kind: Refuse, ID: g.id, Epoch: g.epoch, Data: g.Data}, out)
	return c.drop(g, out)
}

// onCancel forgets a guest; one that runs is aborted, and keeps its place until
// Finish.
func (c *Core) onCancel(g *Request, out []Effect) []Effect {
	if g.phase == running {
		if g.aborted {
			return out
		}
		g.aborted = true
		return append(out, Effect{Do: DoAbort, Request: g})
	}
	if g.phase == queued || g.tied {
		c.ended.add(g.name())
	}
	c.peers.paid(g, false)
	return c.drop(g, out)
}

// drop forgets a guest that does not run; it has Data only if it was sent whole
// and never ran.
func (c *Core) drop(g *Request, out []Effect) []Effect {
	c.unhold(g)
	c.queue.remove(g)
	c.shadows.remove(g)
	c.timers.remove(g)
	c.peers.unkeep(g)
	delete(c.guests, g.name())
	if g.Data != nil {
		out = append(out, Effect{Do: DoForget, Message: Message{Data: g.Data}})
	}
	g.phase, g.Data = absent, nil
	c.spare = append(c.spare, g)
	return out
}

// inOrder is every request and guest, in an order that does not change from
// run to run. It allocates: it is for what is rare.
func (c *Core) inOrder() []*Request {
	all := make([]*Request, 0, len(c.own)+len(c.guests))
	for _, r := range c.own {
		all = append(all, r)
	}
	for _, g := range c.guests {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *Request) int {
		return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.id, b.id), cmp.Compare(a.epoch, b.epoch))
	})
	return all
}
