package agent

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"

	"kecho/balancer/clients"
)

// proxyHeaderPatience is how long the header of a proxy may take.
const proxyHeaderPatience = 5 * time.Second

// proxied has connections from trusted addresses begin with a header of the
// PROXY protocol (version 1 or 2), which says who the client is; without one
// they are closed, which the log says once a minute. Others' connections are what
// they are: a header there is no request, and refused as that.
func proxied(l net.Listener, trusted []netip.Prefix, log *slog.Logger) net.Listener {
	return &proxiedListener{Listener: l, trusted: trusted, log: log}
}

type proxiedListener struct {
	net.Listener
	trusted []netip.Prefix
	log     *slog.Logger

	mu   sync.Mutex
	next time.Time // when a connection without a header is logged again; guarded by mu
}

// headless logs that a proxy sent no header. The client cannot be told, who may
// speak TLS.
func (l *proxiedListener) headless(conn net.Conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.After(l.next) {
		l.next = now.Add(time.Minute)
		l.log.Warn("a proxy of --trust begins a connection with no good PROXY header, and it is closed: have the proxy send one, or take away --proxy-protocol",
			"address", conn.RemoteAddr().String(), "err", err)
	}
}

// Accept implements net.Listener. The header is read with the first use of the
// connection, not here.
func (l *proxiedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	from := addressIn(conn.RemoteAddr())
	if !slices.ContainsFunc(l.trusted, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return conn, nil
	}
	client := clients.Of(conn)
	raw := &openedConn{Conn: conn}
	return &proxiedConn{l: l, raw: raw, Conn: proxyproto.NewConn(raw,
		proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(proxyHeaderPatience),
		proxyproto.ValidateHeader(func(h *proxyproto.Header) error { return client.From(addressIn(h.SourceAddr)) }),
	)}, nil
}

// addressIn is the IP address in addr, zero where it has none.
func addressIn(addr net.Addr) netip.Addr {
	if addr == nil {
		return netip.Addr{}
	}
	from, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// openedConn notes whether anything came: who only looks whether the port is open
// has done nothing wrong.
type openedConn struct {
	net.Conn
	heard bool // owned by who reads
}

func (c *openedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.heard = c.heard || n > 0
	return n, err
}

// proxiedConn can be closed in one direction, as the connection below can.
type proxiedConn struct {
	*proxyproto.Conn
	l      *proxiedListener
	raw    *openedConn
	begun  bool // the header was good; owned by who reads
	failed bool // it was not, and that was said; owned by who reads
}

// Read implements net.Conn.
func (c *proxiedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch {
	case err == nil:
		c.begun = true
	case !c.begun && !c.failed && c.raw.heard && isHeaderFault(err):
		c.failed = true
		c.l.headless(c.raw, err)
	}
	return n, err
}

// isHeaderFault says whether err is what is wrong with a header, and not with the
// connection that it came on or with who it is for.
func isHeaderFault(err error) bool {
	var failed net.Error
	return !errors.Is(err, io.EOF) && !errors.Is(err, clients.ErrTooMany) && !errors.Is(err, net.ErrClosed) && !errors.As(err, &failed)
}

// NetConn is the connection that the header came on.
func (c *proxiedConn) NetConn() net.Conn { return c.raw.Conn }

// CloseWrite ends this side of the connection, where it has sides.
func (c *proxiedConn) CloseWrite() error {
	if half, ok := c.raw.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
