package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"kecho/channel/registry"
	"kecho/resmgr/monitor/host"
)

// Network is where an agent's listeners and connections come from: the
// system's, or one in memory.
type Network interface {
	// Listen opens a stream listener on host:port, as net.Listen does for
	// "tcp".
	Listen(addr string) (net.Listener, error)
	// ListenSocket opens a stream listener on the Unix socket at path, which it
	// makes; the listener's Close takes it away.
	ListenSocket(path string) (net.Listener, error)
	// Dial connects to host:port, as net.Dialer.DialContext does.
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
	// Gossip sets where the registry's packets go; cfg.Bind is the address.
	Gossip(cfg *registry.Config) error
}

type systemNetwork struct{}

func (systemNetwork) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// ListenPacket opens a UDP socket on host:port, for links over QUIC.
func (systemNetwork) ListenPacket(addr string) (net.PacketConn, error) {
	return net.ListenPacket("udp", addr)
}

func (systemNetwork) ListenSocket(path string) (net.Listener, error) { return listenSocket(path) }

func (systemNetwork) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, addr)
}

func (systemNetwork) Gossip(*registry.Config) error { return nil } // its own default

// HostFeed reads the machine's load.
type HostFeed interface {
	// Read is the load now. It is called about once a second by one
	// goroutine; an error ends the agent, what cannot be read is absent.
	Read(ctx context.Context) (host.Sample, error)
	// Size is what there is to be used of processors and memory. It is called
	// once, before Read.
	Size(ctx context.Context) host.Size
}

// listen opens addr and says in words what is wrong if that cannot be.
func listen(network Network, flag, addr string) (net.Listener, error) {
	l, err := network.Listen(addr)
	if err != nil {
		return nil, cannotListen(flag, addr, err)
	}
	return l, nil
}

// cannotListen is err, of opening addr, in words.
func cannotListen(flag, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s %s: another program listens there; stop it, or choose another port: %w", flag, addr, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s %s: this machine does not have that address: %w", flag, addr, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s %s: a port below 1024 needs the right to bind it (CAP_NET_BIND_SERVICE): %w", flag, addr, err)
	}
	return fmt.Errorf("%s %s: %w", flag, addr, err)
}
