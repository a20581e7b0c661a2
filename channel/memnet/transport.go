package memnet

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// inbox is how many datagrams a transport holds.
const inbox = 1024

// transport is memberlist's view of one port of a host: streams and datagrams.
type transport struct {
	host     *Host
	life     *life
	listener *listener
	packets  chan *memberlist.Packet
	// down is done when the transport is shut down or its host has crashed.
	down   context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	conns map[*conn]struct{} // every open stream, dialled or accepted
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// Transport opens a port of the host for memberlist, streams and datagrams;
// port 0 is any free one. Its Shutdown closes every stream that it dialled or
// accepted and ends its dials, so nothing of memberlist's waits on it for long.
func (h *Host) Transport(addr string) (memberlist.NodeAwareTransport, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	l, err := h.listenLocked(addr)
	if err != nil {
		return nil, err
	}
	if l.life.packets[l.at.Port()] != nil {
		delete(l.life.listeners, l.at.Port())
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: addrText(addr), Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	t := &transport{
		host:     h,
		life:     l.life,
		listener: l,
		packets:  make(chan *memberlist.Packet, inbox),
		conns:    make(map[*conn]struct{}),
	}
	t.down, t.cancel = context.WithCancel(context.Background())
	l.owner = t
	l.life.packets[l.at.Port()] = t
	return t, nil
}

// FinalAdvertiseAddr is what memberlist was told to advertise, else the
// transport's own address.
func (t *transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	if ip == "" {
		return t.host.ip.AsSlice(), int(t.listener.at.Port()), nil
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, 0, fmt.Errorf("advertise address: %w", err)
	}
	return addr.AsSlice(), port, nil
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

func (t *transport) StreamCh() <-chan net.Conn { return t.listener.backlog }

func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	to, err := t.host.parse(addr)
	if t.down.Err() != nil {
		err = net.ErrClosed
	}
	if err != nil {
		return now, &net.OpError{Op: "write", Net: "udp", Addr: addrText(addr), Err: err}
	}
	peer := t.host.net.aim(end{t.host, t.life}, to.Addr())
	if peer == nil {
		return now, nil // lost, and as on a real network nobody says so
	}
	p := &memberlist.Packet{
		Buf:  bytes.Clone(b),
		From: net.UDPAddrFromAddrPort(t.listener.at),
	}
	if d := t.host.delayTo(peer); d > 0 {
		time.AfterFunc(d, func() { peer.deliver(p, to.Port()) })
	} else {
		peer.deliver(p, to.Port())
	}
	return now, nil
}

// aim is the host that a datagram gets to, nil if it is lost.
func (n *Net) aim(from end, to netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	peer := n.hosts[to]
	if peer == nil || n.pathLocked(from, end{peer, peer.life}) != open {
		return nil
	}
	if n.loss > 0 && n.random.Float64() < n.loss {
		return nil
	}
	return peer
}

func (h *Host) deliver(p *memberlist.Packet, port uint16) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	t := h.life.packets[port]
	if t == nil {
		return
	}
	p.Timestamp = time.Now()
	select {
	case t.packets <- p:
	default: // full: lost, like a socket's buffer
	}
}

func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.down, timeout)
	defer cancel()
	nc, err := t.host.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := nc.(*conn)
	t.keep(c)
	if t.down.Err() != nil {
		c.Close()
	}
	return c, nil
}

func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}

// Shutdown may be called more than once.
func (t *transport) Shutdown() error {
	t.cancel()
	t.host.net.mu.Lock()
	if t.life.packets[t.listener.at.Port()] == t {
		delete(t.life.packets, t.listener.at.Port())
	}
	t.host.net.mu.Unlock()
	t.listener.Close()
	for _, c := range t.open() {
		c.Close()
	}
	return nil
}

func (t *transport) open() []*conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		open = append(open, c)
	}
	return open
}

func (t *transport) keep(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.owner = t
	t.conns[c] = struct{}{}
}

func (t *transport) drop(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}
