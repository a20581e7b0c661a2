package memnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// firstFree is where the search for a free port begins.
const firstFree = 49152

// Host is one machine of a Net: an address and its ports. It is made by
// Net.Host.
type Host struct {
	net   *Net
	ip    netip.Addr
	delay atomic.Int64 // added to everything from and to this host

	// Guarded by the net's mutex.
	life *life
	port uint16 // last port given out
}

// life is what a host has between its start and its crash.
type life struct {
	dead      bool
	listeners map[uint16]*listener
	packets   map[uint16]mailbox
}

// end is one end of a stream: a host in one of its lives.
type end struct {
	host *Host
	life *life
}

func newLife() *life {
	return &life{listeners: make(map[uint16]*listener), packets: make(map[uint16]mailbox)}
}

// IP is the host's address.
func (h *Host) IP() string { return h.ip.String() }

// SetDelay adds d to the delay of everything that this host sends and is sent
// from now on.
func (h *Host) SetDelay(d time.Duration) { h.delay.Store(int64(d)) }

// Crash takes away everything that the host has, without a goodbye: its
// listeners, streams and transports fail with net.ErrClosed here, and nothing is
// said to its peers. The host is down until it is used again by Listen, Dial or
// Transport.
func (h *Host) Crash() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	dying := h.life
	h.life = newLife()
	h.life.dead = true
	dying.dead = true
	for _, l := range dying.listeners {
		l.shut()
	}
	for _, m := range dying.packets {
		m.crash()
	}
	for p := range h.net.pipes {
		p.crash(dying)
	}
	h.net.changedLocked()
}

// aliveLocked is the host's life, a new one if it is down.
func (h *Host) aliveLocked() *life {
	if h.life.dead {
		h.life = newLife()
		h.net.changedLocked()
	}
	return h.life
}

// Listen opens a stream listener on addr: "10.0.0.1:80", ":80", or port 0 for
// any free one. A port that is taken is syscall.EADDRINUSE, an address that is
// not the host's syscall.EADDRNOTAVAIL.
func (h *Host) Listen(addr string) (net.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	l, err := h.listenLocked(addr)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// ListenSocket fails: there are no files in memory.
func (h *Host) ListenSocket(path string) (net.Listener, error) {
	return nil, &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: errors.ErrUnsupported}
}

func (h *Host) listenLocked(addr string) (*listener, error) {
	at, err := h.own(addr)
	life := h.aliveLocked()
	if err == nil && at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), h.freePortLocked())
	}
	if err == nil && life.listeners[at.Port()] != nil {
		err = os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addrText(addr), Err: err}
	}
	l := &listener{
		host:    h,
		life:    life,
		at:      at,
		backlog: make(chan net.Conn, backlog),
		done:    make(chan struct{}),
	}
	life.listeners[at.Port()] = l
	return l, nil
}

// own reads an address of this host. Loopback and no address at all mean the
// host.
func (h *Host) own(addr string) (netip.AddrPort, error) {
	at, err := h.parse(addr)
	if err == nil && at.Addr() != h.ip {
		err = os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	return at, err
}

func (h *Host) parse(addr string) (netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port %q: %w", portText, errors.Unwrap(err))
	}
	ip := h.ip
	if host != "" && host != "localhost" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
	}
	if ip.IsLoopback() || ip.IsUnspecified() {
		ip = h.ip
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

// freePortLocked picks a port that neither a listener nor a transport has.
func (h *Host) freePortLocked() uint16 {
	for {
		h.port++
		if h.port < firstFree {
			h.port = firstFree
		}
		if h.life.listeners[h.port] == nil && h.life.packets[h.port] == nil {
			return h.port
		}
	}
}

// Dial opens a stream to addr. The network must be "tcp", "tcp4" or "tcp6".
// Nobody listening there is syscall.ECONNREFUSED, an address that no host ever
// had syscall.EHOSTUNREACH; a host that is down, cut off or behind a partition
// lets the dial wait until ctx is done.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.dial(ctx, network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addrText(addr), Err: err}
	}
	return c, nil
}

func (h *Host) dial(ctx context.Context, network, addr string) (*conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	to, err := h.parse(addr)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		c, retry, err := h.tryDial(ctx, to)
		if retry == nil {
			return c, err
		}
		select {
		case <-retry:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryDial connects, fails, or returns what to wait for before the next try.
func (h *Host) tryDial(ctx context.Context, to netip.AddrPort) (c *conn, retry <-chan struct{}, err error) {
	peer, retry, err := h.peer(to.Addr())
	if peer == nil {
		return nil, retry, err
	}
	if err := h.travel(ctx, peer); err != nil {
		return nil, nil, err
	}
	c, retry, err = h.connect(peer, to)
	if retry != nil {
		return nil, retry, nil
	}
	if late := h.travel(ctx, peer); late != nil {
		if c != nil {
			c.Close()
		}
		return nil, nil, late
	}
	return c, nil, err
}

// peer is the host at ip when it can be reached both ways.
func (h *Host) peer(ip netip.Addr) (*Host, <-chan struct{}, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	life := h.aliveLocked()
	peer := h.net.hosts[ip]
	if peer == nil {
		return nil, nil, os.NewSyscallError("connect", syscall.EHOSTUNREACH)
	}
	if !h.net.twoWayLocked(end{h, life}, end{peer, peer.life}) {
		return nil, h.net.changed, nil
	}
	return peer, nil, nil
}

func (n *Net) twoWayLocked(a, b end) bool {
	return n.pathLocked(a, b) == open && n.pathLocked(b, a) == open
}

// connect hands one end of a new stream to the peer's listener.
func (h *Host) connect(peer *Host, to netip.AddrPort) (*conn, <-chan struct{}, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	here, there := end{h, h.aliveLocked()}, end{peer, peer.life}
	if !h.net.twoWayLocked(here, there) {
		return nil, h.net.changed, nil
	}
	l := there.life.listeners[to.Port()]
	if l == nil || len(l.backlog) == cap(l.backlog) {
		return nil, nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	from := netip.AddrPortFrom(h.ip, h.freePortLocked())
	client, server := h.net.connectLocked(here, there, from, to)
	if l.owner != nil {
		l.owner.keep(server)
	}
	l.backlog <- server // there is room: only connect fills it, under the net's mutex
	return client, nil, nil
}

// travel waits as long as something takes from this host to the other.
func (h *Host) travel(ctx context.Context, to *Host) error {
	d := h.delayTo(to)
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Host) delayTo(to *Host) time.Duration {
	return time.Duration(h.net.delay.Load() + h.delay.Load() + to.delay.Load())
}

// addrText is an address as it was given, for errors.
type addrText string

func (addrText) Network() string  { return "tcp" }
func (a addrText) String() string { return string(a) }

func tcpAddr(a netip.AddrPort) *net.TCPAddr { return net.TCPAddrFromAddrPort(a) }
