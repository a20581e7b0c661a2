package resmgr

import (
	"fmt"
	"slices"
	"time"

	"kecho/channel"
)

// ask is one attempt of a request, as a manager sees it.
type ask struct {
	id    channel.ID
	from  channel.NodeID
	key   key
	needs Amounts
	ttl   time.Duration
	until time.Duration // it waits so long
	state askState
	due   time.Duration // when the hold, or the waiting, is over
	over  time.Duration // since when it is
	why   Code          // it is
	undo  bool          // it is not wanted when it is written
	lease *granted      // once it is written
}

type askState uint8

const (
	waiting askState = iota // in the queue
	offered                 // a hold
	writing                 // accepted, on its way to the disk
	given                   // a lease
	over                    // none of these any more
)

// request answers who asks, or has it wait.
func (g *Granter) request(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	if a := g.asks[m.Ask]; a != nil {
		return g.again(now, a, out)
	}
	if l := g.keys[key{m.Holder, m.ID}]; l != nil && m.ID != "" && !m.Trial {
		return g.known(now, from, m, l, out)
	}
	reply := Message{Kind: MsgRefuse, Ask: m.Ask}
	if r, no := g.impossible(now, m); no {
		reply.Reason = r
		return g.send(from, reply, out)
	}
	if m.Trial {
		return g.trial(from, m, out)
	}
	a := &ask{id: m.Ask, from: from, key: key{m.Holder, m.ID}, needs: m.Needs, ttl: m.TTL, until: now + m.Wait}
	g.asks[a.id] = a
	g.counts[m.Holder]++
	g.enqueue(a)
	out = g.serve(now, out)
	if a.state != waiting {
		return out
	}
	reply.Reason, reply.Wait = g.short(a), m.Wait
	if m.Wait == 0 || len(g.queue) > g.cfg.MaxQueue {
		reply.Wait = 0
		if m.Wait > 0 {
			reply.Reason = g.reason(CodeTooMany, fmt.Sprintf("%d requests wait here, as many as may", g.cfg.MaxQueue))
		}
		g.drop(now, a, reply.Reason.Code)
		delete(g.asks, a.id) // it may ask again
	}
	return g.send(from, reply, out)
}

// again answers a repeated request as the first.
func (g *Granter) again(now time.Duration, a *ask, out []Effect) []Effect {
	switch a.state {
	case waiting:
		return g.send(a.from, Message{Kind: MsgRefuse, Ask: a.id, Reason: g.short(a), Wait: a.until - now}, out)
	case offered:
		return g.offer(now, a, out)
	case given:
		return g.sayGrant(now, a.from, a.id, a.lease, out)
	case over:
		return g.send(a.from, Message{Kind: MsgRefuse, Ask: a.id, Reason: g.overReason(now, a)}, out)
	}
	return out // being written: the grant follows
}

// known answers a request whose id has had a lease here.
func (g *Granter) known(now time.Duration, from channel.NodeID, m *Message, l *granted, out []Effect) []Effect {
	switch {
	case !slices.Equal(l.Amounts, m.Needs):
		r := g.reason(CodeReused, fmt.Sprintf("request %.40q was for %.60s", m.ID, l.Amounts))
		return g.send(from, Message{Kind: MsgRefuse, Ask: m.Ask, Reason: r}, out)
	case l.how != "":
		return g.send(from, Message{Kind: MsgRefuse, Ask: m.Ask, Reason: g.endReason(now, l)}, out)
	}
	return g.sayGrant(now, from, m.Ask, l, out)
}

// impossible is why a request cannot even wait.
func (g *Granter) impossible(now time.Duration, m *Message) (Reason, bool) {
	if r, no := g.closed(now); no {
		return r, true
	}
	s, err := ParseSelector(m.Selector)
	if err != nil {
		return g.reason(CodeInvalid, err.Error()), true
	}
	if t, no := s.misses(g.cfg.Tags); no {
		return g.reason(CodeTags, fmt.Sprintf("it is not %s: its tags are %q", t, g.cfg.Tags)), true
	}
	for _, need := range m.Needs {
		capacity := g.cfg.Capacity.Of(need.Kind)
		r := Reason{Manager: g.cfg.Name, Kind: need.Kind, Need: need.Quantity, Capacity: capacity, Free: g.free(need.Kind)}
		switch {
		case capacity == 0:
			r.Code = CodeUnknownKind
			return r, true
		case capacity < need.Quantity:
			r.Code = CodeTooLarge
			return r, true
		}
	}
	switch {
	case m.TTL > g.cfg.MaxTTL || m.TTL < MinTTL:
		return g.reason(CodeInvalid, fmt.Sprintf("a ttl of %v: it grants %v to %v", m.TTL, MinTTL, g.cfg.MaxTTL)), true
	case g.counts[m.Holder] >= g.cfg.PerHolder:
		return g.reason(CodeTooMany, fmt.Sprintf("the holder has %d leases and requests here, as many as it may", g.counts[m.Holder])), true
	case g.live >= g.cfg.MaxLeases, len(g.asks)-len(g.past.asks) >= g.cfg.MaxLeases: // holds too
		return g.reason(CodeTooMany, fmt.Sprintf("%d leases are granted or offered, as many as may", g.cfg.MaxLeases)), true
	}
	return Reason{}, false
}

// trial answers a dry run.
func (g *Granter) trial(from channel.NodeID, m *Message, out []Effect) []Effect {
	a := &ask{id: m.Ask, from: from, needs: m.Needs}
	if r := g.short(a); r.Code != "" {
		return g.send(from, Message{Kind: MsgRefuse, Ask: m.Ask, Reason: r}, out)
	}
	return g.send(from, g.offerOf(a), out)
}

