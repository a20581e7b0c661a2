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
	// QueueAge is how old the oldest waiting request may be before new ones
	// are refused. By age and not by predicted wait: that refuses wrongly in
	// a hot spot that peers are draining (POLICY "What was learnt" 7).
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

// Retry is how long a request that no peer took waits before the peers are
// tried again: 25 ms, doubled with each try up to 400 ms. Trying costs nothing
// while no peer reports room.
const (
	retryFirst = 25 * time.Millisecond
	retryMost  = 400 * time.Millisecond
)

// Ticket is one request in a Gate. What is exported is the caller's to set
// before Arrive; all else belongs to the Gate.
type Ticket struct {
	// Movable says that a peer may serve the request.
	Movable bool
	// Data is the caller's.
	Data any

	arrived    time.Duration
	due        time.Duration // when it may overflow
	tries      int           // how often peers were tried
	queued     bool
	prev, next *Ticket // in the queue, oldest first
}

// Gate decides what runs at the web server of one node: a pure state machine,
// see the package's documentation.
type Gate struct {
	limits   Limits
	running  int
	queued   int
	down     bool
	draining bool
	queue    Ticket // ring: next is the oldest
}

// NewGate makes a gate with nothing in it. The limits must pass Check.
func NewGate(limits Limits) *Gate {
	g := &Gate{limits: limits}
	g.queue.prev, g.queue.next = &g.queue, &g.queue
	return g
}

// Arrive decides about a request that has just come.
func (g *Gate) Arrive(now time.Duration, t *Ticket) Verdict {
	t.arrived, t.due, t.tries = now, now+g.limits.ForwardAfter, 0
	switch {
	case g.down && t.Movable:
		return Overflow
	case g.down:
		return Fail
	case g.running < g.limits.Soft && g.queued == 0:
		g.running++
		return Start
	case g.sheds(now):
		return Shed
	case t.Movable && g.limits.ForwardAfter == 0:
		return Overflow
	}
	return g.place(t)
}

// Back decides about a request that no peer took. It keeps its age; peers are
// tried again when it has waited for a while.
func (g *Gate) Back(now time.Duration, t *Ticket) Verdict {
	if g.down {
		return Fail
	}
	t.due = now + min(retryFirst<<min(t.tries, 10), retryMost)
	t.tries++
	return g.place(t)
}

// place gives t a place here, or one in the queue.
func (g *Gate) place(t *Ticket) Verdict {
	switch {
	case g.queued == 0 && g.running < g.room(t):
		g.running++
		return Start
	case g.queued >= g.limits.Queue:
		return Shed
	}
	g.enqueue(t)
	return Wait
}

// room is the limit that counts for t: beyond the soft one goes only what no
// peer would take.
func (g *Gate) room(t *Ticket) int {
	if t.tries > 0 || !t.Movable {
		return g.limits.Hard
	}
	return g.limits.Soft
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
	if !t.queued {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next, t.queued = nil, nil, false
	g.queued--
}

// Due takes one ticket that may overflow now out of the queue and returns what
// becomes of it; nil when there is none. While the web server is down nothing
// waits: what cannot move fails.
func (g *Gate) Due(now time.Duration) (*Ticket, Verdict) {
	for t := g.queue.next; t != &g.queue; t = t.next {
		switch {
		case t.Movable && (g.down || t.due <= now):
			g.Leave(t)
			return t, Overflow
		case g.down:
			g.Leave(t)
			return t, Fail
		}
	}
	return nil, Wait
}

// Next is when Due has something to say if nothing else happens; false when
// it has not.
func (g *Gate) Next() (at time.Duration, ok bool) {
	for t := g.queue.next; t != &g.queue; t = t.next {
		if t.Movable && (!ok || t.due < at) {
			at, ok = t.due, true
		}
	}
	return at, ok
}

// Admit decides about a request of a peer: it runs at once or not at all,
// because its owner can find it a better place than this queue. After true the
// place must be given back with Finish.
func (g *Gate) Admit() bool {
	if g.down || g.draining || g.queued > 0 || g.running >= g.limits.Soft {
		return false
	}
	g.running++
	return true
}

// SetDown says whether the web server is out of reach.
func (g *Gate) SetDown(down bool) { g.down = down }

// Wake starts what waits and has room, one ticket a call, nil when there is
// nothing: after the web server is up again.
func (g *Gate) Wake() *Ticket {
	t := g.queue.next
	if g.down || g.queued == 0 || g.running >= g.room(t) {
		return nil
	}
	g.Leave(t)
	g.running++
	return t
}

// Drain says that no peer's request is admitted any more.
func (g *Gate) Drain() { g.draining = true }

// State is a Gate at one moment.
type State struct {
	Running, Queued int
	Soft            int
	Down, Draining  bool
}

// State is the state now.
func (g *Gate) State() State {
	return State{Running: g.running, Queued: g.queued, Soft: g.limits.Soft, Down: g.down, Draining: g.draining}
}

// Load is (running + queued) / places.
func (s State) Load() float64 { return float64(s.Running+s.Queued) / float64(max(s.Soft, 1)) }

// Capacity is how many places peers may count on: none when the web server is
// down.
func (s State) Capacity() int {
	if s.Down {
		return 0
	}
	return s.Soft
}

// sheds reports whether new requests are refused.
func (g *Gate) sheds(now time.Duration) bool {
	return g.queued >= g.limits.Queue || (g.queued > 0 && now-g.queue.next.arrived > g.limits.QueueAge)
}

// enqueue puts t behind everything that is older.
func (g *Gate) enqueue(t *Ticket) {
	after := g.queue.prev
	for after != &g.queue && after.arrived > t.arrived {
		after = after.prev
	}
	t.prev, t.next = after, after.next
	after.next.prev, after.next = t, t
	t.queued = true
	g.queued++
}
