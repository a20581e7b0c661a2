package balancer

import (
	"context"
	"slices"
	"sync"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
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

	asked  []part         // guarded by calls.mu
	winner channel.NodeID // whose answer it is; guarded by calls.mu

	// The rest of the request's body; owned by ask.
	uploading bool
	endUpload context.CancelFunc
	uploads   sync.WaitGroup

	cancelling sync.WaitGroup // cancels that wait for room on a link
}

// part is a peer's in a call.
type part struct {
	node    channel.NodeID
	sent    time.Time
	heard   bool // it said something, so its own load counts the call
	taken   bool // it said that it serves the call
	over    bool // nothing more is expected of it
	unaware bool // its part is over and it was not told
	untaken bool // its link did not take the request
}

// calls is the table of open calls.
type calls struct {
	mu      sync.Mutex
	running bool                           // guarded by mu
	byID    map[channel.ID]*call           // guarded by mu
	cancels map[channel.ID]channel.NodeID  // to whom each cancel on its way to a link goes; guarded by mu
	pending map[channel.NodeID]int         // calls in which something is expected of a peer; guarded by mu
	unheard map[channel.NodeID][]time.Time // when calls were sent that a peer's load may not count yet, oldest first; guarded by mu
	health  policy.Health[channel.NodeID]  // guarded by mu
}

func newCalls() *calls {
	return &calls{
		byID:    make(map[channel.ID]*call),
		cancels: make(map[channel.ID]channel.NodeID),
		pending: make(map[channel.NodeID]int),
		unheard: make(map[channel.NodeID][]time.Time),
	}
}

// start lets calls be opened.
func (cs *calls) start() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.running = true
}

// stop ends the open calls; no others are opened.
func (cs *calls) stop() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.running = false
	for _, c := range cs.byID {
		c.in.fail(errStopped)
		c.out.fail(errStopped)
		c.tell(news{typ: typeStopped})
	}
}

// open adds c; false when no calls can be made now.
func (cs *calls) open(c *call) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.running {
		c.news = make(chan news, 2*c.copies+2)
		cs.byID[c.id] = c
	}
	return cs.running
}

func (cs *calls) close(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.byID, c.id)
	for i := range c.asked {
		cs.heardLocked(&c.asked[i])
		cs.overLocked(&c.asked[i])
	}
}

// len is how many calls are open.
func (cs *calls) len() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.byID)
}

// note is an OUT-filter at the end of a chain: these peers are asked now.
func (cs *calls) note(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[e.ID]
	if c == nil {
		return sinks[:0]
	}
	now := time.Now()
	for i := range sinks {
		node := sinks[i].Node
		c.asked = append(c.asked, part{node: node, sent: now})
		cs.pending[node]++
		cs.unheard[node] = append(cs.unheard[node], now)
	}
	return sinks
}

// untaken takes back what note noted last: the peer's link did not take the
// request. It returns the peer.
func (cs *calls) untaken(c *call) channel.NodeID {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	a := &c.asked[len(c.asked)-1]
	cs.heardLocked(a)
	a.untaken = cs.overLocked(a) // else the call is told already that the peer is gone
	return a.node
}

// hear is the open call id, of which the peer says something; nil when there
// is none, or when the peer was not asked.
func (cs *calls) hear(id channel.ID, node channel.NodeID) *call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[id]
	if c == nil {
		return nil
	}
	a := c.part(node)
	if a == nil {
		return nil
	}
	cs.heardLocked(a)
	return c
}

// took notes that the peer serves the call; false when it said so before.
func (cs *calls) took(c *call, node channel.NodeID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	a := c.part(node)
	first := !a.taken && !a.over
	a.taken = true
	return first
}

// over notes that nothing more is expected of a peer for c; false when that
// was so before.
func (cs *calls) over(c *call, node channel.NodeID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.overLocked(c.part(node))
}

// drop is over for a peer that does not know; see dropped.
func (cs *calls) drop(c *call, node channel.NodeID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	a := c.part(node)
	first := cs.overLocked(a)
	a.unaware = a.unaware || first
	return first
}

// dropped is the peers that drop ended the part of, each once.
func (cs *calls) dropped(c *call) (nodes []channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for i := range c.asked {
		if a := &c.asked[i]; a.unaware {
			a.unaware = false
			nodes = append(nodes, a.node)
		}
	}
	return nodes
}

// won notes that the call's answer is the peer's; false when it was before, or
// nothing more was expected.
func (cs *calls) won(c *call, node channel.NodeID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.winner != 0 || c.part(node).over {
		return false
	}
	c.winner = node
	return true
}

// reopen lets another peer's answer be the first: the one that was is none.
func (cs *calls) reopen(c *call, first *filters.FirstAnswer) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.byID[c.id] == c {
		first.Close(c.id)
		first.Open(c.id)
	}
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
	if c == nil {
		return false
	}
	if e.Type == typeCancel {
		return cs.cancels[e.ID] == s.Node
	}
	a := c.part(s.Node)
	return a != nil && !a.over && (c.winner == 0 || c.winner == s.Node)
}

// address has the cancel id go to the peer, until unaddress.
func (cs *calls) address(id channel.ID, node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.cancels[id] = node
}

func (cs *calls) unaddress(id channel.ID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.cancels, id)
}

// losers expects nothing more of anybody but the winner; it returns those of
// whom something was expected.
func (cs *calls) losers(c *call) (nodes []channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for i := range c.asked {
		if a := &c.asked[i]; a.node != c.winner && cs.overLocked(a) {
			nodes = append(nodes, a.node)
		}
	}
	return nodes
}

// asked is how many peers were asked whose links took the request.
func (cs *calls) asked(c *call) (n int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for i := range c.asked {
		if !c.asked[i].untaken {
			n++
		}
	}
	return n
}

// pendingOf is the peers of which something is expected.
func (cs *calls) pendingOf(c *call) (nodes []channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for i := range c.asked {
		if !c.asked[i].over {
			nodes = append(nodes, c.asked[i].node)
		}
	}
	return nodes
}

// gone tells every call that waits for the peer.
func (cs *calls) gone(node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.health.Gone(node)
	for _, c := range cs.byID {
		a := c.part(node)
		if a == nil || !cs.overLocked(a) {
			continue
		}
		if c.winner == node {
			c.in.fail(errLost)
		} else {
			c.tell(news{typ: typeGone, from: node})
		}
		if c.copies == 1 {
			c.out.fail(errLost)
		}
	}
}

// part is the peer's part in c; nil when it was not asked. calls.mu is held.
func (c *call) part(node channel.NodeID) *part {
	for i := range c.asked {
		if c.asked[i].node == node {
			return &c.asked[i]
		}
	}
	return nil
}

func (cs *calls) heardLocked(a *part) {
	if !a.heard {
		a.heard = true
		sent := cs.unheard[a.node]
		if i := slices.Index(sent, a.sent); i >= 0 {
			cs.setUnheardLocked(a.node, slices.Delete(sent, i, i+1))
		}
	}
}

// overLocked reports whether it was not over before.
func (cs *calls) overLocked(a *part) bool {
	if a.over {
		return false
	}
	a.over = true
	decrement(cs.pending, a.node)
	return true
}

func decrement(counts map[channel.NodeID]int, node channel.NodeID) {
	if counts[node]--; counts[node] <= 0 {
		delete(counts, node)
	}
}
