package balancer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"kecho/balancer/h1"
	"kecho/balancer/policy"
)

// straight is what a request takes that the web server here answers at once,
// as bytes from end to end.
type straight struct {
	conn      *laneConn
	job       *job
	raw       h1.Raw
	exchange  h1.Exchange
	out       []byte   // the request, then parts of the answer
	id        [36]byte // of the request, where the client gave none
	named     bool     // there is one
	body      int      // bytes of the request's, after its head
	begun     bool     // the head of the answer was written
	trails    bool     // trailers are announced
	headFirst []byte   // it, while the body lets wait for it; nil: it does not
	failed    error    // of the client's connection
}

// straight has the web server here answer the request, if it has a place at
// once. It reports false when nothing was begun.
func (c *laneConn) straight() bool {
	b, w := c.lane.b, c.work
	if b.bytes == nil {
		return false
	}
	if w.head.length > 0 && !c.keep(int(w.head.length)) {
		return false
	}
	w.body = int(w.head.length)
	if w.job == nil {
		w.job = new(job)
	}
	j := w.job
	b.prepare(j, &w.head, w.body)
	switch {
	case b.copies(j):
		return false
	case b.desk.startNow(j):
	case b.data == nil:
		return false
	default:
		c.move()
		return true
	}
	out := &outgoing{}
	err := c.guardedExchange(out)
	if err != nil && !w.begun && !errors.Is(err, errGone) {
		c.resume(out, err)
		return true
	}
	res := policy.Served
	switch {
	case err == nil:
		j.route, j.w.status = RouteLocal, w.exchange.Status()
		res = resultOf(j.w.status)
	case !w.begun:
		b.count.abandoned.Add(1)
		res = policy.Aborted
	default:
		j.route, j.w.status = RouteLocal, w.exchange.Status()
		res = c.brokeOff(err)
	}
	b.desk.finish(&j.request, out.took, res)
	b.count.straight.Add(1)
	b.observe(j)
	c.closes = c.closes || err != nil
	c.r += c.seen + w.body
	c.over()
	return true
}

// prepare makes the core's view of a request with a body of that many bytes in
// memory.
func (b *Balancer) prepare(j *job, h *laneHead, body int) {
	j.start, j.route, j.w.status = time.Now(), RouteRejected, 0
	j.deadline = j.start.Add(b.cfg.Timeout)
	movable := b.data != nil
	r := &j.request
	r.Movable, r.Repeatable, r.Large, r.Light = movable, movable && h.repeatable(), !movable && body > 0, movable
	r.Number, r.Class, r.Bytes, r.Timeout, r.Data = 0, 0, int64(body)+headBytes, b.cfg.Timeout, j
	var priority []string
	if h.has[urges] {
		priority = h.values(urges)
	}
	b.rank(j, priority)
}

// brokeOff says whose fault it is that an answer did not come to its end.
func (c *laneConn) brokeOff(err error) policy.Result {
	if c.work.failed != nil || errors.Is(err, errGone) {
		return policy.Aborted
	}
	c.lane.b.lines.broken.log(c.lane.b.log, slog.LevelWarn, "an answer of the web server broke off", "method", c.work.head.method, "err", err)
	return policy.Faulty
}

// keep reads a body of n bytes into the buffer, behind its head. It reports
// false when it does not come; what came is read again.
func (c *laneConn) keep(n int) bool {
	// What room does may move the head, and gives the buffer that it was in back.
	defer func() { c.work.head.text = c.buf[c.r : c.r+c.seen] }()
	for c.w-c.r-c.seen < n {
		c.reading.forBody(c.conn)
		m, err := c.readMore()
		if c.w += m; m == 0 {
			c.late = err
			return false
		}
	}
	return true
}

var errInside = errors.New("the request panicked")

// guardedExchange is exchange, which gives its place back whatever happens.
func (c *laneConn) guardedExchange(out *outgoing) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(v)
			c.work.begun, err = true, errInside // nothing more can be said
		}
	}()
	return c.exchange(out)
}

// exchange sends the request and relays the answer.
func (c *laneConn) exchange(out *outgoing) error {
	b, w := c.lane.b, c.work
	w.conn, w.begun, w.trails, w.headFirst, w.failed = c, false, false, nil, nil
	text := c.appendRequest(w.out[:0])
	text = append(text, c.buf[c.r+c.seen:c.r+c.seen+w.body]...)
	w.out = text
	w.raw.Method, w.raw.Message, w.raw.Body, w.raw.AnswerBy = w.head.method, text, w.body > 0, w.job.deadline
	if w.raw.Waiting == nil {
		w.raw.Waiting = w.look
		w.raw.Early = w.early
	}
	began := time.Now()
	if err := b.bytes.Exchange(context.Background(), &w.raw, &w.exchange); err != nil {
		return named(err)
	}
	out.took = time.Since(began)
	defer w.exchange.Close()
	if w.exchange.Status() == http.StatusSwitchingProtocols {
		return fmt.Errorf("%w: status 101 and no websocket was asked for", errBadAnswer)
	}
	return c.relay(out.took)
}
