package balancer

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// paced is a client's connection that is given up when the client takes nothing
// for too long. It stands below TLS, where a write that ran out of time could
// not be taken up again.
type paced struct {
	net.Conn
	out      io.Writer // to Conn; nil: Conn itself
	writing  writeDeadline
	released atomic.Bool
}

// Write writes to the connection. It goes on as long as the client takes
// something of p.
func (c *paced) Write(p []byte) (written int, err error) {
	var out io.Writer = c.Conn
	if c.out != nil {
		out = c.out
	}
	for {
		if !c.released.Load() {
			c.writing.renew(c.Conn)
		}
		n, err := out.Write(p[written:])
		if written += n; n == 0 || err == nil || !isTimeout(err) || c.released.Load() {
			return written, err
		}
	}
}

// SetWriteDeadline implements net.Conn. That there is none says nothing: with it
// net/http ends each request, and would leave the next answers without ours.
func (c *paced) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && !c.released.Load() {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite ends this side of the connection, where it has sides.
func (c *paced) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// writeDeadline is the write deadline of a connection.
type writeDeadline struct {
	renewed atomic.Int64 // nanoseconds of Unix time
}

func (d *writeDeadline) renew(conn net.Conn) {
	now := time.Now()
	if now.UnixNano()-d.renewed.Load() >= int64(renewAfter) {
		d.renewed.Store(now.UnixNano())
		_ = conn.SetWriteDeadline(now.Add(writePatience)) // an error ends the write too
	}
}
