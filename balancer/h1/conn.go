package h1

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// readSize is what a connection reads at a time where nobody else's buffer
// takes it.
const readSize = 4 << 10

// past is a deadline that ends what waits.
var past = time.Unix(1, 0)

// conn is a connection and the exchange that is on it.
type conn struct {
	client    *Client
	nc        net.Conn
	exchanges int           // that there were on it, this one too; owned by Do
	idleFor   time.Duration // it may be idle; see heed
	looker    looker
	// encrypted: nc speaks TLS.
	encrypted bool

	// What was read and not yet taken is buf[r:w]. Owned by who reads: Do, then
	// the answer's body; so is all up to mu.
	buf    []byte
	r, w   int
	places []place   // of the last head's fields, to be used again
	raw    *Exchange // who is asked while nothing comes; nil: a deadline is set once
	wakeAt time.Time // the read deadline that an Exchange left; zero: none
	goneAt time.Time // its write deadline

	mu      sync.Mutex
	aborted bool  // the exchange is over, by its context; guarded by mu
	headed  bool  // the head of the answer is there; guarded by mu
	sending bool  // a goroutine sends the body; guarded by mu
	broken  error // why the body was not sent whole; guarded by mu
}

// exchange sends r and reads the head of the answer. After an error the
// connection is of no more use.
func (cn *conn) exchange(ctx context.Context, r *Request) (*http.Response, error) {
	cn.exchanges++
	cn.aborted, cn.headed, cn.sending, cn.broken = false, false, false, nil // nobody else has it yet
	cn.forget()
	stop := context.AfterFunc(ctx, cn.abort)
	res, err := cn.start(r)
	if err != nil {
		stop()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	return cn.finish(ctx, r, res, stop), nil
}

// abort has everything end that waits for the connection.
func (cn *conn) abort() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.aborted = true
	_ = cn.nc.SetDeadline(past) // a connection that fails has ended
}

// awaitHead gives the head of the answer its time; a request that goes in one
// write has it for that too.
func (cn *conn) awaitHead(deadline time.Time, set func(time.Time) error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.awaitHeadLocked(deadline, set)
}

func (cn *conn) awaitHeadLocked(deadline time.Time, set func(time.Time) error) {
	if !cn.aborted && !cn.headed {
		_ = set(deadline) // else the read fails
	}
}

// answer is an answer whose head was read.
type answer struct {
	head
	header http.Header
}

// start sends r, or begins to, and reads the head of the answer.
func (cn *conn) start(r *Request) (*answer, error) {
	whole := r.Whole()
	switch {
	case !r.AnswerBy.IsZero():
		cn.awaitHead(r.AnswerBy, cn.nc.SetDeadline)
	case whole:
		cn.awaitHead(time.Now().Add(cn.client.cfg.HeadTimeout), cn.nc.SetDeadline)
	}
	out, err := cn.send(r)
	var proceed chan bool
	switch {
	case err != nil:
		cn.broken = err // nobody else has it yet
	case !whole:
		proceed = cn.sendBody(r)
		defer close(proceed)
	}
	for early := 0; ; {
		h, text, some, readErr := cn.readHead(r.Method)
		if readErr != nil {
			return nil, cn.failed(out, some || early > 0, cmp.Or(readErr, err))
		}
		res := &answer{h, h.header(text, nil)}
		if h.final() {
			return res, nil
		}
		if early++; early > maxEarly {
			return nil, fmt.Errorf("%w: more than %d informational answers", ErrMalformed, maxEarly)
		}
		if res.status == http.StatusContinue && proceed != nil {
			select {
			case proceed <- true:
			default: // it was said already
			}
		}
		if r.Early != nil {
			if err := r.Early(res.status, res.header); err != nil {
				return nil, err
			}
		}
	}
}

// heads are free buffers for heads that are written.
var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// send writes the head, and the body if it goes with it. It returns how many
// bytes were written.
func (cn *conn) send(r *Request) (int64, error) {
	b := heads.Get().(*bytes.Buffer)
	defer heads.Put(b)
	b.Reset()
	b.Write(r.appendHead(b.AvailableBuffer()))
	if body := r.inline(); body != nil {
		_, _ = body.WriteTo(b) // both are memory
	}
	n, err := cn.nc.Write(b.Bytes())
	return int64(n), err
}

// failed is why there is no answer. some: a part of one came.
func (cn *conn) failed(sent int64, some bool, err error) error {
	cn.mu.Lock()
	aborted, broken, sending := cn.aborted, cn.broken, cn.sending
	cn.mu.Unlock()
	switch {
	case errors.Is(broken, errBody):
		return broken
	case errors.Is(err, ErrMalformed):
		return err
	case isTimeout(err) && !aborted:
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case some || aborted:
		return fmt.Errorf("read the answer's head: %w", err)
	case sending || broken != nil:
		return &staleError{sent: max(sent, 1), err: err}
	}
	return &staleError{sent: sent, err: err}
}

