package balancer

import (
	"sync"

	"kecho/channel"
)

// exchanges is the table of what is served here for peers.
type exchanges struct {
	mu     sync.Mutex
	closed bool                     // guarded by mu
	byID   map[channel.ID]*exchange // guarded by mu
	owners map[channel.NodeID]int   // exchanges of each; guarded by mu
}

func newExchanges() *exchanges {
	return &exchanges{byID: make(map[channel.ID]*exchange), owners: make(map[channel.NodeID]int)}
}

// add has serve run on a goroutine of wg's. It reports false for a request
// that is here already, and after close: wg can be waited for then.
func (xs *exchanges) add(x *exchange, wg *sync.WaitGroup, serve func()) bool {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	if xs.closed || xs.byID[x.id] != nil {
		return false
	}
	xs.byID[x.id] = x
	xs.owners[x.owner]++
	wg.Go(serve)
	return true
}

func (xs *exchanges) remove(x *exchange) {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	delete(xs.byID, x.id)
	decrement(xs.owners, x.owner)
}

func (xs *exchanges) get(id channel.ID) *exchange {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	return xs.byID[id]
}

// len is how many exchanges there are; from, how many of one owner.
func (xs *exchanges) len() int {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	return len(xs.byID)
}

func (xs *exchanges) from(owner channel.NodeID) int {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	return xs.owners[owner]
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

// close admits no more.
func (xs *exchanges) close() {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	xs.closed = true
}
