package h1

import (
	"bytes"
	"math"
	"time"
)

// Which connections are kept between exchanges, and for how long.

type idleConn struct {
	*conn
	until time.Time // when it is closed
}

// keepMargin is by how much a connection is given up before its server would: a
// request that is on its way when it closes is lost, or has to be sent again.
const keepMargin = time.Second

// keep is what an answer says of its connection (RFC 2068 §19.7.1.1, which
// servers have kept to since).
type keep struct {
	idle time.Duration // it may be idle
	more int           // requests may follow
}

// keepAll is what nothing says.
var keepAll = keep{math.MaxInt64, math.MaxInt}

// read reads a line of Keep-Alive, such as "timeout=5, max=100".
func (k *keep) read(line []byte) {
	for len(line) > 0 {
		parameter, rest, _ := bytes.Cut(line, []byte(","))
		name, value, _ := bytes.Cut(parameter, []byte("="))
		name = bytes.Trim(name, " \t")
		if n, ok := parseLength(bytes.Trim(value, " \t\"")); ok {
			n = min(n, math.MaxInt32)
			switch {
			case Folds(name, "timeout"):
				k.idle = min(k.idle, time.Duration(n)*time.Second)
			case Folds(name, "max"):
				k.more = min(k.more, int(n))
			}
		} // else it says nothing that is known
		line = rest
	}
}

// heed notes how long the connection may be idle after this answer. It reports
// whether there may be another exchange at all.
func (cn *conn) heed(h *head) bool {
	cfg := &cn.client.cfg
	cn.idleFor = min(cfg.IdleTimeout, h.keep.idle-min(keepMargin, h.keep.idle/2))
	return cn.idleFor > 0 && h.keep.more > 0 && (cfg.Requests == 0 || cn.exchanges < cfg.Requests)
}

// kept is the freshest of the idle connections that are sound; nil: there is
// none.
func (c *Client) kept(asks bool) *conn {
	for {
		c.mu.Lock()
		last := len(c.idle) - 1
		if last < 0 {
			c.mu.Unlock()
			return nil
		}
		fresh := c.idle[last]
		c.idle[last] = idleConn{}
		c.idle = c.idle[:last]
		c.mu.Unlock()
		if time.Now().Before(fresh.until) && (asks && fresh.mayAsk() || fresh.sound()) {
			return fresh.conn
		}
		_ = fresh.nc.Close() // it was dead already, or is about to be
	}
}

// put keeps a connection for the next exchange, in the place of the oldest
// where there are enough.
func (c *Client) put(cn *conn) {
	var over *conn
	c.mu.Lock()
	if len(c.idle) >= c.cfg.Idle {
		over = c.idle[0].conn
		c.idle = append(c.idle[:0], c.idle[1:]...)
	}
	c.idle = append(c.idle, idleConn{cn, time.Now().Add(cn.idleFor)})
	c.mu.Unlock()
	if over != nil {
		_ = over.nc.Close()
	}
}

// Reap closes the connections that were idle for too long.
func (c *Client) Reap() {
	now := time.Now()
	c.closeIdle(func(i idleConn) bool { return !now.Before(i.until) })
}

// CloseIdle closes every idle connection.
func (c *Client) CloseIdle() { c.closeIdle(func(idleConn) bool { return true }) }

func (c *Client) closeIdle(over func(idleConn) bool) {
	var old []*conn
	c.mu.Lock()
	kept := c.idle[:0]
	for _, i := range c.idle {
		if over(i) {
			old = append(old, i.conn)
		} else {
			kept = append(kept, i)
		}
	}
	clear(c.idle[len(kept):])
	c.idle = kept
	c.mu.Unlock()
	for _, cn := range old {
		_ = cn.nc.Close()
	}
}
