package policy

import (
	"errors"
	"time"
)

// Limits are the bounds of one Gate.
type Limits struct {
	// Soft is how many requests run here before others may go elsewhere; at
	// least 1.
	Soft int
	// Hard is how many run here at most; at least Soft.
	Hard int
	// Queue is how many wait at most; at least 1.
	Queue int
	// QueueAge is how long the oldest waiting request may have waited here,
	// beyond the ForwardAfter that it waits anyway and without the time that
	// peers had it, before new ones are refused. By age and not by predicted
	// wait: that refuses wrongly in a hot spot that peers are draining
	// (docs/design.md, "Policy").
	QueueAge time.Duration
	// ForwardAfter is how long a request waits before it may overflow; 0: not
	// at all.
	ForwardAfter time.Duration
}

// Check says what is wrong with the limits.
func (l Limits) Check() error {
	switch {
	case l.Soft < 1:
		return errors.New("the soft limit is below 1")
	case l.Hard < l.Soft:
		return errors.New("the hard limit is below the soft limit")
	case l.Queue < 1:
		return errors.New("the queue has no place")
	case l.QueueAge <= 0:
		return errors.New("the age at which the queue sheds is not above 0")
	case l.ForwardAfter < 0:
		return errors.New("the wait before a forward is below 0")
	}
	return nil
}

// Verdict says what becomes of a request next.
type Verdict uint8

const (
	// Wait: it stands in the queue.
	Wait Verdict = iota
	// Start: it has a place here and must give it back with Finish.
	Start
	// Overflow: it is not in the queue; try the peers, then Back or nothing.
	Overflow
	// Shed: refuse it, there is too much to do.
	Shed
	// Fail: refuse it, nobody can serve it.
	Fail
)

// String is the verdict's name in lower case.
func (v Verdict) String() string {
	return [...]string{"wait", "start", "overflow", "shed", "fail"}[v]
}

// How long a request that no peer took waits before the peers are tried again:
// doubled with each try. Trying costs nothing while no peer reports room.
const (
	retryFirst = 25 * time.Millisecond
	retryMost  = 400 * time.Millisecond
)

// Ticket is one request at a Gate. What is exported is the caller's to set
// while the ticket is not in the queue; all else belongs to the Gate.
type Ticket struct {
	// Movable says that a peer may serve the request.
	Movable bool
	// Data is the caller's.
	Data any

	arrived time.Duration
	went    time.Duration // when it last went to the peers
	away    time.Duration // how long it was there, in all
	number  uint64        // rises with each arrival
	due     time.Duration // when it may overflow
	tries   int           // how often no peer took it
	started bool          // the last that was said of it was Start
	lost    bool          // the web server did not take it once
	line    *line         // where it waits; nil: it does not
	place   [2]int        // in the lines of each order, from 1; 0: in none
}

// bound reports whether nobody but this node is left to serve t; beyond the
// soft limit goes only what no peer would take.
func (t *Ticket) bound() bool { return t.tries > 0 || !t.Movable }

// waited is how long t has waited here; the time that peers had it is theirs.
func (t *Ticket) waited(now time.Duration) time.Duration { return now - t.arrived - t.away }

// Gate decides what runs at the web server of one node: a pure state machine,
// see the package's documentation.
type Gate struct {
	limits   Limits
	arrivals uint64
	running  int
	down     bool
	draining bool
	raised   bool // overflow: see SetOverflow
	queue    queue
}

// NewGate makes a gate with nothing in it. The limits must pass Check.
func NewGate(limits Limits) *Gate {
	return &Gate{limits: limits, queue: newQueue()}
}

// Arrive decides about a request that has just come. Its ticket must not be in
// the queue.
func (g *Gate) Arrive(now time.Duration, t *Ticket) Verdict {
	g.arrivals++
	t.arrived, t.number = now, g.arrivals
	t.due, t.tries, t.started, t.lost = now+g.limits.ForwardAfter, 0, false, false
	t.went, t.away = now, 0
	switch {
	case g.down && t.Movable:
		return Overflow
	case g.down:
		return Fail
	case !(g.raised && t.Movable) && g.hasRoom(t):
		return g.start(t)
	case g.sheds(now):
		return Shed
	case t.Movable && (g.raised || g.limits.ForwardAfter == 0):
		return Overflow
	}
	g.queue.add(t)
	return Wait
}

// Back decides about a request that was not served where the last verdict sent
// it, and was not begun there either.
//
// After Overflow, no peer took it: it keeps its age, and peers are tried again
// when it has waited for a while. It has no place kept for it: the queue may
// be full by now, which is Shed.
//
// After Start, the web server did not take it: Finish was called, and SetDown
// if the web server is known to be out of reach. It goes to the peers now, but
// only once; a web server that keeps refusing requests and is never down must
// not have them go round for ever.
func (g *Gate) Back(now time.Duration, t *Ticket) Verdict {
	if t.started {
		again := t.lost
		t.started, t.lost = false, true
		if again || !t.Movable {
			return Fail
		}
		t.went = now
		return Overflow
	}
	t.away += now - t.went
	t.due = now + min(retryFirst<<min(t.tries, 10), retryMost)
	t.tries++
	switch {
	case g.down && (!t.Movable || t.waited(now) > g.limits.QueueAge):
		return Fail
	case !g.down && g.hasRoom(t):
		return g.start(t)
	case g.queue.len() >= g.limits.Queue:
		return Shed
	}
	g.queue.add(t)
	return Wait
}

