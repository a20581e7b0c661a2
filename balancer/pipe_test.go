package balancer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// pipes is a listener whose connections are net.Pipes, so that servers and
// clients of net/http run in a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "192.0.2.1:1234" }

// addressed is a pipe with an address that looks like a client's.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return pipeAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- addressed{far}:
		return near, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serveHTTP serves handler on pipes as an agent would, a balancer in both lanes,
// until the test ends; in a bubble only.
func serveHTTP(t *testing.T, handler http.Handler) *pipes {
	t.Helper()
	return serveLanes(t, handler, balancerOf(handler), nil)
}

// serveLanes serves handler, in the lane of fast if there is one, and over TLS
// where there is a certificate.
func serveLanes(t *testing.T, handler http.Handler, fast *Balancer, certificate *Certificate) *pipes {
	t.Helper()
	l := newPipes()
	serveOn(t, l, handler, fast, certificate)
	return l
}

// serveOn is serveLanes on a listener, which it closes.
func serveOn(t *testing.T, l net.Listener, handler http.Handler, fast *Balancer, certificate *Certificate) {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: handler, ConnContext: GuardContext, ConnState: GuardState, Protocols: &protocols, HTTP2: HTTP2(100),
		DisableGeneralOptionsHandler: true, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: headPatience, IdleTimeout: time.Minute,
	}
	var done sync.WaitGroup
	in := Guard(l, certificate)
	if _, ok := handler.(*webServer); ok {
		in = l // it is not ours, and sees at once that its client goes
	}
	cut := func() {}
	if fast != nil {
		lane := NewLane(LaneConfig{Balancer: fast, Listener: l, Certificate: certificate})
		in = lane
		var ctx context.Context
		ctx, cut = context.WithCancel(context.Background())
		done.Go(func() { _ = lane.Run(ctx) })
	}
	done.Go(func() { _ = server.Serve(in) })
	t.Cleanup(func() {
		_ = server.Close()
		cut()
		done.Wait()
		time.Sleep(time.Second) // net/http waits 500 ms before it closes some connections
	})
}

// serveRaw hands each connection to answer, which has the request's bytes up
// to the first empty line.
func serveRaw(t *testing.T, answer func(c net.Conn, head string)) *pipes {
	t.Helper()
	l := newPipes()
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer c.Close()
				answer(c, readHead(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	return l
}

// readHead reads byte by byte up to an empty line, so that nothing of what
// follows is lost.
func readHead(c io.Reader) string {
	var head strings.Builder
	b := make([]byte, 1)
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		if _, err := c.Read(b); err != nil {
			break
		}
		head.Write(b)
	}
	return head.String()
}

// talk writes in, in pieces of n bytes, and returns all that comes back until
// the other side closes or has said nothing for a minute.
func talk(t *testing.T, l *pipes, in string, n int) string {
	t.Helper()
	c, err := l.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for len(in) > 0 {
			k := min(n, len(in))
			if _, err := c.Write([]byte(in[:k])); err != nil {
				return
			}
			in = in[k:]
		}
	})
	_ = c.SetReadDeadline(time.Now().Add(time.Minute)) // it fails where l has closed the connection already
	out, _ := io.ReadAll(c)                            // what came is judged by the caller
	_ = c.Close()
	writer.Wait()
	return string(out)
}

// client is an HTTP client whose connections are l's.
func client(t *testing.T, l *pipes) *http.Client {
	transport := &http.Transport{DialContext: l.dial, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// balancerOf is the balancer that h is; nil: it is none.
func balancerOf(h http.Handler) *Balancer {
	switch h := h.(type) {
	case *Balancer:
		return h
	case *member:
		return h.Balancer
	}
	return nil
}
