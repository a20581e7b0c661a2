package clients

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
)

// ErrTooMany says that an address has as many connections as it may have.
var ErrTooMany = errors.New("the client's address has too many connections open")

// Conn is a client's connection. A nil Conn is one that nobody counts: it is
// never closed to make room.
type Conn struct {
	net.Conn
	table *Table
	// state is busy, taken, or when the connection became idle, in nanoseconds
	// of the table's time, shifted by one; the lowest bit says that it has had
	// a request.
	state  atomic.Int64
	closed atomic.Bool
	at     int        // in table.conns; guarded by table.mu
	from   netip.Addr // whose share it counts in; zero: nobody's; guarded by table.mu
}

const (
	busy  = 0
	taken = -1 // it makes room
)

// Of is the counted connection under conn, nil if there is none: wrappers are
// looked through that have NetConn, as tls.Conn has.
func Of(conn net.Conn) *Conn {
	for {
		if c, ok := conn.(*Conn); ok {
			return c
		}
		w, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = w.NetConn()
	}
}

// Begin says that a request has come; it may be called for each of several at
// once. False: the connection was closed to make room meanwhile, and the request
// must not have any effect.
func (c *Conn) Begin() bool {
	if c == nil {
		return true
	}
	for {
		switch s := c.state.Load(); {
		case s == busy:
			return true
		case s == taken:
			return false
		case c.state.CompareAndSwap(s, busy):
			return true
		}
	}
}

// End says that nothing is being served on the connection any more.
func (c *Conn) End() {
	if c == nil || !c.state.CompareAndSwap(busy, c.table.now()<<1|1) {
		return
	}
	c.table.stir()
}

// From counts the connection for addr, for which a proxy opened it. It is
// called once at most, for connections from exempt addresses. After ErrTooMany
// the connection must be closed.
func (c *Conn) From(addr netip.Addr) error {
	if c == nil || c.table.join(c, addr) {
		return nil
	}
	return ErrTooMany
}

// Flooded notes that the connection is ended for what its client sends.
func (c *Conn) Flooded(why string) {
	if c == nil {
		return
	}
	c.table.count.flooded.Add(1)
	if c.table.said.flooded.due(c.table.now()) {
		c.table.cfg.Logger.Warn("a client's connection is ended: "+why, "address", addressOf(c.Conn))
	}
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	if c.closed.CompareAndSwap(false, true) {
		c.table.remove(c)
	}
	return err
}

// CloseWrite ends this side of the connection, where it has sides.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// NetConn is the connection as the listener gave it.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// reset closes conn so that nothing of it is left in the kernel.
func reset(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = c.SetLinger(0) // else it is closed as others are
	}
	_ = conn.Close()
}