// hasRoom reports whether t may start now: there is a place for it, and nobody
// waits who could use that place.
func (g *Gate) hasRoom(t *Ticket) bool {
	most := g.limits.Soft
	if t.bound() {
		most = g.limits.Hard
	}
	return g.running < most && g.startable() == nil
}

// startable is the oldest that waits and may start now, if any. That need not
// be the head of the queue: between the limits there are places that a head
// that may yet go elsewhere cannot have.
func (g *Gate) startable() *Ticket {
	switch {
	case g.down:
		return nil
	case g.running < g.limits.Soft:
		return g.queue.oldest()
	case g.running < g.limits.Hard:
		return g.queue.bound.first()
	}
	return nil
}

func (g *Gate) start(t *Ticket) Verdict {
	g.running++
	t.started = true
	return Start
}

// Finish takes back a place. The ticket that it returns, if any, is the next
// to start: it has left the queue and has its place.
func (g *Gate) Finish(time.Duration) *Ticket {
	g.running--
	return g.Wake()
}

// Leave takes t out of the queue, if it is there: its client is gone, or its
// time is over.
func (g *Gate) Leave(t *Ticket) {
	if t.line != nil {
		g.queue.remove(t)
	}
}

// Due takes one ticket that may overflow now out of the queue and returns what
// becomes of it; nil when there is none. While the web server is down, what
// cannot move fails and what no peer was asked about goes to them, at once.
func (g *Gate) Due(now time.Duration) (*Ticket, Verdict) {
	t, v := g.hurried()
	if t == nil {
		t = g.queue.dues.first()
		if t == nil || t.due > now {
			return nil, Wait
		}
	}
	g.queue.remove(t)
	t.went = now
	return t, v
}

// hurried is the oldest that need not wait any more because the web server is
// down. One that peers have refused waits for its next try as always: they
// were full at that moment, and are the only ones left.
func (g *Gate) hurried() (*Ticket, Verdict) {
	if !g.down {
		return nil, Overflow
	}
	oldest, v := g.queue.open.first(), Overflow
	for _, t := range g.queue.bound.tickets {
		if !t.Movable && (oldest == nil || byAge.before(t, oldest)) {
			oldest, v = t, Fail
		}
	}
	return oldest, v
}

// Room takes one ticket out of the queue that may try the peers again before it
// is due, because one of them seems to have room now; nil when none waits that
// may leave.
func (g *Gate) Room(now time.Duration) *Ticket {
	t := g.queue.dues.first()
	if t == nil || now < t.arrived+g.limits.ForwardAfter {
		return nil
	}
	g.queue.remove(t)
	t.went = now
	return t
}

// Next is when Due has something to say if nothing else happens, which may be
// in the past; false when it has not.
func (g *Gate) Next() (at time.Duration, ok bool) {
	if t, _ := g.hurried(); t != nil {
		return t.arrived, true
	}
	if t := g.queue.dues.first(); t != nil {
		return t.due, true
	}
	return 0, false
}

// Admit decides about a request of a peer: it runs at once or not at all,
// because its owner can find it a better place than this queue. After true the
// place must be given back with Finish.
func (g *Gate) Admit() bool {
	if g.down || g.draining || g.raised || g.queue.len() > 0 || g.running >= g.limits.Soft {
		return false
	}
	g.running++
	return true
}

// SetDown says whether the web server is out of reach. When it is not any more,
// Wake has who starts; when it is, Due has who waits in vain.
func (g *Gate) SetDown(down bool) { g.down = down }

// Wake starts what waits and has room, one ticket a call, nil when there is
// nothing: after the web server is up again.
func (g *Gate) Wake() *Ticket {
	t := g.startable()
	if t == nil {
		return nil
	}
	g.queue.remove(t)
	g.start(t)
	return t
}

// Drain says that no peer's request is admitted any more.
func (g *Gate) Drain() { g.draining = true }

// SetOverflow says whether this server has too much to do, whatever its places
// say. While it has, every request that may move goes to the peers first, and
// comes Back for a place here when none has room; no peer's is admitted, and
// peers may count on no place. What waits already goes on as it was.
func (g *Gate) SetOverflow(raised bool) { g.raised = raised }

// State is the state now.
func (g *Gate) State() State {
	return State{Running: g.running, Queued: g.queue.len(), Soft: g.limits.Soft, Down: g.down, Draining: g.draining, Overflow: g.raised}
}

// sheds reports whether new requests are refused.
func (g *Gate) sheds(now time.Duration) bool {
	head := g.queue.oldest()
	return g.queue.len() >= g.limits.Queue || (head != nil && head.waited(now) > g.limits.ForwardAfter+g.limits.QueueAge)
}
