package resmgr

import (
	"fmt"
	"time"

	"kecho/channel"
)

// GranterConfig is what a manager has and how much it bears.
type GranterConfig struct {
	// Name is what the manager is called in the whole cluster, across restarts:
	// two managers of one name take each other for an old copy.
	Name string
	// Capacity is what it can give.
	Capacity Amounts
	Tags     Tags
	// Ephemeral says that there is no journal: what was granted before the
	// start is not known and not waited for.
	Ephemeral bool
	// PerHolder bounds the leases, holds and waiting requests of one holder.
	// Zero: 1,000.
	PerHolder int
	// MaxLeases and MaxQueue bound those of all. Zero: 100,000 and 1,000.
	MaxLeases, MaxQueue int
	// MaxTTL is the longest TTL that it grants. Zero: MaxTTL, an hour. It must
	// not be lowered while older leases live.
	MaxTTL time.Duration
	// Settle is how long after the start nothing is granted, so that the others
	// can say what they remember of this manager. Zero: 1 s; negative: not at
	// all.
	Settle time.Duration
}

// How long what is over is remembered.
const (
	keepRequests = 10 * time.Minute // docs/design.md, "Limits"
	keepAsks     = time.Minute
	maxPast      = 100_000
	probeEvery   = 2 * time.Second // how often a journal that failed is tried
)

// Granter is one manager's offering side: what it has, to whom it gave it, who
// waits. It is a pure state machine: what happens goes in with the time, what is
// to be done is appended to out and returned. The caller holds one lock around
// it. Times are since a moment of the caller's choice, on a clock that does not
// go back.
type Granter struct {
	cfg    GranterConfig
	fence  Fence             // the last that was given
	sure   Fence             // the highest that is on the disk
	used   map[Kind]Quantity // by holds and leases, and what is being written
	asks   map[channel.ID]*ask
	queue  []*ask // who waits, in order
	leases map[Fence]*granted
	keys   map[key]*granted // the last lease of each request
	counts map[string]int   // of each holder: leases, holds, waiting
	live   int              // leases, and what is being written
	agenda agenda
	past   past

	seq    uint64  // of the last write
	writes []write // not yet on the disk, in order
	redo   []Fence // ends that a failed journal has not taken
	broken string  // what the journal said when it failed; "": it works
	probe  time.Duration

	settled time.Duration // nothing is granted before
	whole   time.Duration // nothing is granted before: there are leases that it does not know
	behind  string        // why
	left    bool
}

// key names a request as its client does.
type key struct{ holder, id string }

// write is what the journal has been told and has not answered.
type write struct {
	seq   uint64
	rec   Record
	ask   *ask     // whose grant it is
	lease *granted // whose renewal it is
	reply Message  // to the renewal
	to    channel.NodeID
}

// NewGranter makes a manager at the time now, with what its journal holds. What
// it cannot know of the leases there, how long ago they were last renewed, it
// takes for now: they are held for their whole TTL.
func NewGranter(cfg GranterConfig, now time.Duration, journal Recovered) (*Granter, error) {
	if err := checkManager(cfg.Name); err != nil {
		return nil, err
	}
	if err := cfg.Capacity.Check(); err != nil {
		return nil, fmt.Errorf("manager %s: %w", cfg.Name, err)
	}
	if err := cfg.Tags.Check(); err != nil {
		return nil, fmt.Errorf("manager %s: %w", cfg.Name, err)
	}
	g := &Granter{
		cfg: cfg.withDefaults(), fence: journal.Fence, sure: journal.Fence,
		used: map[Kind]Quantity{}, asks: map[channel.ID]*ask{}, leases: map[Fence]*granted{}, keys: map[key]*granted{}, counts: map[string]int{},
	}
	g.settled = now + max(g.cfg.Settle, 0)
	if journal.Behind {
		g.whole, g.behind = now+g.cfg.MaxTTL, "it has not been whole since its journal was found to be old"
	}
	for _, r := range journal.Leases {
		g.recover(now, r)
	}
	return g, nil
}

func (c GranterConfig) withDefaults() GranterConfig {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.PerHolder, 1000}, {&c.MaxLeases, 100_000}, {&c.MaxQueue, 1000}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.MaxTTL <= 0 || c.MaxTTL > MaxTTL {
		c.MaxTTL = MaxTTL
	}
	if c.Settle == 0 {
		c.Settle = time.Second
	}
	return c
}

// Receive takes a message for this manager, or a request to all, from a node.
// The same message twice has the answer of the first time and no other effect.
func (g *Granter) Receive(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	out = g.Tick(now, out)
	switch m.Kind {
	case MsgRequest:
		return g.request(now, from, m, out)
	case MsgAccept:
		return g.accept(now, from, m, out)
	case MsgDecline:
		return g.serve(now, g.decline(now, from, m, out))
	case MsgUndo:
		return g.serve(now, g.undo(now, from, m, out))
	case MsgRenew:
		return g.renew(now, from, m, out)
	case MsgRelease:
		return g.serve(now, g.release(now, from, m, out))
	case MsgSeen:
		return g.seen(now, m.Fence, out)
	}
	return out
}

