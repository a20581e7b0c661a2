package balancer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// halfOpen is how long a websocket of which one side has ended, but not the
// other, may be quiet. An end that nobody answers would hold a place for ever.
const halfOpen = 30 * time.Second

var errHalfOpen = errors.New("one side ended the websocket and the other one did not")

// side is one end of a websocket: a connection, or the events that stand for
// the one that another node has.
type side interface {
	// Read gives io.EOF when the side has nothing more to say.
	io.Reader
	// take writes all that from has to the side, and then says that nothing
	// more comes.
	take(from io.Reader) error
	// cut ends both directions at once, so that the side sees that it was no
	// orderly end where err is not nil. It may be called at any time.
	cut(err error)
}

// join hands the bytes of two sides to each other until both have ended, one
// fails, or ctx is done. It returns nil after an orderly end, and both sides
// are closed.
func join(ctx context.Context, a, b side) error {
	d := &duplex{a: a, b: b}
	defer context.AfterFunc(ctx, func() { d.fail(context.Cause(ctx)) })()
	var back sync.WaitGroup
	back.Go(func() { d.over(a.take(&watched{b, d})) })
	d.over(b.take(&watched{a, d}))
	back.Wait()
	if timer := d.quiet.Load(); timer != nil {
		timer.Stop()
	}
	d.fail(nil)
	return d.err
}

// duplex is two sides that are joined.
type duplex struct {
	a, b  side
	quiet atomic.Pointer[time.Timer] // runs once one direction is over

	once sync.Once
	err  error // why it ended; set by once
}

// over notes that one direction has ended.
func (d *duplex) over(err error) {
	if err != nil {
		d.fail(err)
		return
	}
	timer := time.AfterFunc(halfOpen, func() { d.fail(errHalfOpen) })
	if !d.quiet.CompareAndSwap(nil, timer) {
		timer.Stop() // the other one has as well
	}
}

// fail ends both sides.
func (d *duplex) fail(err error) {
	d.once.Do(func() {
		d.err = err
		d.a.cut(err)
		d.b.cut(err)
	})
}

// watched is what a side says; while only one direction is open its being quiet
// is timed.
type watched struct {
	io.Reader
	d *duplex
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if timer := w.d.quiet.Load(); timer != nil && n > 0 {
		timer.Reset(halfOpen)
	}
	return n, err
}

// connSide is a side that this node is connected to.
type connSide struct {
	net.Conn
	in io.Reader // what Conn has, with what was read of it before
}

// Read implements io.Reader.
func (s *connSide) Read(p []byte) (int, error) { return s.in.Read(p) }

func (s *connSide) take(from io.Reader) error {
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	// Hidden are ways to copy that go round the buffer, and with it the watch.
	if _, err := io.CopyBuffer(struct{ io.Writer }{s.Conn}, from, buf[:]); err != nil {
		return err
	}
	if half, ok := below(s.Conn).(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // of a connection that fails the other direction tells
		return nil
	}
	return s.Close() // it has no directions
}

// cut closes the connection, with a reset if err is not an end that this node
// wants.
func (s *connSide) cut(err error) {
	if err != nil && !errors.Is(err, errStopped) && !errors.Is(err, errHalfOpen) {
		lingerNot(s.Conn) // else it is closed in the usual way
	}
	_ = s.Close() // to end what waits for it
}

// lingerNot has a connection be reset when it is closed, if it is TCP's.
func lingerNot(c net.Conn) {
	for {
		if tcp, ok := c.(interface{ SetLinger(int) error }); ok {
			_ = tcp.SetLinger(0) // of one that fails the other side knows
			return
		}
		inner := below(c)
		if wrapper, ok := inner.(interface{ NetConn() net.Conn }); ok {
			inner = wrapper.NetConn()
		}
		if inner == c {
			return
		}
		c = inner
	}
}

// below is what tells which ends a connection has: those before it take any.
func below(c net.Conn) net.Conn {
	if g, ok := c.(*guarded); ok {
		c = g.Conn
	}
	if u, ok := c.(*unhurried); ok {
		c = u.Conn
	}
	if p, ok := c.(*paced); ok {
		c = p.Conn
	}
	return c
}

// eventSide is a side that another node is connected to.
type eventSide struct {
	in   *inflow
	out  *outflow
	send func(chunk []byte) error
	stop func() // ends what send waits for
}

// Read implements io.Reader.
func (s *eventSide) Read(p []byte) (int, error) { return s.in.Read(p) }

func (s *eventSide) take(from io.Reader) error {
	return sendBody(from, s.out, func() http.Header { return nil }, s.send)
}

// cut ends what waits for the other node. Who has the exchange or the call
// tells it.
func (s *eventSide) cut(err error) {
	if err == nil {
		err = os.ErrClosed
	}
	s.in.fail(err)
	s.out.fail(err)
	s.stop()
}
