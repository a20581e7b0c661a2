package balancer

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kecho/balancer/h1"
)

// Errors of upstream.roundTrip that callers branch on. Whatever else comes
// back is the context's error, or one of net/http's that says that the web
// server broke the connection or the protocol after something was sent.
var (
	// errUpstreamDown: no connection could be made; not a byte was sent, so
	// the request may go anywhere else.
	errUpstreamDown = errors.New("the web server cannot be reached")
	// errUpstreamTimeout: the head of the answer did not come in time.
	errUpstreamTimeout = errors.New("the web server did not answer in time")
	// errBadTarget: the request cannot be written as HTTP: its target, host,
	// method or a field holds what none may hold. Nothing was sent.
	errBadTarget = errors.New("the request is not valid HTTP")
)

// probeEvery is how often a web server that is down is dialled.
const probeEvery = time.Second

// upstreamConfig says where the web server is and how it is spoken to.
type upstreamConfig struct {
	// URL is for ParseOrigin.
	URL string
	// Dial makes the connections. Zero: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ConnectTimeout bounds one dial. Zero: 1 s.
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the wait from the request's last byte to the head
	// of the answer, where outgoing.answerBy does not. Zero: 30 s.
	HeaderTimeout time.Duration
	// Idle is how many idle connections are kept: about the hard limit. Zero:
	// 64.
	Idle int
	// Changed, when set, is told whether the web server can be reached each
	// time that this changes, one call at a time. It must not block.
	Changed func(up bool)
	// Load, when set, is told the fields of each final answer but 101.
	Load func(header http.Header)
	// Log hears that the web server went and came. Zero: nobody.
	Log *slog.Logger
}

// upstream is the one web server behind this node. Its methods may be called
// by many goroutines at once.
type upstream struct {
	origin     Origin
	dial       func(ctx context.Context, network, address string) (net.Conn, error)
	connect    time.Duration
	tls        *tls.Config // nil: plaintext
	client     webClient
	patience   time.Duration // for the head of an answer
	changed    func(up bool)
	telling    sync.Mutex               // one call of changed at a time, the latest last
	load       func(header http.Header) // nil: nobody
	websockets *websockets
	log        *slog.Logger
	down       atomic.Bool
	wentDown   chan struct{} // one token wakes run
}

// outgoing is a request as it is sent to the web server.
type outgoing struct {
	method string
	target string      // path and query as received ("/a%2Fb?c=%zz"), or "*"
	host   string      // the client's Host; empty: the web server's own address
	header http.Header // end-to-end fields; belongs to roundTrip from then on
	// trailer has the announced names as keys; whoever reads body to its end
	// has filled in the values by then. nil: none.
	trailer http.Header
	// body is read by another goroutine until it is at its end or the answer
	// is; if it is an io.Closer it is closed when no more is read. nil: none.
	body   io.Reader
	length int64 // of body in bytes; -1: not known
	// answerBy is when the head of the answer must be there. Zero: nothing but
	// HeaderTimeout.
	answerBy time.Time
	// early is told each informational answer but 101 before the final one, and
	// wrote that the last byte of a body that is not in memory was written, on
	// another goroutine. nil: nobody.
	early func(status int, header http.Header) error
	wrote func()
	// took is how long it took until the head of the answer was there; set by
	// serve. It is what a service takes: how long the client reads on is no
	// matter of the server's.
	took time.Duration
	// wins is asked when the head of the answer is there, by serve: false when
	// it is not wanted any more. nil: it is.
	wins func() bool
}

// newUpstream checks cfg. It starts nothing.
func newUpstream(cfg upstreamConfig) (*upstream, error) {
	origin, err := ParseOrigin(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("upstream URL %.128q: %w", cfg.URL, err)
	}
	u := &upstream{
		origin:   origin,
		dial:     cfg.Dial,
		connect:  cfg.ConnectTimeout,
		changed:  cfg.Changed,
		load:     cfg.Load,
		log:      cfg.Log,
		wentDown: make(chan struct{}, 1),

		websockets: newWebsockets(),
	}
	if cfg.HeaderTimeout == 0 {
		cfg.HeaderTimeout = 30 * time.Second
	}
	u.patience = cfg.HeaderTimeout
	u.setDefaults()
	protocol := "http/1.1"
	if origin.HTTP2 {
		protocol = "h2"
		u.client = newH2(cfg, origin.ServerName != "", u.dialOnce)
	} else {
		u.client = h1.New(h1.Config{Dial: u.dialOnce, Idle: cfg.Idle, HeadTimeout: cfg.HeaderTimeout})
	}
	if origin.ServerName != "" {
		u.tls = alpn(origin.ServerName, protocol)
	}
	return u, nil
}

// webClient is what speaks to the web server, in one version of HTTP.
type webClient interface {
	// Do is as h1.Client's.
	Do(ctx context.Context, r *h1.Request) (*http.Response, error)
	// Reap closes what was idle for too long, CloseIdle everything that is idle.
	Reap()
	CloseIdle()
}

func (u *upstream) setDefaults() {
	if u.dial == nil {
		u.dial = new(net.Dialer).DialContext
	}
	if u.connect == 0 {
		u.connect = time.Second
	}
	if u.changed == nil {
		u.changed = func(bool) {}
	}
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
}

// up reports whether the web server was reachable when last tried, and true
// before that. After a
// failed dial it is false until a dial succeeds: one for a request, or one of
// run's.
func (u *upstream) up() bool { return !u.down.Load() }

// reapEvery is how often connections are looked for that were idle too long.
const reapEvery = 30 * time.Second

