package balancer

import (
	"maps"
	"slices"
	"sync"

	"kecho/channel"
)

// exchanges is the table of what peers have sent here to be served.
type exchanges struct {
	serve func(*exchange)

	mu     sync.Mutex
	closed bool                     // guarded by mu
	byID   map[channel.ID]*exchange // guarded by mu
	owners map[channel.NodeID]int   // exchanges of each; guarded by mu
	idle   []chan *exchange         // who have served one and wait for the next; guarded by mu
}

// maxIdle is how many goroutines wait for an exchange. One that has served
// another has the stack that it takes: to grow that anew each time was 8 % of a
// peer's CPU.
const maxIdle = 64

func newExchanges(serve func(*exchange)) *exchanges {
	return &exchanges{serve: serve, byID: make(map[channel.ID]*exchange), owners: make(map[channel.NodeID]int)}
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

// begin has x be served on a goroutine of wg's. It reports false after close: wg
// can be waited for then.
func (xs *exchanges) begin(x *exchange, wg *sync.WaitGroup) bool {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	if xs.closed {
		return false
	}
	if last := len(xs.idle) - 1; last >= 0 {
		xs.idle[last] <- x // it has room
		xs.idle = xs.idle[:last]
		return true
	}
	wg.Go(func() {
		next := make(chan *exchange, 1)
		for x := x; x != nil; x = <-next {
			xs.serve(x)
			if !xs.rest(next) {
				return
			}
		}
	})
	return true
}

// rest has who listens to next be given the next exchange, or nil at the end. It
// reports false when nobody is to wait any more.
func (xs *exchanges) rest(next chan *exchange) bool {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	if xs.closed || len(xs.idle) >= maxIdle {
		return false
	}
	xs.idle = append(xs.idle, next)
	return true
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
	for _, next := range xs.idle {
		close(next)
	}
	xs.idle = nil
	return slices.Collect(maps.Values(xs.byID))
}

func decrement(counts map[channel.NodeID]int, node channel.NodeID) {
	if counts[node]--; counts[node] <= 0 {
		delete(counts, node)
	}
}
