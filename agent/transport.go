package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

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
		return fmt.Errorf("--transport %.80q: want tcp or quic, the same on every agent", c.Transport)
	}
	return nil
}

// dialer is how links.Config dials.
type dialer func(ctx context.Context, addr string) (net.Conn, error)

// openTransport takes the address for links, and is how to dial from it.
func (a *Agent) openTransport() (dial dialer, err error) {
	flag, network := a.cfg.linkFlag(), a.cfg.Network
	if a.cfg.Transport == overTCP {
		a.socket.link, err = listen(network, flag, a.cfg.Link)
		return func(ctx context.Context, addr string) (net.Conn, error) { return network.Dial(ctx, "tcp", addr) }, err
	}
	udp, ok := network.(interface {
		ListenPacket(addr string) (net.PacketConn, error)
	})
	if !ok {
		return nil, errors.New("--transport quic: this network has no UDP")
	}
	packets, err := udp.ListenPacket(a.cfg.Link)
	if err != nil {
		return nil, cannotListen(flag, a.cfg.Link, err)
	}
	transport, err := quic.New(quic.Config{Packets: packets, TLS: a.tls})
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, a.cfg.Link, err)
	}
	a.socket.link = transport
	return transport.Dial, nil
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
func (a *Agent) linkAddr(p registry.Peer) string {
	other := p.Tags[transportTag]
	if other == "" {
		other = overTCP
	}
	if other == a.cfg.Transport {
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
