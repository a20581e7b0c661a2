package h1

import (
	"crypto/tls"
	"net"
	"time"
)

// newConn is for the results of a dial: nil where there was none.
func newConn(c *Client, nc net.Conn) *conn {
	if nc == nil {
		return nil
	}
	cn := &conn{client: c, nc: nc}
	if t, ok := nc.(*tls.Conn); ok {
		nc, cn.encrypted = t.NetConn(), true
	}
	cn.looker.init(nc)
	return cn
}

// sound says whether an idle connection can be used: its server has not closed
// it, and nothing came that nobody asked for. Over TLS that is the server's
// goodbye, nearly always, which comes before the end of the connection does.
func (cn *conn) sound() bool {
	if cn.r < cn.w {
		return false
	}
	if !cn.wakeAt.IsZero() {
		cn.wake(time.Now()) // or it could not be looked into
	}
	closed, spoken, known := cn.looker.peek()
	if !known {
		return cn.probe()
	}
	return !closed && !spoken
}

// probe is for connections that cannot be looked into: those of tests, mostly.
// A read whose time is over takes nothing, but may know that there is an end.
func (cn *conn) probe() bool {
	if cn.encrypted { // such an error would stay
		return true
	}
	if cn.nc.SetReadDeadline(past) != nil {
		return false
	}
	var b [1]byte
	n, err := cn.nc.Read(b[:])
	cn.wakeAt = time.Time{}
	return n == 0 && isTimeout(err) && cn.nc.SetReadDeadline(time.Time{}) == nil
}
