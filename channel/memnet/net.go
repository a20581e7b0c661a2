package memnet

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is a network's. Its zero value is a network without faults.
type Config struct {
	// Seed of the draws that lose datagrams. Equal seeds and equal traffic
	// lose the same.
	Seed uint64
	// Delay of everything, one way. Zero: none.
	Delay time.Duration
	// Loss is the share of datagrams that vanish, 0 to 1. Zero: none.
	Loss float64
	// Twice is the share of datagrams that come twice. Zero: none.
	Twice float64
	// Late is the share of datagrams that come up to 10 ms after their time, and
	// so out of order. Zero: none.
	Late float64
}

// Net is a network. It is made by New.
type Net struct {
	delay atomic.Int64 // one way, in nanoseconds

	// mu guards what follows and, in each host, all but its delay. A pipe's
	// own lock is taken under it, never the other way round.
	mu      sync.Mutex
	faults  Config // of datagrams
	random  *rand.Rand
	hosts   map[netip.Addr]*Host
	group   map[netip.Addr]int // nil: not partitioned; hosts not in it are of group 0
	cut     map[way]bool
	pipes   map[*pipe]struct{}
	changed chan struct{} // closed and replaced whenever a fault changes
}

// way is a direction from one host to another.
type way struct{ from, to netip.Addr }

// New makes a network without hosts.
func New(cfg Config) *Net {
	n := &Net{
		faults:  cfg,
		random:  rand.New(rand.NewPCG(cfg.Seed, 0)),
		hosts:   make(map[netip.Addr]*Host),
		cut:     make(map[way]bool),
		pipes:   make(map[*pipe]struct{}),
		changed: make(chan struct{}),
	}
	n.delay.Store(int64(cfg.Delay))
	return n
}

// Host is the host with the address ip, which is made if it does not exist. It
// panics if ip is not an IP address.
func (n *Net) Host(ip string) *Host {
	addr := mustAddr(ip)
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[addr]
	if h == nil {
		h = &Host{net: n, ip: addr, life: newLife()}
		n.hosts[addr] = h
	}
	return h
}

// SetDelay changes the delay of everything that is sent from now on.
func (n *Net) SetDelay(d time.Duration) { n.delay.Store(int64(d)) }

// SetLoss changes the share of datagrams that vanish, 0 to 1.
func (n *Net) SetLoss(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults.Loss = share
}

// Partition splits the network: a host reaches only those of its own group.
// Hosts that no group names form one more group. It replaces the partition
// before it and leaves cuts as they are.
func (n *Net) Partition(groups ...[]string) {
	n.fault(func() {
		n.group = make(map[netip.Addr]int)
		for i, ips := range groups {
			for _, ip := range ips {
				n.group[mustAddr(ip)] = i + 1
			}
		}
	})
}

// Cut takes away both directions between two hosts.
func (n *Net) Cut(a, b string) {
	n.CutOneWay(a, b)
	n.CutOneWay(b, a)
}

// CutOneWay takes away the direction from one host to the other: what `from`
// sends is lost or stalls, what it is sent still arrives.
func (n *Net) CutOneWay(from, to string) {
	n.fault(func() { n.cut[way{mustAddr(from), mustAddr(to)}] = true })
}

// Heal ends the partition and all cuts. Delay and loss stay as they are.
func (n *Net) Heal() {
	n.fault(func() {
		n.group = nil
		clear(n.cut)
	})
}

// fault makes a change that may open or close paths.
func (n *Net) fault(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	n.changedLocked()
}

// changedLocked tells every stream and every waiting dial what is true now.
func (n *Net) changedLocked() {
	for p := range n.pipes {
		p.setPath(n.pathLocked(p.from, p.to))
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// path is what happens to what is sent from one end to another.
type path int

const (
	open    path = iota // it arrives
	stalled             // it is lost, or waits
	reset               // it comes back: the receiver was restarted and knows nothing of it
)

func (n *Net) pathLocked(from, to end) path {
	switch {
	case from.life.dead || !n.reachesLocked(from.host, to.host):
		return stalled
	case to.life.dead && to.host.life.dead:
		return stalled
	case to.life.dead:
		return reset
	}
	return open
}

func (n *Net) reachesLocked(from, to *Host) bool {
	return n.group[from.ip] == n.group[to.ip] && !n.cut[way{from.ip, to.ip}]
}

// connectLocked makes a stream between two ends and returns both.
func (n *Net) connectLocked(client, server end, clientAddr, serverAddr netip.AddrPort) (c, s *conn) {
	there := newPipe(n, client, server)
	back := newPipe(n, server, client)
	for _, p := range []*pipe{there, back} {
		p.path = n.pathLocked(p.from, p.to)
		n.pipes[p] = struct{}{}
	}
	local, remote := tcpAddr(clientAddr), tcpAddr(serverAddr)
	c = &conn{net: n, in: back, out: there, local: local, remote: remote}
	s = &conn{net: n, in: there, out: back, local: remote, remote: local}
	return c, s
}

// forget drops a stream's direction that nothing can happen to any more.
func (n *Net) forget(p *pipe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pipes, p)
}

func mustAddr(ip string) netip.Addr {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		panic(fmt.Sprintf("memnet: %v", err))
	}
	return addr
}
