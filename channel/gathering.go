package channel

import (
	"context"
	"sync"
	"time"
)

// requests is the requests of one channel that wait for answers.
type requests struct {
	mu     sync.Mutex
	open   map[ID]*gathering // guarded by mu
	closed bool              // guarded by mu
}

// add reports why g cannot wait.
func (r *requests) add(g *gathering) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case len(r.open) == MaxRequests:
		return errRequests
	case r.open[g.id] != nil:
		return errAsked
	}
	if r.open == nil {
		r.open = make(map[ID]*gathering)
	}
	r.open[g.id] = g
	return nil
}

func (r *requests) remove(g *gathering) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, g.id)
}

func (r *requests) get(id ID) *gathering {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[id]
}

// gone says that a node is no sink any more: it will not answer.
func (r *requests) gone(node NodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.open {
		g.gone(node)
	}
}

// close ends what waits; there will be no other.
func (r *requests) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, g := range r.open {
		g.close()
	}
}

// gathering is the answers to one request, as they come.
type gathering struct {
	id     ID
	most   int
	others bool
	news   chan struct{} // capacity 1: something has changed

	mu      sync.Mutex
	sinks   map[NodeID]*asked // who was asked; guarded by mu
	asked   int               // sinks that the request was sent to; guarded by mu
	pending int               // what is waited for of them; guarded by mu
	taken   int               // answers that there were; guarded by mu
	answers []*Event          // of them not pulled; guarded by mu
	bytes   int               // of those; guarded by mu
	closed  bool              // guarded by mu
}

// asked is a node that a request was given to. Its own answer, and those of other
// clusters that gateways on it bring, are waited for apart.
type asked struct {
	waiting bool   // for its own
	given   uint64 // answers that came by it
	due     uint64 // how many it has said that it has given; zero: it has not

	gateways int    // that still bring answers
	bringing bool   // they are waited for, or what they have brought is on its way
	brought  uint64 // answers of other clusters that came
	owed     uint64 // that gateways have said that they have brought
}

func newGathering(id ID, g Gather) *gathering {
	if g.Count == 0 {
		g.Count = MaxAnswers
	}
	return &gathering{id: id, most: g.Count, others: g.Others, news: make(chan struct{}, 1), sinks: make(map[NodeID]*asked)}
}

func (g *gathering) tell() {
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// expect says who is sent the request, before it is: an answer may come at
// once.
func (g *gathering) expect(nodes ...NodeID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, node := range nodes {
		if g.sinks[node] == nil {
			g.sinks[node] = &asked{waiting: true}
			g.pending++
			g.asked++
		}
	}
}

// admit says that a node has the request, too, and is not waited for.
func (g *gathering) admit(node NodeID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sinks[node] == nil {
		g.sinks[node] = new(asked)
	}
}

// unsent takes back what expect said.
func (g *gathering) unsent(node NodeID) {
	g.mu.Lock()
	g.asked--
	g.mu.Unlock()
	g.gone(node)
}

// await says that a gateway on the node brings answers of another cluster until it
// finishes. Alone: nobody else there gives any.
func (g *gathering) await(node NodeID, alone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.sinks[node]
	if a == nil {
		return
	}
	a.gateways++
	if !a.bringing {
		a.bringing = true
		g.pending++
	}
	if alone {
		g.answeredLocked(a)
	}
}

// finish says that a node gives no more than so many answers, or, where a gateway
// on it brings answers, that this one brings no more. They may come later than this.
func (g *gathering) finish(node NodeID, answers uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.sinks[node]
	switch {
	case a == nil:
	case a.gateways > 0:
		a.gateways--
		a.owed += answers
		g.broughtLocked(a)
	case a.given >= answers:
		g.answeredLocked(a)
	default:
		a.due = answers
	}
}

// gone says that a node gives no more answers.
func (g *gathering) gone(node NodeID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.sinks[node]; a != nil {
		a.gateways, a.owed = 0, 0
		g.answeredLocked(a)
		g.broughtLocked(a)
	}
}

// answeredLocked ends the wait for the node's own answer.
func (g *gathering) answeredLocked(a *asked) {
	if a.waiting {
		a.waiting = false
		g.pending--
	}
	g.tell()
}

// broughtLocked ends the wait for what gateways bring, when all is there.
func (g *gathering) broughtLocked(a *asked) {
	if a.bringing && a.gateways == 0 && a.brought >= a.owed {
		a.bringing = false
		g.pending--
	}
	g.tell()
}

func (g *gathering) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.tell()
}

// take keeps a clone of an answer, which came by that node, and reports false when there is no room.
func (g *gathering) take(e *Event, by NodeID) bool {
	size := e.size()
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.sinks[by]; a != nil {
		a.given++
		if len(e.Path) > 0 {
			a.brought++
			g.broughtLocked(a)
		}
		if e.ID.Source == by || a.due > 0 && a.given >= a.due {
			g.answeredLocked(a)
		}
	}
	g.tell()
	if g.taken == g.most || g.bytes+size > MaxQueueBytes {
		return false
	}
	g.taken++
	g.bytes += size
	g.answers = append(g.answers, e.Clone())
	return true
}

// state is how many answers there are, and why it is over, if it is.
func (g *gathering) state() (answers int, end End) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.taken == g.most:
		end = ByCount
	case g.pending == 0:
		end = ByAll
	case g.closed:
		end = byClose
	}
	return g.taken, end
}

// pull takes the answers that are there out of it.
func (g *gathering) pull() []*Event {
	g.mu.Lock()
	defer g.mu.Unlock()
	answers := g.answers
	g.answers, g.bytes = nil, 0
	return answers
}

// wait returns when and why it is over.
func (g *gathering) wait(ctx context.Context, gather Gather) End {
	timeout := time.NewTimer(gather.Timeout)
	defer timeout.Stop()
	var gap *time.Timer
	var quiet <-chan time.Time // nil: nothing has come yet
	for have := 0; ; {
		n, end := g.state()
		if gather.Each != nil {
			for _, e := range g.pull() {
				gather.Each(e)
			}
		}
		if end != 0 {
			return end
		}
		if n > have && gather.Gap > 0 {
			if gap == nil {
				gap = time.NewTimer(gather.Gap)
				defer gap.Stop()
				quiet = gap.C
			}
			gap.Reset(gather.Gap)
		}
		have = n
		select {
		case <-g.news:
		case <-quiet:
			return ByGap
		case <-timeout.C:
			return ByTimeout
		case <-ctx.Done():
			return byContext
		}
	}
}
