package paper

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kecho/channel"
	"kecho/channel/link"
)

// town is nodes that are linked with each other.
type town struct {
	links link.Config // of each, but for who it is
	peers []link.Peer // as others know them
	nodes []*channel.Node
	pools []*link.Pool
	heard []*timed
	stop  func()
}

// newTown starts n nodes and links all of them.
func newTown(ctx context.Context, n int, links link.Config) (*town, error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	t := &town{links: links, stop: func() { cancel(); wg.Wait() }}
	for i := range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.stop()
			return nil, fmt.Errorf("start node %d: %w", i, err)
		}
		cfg := links
		cfg.ID, cfg.Name, cfg.Listener = channel.NewNodeID(), cmp.Or(links.Name, fmt.Sprint("n", i)), listener
		pool, err := link.New(cfg)
		if err != nil {
			t.stop()
			return nil, err
		}
		heard := &timed{Links: pool}
		node, err := channel.New(channel.Config{ID: cfg.ID, Links: heard})
		if err != nil {
			t.stop()
			return nil, err
		}
		wg.Go(func() { node.Run(ctx) }) // ends with ctx: its links listen on a socket that is open
		t.nodes, t.pools, t.heard = append(t.nodes, node), append(t.pools, pool), append(t.heard, heard)
		t.peers = append(t.peers, link.Peer{ID: cfg.ID, Name: cfg.Name, Addr: listener.Addr().String()})
	}
	for _, p := range t.pools {
		p.SetPeers(t.peers)
	}
	return t, nil
}

// open opens a channel on every node, and waits until the first has all others
// as its sinks.
func (t *town) open(ctx context.Context, name string) ([]*channel.Channel, error) {
	var all []*channel.Channel
	for _, n := range t.nodes {
		c, err := n.Open(name)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, sinks(ctx, all[0], len(all)-1)
}

// patience bounds the waiting for anything.
const patience = 20 * time.Second

// sinks waits until a channel has so many.
func sinks(ctx context.Context, c *channel.Channel, want int) error {
	return await(ctx, func() error {
		if have := len(slices.Collect(c.Sinks())); have != want {
			return fmt.Errorf("channel %s has %d sinks, not %d", c.Name(), have, want)
		}
		return nil
	})
}

// await calls check until it is nil.
func await(ctx context.Context, check func() error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// timed is links that tell how long the node took for each frame.
type timed struct {
	channel.Links
	up atomic.Int64 // links that came up

	mu   sync.Mutex
	to   channel.Receiver // guarded by mu: the node
	last []byte           // guarded by mu: a frame that is kept; nil: none is
	on   bool             // guarded by mu
	took []time.Duration  // guarded by mu
}

// Serve implements channel.Links.
func (t *timed) Serve(ctx context.Context, r channel.Receiver) error {
	t.mu.Lock()
	t.to = r
	t.mu.Unlock()
	return t.Links.Serve(ctx, timing{r, t})
}

// receiver is the node, for who gives it frames of an idle link.
func (t *timed) receiver() channel.Receiver {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.to
}

// keep has the next frames kept, each in place of the one before.
func (t *timed) keep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = []byte{}
}

// kept is the last frame; none is kept any more.
func (t *timed) kept() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	frame := t.last
	t.last = nil
	return frame
}

// collect begins anew, and returns what there was.
func (t *timed) collect(on bool) []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := t.took
	t.on, t.took = on, nil
	return took
}

// timing is the receiver of timed links.
type timing struct {
	channel.Receiver
	of *timed
}

// LinkUp implements channel.Receiver.
func (r timing) LinkUp(peer channel.NodeID) {
	r.of.up.Add(1)
	r.Receiver.LinkUp(peer)
}

// Receive implements channel.Receiver.
func (r timing) Receive(peer channel.NodeID, heard time.Time, frame []byte, more bool) error {
	r.of.mu.Lock()
	if r.of.last != nil {
		r.of.last = append(r.of.last[:0], frame...)
	}
	r.of.mu.Unlock()
	began := time.Now()
	err := r.Receiver.Receive(peer, heard, frame, more)
	took := time.Since(began)
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.of.on {
		r.of.took = append(r.of.took, took)
	}
	return err
}
