package h1

import (
	"net"
	"sync"
	"time"
)

// Nudge has an exchange that waits for the server ask Raw.Waiting at once. Now may
// be called by any goroutine at any time; what it does outside of an exchange the
// next one that has it feels. Its zero value is ready.
type Nudge struct {
	mu   sync.Mutex
	nc   net.Conn // of the exchange; nil: there is none; guarded by mu
	done bool     // the connection's read deadline was changed, or is to be; guarded by mu
}

// Now ends the wait.
func (n *Nudge) Now() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done = true
	if n.nc != nil {
		_ = n.nc.SetReadDeadline(past) // a connection that fails has ended
	}
}

// hold begins an exchange on cn. A nil Nudge does nothing, here and in release.
func (n *Nudge) hold(cn *conn) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nc = cn.nc; n.done {
		_ = n.nc.SetReadDeadline(past)
	}
}

// release ends it. From then on the connection may be another's.
func (n *Nudge) release(cn *conn) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nc = nil; n.done {
		cn.wakeAt = time.Unix(1, 0) // the deadline that it has is not the one that it was given
	}
	n.done = false
}
