package balancer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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
	// URL is http://host:port or https://host:port; a path is put before the
	// path of each request.
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
	// Log hears that the web server went and came. Zero: nobody.
	Log *slog.Logger
}

// upstream is the one web server behind this node. Its methods may be called
// by many goroutines at once.
type upstream struct {
	base       url.URL // scheme and host; no path
	prefix     string  // path before each request's path, without a last slash
	address    string  // host:port to dial
	dial       func(ctx context.Context, network, address string) (net.Conn, error)
	connect    time.Duration
	transport  *http.Transport
	changed    func(up bool)
	telling    sync.Mutex // one call of changed at a time, the latest last
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
}

// newUpstream checks cfg. It starts nothing.
func newUpstream(cfg upstreamConfig) (*upstream, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("upstream URL %.128q: %w", cfg.URL, errors.Unwrap(err))
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return nil, fmt.Errorf("upstream URL %.128q: want http://host:port or https://host:port", cfg.URL)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("upstream URL %.128q: only a scheme, a host, a port and a path can stand in it", cfg.URL)
	}
	u := &upstream{
		base:     url.URL{Scheme: base.Scheme, Host: base.Host},
		prefix:   strings.TrimRight(base.EscapedPath(), "/"),
		address:  base.Host,
		dial:     cfg.Dial,
		connect:  cfg.ConnectTimeout,
		changed:  cfg.Changed,
		log:      cfg.Log,
		wentDown: make(chan struct{}, 1),

		websockets: newWebsockets(),
	}
	if base.Port() == "" {
		u.address = net.JoinHostPort(base.Hostname(), map[string]string{"http": "80", "https": "443"}[base.Scheme])
	}
	u.setDefaults()
	u.transport = newTransport(cfg)
	u.transport.DialContext = u.dialOnce
	u.transport.TLSHandshakeTimeout = u.connect
	return u, nil
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

func newTransport(cfg upstreamConfig) *http.Transport {
	idle, wait := cfg.Idle, cfg.HeaderTimeout
	if idle == 0 {
		idle = 64
	}
	if wait == 0 {
		wait = 30 * time.Second
	}
	return &http.Transport{
		DisableCompression:     true, // the client's Accept-Encoding is the only one
		MaxIdleConns:           idle,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  wait,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// up reports whether the web server was reachable when last tried, and true
// before that. After a
// failed dial it is false until a dial succeeds: one for a request, or one of
// run's.
func (u *upstream) up() bool { return !u.down.Load() }

// run dials the web server at once, so that it is known to be down before a
// client comes, and about each second while it is down, until ctx is done. Then
// it ends the websockets and closes the idle connections.
func (u *upstream) run(ctx context.Context) {
	defer u.transport.CloseIdleConnections()
	defer u.websockets.close()
	u.probe(ctx)
	for {
		select {
		case <-ctx.Done():
			return
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
	if conn, err := u.dialOnce(ctx, "tcp", u.address); err == nil {
		_ = conn.Close() // no request has been waiting for it
	}
}

// dialOnce makes a connection within the connect timeout and keeps down as the
// outcome says. A dial that its caller gave up says nothing.
func (u *upstream) dialOnce(ctx context.Context, network, address string) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, u.connect)
	defer cancel()
	conn, err := u.dial(within, network, address)
	if err == nil {
		if u.down.CompareAndSwap(true, false) {
			u.log.Info("the web server can be reached again", "upstream", u.address)
			u.tell()
		}
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	if u.down.CompareAndSwap(false, true) {
		u.log.Warn("the web server cannot be reached: start it, or correct the address; it is tried again each second",
			"upstream", u.address, "error", err)
		u.tell()
		select {
		case u.wentDown <- struct{}{}:
		default:
		}
	}
	return nil, fmt.Errorf("%w: dial %s: %w", errUpstreamDown, u.address, err)
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
	req, err := u.request(out)
	if err != nil {
		return nil, err
	}
	if !out.answerBy.IsZero() {
		return u.roundTripBy(ctx, req, out.answerBy)
	}
	return u.roundTripOnce(ctx, req)
}

// roundTripBy ends a round trip whose answer has not begun by then.
func (u *upstream) roundTripBy(parent context.Context, req *http.Request, then time.Time) (*http.Response, error) {
	ctx, cancel := context.WithCancel(parent)
	late := time.AfterFunc(time.Until(then), cancel) // else the answer's body ends with parent
	res, err := u.roundTripOnce(ctx, req)
	if late.Stop() {
		if err != nil {
			cancel()
		}
		return res, err
	}
	if err == nil {
		_ = res.Body.Close() // it is cut off already
	}
	if parent.Err() != nil || errors.Is(err, errUpstreamDown) {
		return nil, cmp.Or(err, context.Cause(parent))
	}
	return nil, fmt.Errorf("%w: %w", errUpstreamTimeout, cmp.Or(err, context.DeadlineExceeded))
}

func (u *upstream) roundTripOnce(ctx context.Context, req *http.Request) (*http.Response, error) {
	res, err := u.transport.RoundTrip(req.WithContext(ctx))
	if err == nil {
		return res, nil
	}
	var slow interface{ Timeout() bool }
	if ctx.Err() == nil && !errors.Is(err, errUpstreamDown) && errors.As(err, &slow) && slow.Timeout() {
		return nil, fmt.Errorf("%w: %w", errUpstreamTimeout, err)
	}
	return nil, err
}

// request writes out as net/http wants it, so that the target reaches the web
// server byte by byte: a parsed and rebuilt URL loses what it cannot parse.
func (u *upstream) request(out *outgoing) (*http.Request, error) {
	if err := validRequestLine(out); err != nil {
		return nil, err
	}
	path, query, asks := strings.Cut(out.target, "?")
	to := u.base
	to.RawQuery, to.ForceQuery = query, asks
	if path != "*" {
		path = u.prefix + path
	}
	to.Opaque = path
	if strings.HasPrefix(path, "//") { // as Opaque it would read as a host
		plain, err := url.PathUnescape(path)
		if err != nil {
			return nil, fmt.Errorf("%w: its path does not parse", errBadTarget)
		}
		to.Opaque, to.Path, to.RawPath = "", plain, path
	}
	if _, set := out.header["User-Agent"]; !set {
		out.header["User-Agent"] = nil // else net/http names itself
	}
	hideFromRetries(out.header)
	req := &http.Request{
		Method: out.method, URL: &to, Host: out.host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.header, Trailer: out.trailer, ContentLength: out.length,
	}
	if out.body == nil {
		req.ContentLength = 0
		return req, nil
	}
	if closer, ok := out.body.(io.ReadCloser); ok {
		req.Body = closer
	} else {
		req.Body = io.NopCloser(out.body)
	}
	return req, nil
}

// hideFromRetries spells fields in lower case by whose presence alone, even
// without a value, http.Transport repeats a request on a connection that died:
// what may be repeated is for the balancer to say, which counts it too.
func hideFromRetries(header http.Header) {
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := header[name]; ok {
			delete(header, name)
			header[strings.ToLower(name)] = values
		}
	}
}

// validRequestLine refuses what net/http would write although it changes the
// meaning of the request: the target and host may come from a peer. net/http
// itself refuses methods and fields that are no tokens or hold line ends.
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
