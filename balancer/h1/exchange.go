package h1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// lookEvery is how often Raw.Waiting is asked while the server says nothing.
const lookEvery = 100 * time.Millisecond

// Raw is a request as it is to be sent.
type Raw struct {
	Method string
	// Message is the head and the body, which go in one write. Whoever wrote it
	// answers for its being one request.
	Message []byte
	// Body says that there is one.
	Body bool
	// AnswerBy is when the head of the answer must be there. Required.
	AnswerBy time.Time
	// Waiting is called about ten times a second while nothing comes; an error
	// ends the exchange, and is what its methods return.
	Waiting func() error
	// Early is called with each informational answer but 101; an error ends the
	// exchange.
	Early func(x *Exchange) error
	// Nudge has Waiting be called earlier. Nil: nobody does.
	Nudge *Nudge
}

// Exchange is a Raw request and its answer, as bytes: Do without maps, strings
// and contexts. It belongs to one goroutine and may be used again once it is
// closed.
type Exchange struct {
	raw     *Raw
	head    head
	text    []byte
	body    body
	trailer http.Header
	headed  bool        // the final head is there
	ended   error       // what Waiting said
	stop    func() bool // released; made once
}

// Exchange sends r and reads the head of its answer into x, which must be
// closed if there is no error. ctx is for a dial only. Errors are as Do's.
func (c *Client) Exchange(ctx context.Context, r *Raw, x *Exchange) error {
	for fresh := false; ; { // as Do
		cn, err := c.take(ctx, r.AnswerBy, fresh, true)
		if err != nil {
			return err
		}
		*x = Exchange{raw: r, stop: x.stop}
		if err = x.run(cn); err == nil {
			return nil
		}
		r.Nudge.release(cn)
		_ = cn.nc.Close() // it is of no more use
		if err == errUnsound {
			continue
		}
		fresh = true
		switch {
		case x.ended != nil:
			return x.ended
		case cn.exchanges == 1 || !again(err, r.Method, r.Body, func() bool { return true }):
			return unwrapStale(err)
		}
	}
}

// run sends the request and reads up to the final head.
func (x *Exchange) run(cn *conn) error {
	r := x.raw
	cn.exchanges++
	cn.aborted, cn.headed, cn.sending, cn.broken, cn.raw = false, false, false, nil, x // nobody else has it
	now := time.Now()
	cn.wake(now)
	r.Nudge.hold(cn)
	n, err := cn.ask(r.Message)
	for isTimeout(err) { // before it had asked: nothing was sent
		if err = x.wait(); err != nil {
			return cn.failed(0, false, err)
		}
		cn.wakeAt = time.Time{}
		cn.wake(time.Now())
		n, err = cn.ask(r.Message)
	}
	if err == errUnsound {
		return err
	}
	sendErr := err
	if n < len(r.Message) && err == nil {
		var more int
		cn.patientWrite(now, r.AnswerBy)
		more, sendErr = cn.nc.Write(r.Message[n:])
		n += more
	}
	cn.broken = sendErr
	for early := 0; ; early++ {
		var some bool
		var err error
		if x.head, x.text, some, err = cn.readHead(r.Method); err != nil {
			if sendErr != nil && !some {
				err = sendErr
			}
			return cn.failed(int64(n), some || early > 0, err)
		}
		if x.head.final() {
			break
		}
		if early == maxEarly {
			return fmt.Errorf("%w: more than %d informational answers", ErrMalformed, maxEarly)
		}
		if r.Early != nil {
			if err := r.Early(x); err != nil {
				return err
			}
		}
	}
	x.headed = true
	x.body = body{conn: cn, ctx: context.Background(), stop: neverStopped, trailer: &x.trailer}
	if r.Nudge != nil {
		if x.stop == nil {
			x.stop = x.released
		}
		x.body.stop = x.stop
	}
	x.body.begin(&x.head, r.Method)
	return nil
}

func neverStopped() bool { return true }

// released is called before the connection is given back.
func (x *Exchange) released() bool {
	x.raw.Nudge.release(x.body.conn)
	return true
}

// errUnsound says that a connection was idle and is not to be used; nothing was
// sent.
var errUnsound = errors.New("the connection is not sound")

// ask sends as much of p as it can at once on a connection that has been used,
// if that is sound, and reads the first of what comes.
func (cn *conn) ask(p []byte) (sent int, err error) {
	if cn.exchanges == 1 || !cn.mayAsk() {
		return 0, nil
	}
	if cn.buf == nil {
		cn.buf = make([]byte, readSize)
	}
	cn.r, cn.w = 0, 0
	sent, got, sound, err := cn.looker.ask(p, cn.buf)
	switch {
	case !sound:
		return 0, errUnsound
	case sent == len(p): // how the wait for the answer ended a read will say
		cn.w = got
		return sent, nil
	}
	return sent, err
}

