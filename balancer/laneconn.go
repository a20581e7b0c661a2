package balancer

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"kecho/balancer/clients"
)

// laneConn is a client's connection in the lane. It is owned by its goroutine,
// but for state.
type laneConn struct {
	lane     *Lane
	conn     net.Conn // what is read and written: pace, or TLS on it
	pace     *paced
	sock     socket        // pace's own connection, if it can be waited for without a buffer
	counted  *clients.Conn // nil: nobody counts it
	remote   string        // the client
	address  string        // of it, as X-Forwarded-For has it
	believed bool          // what it says of its own clients counts

	// What was read and not yet taken is buf[r:w], of it seen bytes are followed.
	buf        []byte
	r, w, seen int
	framing    framing
	work       *laneWork // nil: it is idle
	mover      *mover    // nil: no request of it has moved as bytes

	state   atomic.Int32
	served  bool         // it has had a request
	posted  bool         // the last was a POST, after which an empty line may come
	closes  bool         // it ends after this answer
	lingers bool         // and its client may still be sending
	reading readDeadline // of bodies
	late    error        // why the rest of a body did not come
	readBy  time.Time    // the read deadline that await has set; zero: another is
	headBy  time.Time    // when a head that has begun must be whole; zero: none has
}

// States of a connection, for who drains the lane.
const (
	laneActive int32 = iota
	laneIdle
	laneEnded // it was idle and is to end
)

// laneWork is what a request takes while it is served; a connection that is idle
// has none.
type laneWork struct {
	head laneHead
	straight
}

// works are free, and so are buffers of the usual size.
var (
	works   = sync.Pool{New: func() any { return new(laneWork) }}
	laneIns = sync.Pool{New: func() any { return new([laneIn]byte) }}
)

// laneIn is how much is read at a time.
const laneIn = 4 << 10

func newLaneConn(l *Lane, conn net.Conn) *laneConn {
	c := &laneConn{lane: l, pace: &paced{Conn: conn}, counted: clients.Of(conn)}
	c.conn = c.pace
	if l.tls != nil {
		c.conn = tls.Server(c.pace, l.tls)
	} else if counted, ok := conn.(*clients.Conn); ok {
		c.sock.init(c, counted.NetConn())
	} else {
		c.sock.init(c, conn)
	}
	c.framing.place = atStart
	return c
}

// serve serves requests until the connection ends or is another's.
func (c *laneConn) serve() {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(v)
			_ = c.pace.Close()
		}
	}()
	c.remote = c.conn.RemoteAddr().String() // it may have to be read first
	c.address, c.believed = hostOf(c.remote), c.lane.b.rewriter.believes(c.remote)
	for c.await() {
		who := c.work.head.lane()
		if who == serverLane {
			c.handOver()
			return
		}
		if !c.counted.Begin() { // it made room for another
			break
		}
		switch who {
		case straightLane:
			if c.straight() {
				break
			}
			fallthrough
		default:
			c.byRequest()
		}
		c.counted.End()
		if c.served = true; c.closes {
			break
		}
	}
	c.end()
}

// await waits for the next request and reads its head. It reports false when
// the connection is to end.
func (c *laneConn) await() bool {
	for {
		if c.posted && c.r < c.w && c.skipBlank() {
			continue
		}
		if c.r+c.seen < c.w && !c.posted {
			c.startWork()
			n, whole := c.framing.followHead(c.buf[c.r+c.seen : c.w])
			c.seen += n
			switch {
			case c.framing.fault != nil || c.framing.blank:
				return c.unusual()
			case whole:
				c.work.head.read(c.buf[c.r:c.r+c.seen], &c.framing, c.lane.b)
				if c.framing.faulty(c.buf[c.r+c.seen : c.w]) {
					return c.unusual() // before a server has it
				}
				return true
			}
		}
		if err := c.readHead(); err != nil {
			return c.ended(err)
		}
	}
}

// skipBlank takes the empty line that may follow the body of a POST (RFC 9112
// §2.2, as net/http does). It reports whether it took one; c.posted stays while
// it cannot be told.
func (c *laneConn) skipBlank() bool {
	got := c.buf[c.r:c.w]
	if len(got) == 1 && got[0] == '\r' {
		return false
	}
	c.posted = false
	if !bytes.HasPrefix(got, []byte("\r\n")) {
		return false
	}
	c.r += 2
	return true
}

// unusual has net/http's lane judge what was read, of which nothing may have been
// followed: half the empty line after a POST.
func (c *laneConn) unusual() bool {
	c.startWork()
	c.work.head.unusual = true
	return true
}

// startWork notes that a request has begun.
func (c *laneConn) startWork() {
	if c.work != nil {
		return
	}
	c.work = works.Get().(*laneWork)
	m := &c.work.head.marks
	m.fields = m.fields[:0]
	c.framing.marks = m
}

// endWork gives back what the request took.
func (c *laneConn) endWork() {
	if c.work == nil {
		return
	}
	c.work.head.text = nil
	c.work.named = false
	c.framing.marks = nil
	if cap(c.work.out) > maxRoom {
		c.work.out = nil
	}
	works.Put(c.work)
	c.work = nil
}

