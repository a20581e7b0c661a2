package balancer

import (
	"context"
	"slices"
	"sync"

	"kecho/channel"
	"kecho/filters"
)

// maxParts is how many peers have a request in one try at most: one that has no
// copies goes to a few at most, one after the other.
const (
	maxParts  = 4
	moreParts = 16
)

// call is one request of this node's clients that peers have: one try, under an
// id of its own, so that what a former try's peer says late is never taken for
// this one's.
type call struct {
	id     channel.ID
	number uint64   // of the request
	epoch  uint32   // of the try
	most   int      // how many peers may have it
	in     *inflow  // the answer's body
	out    *outflow // credit for the request's body
	flows  flows    // they
	news   chan *news
	// light: its request is bytes, and so may its answer be.
	light bool
	bare  bool // a light one's answer has no body
	// upgrade is what the request is to become.
	upgrade string

	asked  []part         // guarded by calls.mu
	winner channel.NodeID // whose answer it is; guarded by calls.mu
	hints  []hint         // not yet taken by the request's goroutine; guarded by calls.mu
	hinted int            // hints that came; guarded by calls.mu

	// The rest of the request's body; owned by the request's goroutine.
	upload    *upload
	uploading bool
	answered  bool // its answer was written whole
	endUpload context.CancelFunc
	uploads   sync.WaitGroup

	cancelling sync.WaitGroup // cancels that wait for room on a link
}

// part is a peer's in a call.
type part struct {
	node    channel.NodeID
	name    string
	taken   bool // it said that it serves the call
	over    bool // nothing more is expected of it
	unaware bool // its part is over and it was not told
}

// calls is the table of open calls.
type calls struct {
	mu      sync.Mutex
	running bool                            // guarded by mu
	byID    map[channel.ID]*call            // guarded by mu
	directs map[channel.ID][]channel.NodeID // to whom each event on its way to a link goes that is for some; guarded by mu
}

func newCalls() *calls {
	return &calls{
		byID:    make(map[channel.ID]*call),
		directs: make(map[channel.ID][]channel.NodeID),
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

// open reports whether calls can be made now.
func (cs *calls) open() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.running
}

// add adds c; false when no calls can be made now.
func (cs *calls) add(c *call) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.running {
		c.news = make(chan *news, 2*c.most+3)
		cs.byID[c.id] = c
	}
	return cs.running
}

func (cs *calls) close(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.byID, c.id)
	for i := range c.asked {
		cs.overLocked(&c.asked[i])
	}
}

// len is how many calls are open.
func (cs *calls) len() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.byID)
}

// note is an OUT-filter at the end of a chain: these peers have the request
// now.
func (cs *calls) note(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[e.ID]
	if c == nil {
		return sinks[:0]
	}
	sinks = sinks[:min(len(sinks), c.most-len(c.asked))]
	for i := range sinks {
		name, _ := filters.Name.In(sinks[i].Attrs)
		c.asked = append(c.asked, part{node: sinks[i].Node, name: name})
	}
	return sinks
}

// untaken takes back what note noted of a peer: its link did not take the
// request.
func (cs *calls) untaken(c *call, node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if a := c.part(node); a != nil {
		cs.overLocked(a)
	}
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
	return c
}

// nameOf is what a peer that has the call is called, as far as it says.
func (cs *calls) nameOf(c *call, node channel.NodeID) string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if a := c.part(node); a != nil {
		return a.name
	}
	return ""
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

// asks reports whether the peer has the call.
func (cs *calls) asks(c *call, node channel.NodeID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return c.part(node) != nil
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
		return slices.Contains(cs.directs[e.ID], s.Node)
	}
	a := c.part(s.Node)
	return a != nil && !a.over && (c.winner == 0 || c.winner == s.Node)
}

// address has the event id go to these peers, until unaddress.
func (cs *calls) address(id channel.ID, nodes []channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.directs[id] = nodes
}

func (cs *calls) unaddress(id channel.ID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.directs, id)
}

// addressed narrows sinks to whom e was addressed; false when it was to nobody.
func (cs *calls) addressed(e *channel.Event, sinks []channel.Sink) ([]channel.Sink, bool) {
	cs.mu.Lock()
	nodes, ok := cs.directs[e.ID]
	cs.mu.Unlock()
	kept := sinks[:0]
	if !ok {
		return sinks[:0], false
	}
	for i := range sinks {
		if slices.Contains(nodes, sinks[i].Node) {
			kept = append(kept, sinks[i])
		}
	}
	return kept, true
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

// end expects nothing more of anybody; it returns those of whom something was.
func (cs *calls) end(c *call) (nodes []channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for i := range c.asked {
		if cs.overLocked(&c.asked[i]) {
			nodes = append(nodes, c.asked[i].node)
		}
	}
	return nodes
}

// gone tells every call that waits for the peer.
func (cs *calls) gone(node channel.NodeID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
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
		if len(c.asked) == 1 {
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

// overLocked reports whether it was not over before.
func (cs *calls) overLocked(a *part) bool {
	if a.over {
		return false
	}
	a.over = true
	return true
}
