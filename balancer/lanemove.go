package balancer

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"kecho/balancer/policy"
)

// A request of the lane that finds no place here at once goes to a peer as
// bytes, and so does its answer to the client. What is not as it mostly is, an
// answer of more than one event, another try after one that was lost, a place
// here after all, is the usual path's from there on.

// mover is what a connection has once a request of it has moved.
type mover struct {
	told   chan struct{} // a job's
	gone   chan struct{} // one token: the client has left
	timer  *time.Timer   // until the deadline
	client waitingClient
	body   laneBody
}

func newMover(c *laneConn) *mover {
	m := &mover{told: make(chan struct{}, 1), gone: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	m.timer.Stop()
	m.body = laneBody{conn: c, err: io.EOF} // it is in the buffer
	m.client = waitingClient{s: &c.lane.sweeper, conn: c, body: &m.body, still: true, cancel: func(error) {
		select {
		case m.gone <- struct{}{}:
		default:
		}
	}}
	return m
}

// begin has the client and the time of a request be watched, until end.
func (m *mover) begin(j *job) {
	for _, of := range []chan struct{}{m.told, m.gone} { // the request before
		select {
		case <-of:
		default:
		}
	}
	j.told = m.told
	m.timer.Reset(time.Until(j.deadline))
	m.client.s.watch(&m.client)
}

func (m *mover) end() {
	m.timer.Stop()
	m.client.end()
}

// move has peers answer the request, or whoever the core says.
func (c *laneConn) move() {
	b, w := c.lane.b, c.work
	j := w.job
	w.job = nil // the core and what it has done keep it for a while
	if c.mover == nil {
		c.mover = newMover(c)
	}
	w.conn, w.begun, w.failed = c, false, nil
	j.lane = c
	j.payload.length = int64(w.body)
	rest := c.follow(j)
	if rest != nil {
		c.serveJob(j, func() {
			defer b.finished(j)
			rest()
			b.follow(j, false)
		})
		return
	}
	b.observe(j)
	c.r += c.seen + w.body
	c.over()
}

// follow does what the core says of the request until it is answered, or
// returns what the usual path is to do first.
func (c *laneConn) follow(j *job) (rest func()) {
	b := c.lane.b
	c.mover.begin(j)
	defer func() {
		c.mover.end()
		if rest == nil {
			b.finished(j)
		}
	}()
	b.desk.arrive(j)
	for !j.over {
		order, ok := b.desk.next(j)
		switch {
		case !ok:
			rest = c.listen(j)
		case order.Do == policy.DoSend && order.Message.Kind == policy.Cancel:
			b.recall(j, order)
		case order.Do == policy.DoSubmit && !j.lost:
			b.push(j, order)
		case order.Do == policy.DoSend && !j.lost:
			b.grant(j, order)
		default:
			rest = b.obeying(j, order)
		}
		if rest != nil {
			break
		}
	}
	return rest
}

// listen waits for the next order, or for something new of a peer, and returns
// what is not for it.
func (c *laneConn) listen(j *job) (rest func()) {
	b, m := c.lane.b, c.mover
	var fresh chan *news
	if j.call != nil {
		fresh = j.call.news
	}
	select {
	case <-m.told:
	case <-m.timer.C:
		return func() {} // the usual path sees it too
	case <-m.gone:
		j.over, c.closes = true, true
		b.count.abandoned.Add(1)
	case n := <-fresh:
		switch {
		case n.typ == typeBusy:
			b.hear(j, *n)
		case n.typ != typeAnswer || n.header != nil:
			return func() { b.hear(j, *n) }
		case b.desk.answered(j, n.from, j.call.epoch):
			c.answer(j, n)
		} // else it is recalled: that order is on its way
	}
	return nil
}

// packRequest is the request as an event's body.
func (c *laneConn) packRequest(head requestHead) ([]byte, error) {
	w := c.work
	w.out = c.appendFields(w.out[:0])
	fields := bytes.Count(w.out, []byte("\r\n"))
	if fields > maxEventFields {
		return nil, errHead
	}
	body := c.buf[c.r+c.seen : c.r+c.seen+w.body]
	p := make([]byte, messageRoom, len(w.out)+len(body)+2*guestRoom)
	p = beginRequest(p, w.head.method, w.head.part(w.head.marks.target), w.head.part(w.head.host), fields)
	for lines := w.out; len(lines) > 0; {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(": "))
		p = appendPair(p, name, value)
	}
	head.Fin = true
	return finishMessage(head.appendRest(p), body)
}

// answer writes a peer's answer to the client.
func (c *laneConn) answer(j *job, n *news) {
	b, w := c.lane.b, c.work
	j.route, j.over, j.w.status = RouteForwarded, true, n.head.Status
	b.sayCancel(j.call, b.calls.losers(j.call))
	c.closes = w.head.closes || c.lane.draining()
	p := appendStatus(w.out[:0], n.head.Status)
	p = append(p, n.bytes.text[:n.bytes.lines]...)
	p = append(p, "Via: "...)
	p = append(p, b.rewriter.via11...)
	p = append(p, "\r\nX-Request-Id: "...)
	p = append(p, w.requestID()...)
	p = append(p, "\r\nProxy-Status: "...)
	p = b.appendOverflowed(p, n.peer)
	p = append(p, "\r\nServer-Timing: "...)
	p = append(appendTiming(p, "peer", time.Since(j.start)), "\r\n"...)
	announced, values := b.announces()
	for _, value := range values {
		p = appendField(p, []byte(announced), []byte(value))
	}
	if !n.bytes.dated {
		p = appendDate(p)
	}
	if c.closes {
		p = append(p, "Connection: close\r\n"...)
	}
	if n.head.Length >= 0 && n.head.Status != http.StatusNoContent {
		p = appendLength(p, n.head.Length)
	}
	p = append(p, "\r\n"...)
	p = append(p, n.bytes.text[n.bytes.lines:]...)
	w.out = p
	c.closes = c.write(p) != nil || c.closes
	j.call.answered = true
	b.count.moved.answered.Add(1)
}