// short is what a has too little of, or who comes before it; the zero Reason:
// nothing and nobody.
func (g *Granter) short(a *ask) Reason {
	for _, need := range a.needs {
		if free := g.free(need.Kind); free < need.Quantity {
			return Reason{Manager: g.cfg.Name, Code: CodeNoRoom, Kind: need.Kind, Need: need.Quantity, Free: free, Capacity: g.cfg.Capacity.Of(need.Kind)}
		}
	}
	for _, need := range a.needs {
		ahead := 0
		for _, b := range g.queue {
			if b == a {
				break
			}
			if b.needs.Has(need.Kind) {
				ahead++
			}
		}
		if ahead > 0 {
			return Reason{Manager: g.cfg.Name, Code: CodeQueued, Kind: need.Kind, Need: need.Quantity, Free: g.free(need.Kind),
				Capacity: g.cfg.Capacity.Of(need.Kind), Ahead: ahead}
		}
	}
	return Reason{}
}

// enqueue has a wait behind the others.
func (g *Granter) enqueue(a *ask) {
	a.state, a.due = waiting, a.until
	g.queue = append(g.queue, a)
	g.agenda.add(entry{a.due, a})
}

// serve makes offers to those who wait, first come first served for each kind:
// whoever has to wait for one kind is not overtaken for any of its kinds, or a
// request for much would never be served.
func (g *Granter) serve(now time.Duration, out []Effect) []Effect {
	if len(g.queue) == 0 {
		return out
	}
	if _, closed := g.closed(now); closed {
		return out
	}
	var blocked []Kind
	left := g.queue[:0]
	for i, a := range g.queue {
		if len(blocked) >= len(g.cfg.Capacity) {
			left = append(left, g.queue[i:]...)
			break
		}
		if g.fits(a.needs, blocked) {
			a.state, a.due = offered, now+HoldTime
			g.agenda.add(entry{a.due, a})
			g.take(a.needs)
			out = g.offer(now, a, out)
			continue
		}
		for _, need := range a.needs {
			if !slices.Contains(blocked, need.Kind) {
				blocked = append(blocked, need.Kind)
			}
		}
		left = append(left, a)
	}
	clear(g.queue[len(left):])
	g.queue = left
	return out
}

func (g *Granter) fits(needs Amounts, blocked []Kind) bool {
	for _, need := range needs {
		if g.free(need.Kind) < need.Quantity || slices.Contains(blocked, need.Kind) {
			return false
		}
	}
	return true
}

// offer says what is set aside for a.
func (g *Granter) offer(now time.Duration, a *ask, out []Effect) []Effect {
	m := g.offerOf(a)
	m.Wait = a.due - now
	for i := range m.Free {
		m.Free[i].Quantity += a.needs[i].Quantity
	}
	return g.send(a.from, m, out)
}

func (g *Granter) offerOf(a *ask) Message {
	m := Message{Kind: MsgOffer, Ask: a.id, Tags: g.cfg.Tags.String()}
	for _, need := range a.needs {
		m.Free = append(m.Free, Amount{need.Kind, g.free(need.Kind)})
		m.Capacity = append(m.Capacity, Amount{need.Kind, g.cfg.Capacity.Of(need.Kind)})
	}
	return m
}

// askDue ends a hold or a wait whose time has come. Who has more time waits
// again, behind the others, so that holds that nobody accepts go round.
func (g *Granter) askDue(now time.Duration, a *ask, at time.Duration, out []Effect) []Effect {
	if a.due != at || a.state != waiting && a.state != offered {
		return out
	}
	if a.state == offered && a.until > now {
		g.give(a.needs)
		a.over = now // of the hold
		g.enqueue(a)
		return out
	}
	if a.state == waiting {
		r := g.short(a)
		g.drop(now, a, r.Code)
		return g.send(a.from, Message{Kind: MsgRefuse, Ask: a.id, Reason: r}, out)
	}
	g.drop(now, a, CodeTaken)
	return out
}

// decline frees what a has. A decline that overtook its request is remembered.
func (g *Granter) decline(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	a := g.asks[m.Ask]
	if a == nil {
		g.strike(now, from, m)
		return out
	}
	if a.from == from && (a.state == waiting || a.state == offered) {
		g.drop(now, a, CodeEnded)
	}
	return out
}

// strike notes that an ask that has not come yet is over.
func (g *Granter) strike(now time.Duration, from channel.NodeID, m *Message) {
	a := &ask{id: m.Ask, from: from, state: over, over: now, why: CodeEnded}
	g.asks[a.id] = a
	g.past.addAsk(a, g)
}

// drop ends an ask that waits or holds.
func (g *Granter) drop(now time.Duration, a *ask, why Code) {
	if a.state == waiting {
		g.queue = slices.DeleteFunc(g.queue, func(b *ask) bool { return b == a })
	} else {
		g.give(a.needs)
	}
	g.uncount(a.key.holder)
	g.finish(now, a, why)
}

// finish remembers an ask as over.
func (g *Granter) finish(now time.Duration, a *ask, why Code) {
	a.state, a.over, a.why = over, now, why
	g.past.addAsk(a, g)
}

func (g *Granter) overReason(now time.Duration, a *ask) Reason {
	if a.lease != nil {
		return g.endReason(now, a.lease)
	}
	if a.why == CodeTaken {
		return g.reason(CodeTaken, fmt.Sprintf("the offer was held for %v, which ended %v ago", HoldTime, (now-a.over).Round(time.Millisecond)))
	}
	return g.reason(CodeTaken, "the offer was declined or taken back")
}
