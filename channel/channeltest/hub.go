package channeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"kecho/channel"
)

// ErrDown is the cause that LinkDown gets when Down cut the pair.
var ErrDown = errors.New("the hub took the pair down")

// ErrLeft is the cause that LinkDown gets when the other node stopped serving.
var ErrLeft = errors.New("the peer left the hub")

// Hub links every pair of nodes that serve on it, in memory. A node that
// breaks the protocol loses its link to who noticed, and has another at once.
type Hub struct {
	mu    sync.Mutex
	ports map[channel.NodeID]*port // who serves; guarded by mu
	down  map[pair]bool            // guarded by mu
	last  map[pair]*connection     // the newest of each pair; guarded by mu
}

// NewHub is a hub without nodes.
func NewHub() *Hub {
	return &Hub{
		ports: make(map[channel.NodeID]*port),
		down:  make(map[pair]bool),
		last:  make(map[pair]*connection),
	}
}

// pair names two nodes, the smaller id first.
type pair [2]channel.NodeID

func pairOf(a, b channel.NodeID) pair { return pair{min(a, b), max(a, b)} }

// Links is the hub as the node of that id uses it; for the node's Config.
func (h *Hub) Links(id channel.NodeID) channel.Links {
	return &port{hub: h, id: id, in: make(map[channel.NodeID]*pipe)}
}

// Down cuts the link between a and b, if there is one, and keeps it cut: what
// was on its way is lost.
func (h *Hub) Down(a, b channel.NodeID) { h.cut(pairOf(a, b), ErrDown) }

// Up links a and b again, as soon as both serve.
func (h *Hub) Up(a, b channel.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.down, pairOf(a, b))
	if p, q := h.ports[a], h.ports[b]; p != nil && q != nil {
		h.connectLocked(p, q)
	}
}

func (h *Hub) cut(ab pair, cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down[ab] = true
	h.closeLocked(ab, cause)
}

// renew ends the link between a and b and makes another, if both serve.
func (h *Hub) renew(ab pair, cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeLocked(ab, cause)
	if p, q := h.ports[ab[0]], h.ports[ab[1]]; p != nil && q != nil {
		h.connectLocked(p, q)
	}
}

func (h *Hub) closeLocked(ab pair, cause error) {
	c := h.last[ab]
	if c == nil {
		return
	}
	for _, p := range c.pipes {
		p.close(cause, true)
		delete(p.to.in, p.from)
	}
}

// connection is one life of a link: a pipe each way.
type connection struct{ pipes [2]*pipe }

func (h *Hub) connectLocked(a, b *port) {
	ab := pairOf(a.id, b.id)
	if h.down[ab] || a.in[b.id] != nil {
		return
	}
	c := &connection{pipes: [2]*pipe{newPipe(a.id, b), newPipe(b.id, a)}}
	for _, p := range c.pipes {
		if before := h.last[ab]; before != nil {
			p.before = before.towards(p.to.id).done
		}
		p.to.in[p.from] = p
		p.to.wg.Go(p.read)
	}
	h.last[ab] = c
}

func (c *connection) towards(id channel.NodeID) *pipe {
	if c.pipes[0].to.id == id {
		return c.pipes[0]
	}
	return c.pipes[1]
}

// port is one node's place on the hub.
type port struct {
	hub *Hub
	id  channel.NodeID
	r   channel.Receiver // set by Serve before the first link
	wg  sync.WaitGroup

	in map[channel.NodeID]*pipe // guarded by hub.mu
}

var _ channel.Links = (*port)(nil)

// Serve implements channel.Links.
func (p *port) Serve(ctx context.Context, r channel.Receiver) error {
	p.r = r
	if err := p.join(); err != nil {
		return err
	}
	<-ctx.Done()
	p.leave()
	p.wg.Wait()
	return nil
}

func (p *port) join() error {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	if p.hub.ports[p.id] != nil {
		return fmt.Errorf("node %v serves on the hub already", p.id)
	}
	p.hub.ports[p.id] = p
	for _, other := range p.hub.ports {
		if other != p {
			p.hub.connectLocked(p, other)
		}
	}
	return nil
}

func (p *port) leave() {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	delete(p.hub.ports, p.id)
	for other, in := range p.in {
		out := p.hub.last[pairOf(p.id, other)].towards(other)
		out.close(ErrLeft, false) // what was sent before still arrives
		in.close(ErrLeft, true)
		delete(out.to.in, p.id)
		delete(p.in, other)
	}
}

// Send implements channel.Links.
func (p *port) Send(ctx context.Context, to channel.NodeID, how channel.Handling, frame []byte) error {
	if len(frame) > channel.MaxFrame {
		return fmt.Errorf("send %d bytes to %v: %w: the limit is %d", len(frame), to, channel.ErrTooLarge, channel.MaxFrame)
	}
	var out *pipe
	p.hub.mu.Lock()
	if other := p.hub.ports[to]; other != nil {
		out = other.in[p.id]
	}
	p.hub.mu.Unlock()
	if out == nil {
		return fmt.Errorf("send to %v: %w", to, channel.ErrNoLink)
	}
	return out.put(ctx, waiting{bytes.Clone(frame), how})
}
