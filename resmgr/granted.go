package resmgr

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"kecho/channel"
)

// granted is a lease as its manager sees it.
type granted struct {
	Record
	from    channel.NodeID // who is told; 0: not known since a restart
	until   time.Duration
	leaving bool          // the manager has left: it is not renewed
	shared  bool          // another ask than the one it was made for was told of it
	how     string        // it ended; "": it lives
	ended   time.Duration // when
}

func (l *granted) key() key { return key{l.Holder, l.Request} }

// recover takes a lease of the journal.
func (g *Granter) recover(now time.Duration, r Record) {
	l := &granted{Record: r, until: now + r.TTL}
	g.keep(l)
	g.take(r.Amounts)
	g.counts[r.Holder]++
	g.live++
	g.fence = max(g.fence, r.Fence)
}

func (g *Granter) keep(l *granted) {
	g.leases[l.Fence] = l
	if l.Request != "" {
		g.keys[l.key()] = l
	}
	g.agenda.add(entry{l.until, l})
}

// accept has a hold written down. The grant follows when it is on the disk.
func (g *Granter) accept(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	a := g.asks[m.Ask]
	no := func(r Reason) []Effect { return g.send(from, Message{Kind: MsgRefuse, Ask: m.Ask, Reason: r}, out) }
	switch {
	case a == nil || a.from != from:
		return no(g.reason(CodeTaken, "no offer was made for it, or it is long over"))
	case a.state == writing:
		return out // the grant follows
	case a.state == given:
		return g.sayGrant(now, from, a.id, a.lease, out)
	case a.state == waiting:
		return no(g.reason(CodeTaken, fmt.Sprintf("the offer was held for %v, which is over; it waits again", HoldTime)))
	case a.state == over:
		return no(g.overReason(now, a))
	}
	if r, closed := g.closed(now); closed {
		g.drop(now, a, r.Code)
		return no(r)
	}
	if l := g.keys[a.key]; l != nil { // another attempt of the same request came first
		g.drop(now, a, CodeEnded)
		return g.serve(now, g.sayGrant(now, from, a.id, l, out))
	}
	if g.beingWritten(a.key) {
		g.drop(now, a, CodeEnded)
		return g.serve(now, no(g.reason(CodeTaken, "another attempt of the same request is being granted")))
	}
	g.fence++
	a.state = writing
	g.live++
	return g.write(write{ask: a, rec: Record{
		Kind: RecordLease, Fence: g.fence, Ask: a.id, Request: a.key.id, Holder: a.key.holder, Amounts: a.needs, TTL: a.ttl,
	}}, out)
}

// beingWritten reports whether a lease for the request is on its way to the
// disk.
func (g *Granter) beingWritten(k key) bool {
	return k.id != "" && slices.ContainsFunc(g.writes, func(w write) bool { return w.ask != nil && w.ask.key == k })
}

// Written says that the journal has everything up to seq on the disk; or, with
// an error, that it is not known what it has of everything that it was handed,
// and that it takes nothing of that any more: else a grant could reach the disk
// without the end that made room for it. What failed is not granted.
func (g *Granter) Written(now time.Duration, seq uint64, err error, out []Effect) []Effect {
	for n := len(g.writes); n > 0 && (g.writes[0].seq <= seq || err != nil); n-- {
		w := g.writes[0]
		g.writes[0] = write{}
		g.writes = g.writes[1:]
		if err == nil {
			g.sure = max(g.sure, w.rec.Fence)
		}
		switch {
		case err != nil:
			out = g.unwritten(now, w, err, out)
		case w.ask != nil:
			out = g.grant(now, w, out)
		case w.lease != nil:
			out = g.renewed(now, w, out)
		}
	}
	if err == nil && g.broken != "" {
		g.broken = ""
		out = g.redoEnds(out)
	}
	return g.Tick(now, out)
}

