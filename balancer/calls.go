package balancer

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// call is one request of this node's clients that peers were asked to serve:
// one try, under an id of its own, so that what a former try's peer says late
// is never taken for this one's.
type call struct {
	id     channel.ID
	copies int      // how many peers may be asked
	in     *inflow  // the answer's body
	out    *outflow // credit for the request's body
	news   chan news
	avoid  []channel.NodeID // peers that are not asked

	pending []channel.NodeID // asked, and nothing final heard; guarded by calls.mu
	unheard []channel.NodeID // asked, and nothing heard at all; guarded by calls.mu
	winner  channel.NodeID   // whose answer it is; guarded by calls.mu
	cancels []channel.NodeID // who gets the next cancel; guarded by calls.mu

	// The rest of the request's body; owned by ask.
	uploading bool
	endUpload context.CancelFunc
	uploads   sync.WaitGroup
}

// maxNews is how much can be told to a call that is not listening. What an
// honest peer says fits many times over; more is dropped.
const maxNews = 32

// news is what a peer says about a call, or what becomes of the peer.
type news struct {
	typ    channel.Type // typeTaken, typeBusy, typeAnswer, typeFailed or typeGone
	from   channel.NodeID
	attrs  channel.Attrs // what the peer describes itself with; immutable
	head   *answerHead   // of an answer
	header http.Header   // of an answer, checked
	window int           // of a taken
	reason string        // of a busy or failed
}

// typeGone is no event: the link to the peer went down.
const typeGone channel.Type = "gone"

// typeBroken is no event: the client broke its request off.
const typeBroken channel.Type = "broken"

// calls is the table of open calls.
type calls struct {
	mu     sync.Mutex
	byID   map[channel.ID]*call          // guarded by mu
	asked  map[channel.NodeID]int        // calls a peer is pending in; guarded by mu
	sent   map[channel.NodeID]int        // calls a peer has not been heard of; guarded by mu
	health policy.Health[channel.NodeID] // guarded by mu
}

func newCalls() *calls {
	return &calls{
		byID:  make(map[channel.ID]*call),
		asked: make(map[channel.NodeID]int),
		sent:  make(map[channel.NodeID]int),
	}
}

func (cs *calls) open(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.byID[c.id] = c
}

func (cs *calls) close(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.byID, c.id)
	for _, node := range c.pending {
		decrement(cs.asked, node)
	}
	for _, node := range c.unheard {
		decrement(cs.sent, node)
	}
	c.pending, c.unheard = nil, nil
}

func (cs *calls) get(id channel.ID) *call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.byID[id]
}

// note is an OUT-filter at the end of a chain: these peers are asked now.
func (cs *calls) note(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[e.ID]
	if c == nil {
		return sinks[:0]
	}
	for i := range sinks {
		node := sinks[i].Node
		c.pending = append(c.pending, node)
		c.unheard = append(c.unheard, node)
		cs.asked[node]++
		cs.sent[node]++
	}
	return sinks
}

// heard notes that a peer said something about c, so that its own load counts
// the call from now on.
func (cs *calls) heard(c *call, node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if i := slices.Index(c.unheard, node); i >= 0 {
		c.unheard = slices.Delete(c.unheard, i, i+1)
		decrement(cs.sent, node)
	}
}

// done notes that nothing more is expected of a peer for c, and returns how
// many peers are left.
func (cs *calls) done(c *call, node channel.NodeID) int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if i := slices.Index(c.pending, node); i >= 0 {
		c.pending = slices.Delete(c.pending, i, i+1)
		decrement(cs.asked, node)
	}
	return len(c.pending)
}

// won notes whose answer is the call's.
func (cs *calls) won(c *call, node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.winner = node
}

// isWinner reports whether the call's answer is the peer's.
func (cs *calls) isWinner(c *call, node channel.NodeID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return c.winner == node
}

// follows is for an OUT-filter: whether what continues the call e.Re goes to
// the peer.
func (cs *calls) follows(e *channel.Event, s *channel.Sink) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[e.Re]
	switch {
	case c == nil:
		return false
	case e.Type == typeCancel:
		return slices.Contains(c.cancels, s.Node)
	}
	return slices.Contains(c.pending, s.Node) && (c.winner == 0 || c.winner == s.Node)
}

// losers has the next cancel go to everybody but the winner, of whom nothing
// is expected then; it reports whether there is anybody.
func (cs *calls) losers(c *call) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.cancels = c.cancels[:0]
	for _, node := range c.pending {
		if node != c.winner {
			c.cancels = append(c.cancels, node)
			decrement(cs.asked, node)
		}
	}
	c.pending = slices.DeleteFunc(c.pending, func(node channel.NodeID) bool { return node != c.winner })
	return len(c.cancels) > 0
}

// everybody has the next cancel go to all who are pending; it reports whether
// there is anybody.
func (cs *calls) everybody(c *call) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.cancels = append(c.cancels[:0], c.pending...)
	return len(c.cancels) > 0
}

// len is how many calls are open.
func (cs *calls) len() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.byID)
}

// pendingOf is a copy of the peers of which something is expected.
func (cs *calls) pendingOf(c *call) []channel.NodeID {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Clone(c.pending)
}

// sentTo is how many calls a peer was given and has not been heard of.
func (cs *calls) sentTo(node channel.NodeID) int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.sent[node]
}

// gone tells every call that waits for the peer.
func (cs *calls) gone(node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.health.Gone(node)
	for _, c := range cs.byID {
		if slices.Contains(c.pending, node) {
			c.tell(news{typ: typeGone, from: node})
			if c.winner == node {
				c.in.fail(errLost)
			}
			if c.copies == 1 {
				c.out.fail(errLost)
			}
		}
	}
}

// tell does not block.
func (c *call) tell(n news) {
	select {
	case c.news <- n:
	default:
	}
}

func decrement(counts map[channel.NodeID]int, node channel.NodeID) {
	if counts[node]--; counts[node] <= 0 {
		delete(counts, node)
	}
}

// limit is how much one peer may be asked at most.
type limit struct {
	asked int           // calls it is pending in
	sent  int           // calls it was given and has not been heard of
	now   time.Duration // on the gate's clock
}

// mayAsk says whether the call id may go to the peer.
func (cs *calls) mayAsk(id channel.ID, node channel.NodeID, most limit) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[id]
	return c != nil && !slices.Contains(c.avoid, node) &&
		cs.asked[node] < most.asked && cs.sent[node] < most.sent &&
		!cs.health.Ejected(most.now, node)
}

// failed notes that a peer lost a request, or said nothing about it; peers is
// how many there are.
func (cs *calls) failed(now time.Duration, node channel.NodeID, peers int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.health.Failed(now, node, peers)
}

// answered notes that a peer answered a request.
func (cs *calls) answered(node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.health.Answered(node)
}