// mayAsk says whether ask finds out itself if the connection is sound.
func (cn *conn) mayAsk() bool { return cn.looker.asks() && !cn.encrypted }

// Status is the answer's.
func (x *Exchange) Status() int { return x.head.status }

// Length is how long the body is; -1: not known, or there is none and nothing
// was said.
func (x *Exchange) Length() int64 { return x.head.length }

// HasBody says whether there is something to read.
func (x *Exchange) HasBody() bool { return x.body.kind != none }

// Chunked says whether the body comes in chunks, and trailers may follow it.
func (x *Exchange) Chunked() bool { return x.body.kind == chunked }

// Fields is how many fields the head has.
func (x *Exchange) Fields() int { return len(x.head.fields) }

// Field is the i-th, as it came but for the space around the value. It is valid
// until the body is read.
func (x *Exchange) Field(i int) (name, value []byte) {
	f := &x.head.fields[i]
	return x.text[f.name:f.nameEnd], x.text[f.value:f.valueEnd]
}

// Buffered is how many bytes of the body can be read without waiting, framing
// among them.
func (x *Exchange) Buffered() int { return x.body.conn.w - x.body.conn.r }

// Soon has Waiting be called once so soon if the next Read has nothing by then.
func (x *Exchange) Soon(after time.Duration) {
	cn := x.body.conn
	cn.wakeAt = time.Now().Add(after)
	_ = cn.nc.SetReadDeadline(cn.wakeAt) // an error ends the read too
}

// Read reads the body, as an answer's Body does.
func (x *Exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	if x.ended != nil {
		err = x.ended
	}
	return n, err
}

// Trailer is what came after the body, once that is read; nil: nothing.
func (x *Exchange) Trailer() http.Header { return x.trailer }

// Header is the fields of the head as Do has them, in the empty map room if that
// is not nil. It is to be called before the body is read.
func (x *Exchange) Header(room http.Header) http.Header { return x.head.header(x.text, room) }

// Response is the answer as Do has it. The exchange is its body's from then on,
// and is closed with it.
func (x *Exchange) Response() *http.Response {
	response := &http.Response{
		StatusCode: x.head.status, Header: x.Header(nil), ContentLength: x.head.length,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: reading{x},
	}
	if x.Chunked() {
		response.Trailer = Announced(response.Header)
		x.body.trailer = &response.Trailer
	}
	if !x.HasBody() {
		x.Close()
		response.Body = http.NoBody
	}
	return response
}

// reading is an Exchange as an answer's Body.
type reading struct{ *Exchange }

// Close implements io.Closer.
func (r reading) Close() error {
	r.Exchange.Close()
	return nil
}

// Close ends the exchange. Its connection is kept if the answer was read to its
// end.
func (x *Exchange) Close() {
	if x.body.kind == none {
		x.body.end()
		return
	}
	_ = x.body.Close() // an answer's never fails
}

// netRead reads from the network. A read of an exchange that has nothing asks
// now and then whether to go on: a deadline that is seldom set serves many
// requests.
func (cn *conn) netRead(p []byte) (int, error) {
	for {
		n, err := cn.nc.Read(p)
		if cn.raw == nil || n > 0 || !isTimeout(err) {
			return n, err
		}
		if err := cn.raw.wait(); err != nil {
			return 0, err
		}
		cn.wakeAt = time.Time{} // it may have been nudged
		cn.wake(time.Now())
	}
}

// wait says why not to wait longer.
func (x *Exchange) wait() error {
	if !x.headed && !time.Now().Before(x.raw.AnswerBy) {
		return os.ErrDeadlineExceeded
	}
	x.ended = x.raw.Waiting()
	return x.ended
}

// wake has the next read end in about lookEvery, if nothing comes, or when the
// answer must be there.
func (cn *conn) wake(now time.Time) {
	at := now.Add(lookEvery)
	if x := cn.raw; x != nil && !x.headed && x.raw.AnswerBy.Before(at) {
		at = x.raw.AnswerBy
	} else if left := cn.wakeAt.Sub(now); left > lookEvery/2 && left <= lookEvery {
		return
	}
	cn.wakeAt = at
	_ = cn.nc.SetReadDeadline(at) // an error ends the read too
}

// patientWrite has a write end when the answer must be there, or earlier: as a
// deadline that is set for every request would cost more than the request's
// copying, one that has half of its time left serves another.
func (cn *conn) patientWrite(now, by time.Time) {
	if cn.goneAt.After(by) || cn.goneAt.Sub(now) < by.Sub(now)/2 {
		cn.goneAt = by
		_ = cn.nc.SetWriteDeadline(by) // an error ends the write too
	}
}

// forget takes back the deadlines of an exchange before.
func (cn *conn) forget() {
	if !cn.wakeAt.IsZero() {
		_ = cn.nc.SetDeadline(time.Time{})
		cn.wakeAt, cn.goneAt = time.Time{}, time.Time{}
	}
}
