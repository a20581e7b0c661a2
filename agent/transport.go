package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"kecho/channel/link"
	"kecho/channel/link/quic"
	"kecho/channel/registry"
)

// What Config.Transport may be, and the registry's tag that tells it to the
// others; without the tag it is TCP.
const (
	overTCP      = "tcp"
	overQUIC     = "quic"
	transportTag = "transport"
)

// validateTransport refuses what is neither.
func (c Config) validateTransport() error {
	if c.Transport != "" && c.Transport != overTCP && c.Transport != overQUIC {
		return fmt.Errorf("%s %.80q: want tcp or quic, the same on every agent", c.flag("transport"), c.Transport)
	}
	return nil
}

// dialer is how links.Config dials.
type dialer func(ctx context.Context, addr string) (net.Conn, error)

// openTransport takes the address for links, and is how to dial from it and how
// long that may take; zero: the links' default.
func (c Config) openTransport(conf *tls.Config) (at net.Listener, dial dialer, timeout time.Duration, err error) {
	flag, network := c.linkFlag(), c.Network
	if c.Transport == overTCP {
		at, err = listen(network, flag, c.Link)
		return at, func(ctx context.Context, addr string) (net.Conn, error) { return network.Dial(ctx, "tcp", addr) }, 0, err
	}
	udp, ok := network.(interface {
		ListenPacket(addr string) (net.PacketConn, error)
	})
	if !ok {
		return nil, nil, 0, errors.New(c.flag("transport") + " quic: this network has no UDP")
	}
	packets, err := udp.ListenPacket(c.Link)
	if err != nil {
		return nil, nil, 0, cannotListen(flag, c.Link, err)
	}
	transport, err := quic.New(quic.Config{Packets: packets, TLS: conf})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s %s: %w", flag, c.Link, err)
	}
	return transport, transport.Dial, quic.DialTimeout, nil
}

// sameTransport is dial for addresses of linkAddr.
func sameTransport(mine string, dial dialer) dialer {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		if other, _, ok := strings.Cut(addr, "://"); ok {
			return nil, link.Lasting(fmt.Sprintf("it runs with --transport %.16s and this node with --transport %s: give every agent the same", other, mine))
		}
		return dial(ctx, addr)
	}
}

// linkAddr is where p's links are: host:port, with the transport before it if it
// is not this node's.
func (c Config) linkAddr(p registry.Peer) string {
	other := p.Tags[transportTag]
	if other == "" {
		other = overTCP
	}
	if other == c.Transport {
		return p.LinkAddr
	}
	return other + "://" + p.LinkAddr
}

// transportTags is what the others are told.
func (c Config) transportTags() map[string]string {
	if c.Transport == overTCP {
		return nil
	}
	return map[string]string{transportTag: c.Transport}
}
