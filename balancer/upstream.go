package balancer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
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

// upstreamConfig says where the web server is and how it is spoken to.
type upstreamConfig struct {
	// URL is for ParseOrigin.
	URL string
	// Handler is the web server where that is this program; URL is not looked at
	// then. Nil: it is not.
	Handler http.Handler
	// Dial makes the connections. Zero: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ConnectTimeout bounds one dial. Zero: 1 s.
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the wait from the request's last byte to the head
	// of the answer, where outgoing.answerBy does not. Zero: 30 s.
	HeaderTimeout time.Duration
	// KeepAlive is which connections are kept. Its Idle zero: 64.
	KeepAlive KeepAlive
	// Changed, when set, is told whether the web server can be reached each
	// time that this changes, one call at a time. It must not block.
	Changed func(up bool)
	// Health is how it is found out. Sick says whether the web server fails what
	// it is given; health.turned is called when that may have changed. Nil: it
	// does not.
	Health Health
	Sick   func() bool
	// Load, when set, is told the fields of each final answer but 101.
	Load func(header http.Header)
	// Log hears that the web server went and came. Zero: nobody.
	Log *slog.Logger
}

// KeepAlive is which connections to the web server are kept between requests.
// How many there are in use is bounded by the places.
type KeepAlive struct {
	// Idle is how many are kept at most. Zero: as many as there are places.
	Idle int
	// Timeout is how long one is kept, or less if the web server's Keep-Alive
	// says so. Zero: 90 s.
	Timeout time.Duration
	// Requests is how many requests one has at most. Zero: any number. Over
	// HTTP/2, whose connections have many at once, Idle and Requests mean nothing.
	Requests int
}

// upstream is the one web server behind this node. Its methods may be called
// by many goroutines at once.
type upstream struct {
	origin     Origin
	dial       func(ctx context.Context, network, address string) (net.Conn, error)
	connect    time.Duration
	tls        *tls.Config // nil: plaintext
	client     webClient
	bytes      *h1.Client               // it, where it can send requests as bytes
	patience   time.Duration            // for the head of an answer
	load       func(header http.Header) // nil: nobody
	websockets *websockets
	log        *slog.Logger
	inside     bool // it is a handler, which is always there
	health     *health
}

// newUpstream checks cfg. It starts nothing.
func newUpstream(cfg upstreamConfig) (*upstream, error) {
	var origin Origin
	if cfg.Handler == nil {
		var err error
		if origin, err = ParseOrigin(cfg.URL); err != nil {
			return nil, fmt.Errorf("upstream URL %.128q: %w", cfg.URL, err)
		}
	}
	u := &upstream{
		origin:  origin,
		inside:  cfg.Handler != nil,
		dial:    cfg.Dial,
		connect: cfg.ConnectTimeout,
		load:    cfg.Load,
		log:     cfg.Log,

		websockets: newWebsockets(),
	}
	if cfg.HeaderTimeout == 0 {
		cfg.HeaderTimeout = 30 * time.Second
	}
	u.patience = cfg.HeaderTimeout
	u.setDefaults()
	u.health = newHealth(cfg, origin.String(), u.log)
	protocol := "http/1.1"
	if u.inside {
		u.client = newHandlerClient(cfg.Handler, cfg.HeaderTimeout, u.log)
	} else if origin.HTTP2 {
		protocol = "h2"
		u.client = newH2(cfg, origin.ServerName != "", u.dialOnce)
	} else {
		u.bytes = h1.New(h1.Config{
			Dial: u.dialOnce, HeadTimeout: cfg.HeaderTimeout,
			Idle: cfg.KeepAlive.Idle, IdleTimeout: cfg.KeepAlive.Timeout, Requests: cfg.KeepAlive.Requests,
		})
		u.client = u.bytes
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
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
}

// dialOnce makes a connection within the connect timeout and has health know the
// outcome. A dial that its caller gave up says nothing.
func (u *upstream) dialOnce(ctx context.Context) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, u.connect)
	defer cancel()
	conn, err := u.connection(within)
	if err == nil {
		u.health.dialled(nil)
		return conn, nil
	}
	// A dialer has a timer of its own, which may end before the context's does.
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return nil, err
	}
	u.health.dialled(err)
	return nil, fmt.Errorf("%w: dial %s: %w", errUpstreamDown, u.origin, err)
}

// connection dials, and speaks TLS where the URL says so.
func (u *upstream) connection(ctx context.Context) (net.Conn, error) {
	conn, err := u.dial(ctx, u.origin.Network, u.origin.Address)
	if err != nil || u.tls == nil {
		return conn, err
	}
	encrypted := tls.Client(conn, u.tls)
	err = encrypted.HandshakeContext(ctx)
	if err == nil {
		err = u.agreed(encrypted.ConnectionState().NegotiatedProtocol)
	} else if strings.Contains(err.Error(), "no application protocol") { // alert 120, which has no type
		err = fmt.Errorf("%w: %w", u.agreed("none"), err)
	}
	if err != nil {
		_ = conn.Close() // err says what is wrong
		return nil, err
	}
	return encrypted, nil
}

// agreed says whether the version of HTTP that a web server picked in the TLS
// handshake is the one that its URL says. A server that picks none speaks
// HTTP/1.1. Which one it is to be is not left to the server: most would pick
// HTTP/2, which costs more here and has no websockets.
func (u *upstream) agreed(protocol string) error {
	switch {
	case u.origin.HTTP2 && protocol != "h2":
		return errors.New("it speaks no HTTP/2 over TLS: give it as https://")
	case !u.origin.HTTP2 && protocol != "http/1.1" && protocol != "":
		return errors.New("it speaks no HTTP/1.1 over TLS: if it speaks HTTP/2, give it as h2://")
	}
	return nil
}

// roundTrip sends one request and returns the answer's head; its Body must be
// closed, which also ends a request that is still being sent. It blocks until
// the head is there, the header timeout or out.answerBy has passed, or ctx is
// done, which must happen in the end.
func (u *upstream) roundTrip(ctx context.Context, out *outgoing) (*http.Response, error) {
	if err := validRequestLine(out); err != nil {
		return nil, err
	}
	if out.upgrade != "" {
		if u.origin.HTTP2 {
			return nil, fmt.Errorf("%w: a websocket, and the web server speaks HTTP/2", errBadTarget)
		}
		out.header["Connection"] = []string{"Upgrade"}
		out.header["Upgrade"] = []string{out.upgrade}
	}
	r := u.request(out)
	res, err := u.client.Do(ctx, &r)
	if err != nil {
		return nil, u.failed(ctx, err)
	}
	if _, err = switched(out, res); err != nil {
		_ = res.Body.Close() // nobody reads it
		return nil, err
	}
	return res, nil
}

// failed is why there is no answer to a request that ctx ends.
func (u *upstream) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, errUpstreamDown) {
		return context.Cause(ctx)
	}
	return named(err)
}

// named is an error of h1 as callers here branch on it.
func named(err error) error {
	switch {
	case errors.Is(err, h1.ErrTimeout):
		return fmt.Errorf("%w: %w", errUpstreamTimeout, err)
	case errors.Is(err, h1.ErrInvalid):
		return fmt.Errorf("%w: %w", errBadTarget, err)
	}
	return err
}
