package memnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// socket is a net.PacketConn of one port of a host.
type socket struct {
	host *Host
	life *life
	at   netip.AddrPort

	mu      sync.Mutex
	arrived []datagram
	closed  bool
	reading deadline
	changed *sync.Cond
}

type datagram struct {
	b    []byte
	from netip.AddrPort
}

var _ net.PacketConn = (*socket)(nil)

// ListenPacket opens a port for datagrams: "10.0.0.1:80", ":80", or port 0 for
// any free one. Errors are as Listen's.
func (h *Host) ListenPacket(addr string) (net.PacketConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	at, err := h.own(addr)
	life := h.aliveLocked()
	if err == nil && at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), h.freePortLocked())
	}
	if err == nil && life.packets[at.Port()] != nil {
		err = os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: addrText(addr), Err: err}
	}
	s := &socket{host: h, life: life, at: at}
	s.changed = sync.NewCond(&s.mu)
	life.packets[at.Port()] = s
	return s, nil
}

// take is mailbox's.
func (s *socket) take(b []byte, from netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.arrived) >= inbox {
		return
	}
	s.arrived = append(s.arrived, datagram{b, from})
	s.changed.Broadcast()
}

// crash is mailbox's.
func (s *socket) crash() { s.shut() }

func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, nil, s.wrap("read", net.ErrClosed)
		case s.reading.expired:
			return 0, nil, s.wrap("read", os.ErrDeadlineExceeded)
		case len(s.arrived) > 0:
			d := s.arrived[0]
			s.arrived = s.arrived[1:]
			return copy(b, d.b), net.UDPAddrFromAddrPort(d.from), nil
		}
		s.changed.Wait()
	}
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return 0, s.wrap("write", net.ErrClosed)
	}
	addr, err := s.host.parse(to.String())
	if err != nil {
		return 0, s.wrap("write", err)
	}
	s.host.net.send(end{s.host, s.life}, s.at, addr, b)
	return len(b), nil
}

func (s *socket) Close() error {
	if !s.shut() {
		return s.wrap("close", net.ErrClosed)
	}
	s.host.net.mu.Lock()
	defer s.host.net.mu.Unlock()
	if s.life.packets[s.at.Port()] == s {
		delete(s.life.packets, s.at.Port())
	}
	return nil
}

func (s *socket) shut() (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = !s.closed
	s.closed, s.arrived = true, nil
	s.reading.stop()
	s.changed.Broadcast()
	return first
}

func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.at) }

func (s *socket) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading.resetLocked(t, s.changed)
	return nil
}

// SetWriteDeadline does nothing: no write waits.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is SetReadDeadline.
func (s *socket) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// SetReadBuffer does nothing. It is there because QUIC asks for much room, and
// complains where it cannot.
func (s *socket) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing, for the same.
func (s *socket) SetWriteBuffer(int) error { return nil }

func (s *socket) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: s.LocalAddr(), Err: err}
}
