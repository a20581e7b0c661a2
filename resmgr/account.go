package resmgr

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kecho/channel"
)

// free is how much of a kind is neither held nor leased; 0 when more is than
// there is, because the capacity was larger before a restart.
func (g *Granter) free(k Kind) Quantity { return max(g.cfg.Capacity.Of(k)-g.used[k], 0) }

func (g *Granter) take(needs Amounts) {
	for _, need := range needs {
		g.used[need.Kind] += need.Quantity
	}
}

func (g *Granter) give(needs Amounts) {
	for _, need := range needs {
		g.used[need.Kind] -= need.Quantity
	}
}

func (g *Granter) uncount(holder string) {
	if g.counts[holder]--; g.counts[holder] <= 0 {
		delete(g.counts, holder)
	}
}

func (g *Granter) send(to channel.NodeID, m Message, out []Effect) []Effect {
	m.Manager = g.cfg.Name
	m.Reason.Manager = ""
	return append(out, Effect{Do: DoSend, To: to, Message: m})
}

// write hands w to the journal.
func (g *Granter) write(w write, out []Effect) []Effect {
	g.seq++
	w.seq = g.seq
	g.writes = append(g.writes, w)
	return append(out, Effect{Do: DoWrite, Seq: w.seq, Record: w.rec, Message: Message{Manager: g.cfg.Name}})
}

// reason is a no in words, made fit to travel.
func (g *Granter) reason(c Code, detail string) Reason {
	detail = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, detail)
	for i := range detail {
		if i > maxDetail-4 {
			detail = detail[:i] + "..."
			break
		}
	}
	return Reason{Manager: g.cfg.Name, Code: c, Detail: detail}
}

// Report is what the manager tells the group of itself: what is free, nothing
// while it grants nothing, and the highest fence that its journal has, so that it
// is remembered. One that is not on the disk would be missed after a restart.
func (g *Granter) Report(now time.Duration) Message {
	m := Message{Kind: MsgReport, Manager: g.cfg.Name, Fence: g.sure, Capacity: g.cfg.Capacity, Tags: g.cfg.Tags.String()}
	if _, closed := g.closed(now); closed {
		return m
	}
	for _, c := range g.cfg.Capacity {
		m.Free = append(m.Free, Amount{c.Kind, g.free(c.Kind)})
	}
	return m
}

// GranterStatus is a manager's state at one moment.
type GranterStatus struct {
	Name     string
	Fence    Fence
	Capacity Amounts
	Free     Amounts // in the order of Capacity, zeroes too
	Tags     Tags
	Leases   int
	Waiting  int
	Closed   Reason // why nothing is granted now; the zero Reason: it is
}

// Status is the state now.
func (g *Granter) Status(now time.Duration) GranterStatus {
	s := GranterStatus{Name: g.cfg.Name, Fence: g.fence, Capacity: g.cfg.Capacity, Tags: g.cfg.Tags, Leases: g.live, Waiting: len(g.queue)}
	for _, c := range g.cfg.Capacity {
		s.Free = append(s.Free, Amount{c.Kind, g.free(c.Kind)})
	}
	s.Closed, _ = g.closed(now)
	return s
}

// Granted is every lease that lives here, by fence; Lease.Until is left zero and
// Node too. left is how long each has, in the same order.
func (g *Granter) Granted(now time.Duration) (leases []Lease, left []time.Duration) {
	for _, f := range g.fences() {
		l := g.leases[f]
		if l.how != "" {
			continue
		}
		leases = append(leases, Lease{
			ID: LeaseID{g.cfg.Name, l.Fence}, Request: l.Request, Holder: l.Holder, Amounts: l.Amounts, TTL: l.TTL,
		})
		left = append(left, max(l.until-now, 0))
	}
	return leases, left
}

// fences and askIDs are in order, so that the same history has the same
// effects.
func (g *Granter) fences() []Fence {
	var all []Fence
	for f := range g.leases {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

func (g *Granter) askIDs() []channel.ID {
	var all []channel.ID
	for id := range g.asks {
		all = append(all, id)
	}
	slices.SortFunc(all, compareIDs)
	return all
}

func compareIDs(a, b channel.ID) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Seq, b.Seq))
}

// past is what is over and still remembered, oldest first.
type past struct {
	asks   []*ask
	leases []*granted
}

func (p *past) addAsk(a *ask, g *Granter) {
	if p.asks = append(p.asks, a); len(p.asks) > maxPast {
		p.dropAsk(g)
	}
}

func (p *past) addLease(l *granted, g *Granter) {
	if p.leases = append(p.leases, l); len(p.leases) > maxPast {
		p.dropLease(g)
	}
}

// forget drops what is older than is promised.
func (p *past) forget(now time.Duration, g *Granter) {
	for len(p.asks) > 0 && p.asks[0].over+keepAsks <= now {
		p.dropAsk(g)
	}
	for len(p.leases) > 0 && p.leases[0].ended+keepRequests <= now {
		p.dropLease(g)
	}
}

func (p *past) dropAsk(g *Granter) {
	a := p.asks[0]
	p.asks[0], p.asks = nil, p.asks[1:]
	if g.asks[a.id] == a {
		delete(g.asks, a.id)
	}
}

func (p *past) dropLease(g *Granter) {
	l := p.leases[0]
	p.leases[0], p.leases = nil, p.leases[1:]
	delete(g.leases, l.Fence)
	if g.keys[l.key()] == l {
		delete(g.keys, l.key())
	}
}
