package memnet

import (
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
	t.host.net.send(end{t.host, t.life}, t.listener.at, to, b)
	return now, nil // what is lost is lost, and as on a real network nobody says so
}

// take is mailbox's.
func (t *transport) take(b []byte, from netip.AddrPort) {
	select {
	case t.packets <- &memberlist.Packet{Buf: b, From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}:
	default: // full: lost, like a socket's buffer
	}
}

// crash is mailbox's.
func (t *transport) crash() { t.cancel() }

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
