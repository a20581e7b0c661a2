package memnet

import (
	"io"
	"net"
	"sync"
	"time"
)

// conn is one end of a stream: what comes in and what goes out.
type conn struct {
	net           *Net
	in, out       *pipe
	local, remote *net.TCPAddr
	owner         *transport
	once          sync.Once
}

var _ net.Conn = (*conn)(nil)

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.wrap("read", err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.wrap("write", err)
}

// CloseWrite tells the peer that nothing more comes, and goes on reading.
func (c *conn) CloseWrite() error {
	c.out.finish()
	return nil
}

// Close ends both directions. What was written still arrives.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = nil
		c.in.closeReader()
		c.out.closeWriter()
		if c.owner != nil {
			c.owner.drop(c)
		}
	})
	return c.wrap("close", err)
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reading, t)
	c.out.setDeadline(&c.out.writing, t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.reading, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writing, t)
	return nil
}

func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
