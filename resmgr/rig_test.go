package resmgr

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"kecho/channel"
)

// rig is nodes, each with an asking side and its managers, and a network
// between them that does what a test says: each message lies there until it is
// delivered, dropped or doubled, in any order; each write until the disk has
// it.
type rig struct {
	now    time.Duration
	nodes  []*rigNode // every one that ever was named, in order
	flight []flying
	asks   []*rigAsk
	cut    map[[2]string]bool // pairs whose messages are lost
	log    func(format string, args ...any)
	told   func(n *rigNode, e Effect) // every effect, for who checks
}

// rigNode is one node through all its lives.
type rigNode struct {
	name    string
	id      channel.NodeID // of this life; 0: it is dead
	lives   uint64
	seq     uint64
	asker   *Asker
	fences  *Fences
	shares  []GranterConfig
	managed []*rigManager
	disks   map[string]*Recovered // by manager
}

// rigManager is one manager in one life.
type rigManager struct {
	*Granter
	name    string
	pending []Effect // writes on their way to the disk
}

// flying is a message on its way.
type flying struct {
	from, to channel.NodeID
	m        Message
}

// rigAsk is one client's request.
type rigAsk struct {
	*Asking
	name string
	at   *rigNode
	life channel.NodeID
	over bool
}

func (g *rig) add(name string, shares ...GranterConfig) *rigNode {
	n := &rigNode{name: name, shares: shares, disks: map[string]*Recovered{}}
	for _, s := range shares {
		n.disks[s.Name] = &Recovered{}
	}
	g.nodes = append(g.nodes, n)
	return n
}

// start begins a node's next life: with what its disks hold.
func (g *rig) start(n *rigNode) {
	n.lives++
	n.id = channel.NodeID(uint64(slices.Index(g.nodes, n)+1) + 10*(n.lives-1))
	n.seq = 0
	life := n.id
	n.asker = NewAsker(AskerConfig{Start: time.Unix(0, 0), NextID: func() channel.ID {
		n.seq++
		return channel.ID{Source: life, Seq: n.seq}
	}})
	n.fences = NewFences(0)
	n.managed = nil
	for _, cfg := range n.shares {
		granter, err := NewGranter(cfg, g.now, n.disks[cfg.Name].Clone())
		if err != nil {
			panic(err)
		}
		n.managed = append(n.managed, &rigManager{Granter: granter, name: cfg.Name})
	}
	for _, other := range g.nodes {
		if other.id != 0 {
			g.report(n, other)
			g.report(other, n)
		}
	}
}

// report sends what from's managers say of themselves.
func (g *rig) report(from, to *rigNode) {
	for _, m := range from.managed {
		g.flight = append(g.flight, flying{from.id, to.id, m.Report(g.now)})
	}
}

// kill ends a life: what was not on the disk is lost, the others learn of it.
func (g *rig) kill(n *rigNode) {
	gone := n.id
	n.id, n.asker, n.managed = 0, nil, nil
	for _, a := range g.asks {
		if a.life == gone {
			a.over = true
		}
	}
	for _, other := range g.nodes {
		g.peerGone(other, gone)
	}
}

func (g *rig) peerGone(n *rigNode, gone channel.NodeID) {
	if n.id == 0 {
		return
	}
	g.do(n, nil, n.asker.PeerGone(g.now, gone, nil))
	for _, m := range n.managed {
		g.do(n, m, m.PeerGone(g.now, gone, nil))
	}
}

func (g *rig) open(n *rigNode, name string, r Request, trial bool) (*rigAsk, error) {
	asking, fresh, out, err := n.asker.Open(g.now, r, trial, nil)
	if err != nil {
		return nil, err
	}
	a := &rigAsk{Asking: asking, name: name, at: n, life: n.id, over: asking.Over()}
	if fresh {
		asking.Data = a
	}
	g.asks = append(g.asks, a)
	g.do(n, nil, out)
	return a, nil
}

// do does what one side of a node says, as a driver does. m is nil for the
// asking side.
func (g *rig) do(n *rigNode, m *rigManager, out []Effect) {
	for i := 0; i < len(out); i++ {
		e := out[i]
		if g.told != nil {
			g.told(n, e)
		}
		switch e.Do {
		case DoSend:
			e.Message.Managers = len(n.managed)
			g.flight = append(g.flight, flying{n.id, e.To, e.Message})
			g.log("%s: %s to %s\n", n.name, e.Message.Kind, g.named(e.To))
		case DoSubmit:
			var to []channel.NodeID
			for _, other := range g.nodes {
				if other.id != 0 && len(other.managed) > 0 {
					to = append(to, other.id)
					g.flight = append(g.flight, flying{n.id, other.id, e.Message})
				}
			}
			g.log("%s: submit to %d\n", n.name, len(to))
			out = n.asker.Asked(g.now, e.Asking, to, false, out)
		case DoWrite:
			m.pending = append(m.pending, e)
			g.log("%s: write %s %d\n", m.name, recordNames[e.Record.Kind], e.Record.Fence)
		case DoDone:
			g.done(n, e)
		case DoChange:
			g.log("%s: %v is %v\n", n.name, e.Change.Lease.ID, e.Change.Kind)
		}
	}
}