// run dials the web server at once, so that it is known to be down before a
// client comes, and about each second while it is down, until ctx is done. Then
// it ends the websockets and closes the idle connections.
func (u *upstream) run(ctx context.Context) {
	defer u.client.CloseIdle()
	defer u.websockets.close()
	reap := time.NewTicker(reapEvery)
	defer reap.Stop()
	u.probe(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-reap.C:
			u.client.Reap()
		case <-u.wentDown:
		}
		for u.down.Load() {
			pause := probeEvery*3/4 + rand.N(probeEvery/2)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			u.probe(ctx)
		}
	}
}

// probe finds out whether a connection can be made.
func (u *upstream) probe(ctx context.Context) {
	if conn, err := u.dialOnce(ctx); err == nil {
		_ = conn.Close() // no request has been waiting for it
	}
}

// dialOnce makes a connection within the connect timeout and keeps down as the
// outcome says. A dial that its caller gave up says nothing.
func (u *upstream) dialOnce(ctx context.Context) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, u.connect)
	defer cancel()
	conn, err := u.connection(within)
	if err == nil {
		if u.down.CompareAndSwap(true, false) {
			u.log.Info("the web server can be reached again", "upstream", u.origin)
			u.tell()
		}
		return conn, nil
	}
	// A dialer has a timer of its own, which may end before the context's does.
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return nil, err
	}
	if u.down.CompareAndSwap(false, true) {
		u.log.Warn("the web server cannot be reached: start it, or correct the address; it is tried again each second",
			"upstream", u.origin, "error", err)
		u.tell()
		select {
		case u.wentDown <- struct{}{}:
		default:
		}
	}
	return nil, fmt.Errorf("%w: dial %s: %w", errUpstreamDown, u.origin, err)
}

// connection dials, and speaks TLS where the URL says so.
func (u *upstream) connection(ctx context.Context) (net.Conn, error) {
	conn, err := u.dial(ctx, u.origin.Network, u.origin.Address)
	if err != nil || u.tls == nil {
		return conn, err
	}
	encrypted := tls.Client(conn, u.tls)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake says what is wrong
		return nil, err
	}
	return encrypted, nil
}

// tell reports what down is now. Two dials may end at once: whoever comes last
// says what is true then.
func (u *upstream) tell() {
	u.telling.Lock()
	defer u.telling.Unlock()
	u.changed(u.up())
}

// roundTrip sends one request and returns the answer's head; its Body must be
// closed, which also ends a request that is still being sent. It blocks until
// the head is there, the header timeout or out.answerBy has passed, or ctx is
// done, which must happen in the end.
func (u *upstream) roundTrip(ctx context.Context, out *outgoing) (*http.Response, error) {
	if err := validRequestLine(out); err != nil {
		return nil, err
	}
	res, err := u.client.Do(ctx, u.request(out))
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil && !errors.Is(err, errUpstreamDown):
		return nil, context.Cause(ctx)
	case errors.Is(err, h1.ErrTimeout):
		return nil, fmt.Errorf("%w: %w", errUpstreamTimeout, err)
	case errors.Is(err, h1.ErrInvalid):
		return nil, fmt.Errorf("%w: %w", errBadTarget, err)
	}
	return nil, err
}

// request is out as it is written.
func (u *upstream) request(out *outgoing) *h1.Request {
	r := &h1.Request{
		Method: out.method, Target: out.target, Host: cmp.Or(out.host, u.origin.Host),
		Header: out.header, Length: out.length,
		AnswerBy: out.answerBy, Early: out.early, Wrote: out.wrote,
	}
	if out.target != "*" {
		r.Target = u.origin.Prefix + out.target
	}
	if out.body != nil && out.length != 0 {
		r.Body = out.body
		if out.length < 0 {
			r.Trailer = out.trailer
		}
	}
	return r
}

// validRequestLine refuses what could be written but is not for a web server:
// the target and host may come from a peer. h1 itself refuses methods and
// fields that are no tokens or hold line ends.
func validRequestLine(out *outgoing) error {
	switch {
	case out.method == http.MethodConnect:
		return fmt.Errorf("%w: CONNECT is not for a web server", errBadTarget)
	case out.method == "" || out.header == nil:
		return fmt.Errorf("%w: it has no method or no fields", errBadTarget)
	case out.target != "*" && !strings.HasPrefix(out.target, "/"),
		out.target == "*" && out.method != http.MethodOptions:
		return fmt.Errorf("%w: its target must be a path", errBadTarget)
	}
	for i := range len(out.target) {
		if c := out.target[i]; c <= ' ' || c == 0x7f || c == '#' {
			return fmt.Errorf("%w: byte %#02x in its target", errBadTarget, c)
		}
	}
	for i := range len(out.host) {
		if c := out.host[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/\\?#@<>"`, c) >= 0 {
			return fmt.Errorf("%w: byte %#02x in its host", errBadTarget, c)
		}
	}
	return nil
}

// targetOf is what a client asked for as a path and query, byte by byte as it
// came; the absolute form ("http://host/path") is cut to its path.
func targetOf(r *http.Request) string {
	target := r.RequestURI
	switch {
	case target == "":
		return r.URL.RequestURI()
	case target[0] == '/' || target == "*":
		return target
	}
	_, rest, _ := strings.Cut(target, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		if rest[i] == '?' {
			return "/" + rest[i:]
		}
		return rest[i:]
	}
	if r.Method == http.MethodOptions {
		return "*" // RFC 9112 §3.2.4
	}
	return "/"
}