// readHead reads one head, which is text until the next read; some says whether
// a byte of it came.
func (cn *conn) readHead(method string) (h head, text []byte, some bool, err error) {
	text, err = cn.readLines(maxHead)
	some = cn.w > cn.r || len(text) > 0
	if err != nil {
		return h, nil, some, err
	}
	if h, err = scanHead(text, cn.places); err != nil {
		return h, nil, true, err
	}
	cn.places = h.fields
	if h.bodiless(method) {
		h.chunked = false
		if h.lengthless() {
			h.length = 0
		}
	}
	return h, text, true, nil
}

// readLines reads up to an empty line, and takes it too. The lines come with
// their ends, without the empty one.
func (cn *conn) readLines(most int) ([]byte, error) {
	for seen := 0; ; {
		if n, end := cn.emptyLine(seen); end > 0 {
			text := cn.buf[cn.r : cn.r+n]
			cn.r += end
			return text, nil
		}
		if p := cn.buf[cn.r:cn.w]; !bytes.HasPrefix(p, []byte("HTTP/"[:min(len(p), 5)])) {
			return nil, fmt.Errorf("%w: it is no HTTP/1", ErrMalformed) // and may never be whole
		}
		seen = max(cn.w-cn.r-3, 0)
		if cn.w-cn.r >= most {
			return nil, fmt.Errorf("%w: its head is longer than %d bytes", ErrMalformed, most)
		}
		if err := cn.fill(most); err != nil {
			return nil, err
		}
	}
}

// emptyLine looks for an empty line in what was read, from the byte seen on.
// It returns how many bytes stand before it, and how many it ends after; 0: it
// is not there.
func (cn *conn) emptyLine(seen int) (before, end int) {
	p := cn.buf[cn.r:cn.w]
	if bytes.HasPrefix(p, []byte("\r\n")) {
		return 0, 2
	}
	if bytes.HasPrefix(p, []byte("\n")) {
		return 0, 1
	}
	for i := seen; i < len(p); {
		at := bytes.IndexByte(p[i:], '\n')
		if at < 0 {
			break
		}
		i += at + 1
		if bytes.HasPrefix(p[i:], []byte("\n")) {
			return i, i + 1
		}
		if bytes.HasPrefix(p[i:], []byte("\r\n")) {
			return i, i + 2
		}
	}
	return 0, 0
}

// fill reads more behind what is there, which grows to most bytes and a read.
// An end of the stream is io.ErrUnexpectedEOF: something was expected.
func (cn *conn) fill(most int) error {
	switch {
	case cn.buf == nil:
		cn.buf = make([]byte, readSize)
	case cn.r == cn.w:
		cn.r, cn.w = 0, 0
	case cn.w == len(cn.buf) && cn.r > 0:
		cn.w = copy(cn.buf, cn.buf[cn.r:cn.w])
		cn.r = 0
	case cn.w == len(cn.buf):
		more := make([]byte, min(2*len(cn.buf), most+readSize))
		cn.w = copy(more, cn.buf[:cn.w])
		cn.buf = more
	}
	n, err := cn.netRead(cn.buf[cn.w:])
	cn.w += n
	if n > 0 {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// finish makes the response, whose body ends the exchange.
func (cn *conn) finish(ctx context.Context, r *Request, res *answer, stop func() bool) *http.Response {
	cn.mu.Lock()
	cn.headed = true
	if !cn.aborted {
		_ = cn.nc.SetDeadline(time.Time{}) // else the next read fails
	}
	cn.mu.Unlock()
	b := &body{conn: cn, ctx: ctx, stop: stop}
	response := &http.Response{
		StatusCode: res.status, Header: res.header, ContentLength: res.length,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: b,
	}
	if b.begin(&res.head, r.Method); b.kind == none {
		b.end()
		response.Body = http.NoBody
	}
	if b.kind == chunked {
		response.Trailer = Announced(res.header)
		b.trailer = &response.Trailer
	}
	return response
}

// over ends the exchange: the connection is kept if its next answer can only
// be the next request's, else closed.
func (cn *conn) over(persists bool) {
	cn.mu.Lock()
	keep := persists && !cn.aborted && !cn.sending && cn.broken == nil && cn.r == cn.w
	cn.mu.Unlock()
	if !keep {
		_ = cn.nc.Close()
		return
	}
	if len(cn.buf) > readSize {
		cn.buf = nil // it had a large head
	}
	cn.raw = nil
	cn.client.put(cn)
}