// over takes the request, whose body was read, from the buffer.
func (c *laneConn) over() {
	c.posted = c.work.head.method == http.MethodPost
	c.endWork()
	c.seen = 0
	c.framing.nextRequest()
	c.headBy, c.late = time.Time{}, nil
	if c.reading.used() {
		c.readBy = time.Time{}
	}
	if c.r == c.w {
		c.release()
	}
}

// release gives the buffer back, in which nothing is.
func (c *laneConn) release() {
	switch len(c.buf) {
	case laneIn:
		laneIns.Put((*[laneIn]byte)(c.buf))
	case copySize:
		buffers.Put((*[copySize]byte)(c.buf))
	}
	c.buf, c.r, c.w = nil, 0, 0
}

// room is where more can be read to, behind what was.
func (c *laneConn) room() []byte {
	switch {
	case c.buf == nil:
		c.buf = laneIns.Get().(*[laneIn]byte)[:]
	case c.w < len(c.buf):
	case c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	default:
		var more []byte
		if len(c.buf) == laneIn {
			more = buffers.Get().(*[copySize]byte)[:]
		} else {
			more = make([]byte, 2*len(c.buf))
		}
		w := copy(more, c.buf)
		c.release()
		c.buf, c.w = more, w
	}
	return c.buf[c.w:]
}

// readHead reads more of a head, or waits for one to begin.
func (c *laneConn) readHead() error {
	now := time.Now()
	idle := c.r == c.w
	switch {
	case !idle:
		if c.headBy.IsZero() {
			c.headBy = now.Add(headPatience)
			c.setReadBy(c.headBy)
		}
	case !c.served:
		c.setReadBy(now.Add(headPatience))
	default:
		return c.rest(now)
	}
	n, err := c.read()
	if c.w += n; n > 0 {
		return nil
	}
	return err
}

// rest waits for the next request. A deadline that is set already and too early
// is borne, and corrected when it is over: so one serves many requests.
func (c *laneConn) rest(now time.Time) error {
	until := now.Add(c.lane.idle)
	if !c.readBy.After(now) || c.readBy.After(until) {
		c.setReadBy(until)
	}
	c.state.Store(laneIdle)
	if c.lane.draining() {
		return net.ErrClosed
	}
	n, err := c.read()
	for n == 0 && isTimeout(err) && time.Now().Before(until) {
		if c.setReadBy(until); c.state.Load() == laneEnded { // whose deadline that was
			break
		}
		n, err = c.read()
	}
	if !c.state.CompareAndSwap(laneIdle, laneActive) {
		return net.ErrClosed
	}
	if c.w += n; n > 0 {
		return nil
	}
	return err
}

func (c *laneConn) setReadBy(t time.Time) {
	c.readBy = t
	_ = c.conn.SetReadDeadline(t) // an error ends the read too
}

// read reads what is there, or waits for it.
func (c *laneConn) read() (int, error) {
	if c.sock.raw != nil {
		return c.sock.read(true)
	}
	return c.conn.Read(c.room())
}

// lookFor is how long a client that cannot be looked at is listened to, to hear
// whether it has gone.
const lookFor = time.Millisecond

// maxAhead is how much a client may send while it waits for an answer; more is
// left where it is.
const maxAhead = 64 << 10

// gone says whether the client, which waits for an answer, has left. What it
// sends meanwhile is kept. Where still is true, what is in the buffer stays in
// its place.
func (c *laneConn) gone(still bool) bool {
	if still && c.w == len(c.buf) || c.w-c.r > maxAhead {
		return false
	}
	var n int
	var err error
	if c.sock.raw != nil {
		if n, err = c.sock.read(false); isTimeout(err) {
			c.setReadBy(time.Time{}) // the deadline for its request is over
			n, err = c.sock.read(false)
		}
	} else {
		_ = c.conn.SetReadDeadline(time.Now().Add(lookFor)) // an error ends the read too
		c.readBy = time.Time{}
		n, err = c.conn.Read(c.room())
	}
	c.w += n
	return n == 0 && err != nil && !isTimeout(err)
}

// ended says what becomes of a connection on which nothing more of a head
// comes.
func (c *laneConn) ended(err error) bool {
	switch {
	case c.r == c.w:
		answerPlaintext(err)
		return false
	case !isTimeout(err): // net/http knows what to do with half a head
		return c.unusual()
	}
	c.startWork()
	c.refuse(faultSlowHead)
	return false
}

// handOver gives the connection, with what was read, to net/http's server.
func (c *laneConn) handOver() {
	g := guardedOn(c.conn, c.pace, c.counted)
	g.before = bytes.Clone(c.buf[c.r:c.w])
	if c.served {
		g.framing.place = atStart // a preface comes first or not at all
	}
	c.leave()
	_ = c.conn.SetReadDeadline(time.Time{}) // the server sets its own
	if !c.lane.give(g) {
		_ = g.Close()
	}
}

// leave gives back all that the connection holds.
func (c *laneConn) leave() {
	c.endWork()
	c.r, c.w = 0, 0
	c.release()
}

// end closes the connection.
func (c *laneConn) end() {
	c.leave()
	if c.lingers {
		linger(c.conn)
	}
	_ = c.conn.Close()
}

// endIdle ends the connection if it waits for a request. Any goroutine may call
// it.
func (c *laneConn) endIdle() {
	if c.state.CompareAndSwap(laneIdle, laneEnded) {
		_ = c.pace.SetReadDeadline(time.Unix(1, 0)) // its read ends
	}
}
