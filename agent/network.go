package agent

import (
	"context"
	"net"

	"kecho/resmgr/monitor/host"
)

// Network is where an agent's listeners and connections come from: the
// system's, or one in memory.
type Network interface {
	Listen(addr string) (net.Listener, error)
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
}

type systemNetwork struct{}

func (systemNetwork) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func (systemNetwork) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// HostFeed reads the machine's load.
type HostFeed interface {
	Read(ctx context.Context) (host.Sample, error)
}
