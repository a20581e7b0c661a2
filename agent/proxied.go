package agent

import (
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyHeaderPatience is how long the header of a proxy may take.
const proxyHeaderPatience = 5 * time.Second

// proxied has connections from trusted addresses begin with a header of the
// PROXY protocol (version 1 or 2), which says who the client is; without one
// they are closed. Others' connections are what they are: a header there is no
// request, and refused as that.
func proxied(l net.Listener, trusted []netip.Prefix) net.Listener {
	return &proxiedListener{&proxyproto.Listener{
		Listener: l, ReadHeaderTimeout: proxyHeaderPatience,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if from, err := netip.ParseAddrPort(o.Upstream.String()); err == nil {
				addr := from.Addr().Unmap().WithZone("")
				for _, p := range trusted {
					if p.Contains(addr) {
						return proxyproto.REQUIRE, nil
					}
				}
			}
			return proxyproto.SKIP, nil
		},
	}}
}

type proxiedListener struct{ net.Listener }

// Accept implements net.Listener. The header is read with the first use of the
// connection, not here.
func (l *proxiedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if c, ok := conn.(*proxyproto.Conn); ok {
		return &proxiedConn{c}, nil
	}
	return conn, err
}

// proxiedConn can be closed in one direction, as the connection below can.
type proxiedConn struct{ *proxyproto.Conn }

// CloseWrite ends this side of the connection, where it has sides.
func (c *proxiedConn) CloseWrite() error {
	if half, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