// redoEnds gives a journal that works again the ends that it has not taken.
func (g *Granter) redoEnds(out []Effect) []Effect {
	ends := g.redo
	g.redo = nil
	for _, f := range ends {
		out = g.write(write{rec: Record{Kind: RecordEnd, Fence: f}}, out)
	}
	return out
}

// unwritten takes a write back. A lease whose end is not on the disk is held
// again after a restart, until its time: that is safe.
func (g *Granter) unwritten(now time.Duration, w write, err error, out []Effect) []Effect {
	if g.broken == "" {
		g.probe = now + probeEvery
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err // what is wrong, and not where on another machine
	}
	g.broken = fmt.Sprintf("%.80s", err)
	r := g.reason(CodeJournal, "its journal cannot be written: "+g.broken)
	switch {
	case w.ask != nil:
		a := w.ask
		g.give(a.needs)
		g.uncount(a.key.holder)
		g.live--
		g.finish(now, a, CodeJournal)
		g.redo = append(g.redo, w.rec.Fence) // it may be on the disk all the same
		out = g.send(a.from, Message{Kind: MsgRefuse, Ask: a.id, Reason: r}, out)
	case w.lease != nil:
		out = g.send(w.to, Message{Kind: MsgRefuse, Ask: w.reply.Ask, Reason: r}, out)
	case w.rec.Kind == RecordEnd:
		g.redo = append(g.redo, w.rec.Fence)
	}
	return out
}

// grant makes a lease of what is on the disk.
func (g *Granter) grant(now time.Duration, w write, out []Effect) []Effect {
	a := w.ask
	l := &granted{Record: w.rec, from: a.from, until: now + w.rec.TTL, leaving: g.left}
	g.keep(l)
	a.state, a.lease = given, l
	if a.undo {
		return g.forgetLease(now, l, a, out)
	}
	return g.sayGrant(now, a.from, a.id, l, out)
}

func (g *Granter) sayGrant(now time.Duration, to channel.NodeID, ask channel.ID, l *granted, out []Effect) []Effect {
	if l.how != "" {
		return g.send(to, Message{Kind: MsgRefuse, Ask: ask, Reason: g.endReason(now, l)}, out)
	}
	l.shared = l.shared || ask != l.Ask
	m := g.about(l, Message{Kind: MsgGrant, Wait: l.until - now})
	m.Ask = ask
	return g.send(to, m, out)
}

// about fills in what a message about a lease says of it.
func (g *Granter) about(l *granted, m Message) Message {
	m.Ask, m.ID, m.Holder, m.Needs, m.TTL, m.Fence = l.Ask, l.Request, l.Holder, l.Amounts, l.TTL, l.Fence
	return m
}

// undo ends what was granted for an ask, or would be, as if it had never been:
// its client was not told. A lease that was told to another ask too stays, and
// one that is older than a restart, of which that is not known.
func (g *Granter) undo(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	done := Message{Kind: MsgReleased, Ask: m.Ask}
	a := g.asks[m.Ask]
	if a != nil && a.from != from {
		return out
	}
	if a == nil {
		g.strike(now, from, m)
		return g.send(from, done, out)
	}
	switch a.state {
	case waiting, offered:
		g.drop(now, a, CodeEnded)
	case writing:
		a.undo = true
		return out // the answer follows
	case given:
		if a.lease.how == "" && !a.lease.shared {
			return g.forgetLease(now, a.lease, a, out)
		}
	}
	return g.send(from, done, out)
}

func (g *Granter) forgetLease(now time.Duration, l *granted, a *ask, out []Effect) []Effect {
	out = g.end(now, l, "undone", out)
	if g.keys[l.key()] == l {
		delete(g.keys, l.key())
	}
	return g.send(a.from, Message{Kind: MsgReleased, Ask: a.id}, out)
}

