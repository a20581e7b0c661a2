package balancer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"kecho/balancer/h1"
)

// handlerClient is the client of a web server that is a handler of this program.
// What peers send goes to it this way, and copies of a request that are at
// several servers: there is no ResponseWriter of a client's that is the
// handler's alone.
type handlerClient struct {
	handler  http.Handler
	patience time.Duration // for the head, where a request does not say
	log      *slog.Logger

	mu      sync.Mutex
	running int           // calls of the handler; guarded by mu
	none    chan struct{} // closed when there are none; nil: nobody waits; guarded by mu
}

var _ webClient = (*handlerClient)(nil)

func newHandlerClient(h http.Handler, patience time.Duration, log *slog.Logger) *handlerClient {
	return &handlerClient{handler: h, patience: patience, log: log}
}

// Reap does nothing: there are no connections.
func (c *handlerClient) Reap() {}

// CloseIdle waits until the handler has returned from each call. The contexts of
// those that nobody waits for have ended.
func (c *handlerClient) CloseIdle() {
	c.mu.Lock()
	if c.running > 0 && c.none == nil {
		c.none = make(chan struct{})
	}
	none := c.none
	c.mu.Unlock()
	if none != nil {
		<-none
	}
}

func (c *handlerClient) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running += n; c.running == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// errPanicked says that the handler did not end what it had to answer.
var errPanicked = errors.New("the handler panicked")

// Do is as h1.Client's: the body of an answer 101 is the connection that the
// handler took over.
func (c *handlerClient) Do(ctx context.Context, r *h1.Request) (*http.Response, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	own, cancel := context.WithCancelCause(ctx)
	read := make(chan struct{}, 1)
	req, err := handlerRequest(own, r, read)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	a := newHandlerAnswer(req, cancel)
	c.count(1)
	go func() {
		defer c.count(-1)
		defer cancel(nil)
		defer c.rescue(a, req)
		c.handler.ServeHTTP(a, req)
		a.finish(nil)
	}()
	return c.await(ctx, a, r, read)
}

// rescue ends the answer of a handler that panicked. What it says of itself is
// logged, as net/http does.
func (c *handlerClient) rescue(a *handlerAnswer, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler {
		c.log.Error("the handler panicked with a request of a peer", "method", r.Method, "panic", fmt.Sprintf("%.1000v", v), "stack", string(debug.Stack()))
	}
	a.finish(errPanicked)
}

// await is the head of the answer, in the time that it has.
func (c *handlerClient) await(ctx context.Context, a *handlerAnswer, r *h1.Request, read <-chan struct{}) (*http.Response, error) {
	timer := time.NewTimer(c.patience)
	defer timer.Stop()
	switch {
	case !r.AnswerBy.IsZero():
		timer.Reset(time.Until(r.AnswerBy))
	case r.Body != nil:
		timer.Stop()
	}
	for {
		select {
		case e := <-a.early:
			if r.Early != nil {
				_ = r.Early(e.status, e.header) // it has none
			}
			e.passed <- struct{}{}
		case <-read:
			if r.AnswerBy.IsZero() {
				timer.Reset(c.patience)
			}
			if r.Wrote != nil {
				r.Wrote()
			}
		case got := <-a.head:
			if got.err != nil {
				a.cancel(nil)
			}
			return got.res, got.err
		case conn := <-a.taken:
			return a.upgraded(ctx, conn)
		case <-timer.C:
			a.cancel(h1.ErrTimeout)
			return nil, h1.ErrTimeout
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// handlerRequest is r as a handler gets it from net/http: of the same client, but
// that its port is not known. read gets a token when the body is at its end.
func handlerRequest(ctx context.Context, r *h1.Request, read chan<- struct{}) (*http.Request, error) {
	to := &url.URL{Path: "*"}
	if r.Target != "*" {
		var err error
		if to, err = url.ParseRequestURI(r.Target); err != nil {
			return nil, fmt.Errorf("%w: its path does not parse", h1.ErrInvalid)
		}
	}
	req := &http.Request{
		Method: r.Method, URL: to, RequestURI: r.Target, Host: r.Host, Header: r.Header, Trailer: r.Trailer,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, RemoteAddr: clientOf(r.Header),
	}
	if r.Body != nil {
		req.Body, req.ContentLength = &handlerBody{body: r.Body, read: read}, r.Length
	}
	return req.WithContext(ctx), nil
}

// clientOf is the address of whom the owner of a request says that it is of.
func clientOf(h http.Header) string {
	values := h["X-Forwarded-For"]
	if len(values) == 0 {
		return ""
	}
	all := values[len(values)-1]
	last := strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
	return net.JoinHostPort(last, "0")
}

// handlerBody is a request's body as a handler reads it.
type handlerBody struct {
	body io.Reader
	read chan<- struct{}
	once sync.Once
}

// Read implements io.Reader.
func (b *handlerBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == io.EOF {
		b.once.Do(func() { b.read <- struct{}{} }) // there is room for one
	}
	return n, err
}

// Close implements io.Closer.
func (b *handlerBody) Close() error {
	if closer, can := b.body.(io.Closer); can {
		return closer.Close()
	}
	return nil
}

// upgraded is the answer that the handler writes itself to the connection that it
// took over.
func (a *handlerAnswer) upgraded(ctx context.Context, conn net.Conn) (*http.Response, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	from := bufio.NewReader(conn)
	res, err := http.ReadResponse(from, a.request)
	if err != nil {
		stop()
		_ = conn.Close() // what was said on it made no sense
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", h1.ErrMalformed, err)
	}
	t := &takenBody{Conn: conn, from: res.Body, stop: stop, cancel: a.cancel}
	if res.StatusCode == http.StatusSwitchingProtocols {
		t.from = from
	}
	res.Body = t
	return res, nil
}

// takenBody is what is read of a connection that a handler took over.
type takenBody struct {
	net.Conn
	from   io.Reader
	stop   func() bool
	cancel context.CancelCauseFunc
}

// Read implements io.Reader.
func (t *takenBody) Read(p []byte) (int, error) { return t.from.Read(p) }

// NetConn is as that of package h1's answers 101.
func (t *takenBody) NetConn() net.Conn { return t.Conn }

// Close implements io.Closer.
func (t *takenBody) Close() error {
	t.stop()
	t.cancel(nil)
	return t.Conn.Close()
}
