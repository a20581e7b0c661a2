package memnet

import (
	"bytes"
	"net/netip"
	"time"
)

// inbox is how many datagrams a mailbox holds.
const inbox = 1024

// latest is how long after its time a datagram comes at most.
const latest = 10 * time.Millisecond

// mailbox is a port that receives datagrams. Both methods are called with the
// net's mutex held.
type mailbox interface {
	// take keeps b, or drops it when it is full.
	take(b []byte, from netip.AddrPort)
	// crash ends the mailbox with its host.
	crash()
}

// send takes a copy of b on its way. What is lost on it nobody says.
func (n *Net) send(from end, at, to netip.AddrPort, b []byte) {
	peer, waits := n.aim(from, to.Addr())
	for _, wait := range waits {
		b := bytes.Clone(b)
		if wait > 0 {
			time.AfterFunc(wait, func() { peer.deliver(b, at, to.Port()) })
		} else {
			peer.deliver(b, at, to.Port())
		}
	}
}

// aim is the host that a datagram gets to, and after which times, one for each
// copy; none if it is lost.
func (n *Net) aim(from end, to netip.Addr) (peer *Host, waits []time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	peer = n.hosts[to]
	if peer == nil || n.pathLocked(from, end{peer, peer.life}) != open || n.drawLocked(n.faults.Loss) {
		return nil, nil
	}
	waits = append(waits, from.host.delayTo(peer))
	if n.drawLocked(n.faults.Late) {
		waits[0] += time.Duration(n.random.Int64N(int64(latest)))
	}
	if n.drawLocked(n.faults.Twice) {
		waits = append(waits, waits[0])
	}
	return peer, waits
}

// drawLocked is true with the probability share.
func (n *Net) drawLocked(share float64) bool { return share > 0 && n.random.Float64() < share }

func (h *Host) deliver(b []byte, from netip.AddrPort, port uint16) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if m := h.life.packets[port]; m != nil {
		m.take(b, from)
	}
}
