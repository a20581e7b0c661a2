package channel

import "sync"

// notifier makes calls one after the other, in the order they were handed in,
// outside every lock.
type notifier struct {
	mu      sync.Mutex
	calls   []func() // guarded by mu
	running bool     // guarded by mu
}

// add hands in calls; it may be called with locks held.
func (n *notifier) add(calls ...func()) {
	n.mu.Lock()
	n.calls = append(n.calls, calls...)
	n.mu.Unlock()
}

// run makes the calls handed in so far, unless somebody is at it.
func (n *notifier) run() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running {
		return
	}
	n.running = true
	for len(n.calls) > 0 {
		calls := n.calls
		n.calls = nil
		n.mu.Unlock()
		for _, call := range calls {
			call()
		}
		n.mu.Lock()
	}
	n.running = false
}