// Next is when Tick has something to do if nothing else happens; false when it
// has not.
func (g *Granter) Next() (at time.Duration, ok bool) {
	if len(g.agenda) > 0 {
		at, ok = g.agenda[0].at, true
	}
	for _, t := range []struct {
		at   time.Duration
		when bool
	}{{g.probe, g.broken != ""}, {g.settled, g.settled > 0}, {g.whole, g.behind != ""}} {
		if t.when && (!ok || t.at < at) {
			at, ok = t.at, true
		}
	}
	return at, ok
}

// Tick does what is due: holds and leases that are over, the journal's next try.
func (g *Granter) Tick(now time.Duration, out []Effect) []Effect {
	for e, ok := g.agenda.due(now); ok; e, ok = g.agenda.due(now) {
		switch what := e.what.(type) {
		case *ask:
			out = g.askDue(now, what, e.at, out)
		case *granted:
			out = g.leaseDue(now, what, out)
		}
	}
	if g.settled > 0 && now >= g.settled {
		g.settled = 0
	}
	if g.behind != "" && now >= g.whole {
		g.behind = ""
		out = g.write(write{rec: Record{Kind: RecordWhole, Fence: g.fence}}, out)
	}
	if g.broken != "" && now >= g.probe {
		g.probe = now + probeEvery
		if len(g.redo) == 0 {
			out = g.write(write{rec: Record{Kind: RecordFence, Fence: g.fence}}, out)
		}
		out = g.redoEnds(out)
	}
	g.past.forget(now, g)
	g.agenda.weed(len(g.counts)+g.live+len(g.queue), isOver)
	return g.serve(now, out)
}

// isOver reports whether time changes nothing more about an ask or a lease.
func isOver(what any) bool {
	switch what := what.(type) {
	case *ask:
		return what.state != waiting && what.state != offered
	case *granted:
		return what.how != ""
	}
	return false
}

// PeerGone says that a node is not there any more: what it was offered and what
// it waits for is free. Its clients' leases last until their time: they may be
// renewed through another node.
func (g *Granter) PeerGone(now time.Duration, node channel.NodeID, out []Effect) []Effect {
	for _, a := range g.asks {
		if a.from == node && (a.state == waiting || a.state == offered) {
			g.drop(now, a, CodeGone)
		}
	}
	return g.Tick(now, out)
}

// seen takes that somebody remembers a fence of this manager. If it never gave
// one so high, its journal is an older copy, and leases are out there that it
// does not know: nothing more is granted until the last of them is over.
func (g *Granter) seen(now time.Duration, fence Fence, out []Effect) []Effect {
	if fence <= g.fence {
		return out
	}
	had := g.fence
	g.fence = fence
	if g.cfg.Ephemeral {
		return g.write(write{rec: Record{Kind: RecordFence, Fence: fence}}, out)
	}
	g.whole = now + g.cfg.MaxTTL
	g.behind = fmt.Sprintf("its journal ends at fence %d and %d was seen: it is an old copy, or another manager has its name", had, fence)
	out = g.write(write{rec: Record{Kind: RecordBehind, Fence: fence}}, out)
	return g.clear(now, CodeBehind, out)
}

// Join makes the manager's resources available; they are from the start.
func (g *Granter) Join(now time.Duration, out []Effect) []Effect {
	g.left = false
	return g.Tick(now, out)
}

// Leave takes the manager's resources out of the group: nothing more is
// offered, and who has leases hears that they end. What they have stays theirs
// until they release it or its time is over, for they may not hear.
func (g *Granter) Leave(now time.Duration, out []Effect) []Effect {
	g.left = true
	out = g.clear(now, CodeLeft, out)
	for _, f := range g.fences() {
		l := g.leases[f]
		if l.how != "" || l.leaving {
			continue
		}
		l.leaving = true
		if l.from != 0 {
			out = g.send(l.from, g.about(l, Message{Kind: MsgEnded, Reason: g.reason(CodeLeft, "the manager leaves the group")}), out)
		}
	}
	return out
}

// clear refuses everybody who waits and takes offers back.
func (g *Granter) clear(now time.Duration, why Code, out []Effect) []Effect {
	r, _ := g.closed(now)
	for _, id := range g.askIDs() {
		if a := g.asks[id]; a.state == waiting || a.state == offered {
			g.drop(now, a, why)
			out = g.send(a.from, Message{Kind: MsgRefuse, Ask: id, Reason: r}, out)
		}
	}
	return out
}

// closed is why nothing at all is granted now.
func (g *Granter) closed(now time.Duration) (r Reason, ok bool) {
	switch {
	case g.left:
		return g.reason(CodeLeft, "it has left the group"), true
	case g.behind != "":
		return g.reason(CodeBehind, fmt.Sprintf("%s; it grants again in %v", g.behind, (g.whole-now).Round(time.Second))), true
	case g.broken != "":
		return g.reason(CodeJournal, "its journal cannot be written: "+g.broken), true
	case g.settled > now:
		return g.reason(CodeStarting, fmt.Sprintf("it has just started; it grants in %v", (g.settled-now).Round(time.Millisecond))), true
	}
	return Reason{}, false
}
