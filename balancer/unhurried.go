package balancer

import (
	"net"
	"os"
	"sync"
	"time"
)

// unhurried is a connection whose read deadline is set when a read needs it.
// net/http sets six for each request, nearly all of which are replaced before
// anything is read. One that is set already and too early is borne, and
// corrected when it is over: so one serves many requests.
type unhurried struct {
	net.Conn

	mu      sync.Mutex
	by      time.Time // as it is wanted; zero: no deadline; guarded by mu
	set     time.Time // as Conn has it: never later than by; guarded by mu
	reading bool      // guarded by mu
}

// SetReadDeadline implements net.Conn.
func (c *unhurried) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = t
	if c.reading {
		return c.applyLocked()
	}
	return nil
}

// SetDeadline implements net.Conn.
func (c *unhurried) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// applyLocked sees to it that a read ends in time, or earlier.
func (c *unhurried) applyLocked() error {
	if !c.tooLateLocked() {
		return nil
	}
	c.set = c.by
	return c.Conn.SetReadDeadline(c.by)
}

// tooLateLocked says whether a read would end later than it is to.
func (c *unhurried) tooLateLocked() bool {
	return !c.by.IsZero() && (c.set.IsZero() || c.by.Before(c.set))
}

// Read implements net.Conn. One read at a time is under way.
func (c *unhurried) Read(p []byte) (int, error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	for {
		n, err := c.Conn.Read(p)
		if c.ended(n, err) {
			return n, err
		}
	}
}

// begin says why not to read.
func (c *unhurried) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tooLateLocked() && !time.Now().Before(c.by) {
		return os.ErrDeadlineExceeded // it need not be set for that
	}
	c.reading = true
	return c.applyLocked()
}

// ended says whether a read is over: it is not where only a deadline was that
// nobody wants any more.
func (c *unhurried) ended(n int, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	early := n == 0 && isTimeout(err) && (c.by.IsZero() || time.Now().Before(c.by))
	if early {
		c.set = c.by
		early = c.Conn.SetReadDeadline(c.by) == nil
	}
	c.reading = early
	return !early
}

// CloseWrite ends this side of the connection, where it has sides.
func (c *unhurried) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
