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
	id   ID
	most int
	news chan struct{} // capacity 1: something has changed

	mu      sync.Mutex
	sinks   map[NodeID]sinkState // guarded by mu
	asked   int                  // sinks that the request was sent to; guarded by mu
	pending int                  // of them waited for; guarded by mu
	answers []*Event             // guarded by mu
	bytes   int                  // of them; guarded by mu
	closed  bool                 // guarded by mu
}

type sinkState int8

const (
	sinkAsked sinkState = iota + 1
	sinkAnswered
	sinkGone
)

func newGathering(id ID, count int) *gathering {
	if count == 0 {
		count = MaxAnswers
	}
	return &gathering{id: id, most: count, news: make(chan struct{}, 1), sinks: make(map[NodeID]sinkState)}
}

func (g *gathering) tell() {
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// expect says who is sent the request, before it is: an answer may come at
// once.
func (g *gathering) expect(sinks []Sink) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range sinks {
		if node := sinks[i].Node; g.sinks[node] == 0 {
			g.sinks[node] = sinkAsked
			g.pending++
			g.asked++
		}
	}
}

// unsent takes back what expect said.
func (g *gathering) unsent(node NodeID) {
	g.mu.Lock()
	g.asked--
	g.mu.Unlock()
	g.gone(node)
}

func (g *gathering) gone(node NodeID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sinks[node] == sinkAsked {
		g.pending--
	}
	if g.sinks[node] != sinkAnswered {
		g.sinks[node] = sinkGone
	}
	g.tell()
}

func (g *gathering) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.tell()
}

// take keeps a clone of an answer, and reports false when there is no room.
func (g *gathering) take(e *Event) bool {
	size := e.size()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sinks[e.ID.Source] == sinkAsked {
		g.pending--
	}
	g.sinks[e.ID.Source] = sinkAnswered
	g.tell()
	if len(g.answers) == g.most || g.bytes+size > MaxQueueBytes {
		return false
	}
	g.bytes += size
	g.answers = append(g.answers, e.Clone())
	return true
}

// state is how many answers there are, and why it is over, if it is.
func (g *gathering) state() (answers int, end End) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case len(g.answers) == g.most:
		end = ByCount
	case g.pending == 0:
		end = ByAll
	case g.closed:
		end = byClose
	}
	return len(g.answers), end
}

// wait returns when and why it is over.
func (g *gathering) wait(ctx context.Context, gather Gather) End {
	timeout := time.NewTimer(gather.Timeout)
	defer timeout.Stop()
	var gap *time.Timer
	var quiet <-chan time.Time // nil: nothing has come yet
	for have := 0; ; {
		n, end := g.state()
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
