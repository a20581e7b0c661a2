package balancer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
)

// byRequest has the usual path answer: as an http.Handler with a request that
// net/http would make.
func (c *laneConn) byRequest() { c.serveRequest(c.lane.b.ServeHTTP) }

// resume has the usual path go on with a request that was begun here as bytes,
// and has no answer.
func (c *laneConn) resume(out *outgoing, err error) {
	b, w := c.lane.b, c.work
	j := w.job
	w.job = nil // it is not used again
	*j = job{start: j.start, deadline: j.deadline, route: RouteRejected, request: j.request}
	c.serveJob(j, func() { b.resume(j, out, err) })
}

// serveJob has serve go on with a request that was begun as bytes and is the
// job's.
func (c *laneConn) serveJob(j *job, serve func()) {
	b := c.lane.b
	id := string(c.work.requestID())
	c.serveRequest(func(rw http.ResponseWriter, r *http.Request) {
		if name, values := b.announces(); values != nil {
			rw.Header()[name] = values
		}
		r.Header["X-Request-Id"] = []string{id} // it was sent with this
		j.w, j.r, j.target, j.lane = recorder{ResponseWriter: rw}, r, targetOf(r), nil
		defer b.observe(j)
		b.introduce(j)
		j.payload = payload{rest: r.Body, length: r.ContentLength, budget: &b.replay}
		defer j.payload.release()
		if j.request.Movable {
			_ = j.payload.hold() // it is in the buffer
		}
		j.payload.begun = j.payload.length != 0
		serve()
	})
}

// serveRequest has serve answer the request that is in the buffer.
func (c *laneConn) serveRequest(serve func(http.ResponseWriter, *http.Request)) {
	h := &c.work.head
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	body := &laneBody{conn: c}
	if !c.framing.inBody {
		body.err = io.EOF
	}
	r := c.request(h, body).WithContext(ctx)
	c.closes = h.closes
	c.r += c.seen
	c.seen = 0
	w := &laneWriter{conn: c, body: body, header: make(http.Header), bare: r.Method == http.MethodHead, length: -1}
	c.framing.marks = nil // trailers need none
	watch := c.lane.sweeper.add(c, body, cancel)
	aborted := c.guardedServe(serve, w, r)
	watch.end()
	if !aborted {
		w.finish()
	}
	c.closes = c.closes || aborted || w.failed || !body.over()
	c.lingers = !aborted && !body.over()
	c.over()
}

// guardedServe reports whether serve gave the connection up.
func (c *laneConn) guardedServe(serve func(http.ResponseWriter, *http.Request), w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if v := recover(); v != nil {
			aborted = true
			c.panicked(v)
		}
	}()
	serve(w, r)
	return false
}

// panicked logs what ended a request, as net/http does: it is one client's, not
// the agent's end.
func (c *laneConn) panicked(v any) {
	if v != http.ErrAbortHandler {
		c.lane.b.log.Error("a request panicked", "panic", fmt.Sprintf("%.1000v", v), "stack", string(debug.Stack()))
	}
}

// request is the request that net/http would make of the head.
func (c *laneConn) request(h *laneHead, body *laneBody) *http.Request {
	r := &http.Request{
		Method: h.method, RequestURI: string(h.part(h.marks.target)), Host: string(h.part(h.host)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header(), ContentLength: h.length, Body: body, Close: h.closes,
		RemoteAddr: c.remote, URL: new(url.URL),
	}
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil { // framing took it: it parses
		r.URL = u
	}
	if h.length == 0 {
		r.Body = http.NoBody
	}
	if t, ok := c.conn.(*tls.Conn); ok {
		state := t.ConnectionState()
		r.TLS = &state
	}
	return r
}

// laneBody is the body of a request, as the framing finds it in what comes. It
// is read by one goroutine at a time.
type laneBody struct {
	conn *laneConn

	mu  sync.Mutex
	err error // what ended it; guarded by mu
}

// Read implements io.Reader.
func (b *laneBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	err := b.err
	b.mu.Unlock()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := b.conn.readBody(p)
	if err != nil {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

// Close implements io.Closer.
func (b *laneBody) Close() error { return nil }

// over says whether the body was read to its end, so that what follows on the
// connection is the next request.
func (b *laneBody) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

// readBody reads the body's data; the last of it may come with io.EOF.
func (c *laneConn) readBody(p []byte) (n int, err error) {
	f := &c.framing
	for f.inBody {
		data := f.place == inLength || f.place == inChunk
		switch {
		case c.r < c.w && data:
			m := copy(p[n:], c.buf[c.r:c.w])
			m = f.followData(p[n : n+m])
			n, c.r = n+m, c.r+m
		case c.r < c.w:
			c.r += f.step(c.buf[c.r:c.w])
		case n > 0:
			return n, nil
		case data && c.late == nil && (c.sock.raw == nil || len(p)-n >= laneIn):
			c.reading.forBody(c.conn)
			m, err := c.conn.Read(p[:min(uint64(len(p)), f.remaining)])
			if m = f.followData(p[:m]); m == 0 {
				return 0, c.bodyFault(err)
			}
			n = m
		default:
			m, err := c.readMore()
			if c.w += m; m == 0 {
				return 0, c.bodyFault(err)
			}
		}
		if f.fault != nil {
			return n, f.fault
		}
		if n == len(p) {
			break
		}
	}
	if f.inBody {
		return n, nil
	}
	return n, io.EOF
}

// followData follows as much of p as is of the body or the chunk, and returns
// how much that is.
func (f *framing) followData(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	return f.step(p)
}

// readMore reads more of a body.
func (c *laneConn) readMore() (int, error) {
	if c.late != nil {
		return 0, c.late
	}
	c.reading.forBody(c.conn)
	return c.read()
}

// bodyFault is what an error is to who reads a body.
func (c *laneConn) bodyFault(err error) error {
	switch {
	case isTimeout(err) && c.reading.ours():
		return faultSlowBody
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
