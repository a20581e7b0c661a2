package balancer

import (
	"maps"
	"slices"
	"sync"

	"kecho/channel"
)

// exchanges is the table of what peers have sent here to be served.
type exchanges struct {
	mu     sync.Mutex
	closed bool                     // guarded by mu
	byID   map[channel.ID]*exchange // guarded by mu
	owners map[channel.NodeID]int   // exchanges of each; guarded by mu
}

func newExchanges() *exchanges {
	return &exchanges{byID: make(map[channel.ID]*exchange), owners: make(map[channel.NodeID]int)}
}

// add takes x in. It reports false for a request that is here already, for one
// of an owner that has perPeer here, and after close.
func (xs *exchanges) add(x *exchange, perPeer int) bool {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	if xs.closed || xs.byID[x.id] != nil || xs.owners[x.owner] >= perPeer {
		return false
	}
	xs.byID[x.id] = x
	xs.owners[x.owner]++
	return true
}

// begin has serve run on a goroutine of wg's. It reports false after close: wg
// can be waited for then.
func (xs *exchanges) begin(x *exchange, wg *sync.WaitGroup, serve func()) bool {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	if !xs.closed {
		wg.Go(serve)
	}
	return !xs.closed
}

// remove takes x out, if it is in.
func (xs *exchanges) remove(x *exchange) {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	if xs.byID[x.id] == x {
		delete(xs.byID, x.id)
		decrement(xs.owners, x.owner)
	}
}

func (xs *exchanges) get(id channel.ID) *exchange {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	return xs.byID[id]
}

// len is how many exchanges there are.
func (xs *exchanges) len() int {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	return len(xs.byID)
}

// gone ends what is served for a peer that is out of reach.
func (xs *exchanges) gone(owner channel.NodeID) {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	for _, x := range xs.byID {
		if x.owner == owner {
			x.cancel(errLost)
		}
	}
}

// close admits and begins no more, and returns what there is.
func (xs *exchanges) close() []*exchange {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	xs.closed = true
	return slices.Collect(maps.Values(xs.byID))
}

func decrement(counts map[channel.NodeID]int, node channel.NodeID) {
	if counts[node]--; counts[node] <= 0 {
		delete(counts, node)
	}
}
