package memnet

import (
	"net"
	"net/netip"
	"sync"
)

// backlog is how many streams wait for Accept.
const backlog = 128

type listener struct {
	host    *Host
	life    *life
	at      netip.AddrPort
	owner   *transport // keeps account of the streams, if it is a transport's
	backlog chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
	default:
		select {
		case c := <-l.backlog:
			return c, nil
		case <-l.done:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

func (l *listener) Addr() net.Addr { return tcpAddr(l.at) }

// Close closes the streams too that nobody accepted.
func (l *listener) Close() error {
	l.host.net.mu.Lock()
	delete(l.life.listeners, l.at.Port())
	first := l.shut()
	l.host.net.mu.Unlock()
	if !first {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	for {
		select {
		case c := <-l.backlog:
			c.Close()
		default:
			return nil
		}
	}
}

func (l *listener) shut() (first bool) {
	l.once.Do(func() { close(l.done); first = true })
	return first
}
