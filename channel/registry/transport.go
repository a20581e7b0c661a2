package registry

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport is another one with a beginning and an end.
//
// Nothing comes in before open: memberlist takes packets before it knows
// itself, and a node that then hears of its past life stays what it was there
// for ever, or ends in a nil pointer. serf has the same gap.
//
// Shutdown closes every stream and breaks off every dial, where memberlist
// would leave goroutines waiting for them.
type transport struct {
	memberlist.Transport // the other one

	// dial is the network's, nil if the other one dials.
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	opened  chan struct{}
	down    context.Context // done when Shutdown begins
	cancel  context.CancelFunc
	stopped chan struct{} // closed when the other one has ended
	packets chan *memberlist.Packet
	streams chan net.Conn
	wg      sync.WaitGroup

	mu    sync.Mutex
	conns map[*stream]struct{}
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// stream is a connection that its transport can close.
type stream struct {
	net.Conn
	owner *transport
}

func (s *stream) Close() error {
	s.owner.mu.Lock()
	delete(s.owner.conns, s)
	s.owner.mu.Unlock()
	return s.Conn.Close()
}

// listen is a transport on TCP and UDP.
func listen(at netip.AddrPort, logger *log.Logger) (t *transport, port int, err error) {
	inner, err := bind(at, logger)
	if err != nil {
		if strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
			err = syscall.EADDRINUSE // memberlist keeps only its text
		}
		return nil, 0, fmt.Errorf("listen for gossip on %s: %w", at, err)
	}
	t = wrap(inner)
	t.dial = (&net.Dialer{}).DialContext
	return t, inner.GetAutoBindPort(), nil
}

// bind tries again where the port is any: what is free for TCP can be taken
// for UDP.
func bind(at netip.AddrPort, logger *log.Logger) (t *memberlist.NetTransport, err error) {
	tries := 1
	if at.Port() == 0 {
		tries = 10
	}
	for range tries {
		t, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{at.Addr().String()},
			BindPort:  int(at.Port()),
			Logger:    logger,
		})
		if err == nil {
			return t, nil
		}
	}
	return nil, err
}

// errDown answers whoever still wants to send after Shutdown.
var errDown = errors.New("the registry has shut down")

func wrap(inner memberlist.Transport) *transport {
	t := &transport{
		Transport: inner,
		opened:    make(chan struct{}),
		stopped:   make(chan struct{}),
		packets:   make(chan *memberlist.Packet),
		streams:   make(chan net.Conn),
		conns:     make(map[*stream]struct{}),
	}
	t.down, t.cancel = context.WithCancel(context.Background())
	t.wg.Go(t.forward)
	t.wg.Go(t.accept)
	return t
}

// open lets in what has come and what comes.
func (t *transport) open() { close(t.opened) }

// forward passes packets on. When it goes down it goes on taking, until the
// other transport has ended: its goroutines would wait for ever with a packet
// in the hand.
func (t *transport) forward() {
	t.waitOpen()
	for {
		select {
		case p := <-t.Transport.PacketCh():
			select {
			case t.packets <- p:
			case <-t.down.Done():
			}
		case <-t.stopped:
			return
		}
	}
}

// accept is forward for streams.
func (t *transport) accept() {
	t.waitOpen()
	for {
		select {
		case c := <-t.Transport.StreamCh():
			s := t.keep(c)
			select {
			case t.streams <- s:
			case <-t.down.Done():
				s.Close()
			}
		case <-t.stopped:
			return
		}
	}
}

func (t *transport) waitOpen() {
	select {
	case <-t.opened:
	case <-t.down.Done():
	}
}

func (t *transport) keep(c net.Conn) *stream {
	s := &stream{c, t}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[s] = struct{}{}
	return s
}

// PacketCh gives the packets that were sent here.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh gives the accepted streams.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// WriteTo sends a packet until Shutdown.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress sends a packet until Shutdown. Its error after that is none of
// the network's: with one of those memberlist would think that the other side
// has failed, and begin a whole probe more.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if t.down.Err() != nil {
		return time.Time{}, errDown
	}
	if inner, ok := t.Transport.(memberlist.NodeAwareTransport); ok {
		return inner.WriteToAddress(b, a)
	}
	return t.Transport.WriteTo(b, a.Addr)
}

// DialTimeout dials until Shutdown.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout dials until Shutdown.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	c, err := t.connect(a, timeout)
	if err != nil {
		return nil, err
	}
	s := t.keep(c)
	if t.down.Err() != nil {
		s.Close()
	}
	return s, nil
}

func (t *transport) connect(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if t.dial != nil {
		ctx, cancel := context.WithTimeout(t.down, timeout)
		defer cancel()
		return t.dial(ctx, "tcp", a.Addr)
	}
	if inner, ok := t.Transport.(memberlist.NodeAwareTransport); ok {
		return inner.DialAddressTimeout(a, timeout)
	}
	return t.Transport.DialTimeout(a.Addr, timeout)
}

// Shutdown returns when the other transport has ended and nothing is open.
func (t *transport) Shutdown() error {
	t.mu.Lock()
	again := t.down.Err() != nil
	t.cancel()
	t.mu.Unlock()
	if again {
		return nil
	}
	err := t.Transport.Shutdown()
	close(t.stopped)
	t.wg.Wait()
	for _, s := range t.held() {
		s.Close()
	}
	return err
}

func (t *transport) held() []*stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := make([]*stream, 0, len(t.conns))
	for s := range t.conns {
		held = append(held, s)
	}
	return held
}