// end frees what a lease has.
func (g *Granter) end(now time.Duration, l *granted, how string, out []Effect) []Effect {
	l.how, l.ended = how, now
	g.give(l.Amounts)
	g.uncount(l.Holder)
	g.live--
	if a := g.asks[l.Ask]; a != nil {
		g.finish(now, a, CodeEnded)
	}
	g.past.addLease(l, g)
	return g.write(write{rec: Record{Kind: RecordEnd, Fence: l.Fence}}, out)
}

func (g *Granter) leaseDue(now time.Duration, l *granted, out []Effect) []Effect {
	if l.how != "" {
		return out
	}
	if l.until > now {
		g.agenda.add(entry{l.until, l})
		return out
	}
	out = g.end(now, l, "it expired", out)
	if l.from == 0 {
		return out
	}
	return g.send(l.from, g.about(l, Message{Kind: MsgEnded, Reason: g.endReason(now, l)}), out)
}

func (g *Granter) endReason(now time.Duration, l *granted) Reason {
	return g.reason(CodeEnded, fmt.Sprintf("lease %d: %s %v ago", l.Fence, l.how, (now-l.ended).Round(time.Millisecond)))
}

// mine finds the live lease that a message is about, or says why not.
func (g *Granter) mine(now time.Duration, m *Message) (*granted, Reason) {
	l := g.leases[m.Fence]
	switch {
	case l == nil:
		return nil, g.reason(CodeNotFound, fmt.Sprintf("there is no lease %d, or it ended long ago", m.Fence))
	case l.Holder != m.Holder:
		return nil, g.reason(CodeNotHolder, fmt.Sprintf("lease %d is not %.60q's", m.Fence, m.Holder))
	case l.how != "":
		return l, g.endReason(now, l)
	}
	return l, Reason{}
}

// renew gives a lease its whole time again. Only a longer TTL is written down:
// after a restart each lease has its whole TTL.
func (g *Granter) renew(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	l, r := g.mine(now, m)
	if r.Code == "" && l.leaving {
		r = g.reason(CodeLeft, "the manager has left the group: the lease is not renewed")
	}
	ttl := m.TTL
	if r.Code == "" && ttl == 0 {
		ttl = l.TTL
	}
	if r.Code == "" && (ttl < MinTTL || ttl > g.cfg.MaxTTL) {
		r = g.reason(CodeInvalid, fmt.Sprintf("a ttl of %v: it grants %v to %v", ttl, MinTTL, g.cfg.MaxTTL))
	}
	if r.Code != "" {
		return g.send(from, Message{Kind: MsgRefuse, Ask: m.Ask, Reason: r}, out)
	}
	l.from = from
	w := write{lease: l, rec: l.Record, reply: Message{Kind: MsgRenewed, Ask: m.Ask}, to: from}
	w.rec.TTL = ttl
	if ttl > l.TTL && !g.cfg.Ephemeral {
		return g.write(w, out)
	}
	return g.renewed(now, w, out)
}

// renewed makes a renewal count that the journal, if it must, has.
func (g *Granter) renewed(now time.Duration, w write, out []Effect) []Effect {
	l := w.lease
	if l.how != "" {
		return g.send(w.to, Message{Kind: MsgRefuse, Ask: w.reply.Ask, Reason: g.endReason(now, l)}, out)
	}
	l.TTL = w.rec.TTL
	// Never earlier: an answer to a renewal for longer may still be on its way.
	l.until = max(l.until, now+l.TTL)
	m := g.about(l, w.reply)
	m.Ask, m.Wait = w.reply.Ask, l.TTL
	return g.send(w.to, m, out)
}

// release ends a lease; who releases twice hears the same twice.
func (g *Granter) release(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	l, r := g.mine(now, m)
	switch {
	case r.Code == "":
		out = g.end(now, l, released, out)
	case l == nil || l.how != released:
		return g.send(from, Message{Kind: MsgRefuse, Ask: m.Ask, Reason: r}, out)
	}
	done := g.about(l, Message{Kind: MsgReleased})
	done.Ask = m.Ask
	return g.send(from, done, out)
}

const released = "it was released"
