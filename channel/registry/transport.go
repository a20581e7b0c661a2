package registry

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport is memberlist's own on TCP and UDP, with an end: its Shutdown
// closes every stream and breaks off every dial, where memberlist would leave
// goroutines waiting for them.
type transport struct {
	*memberlist.NetTransport
	down    context.Context // done when Shutdown begins
	cancel  context.CancelFunc
	streams chan net.Conn
	stopped chan struct{} // closed when nobody listens any more
	wg      sync.WaitGroup

	mu    sync.Mutex
	conns map[*stream]struct{}
}

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

func listen(at netip.AddrPort, logger *log.Logger) (*transport, error) {
	inner, err := bind(at, logger)
	if err != nil {
		if strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
			err = syscall.EADDRINUSE // memberlist keeps only its text
		}
		return nil, fmt.Errorf("listen for gossip on %s: %w", at, err)
	}
	t := &transport{
		NetTransport: inner,
		streams:      make(chan net.Conn),
		stopped:      make(chan struct{}),
		conns:        make(map[*stream]struct{}),
	}
	t.down, t.cancel = context.WithCancel(context.Background())
	t.wg.Go(t.accept)
	return t, nil
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

// accept passes streams on, and goes on taking them until memberlist's
// listeners have ended: they would wait for ever with one in the hand.
func (t *transport) accept() {
	for {
		select {
		case c := <-t.NetTransport.StreamCh():
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

func (t *transport) keep(c net.Conn) *stream {
	s := &stream{c, t}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[s] = struct{}{}
	return s
}

// StreamCh gives the accepted streams.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout dials until Shutdown.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	c, err := dialer.DialContext(t.down, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := t.keep(c)
	if t.down.Err() != nil {
		s.Close()
	}
	return s, nil
}

// DialAddressTimeout dials until Shutdown.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}

// Shutdown returns when the listeners' goroutines have ended.
func (t *transport) Shutdown() error {
	t.mu.Lock()
	again := t.down.Err() != nil
	t.cancel()
	t.mu.Unlock()
	if again {
		return nil
	}
	t.wg.Go(func() {
		for {
			select {
			case <-t.NetTransport.PacketCh():
			case <-t.stopped:
				return
			}
		}
	})
	err := t.NetTransport.Shutdown()
	close(t.stopped)
	t.wg.Wait()
	for _, c := range t.open() {
		c.Close()
	}
	return err
}

func (t *transport) open() []io.Closer {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := make([]io.Closer, 0, len(t.conns))
	for s := range t.conns {
		open = append(open, s)
	}
	return open
}
