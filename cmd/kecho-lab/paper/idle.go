package paper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"kecho/channel"
	"kecho/channel/link"
)

// idle links so many other pools with the first node, which do nothing. Their
// goroutines are wg's, and end with ctx.
func (t *town) idle(ctx context.Context, n int, wg *sync.WaitGroup) error {
	hub, known := t.peers[0], append([]link.Peer(nil), t.peers...)
	var pools []*link.Pool
	for i := range n {
		cfg := t.links
		cfg.ID, cfg.Name, cfg.Listener = channel.NewNodeID(), fmt.Sprint(idleName, i), newDeaf()
		pool, err := link.New(cfg)
		if err != nil {
			return err
		}
		pools = append(pools, pool)
		known = append(known, link.Peer{ID: cfg.ID, Name: cfg.Name, Addr: cfg.Name})
	}
	t.pools[0].SetPeers(known)
	for _, p := range pools {
		p.SetPeers([]link.Peer{hub})
		wg.Go(func() { p.Serve(ctx, nobody{}) }) // a link that fails is missed below
	}
	return await(ctx, func() error {
		if up := int(t.heard[0].up.Load()); up < n+len(t.nodes)-1 {
			return fmt.Errorf("%d idle links of %d stand", up-len(t.nodes)+1, n)
		}
		return nil
	})
}

// idleName begins the names of idle nodes, which are their addresses too: they
// dial, and nobody dials them.
const idleName = "idle"

// dial is a link.Config's.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	if strings.HasPrefix(addr, idleName) {
		return nil, errors.New("it dials itself")
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// deaf is a listener that nobody comes to: it saves a socket.
type deaf struct{ closed chan struct{} }

func newDeaf() deaf { return deaf{make(chan struct{})} }

// Accept implements net.Listener.
func (d deaf) Accept() (net.Conn, error) {
	<-d.closed
	return nil, net.ErrClosed
}

// Close implements net.Listener; link.Pool calls it once.
func (d deaf) Close() error {
	close(d.closed)
	return nil
}

// Addr implements net.Listener.
func (d deaf) Addr() net.Addr { return &net.UnixAddr{Name: idleName, Net: "unix"} }

// nobody is a receiver to whom everything is the same.
type nobody struct{}

// LinkUp implements channel.Receiver.
func (nobody) LinkUp(channel.NodeID) {}

// LinkDown implements channel.Receiver.
func (nobody) LinkDown(channel.NodeID, error) {}

// Receive implements channel.Receiver.
func (nobody) Receive(channel.NodeID, time.Time, []byte, bool) error { return nil }
