package h1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Errors of Do and of an answer's body. Those of Config.Dial come back as they
// are: not a byte was sent then.
var (
	// ErrMalformed: what the server sent is not HTTP, or not of one meaning.
	ErrMalformed = errors.New("the answer is not valid HTTP")
	// ErrTimeout: the head of the answer did not come in time.
	ErrTimeout = errors.New("the answer did not come in time")
	// ErrInvalid: the request holds what no HTTP message may hold. Nothing was
	// sent.
	ErrInvalid = errors.New("the request is not valid HTTP")
	// errBody: the request's body could not be read to its end.
	errBody = errors.New("the request's body broke off")
)

// Config says where the server is.
type Config struct {
	// Dial makes a connection, TLS included. Required.
	Dial func(ctx context.Context) (net.Conn, error)
	// Idle is how many connections are kept between exchanges. Zero: 64.
	Idle int
	// IdleTimeout is how long one is kept; less where the server says so by
	// Keep-Alive. Zero: 90 s.
	IdleTimeout time.Duration
	// Requests is how many exchanges there may be on one. Zero: as many as the
	// server likes.
	Requests int
	// HeadTimeout is how long after the last byte of a request the head of its
	// answer may take, where Request.AnswerBy says nothing. Zero: 30 s.
	HeadTimeout time.Duration
	// ContinueTimeout is how long a body waits for the 100 that its request
	// asked for. Zero: 1 s.
	ContinueTimeout time.Duration
}

// Request is what Do sends. It belongs to Do until its answer's body is at its
// end or closed.
type Request struct {
	Method string
	Target string // as it is to be sent: a path with its query, or "*"
	Host   string
	// Header is sent as it is, but for the fields that frame: Content-Length,
	// Transfer-Encoding, Trailer and Host are Do's. It is not changed.
	Header http.Header
	// Trailer has the announced names as keys; whoever reads Body to its end
	// has filled in the values by then. Nil: none. It needs Length -1.
	Trailer http.Header
	// Body is read by another goroutine until it is at its end or the answer
	// is, unless it is a *bytes.Reader. Nil: none.
	Body   io.Reader
	Length int64 // of Body in bytes; -1: not known
	// AnswerBy is when the head of the answer must be there. Zero: HeadTimeout
	// counts, from the last byte of the request on.
	AnswerBy time.Time
	// Early is called with each informational answer but 101, before Do
	// returns and on its goroutine; an error ends the exchange. Nil: they are
	// dropped.
	Early func(status int, header http.Header) error
	// Wrote is called once the last byte of a Body that is not in memory was
	// written, on another goroutine. Nil: nobody.
	Wrote func()
}

// Client keeps connections to one server.
type Client struct {
	cfg Config

	mu   sync.Mutex
	idle []idleConn // the freshest last; guarded by mu
}

// New makes a client. It starts nothing.
func New(cfg Config) *Client {
	setDefault(&cfg.Idle, 64)
	setDefault(&cfg.IdleTimeout, 90*time.Second)
	setDefault(&cfg.HeadTimeout, 30*time.Second)
	setDefault(&cfg.ContinueTimeout, time.Second)
	return &Client{cfg: cfg}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Do sends r and returns the head of the answer; its Body must be closed,
// which also ends a request that is still being sent. Of an answer 101 the Body
// is the connection, an io.ReadWriteCloser. It blocks until the head is there,
// its time is over, or ctx is done, whose cause is the error then; ctx ends the
// answer's body too.
func (c *Client) Do(ctx context.Context, r *Request) (*http.Response, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	for fresh := false; ; fresh = true { // a second time on a connection of which nothing is old
		cn, err := c.take(ctx, r.AnswerBy, fresh, false)
		if err != nil {
			return nil, err
		}
		res, err := cn.exchange(ctx, r)
		if err == nil {
			return res, nil
		}
		_ = cn.nc.Close() // it is of no more use
		if cn.exchanges == 1 || !again(err, r.Method, r.hasBody(), r.rewind) {
			return nil, unwrapStale(err)
		}
	}
}

// take is a connection that nobody else uses: the freshest of the idle ones
// that are sound, or a new one, if there is one by then (zero: no matter when),
// as it must be where fresh is true. Where asks is true conn.ask finds out whether
// it is sound, if it can.
func (c *Client) take(ctx context.Context, by time.Time, fresh, asks bool) (*conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !fresh {
		if cn := c.kept(asks); cn != nil {
			return cn, nil
		}
	}
	if !by.IsZero() {
		within, cancel := context.WithDeadline(ctx, by)
		defer cancel()
		nc, err := c.cfg.Dial(within)
		if err != nil && ctx.Err() == nil && within.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		return newConn(c, nc), err
	}
	nc, err := c.cfg.Dial(ctx)
	return newConn(c, nc), err
}

// staleError says that a connection ended before a byte of the answer came.
type staleError struct {
	sent int64 // bytes of the request that were written
	err  error
}

func (e *staleError) Error() string { return "the server closed the connection: " + e.err.Error() }
func (e *staleError) Unwrap() error { return e.err }

// again says whether an exchange that failed on a connection which had been
// used before may be done again. A body must be where it was: rewind sees to it.
func again(err error, method string, body bool, rewind func() bool) bool {
	stale, ok := errors.AsType[*staleError](err)
	switch {
	case !ok:
		return false
	case body:
		return stale.sent == 0 && rewind()
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return stale.sent == 0
}

func unwrapStale(err error) error {
	if stale, ok := errors.AsType[*staleError](err); ok {
		return fmt.Errorf("the server closed the connection without an answer: %w", stale.err)
	}
	return err
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