func (g *rig) done(n *rigNode, e Effect) {
	if c := e.Call; c != nil {
		if c.Err != nil {
			g.log("%s: %v: %v\n", n.name, c.Lease, c.Err)
		}
		return
	}
	for _, a := range g.asks {
		if a.Asking != e.Asking {
			continue
		}
		a.over = true
		g.log("%s: %s %s\n", n.name, a.name, a.outcome())
	}
}

func (a *rigAsk) outcome() string {
	if a.Err != nil {
		return "fails: " + a.Err.Error()
	}
	s := "has"
	for _, l := range a.Grant.Leases {
		s += fmt.Sprintf(" %v(%v)", l.ID, l.Amounts)
	}
	for _, o := range a.Offers {
		s += fmt.Sprintf(" offer of %s: %v of %v", o.Manager, o.Free, o.Capacity)
	}
	for _, r := range a.Reasons {
		s += fmt.Sprintf("; %s: %v", r.Manager, r)
	}
	return s
}

// at is the node of this life; nil when it is over.
func (g *rig) at(id channel.NodeID) *rigNode {
	for _, n := range g.nodes {
		if n.id == id && id != 0 {
			return n
		}
	}
	return nil
}

func (g *rig) named(id channel.NodeID) string {
	if n := g.at(id); n != nil {
		return n.name
	}
	return "nobody"
}

// deliver hands over the i-th message that is on its way, and leaves it there
// too with keep.
func (g *rig) deliver(i int, keep bool) {
	f := g.flight[i]
	if !keep {
		g.flight = slices.Delete(g.flight, i, i+1)
	}
	from, to := g.at(f.from), g.at(f.to)
	if from == nil || to == nil || g.cut[[2]string{from.name, to.name}] {
		return // links end with their processes
	}
	if err := f.m.check(); err != nil {
		panic(fmt.Sprintf("%s says what a peer refuses: %v", from.name, err))
	}
	switch {
	case f.m.Kind == MsgReport:
		to.asker.Heard(f.m.Manager, f.from)
		if seen := to.fences.Note(f.m.Manager, f.m.Fence); seen > f.m.Fence {
			g.flight = append(g.flight, flying{f.to, f.from, Message{Kind: MsgSeen, Manager: f.m.Manager, Fence: seen}})
		}
	case f.m.Kind.forManager():
		for _, m := range to.managed {
			if f.m.Manager == "" || f.m.Manager == m.name {
				g.do(to, m, m.Receive(g.now, f.from, &f.m, nil))
			}
		}
	default:
		if f.m.Kind == MsgGrant {
			to.fences.Note(f.m.Manager, f.m.Fence)
		}
		g.do(to, nil, to.asker.Receive(g.now, f.from, -1, &f.m, nil))
	}
}

var errFull = errors.New("no space left on device")

// written puts the first k writes of a manager on the disk; or, with full, the
// first of them, and loses all others.
func (g *rig) written(n *rigNode, m *rigManager, k int, full bool) {
	lost := k - 1
	if full {
		k = len(m.pending)
	}
	some := slices.Clone(m.pending[:k])
	m.pending = slices.Clone(m.pending[k:])
	var err error
	for i, e := range some {
		if full {
			err = errFull
		}
		if !full || i < lost {
			n.disks[m.name].Apply(e.Record)
		}
	}
	g.do(n, m, m.Written(g.now, some[k-1].Seq, err, nil))
}

// tick has every node do what is due.
func (g *rig) tick() {
	for _, n := range g.nodes {
		if n.id == 0 {
			continue
		}
		if at, ok := n.asker.Next(); ok && at <= g.now {
			g.do(n, nil, n.asker.Tick(g.now, nil))
		}
		for _, m := range n.managed {
			if at, ok := m.Next(); ok && at <= g.now {
				g.do(n, m, m.Tick(g.now, nil))
			}
		}
	}
}

// next is when the first of them has something to do.
func (g *rig) next() (first time.Duration, any bool) {
	note := func(at time.Duration, ok bool) {
		if ok && (!any || at < first) {
			first, any = at, true
		}
	}
	for _, n := range g.nodes {
		if n.id == 0 {
			continue
		}
		note(n.asker.Next())
		for _, m := range n.managed {
			note(m.Next())
		}
	}
	return first, any
}
