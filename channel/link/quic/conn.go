package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"kecho/channel/link"
)

// lanes is how many priorities there are.
const lanes = 3

// lingering is how long Linger waits for the peer.
const lingering = 500 * time.Millisecond

// conn is one connection; as a net.Conn it is its first lane.
type conn struct {
	*lane // of urgent
	owner *Transport
	quic  *quicgo.Conn
	all   [lanes]*lane
	ended sync.Once
	wg    sync.WaitGroup // the goroutine that awaits the peer's streams

	mu    sync.Mutex
	alarm *time.Timer // ends the connection; nil: no deadline is set
}

var _ link.Laned = (*conn)(nil)

// newConn opens this side's streams; nothing is sent for that. Its owner has
// begun to count it.
func newConn(owner *Transport, qc *quicgo.Conn) (net.Conn, error) {
	c := &conn{owner: owner, quic: qc}
	for i := range c.all {
		out, err := qc.OpenUniStream()
		if err != nil {
			qc.CloseWithError(0, "")
			owner.end()
			return nil, fmt.Errorf("open the lanes: %w", err)
		}
		c.all[i] = &lane{SendStream: out, conn: qc, arrived: make(chan struct{})}
	}
	c.lane = c.all[0]
	c.wg.Go(c.await)
	return c, nil
}

// await finds the peer's streams, which are there, in the order of their
// numbers, when something has come on one of them or on a later one.
func (c *conn) await() {
	for _, l := range c.all {
		in, err := c.quic.AcceptUniStream(c.quic.Context())
		if err != nil {
			return
		}
		l.in = in
		close(l.arrived)
	}
}

// Lanes implements link.Laned.
func (c *conn) Lanes() (all [lanes]link.Lane) {
	for i, l := range c.all {
		all[i] = l
	}
	return all
}

// ConnectionState implements link.Laned.
func (c *conn) ConnectionState() tls.ConnectionState { return c.quic.ConnectionState().TLS }

// Linger implements link.Laned.
func (c *conn) Linger() {
	c.lane.Close()
	timer := time.NewTimer(lingering)
	defer timer.Stop()
	select {
	case <-c.quic.Context().Done():
	case <-timer.C:
	}
}

// Close ends the connection at once, at both ends; what the peer has not got is
// lost.
func (c *conn) Close() error {
	c.ended.Do(func() {
		c.SetDeadline(time.Time{})
		c.quic.CloseWithError(0, "")
		c.wg.Wait()
		c.owner.end()
	})
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.quic.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.quic.RemoteAddr() }

// SetDeadline closes the connection at that time; the zero time calls it off.
func (c *conn) SetDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alarm != nil {
		c.alarm.Stop()
		c.alarm = nil
	}
	if !at.IsZero() {
		c.alarm = time.AfterFunc(time.Until(at), func() { c.quic.CloseWithError(0, "") })
	}
	return nil
}

// SetReadDeadline is SetDeadline: no side of a link goes on alone.
func (c *conn) SetReadDeadline(at time.Time) error { return c.SetDeadline(at) }

// SetWriteDeadline is SetDeadline.
func (c *conn) SetWriteDeadline(at time.Time) error { return c.SetDeadline(at) }

// lane is one priority's streams. Its Write and Close are those of the stream
// that goes out.
type lane struct {
	*quicgo.SendStream
	conn    *quicgo.Conn
	arrived chan struct{}         // closed when in is there
	in      *quicgo.ReceiveStream // set before arrived is closed
}

// Read waits for the peer's stream first.
func (l *lane) Read(b []byte) (int, error) {
	select {
	case <-l.arrived:
		return l.in.Read(b)
	case <-l.conn.Context().Done():
		return 0, context.Cause(l.conn.Context())
	}
}

// small is what TryWrite takes: a packet. What quic-go has taken can be neither
// overtaken nor dropped when it is late, and it takes a whole window.
const small = 1200

// TryWrite implements link.Lane.
func (l *lane) TryWrite(b []byte) (int, error) {
	if len(b) > small {
		return 0, nil
	}
	err := l.TryWriteAll(b)
	switch {
	case err == nil:
		return len(b), nil
	case errors.Is(err, quicgo.ErrWouldBlock):
		return 0, nil
	}
	return 0, err
}
