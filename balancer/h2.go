package balancer

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"kecho/balancer/h1"
)

// h2Client speaks HTTP/2 to a web server, in plaintext with prior knowledge
// (h2c) or over TLS. It is net/http's client held to what h1.Client does.
type h2Client struct {
	transport *http.Transport
	scheme    string
}

// newH2 makes a client that makes its connections with dial, TLS included.
func newH2(cfg upstreamConfig, encrypted bool, dial func(context.Context) (net.Conn, error)) *h2Client {
	c := &h2Client{scheme: "http", transport: &http.Transport{
		DisableCompression:     true, // the client's Accept-Encoding is the only one
		Protocols:              new(http.Protocols),
		IdleConnTimeout:        cmp.Or(cfg.KeepAlive.Timeout, 90*time.Second),
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		// A connection that is lost without a word is found out by a ping.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}}
	made := func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	if encrypted {
		c.scheme = "https"
		c.transport.Protocols.SetHTTP2(true)
		c.transport.DialTLSContext = made
	} else {
		c.transport.Protocols.SetUnencryptedHTTP2(true)
		c.transport.DialContext = made
	}
	return c
}

// Reap does nothing: the transport does it by itself.
func (c *h2Client) Reap() {}

// CloseIdle closes the connections on which nothing happens.
func (c *h2Client) CloseIdle() { c.transport.CloseIdleConnections() }

// Do is as h1.Client's, but that there is no answer 101.
func (c *h2Client) Do(ctx context.Context, r *h1.Request) (*http.Response, error) {
	req, err := c.request(r)
	if err != nil {
		return nil, err
	}
	trace := &httptrace.ClientTrace{}
	if early := r.Early; early != nil {
		trace.Got1xxResponse = func(status int, header textproto.MIMEHeader) error { return early(status, http.Header(header)) }
	}
	if r.Wrote != nil {
		trace.WroteRequest = func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				r.Wrote()
			}
		}
	}
	traced := httptrace.WithClientTrace(ctx, trace)
	if r.AnswerBy.IsZero() {
		res, err := c.transport.RoundTrip(req.WithContext(traced))
		return res, late(err)
	}
	return c.answerBy(traced, req, r.AnswerBy)
}

// answerBy ends a round trip whose answer has not begun by then.
func (c *h2Client) answerBy(parent context.Context, req *http.Request, then time.Time) (*http.Response, error) {
	ctx, cancel := context.WithCancel(parent)
	timer := time.AfterFunc(time.Until(then), cancel) // else the answer's body ends with parent
	res, err := c.transport.RoundTrip(req.WithContext(ctx))
	if timer.Stop() {
		if err != nil {
			cancel()
		}
		return res, late(err)
	}
	if err == nil {
		_ = res.Body.Close() // it is cut off already
	}
	if parent.Err() != nil {
		return nil, context.Cause(parent)
	}
	return nil, fmt.Errorf("%w: %w", h1.ErrTimeout, cmp.Or(err, context.DeadlineExceeded))
}

// late names the transport's time-outs, and a web server that speaks HTTP/1.1:
// in plaintext no handshake says so, only what it answers.
func late(err error) error {
	if err != nil && strings.Contains(err.Error(), "looked like an HTTP/1.1 header") {
		return fmt.Errorf("the web server speaks HTTP/1.1, not the HTTP/2 that --upstream says: give its URL as http:// or https://: %w", err)
	}
	var slow interface{ Timeout() bool }
	if err != nil && !errors.Is(err, errUpstreamDown) && errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("%w: %w", h1.ErrTimeout, err)
	}
	return err
}

// request writes r as net/http wants it, so that the target reaches the web
// server byte by byte: a parsed and rebuilt URL loses what it cannot parse.
func (c *h2Client) request(r *h1.Request) (*http.Request, error) {
	path, query, asks := strings.Cut(r.Target, "?")
	to := &url.URL{Scheme: c.scheme, Host: r.Host, Opaque: path, RawQuery: query, ForceQuery: asks}
	if strings.HasPrefix(path, "//") { // as Opaque it would read as a host
		plain, err := url.PathUnescape(path)
		if err != nil {
			return nil, fmt.Errorf("%w: its path does not parse", h1.ErrInvalid)
		}
		to.Opaque, to.Path, to.RawPath = "", plain, path
	}
	if _, set := r.Header["User-Agent"]; !set {
		r.Header["User-Agent"] = nil // else net/http names itself
	}
	req := &http.Request{
		Method: r.Method, URL: to, Host: r.Host, Header: r.Header, Trailer: r.Trailer, ContentLength: r.Length,
		Proto: "HTTP/2.0", ProtoMajor: 2,
	}
	switch body := r.Body.(type) {
	case nil:
		req.ContentLength = 0
	case io.ReadCloser:
		req.Body = body
	default:
		req.Body = io.NopCloser(body)
	}
	return req, nil
}

var (
	_ webClient = (*h1.Client)(nil)
	_ webClient = (*h2Client)(nil)
)

// alpn is what a TLS connection to a web server is for.
func alpn(name, protocol string) *tls.Config {
	return &tls.Config{ServerName: name, NextProtos: []string{protocol}}
}
