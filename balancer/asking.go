package balancer

import (
	"slices"
	"time"

	"kecho/channel"
)

// What the table of calls knows of peers: whether one may be asked.

// limit is how much one peer may be asked at most.
type limit struct {
	pending int           // calls in which something is expected of it
	unheard int           // calls that it was given and that its load does not count
	left    time.Time     // when what it was last heard with left it, at the latest
	now     time.Duration // on the gate's clock
}

// mayAsk says whether the call id may go to the peer, which has not been asked
// yet.
func (cs *calls) mayAsk(id channel.ID, node channel.NodeID, most limit) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.countedLocked(node, most.left)
	c := cs.byID[id]
	return c != nil && c.part(node) == nil && !slices.Contains(c.avoid, node) &&
		cs.pending[node] < most.pending && len(cs.unheard[node]) < most.unheard &&
		!cs.health.Ejected(most.now, node)
}

// failed notes that a peer said nothing about a request; peers is how many
// there are.
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

// sentTo is how many calls a peer was given that the load which it was last
// heard with does not count; mayAsk keeps it so.
func (cs *calls) sentTo(node channel.NodeID) int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.unheard[node])
}

// countedLocked forgets calls that were sent to a peer before what it was
// heard with left it: its load counts them.
func (cs *calls) countedLocked(node channel.NodeID, left time.Time) {
	sent := cs.unheard[node]
	n := 0
	for n < len(sent) && sent[n].Before(left) {
		n++
	}
	cs.setUnheardLocked(node, slices.Delete(sent, 0, n))
}

func (cs *calls) setUnheardLocked(node channel.NodeID, sent []time.Time) {
	if len(sent) == 0 {
		delete(cs.unheard, node)
	} else {
		cs.unheard[node] = sent
	}
}
