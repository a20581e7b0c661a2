package agent

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pires/go-proxyproto"

	"kecho/balancer/clients"
)

// proxyHeaderPatience is how long the header of a proxy may take.
const proxyHeaderPatience = 5 * time.Second

// proxied has connections from trusted addresses begin with a header of the
// PROXY protocol (version 1 or 2), which says who the client is; without one
// they are closed. Others' connections are what they are: a header there is no
// request, and refused as that.
func proxied(l net.Listener, trusted []netip.Prefix) net.Listener {
	return &proxiedListener{l, trusted}
}

type proxiedListener struct {
	net.Listener
	trusted []netip.Prefix
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
	return &proxiedConn{proxyproto.NewConn(conn,
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

// proxiedConn can be closed in one direction, as the connection below can.
type proxiedConn struct{ *proxyproto.Conn }

// NetConn is the connection that the header came on.
func (c *proxiedConn) NetConn() net.Conn { return c.Raw() }

// CloseWrite ends this side of the connection, where it has sides.
func (c *proxiedConn) CloseWrite() error {
	if half, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// SetLinger is as a TCP connection's, where the one below is that.
func (c *proxiedConn) SetLinger(seconds int) error {
	if tcp, ok := c.TCPConn(); ok {
		return tcp.SetLinger(seconds)
	}
	return nil
}
