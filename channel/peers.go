package channel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// peer is another node: known to the registry, linked, or both.
type peer struct {
	id    NodeID
	heard atomic.Int64 // nanoseconds since Node.start
	desc  atomic.Pointer[description]

	// owned by the link's reader
	dec   decoder
	way   way
	read  time.Time // when the last frame was
	event Event
	sinks []Sink
	tally tally

	// guarded by Node.mu
	linked  bool
	member  bool
	gossip  Announcement // what the registry says
	direct  Announcement // what the peer itself said over its link
	asks    []string     // channels of which it wants to be told what is wanted here
	unasked bool         // its link had no room for what is asked here

	told told // what it has said that it wants and brings
}

func newPeer(id NodeID) *peer {
	p := &peer{id: id}
	p.desc.Store(emptyDescription)
	return p
}

// hasOpenLocked reports whether the peer has the channel open, by the newest
// that it said. What a newer announcement had no room for is as it was.
func (p *peer) hasOpenLocked(channel string) bool {
	if p.gossip.Version <= p.direct.Version {
		return slices.Contains(p.direct.Channels, channel)
	}
	return slices.Contains(p.gossip.Channels, channel) ||
		p.gossip.Partial && slices.Contains(p.direct.Channels, channel)
}

// receiver is the node as its links see it.
type receiver struct{ n *Node }

// LinkUp implements Receiver.
func (r receiver) LinkUp(id NodeID) {
	n := r.n
	n.mu.Lock()
	p := n.peers.Load().Get(id)
	if p == nil {
		p = newPeer(id)
		n.changePeersLocked(func(peers map[NodeID]*peer) { peers[id] = p })
	}
	p.linked = true
	p.direct = Announcement{}
	p.heard.Store(int64(time.Since(n.start)))
	n.rebuildLocked()
	n.telling.add(func() { n.tell(id) })
	if len(n.asking) > 0 {
		n.telling.add(func() { n.ask(id) })
	}
	n.mu.Unlock()
	n.telling.run()
	n.watching.run()
}

// LinkDown implements Receiver.
func (r receiver) LinkDown(id NodeID, _ error) {
	n := r.n
	n.mu.Lock()
	if p := n.peers.Load().Get(id); p != nil {
		p.linked = false
		p.asks = nil
		p.told.forget()
		n.rebuildLocked()
		n.markCuriousLocked()
		n.forgetLocked()
		n.askLocked()
	}
	n.mu.Unlock()
	n.watching.run()
}

// Receive implements Receiver.
func (r receiver) Receive(id NodeID, heard time.Time, frame []byte, more bool) error {
	n := r.n
	p := n.peers.Load().Get(id)
	if p == nil {
		return nil // its link came down
	}
	if heard != p.read { // of many that were read at once, the first
		p.read = heard
		p.heard.Store(int64(heard.Sub(n.start)))
	}
	if !more {
		p.tally.flush() // this one may be nothing to count
	}
	err := r.take(p, frame, more)
	if err != nil {
		p.way.forget()
		p.tally.flush()
	}
	return err
}

// take is Receive for a peer that is known.
func (r receiver) take(p *peer, frame []byte, more bool) error {
	n, e := r.n, &p.event
	same, err := p.dec.decode(frame, e)
	if err != nil {
		return err
	}
	name, from := p.dec.head.channel, p.dec.rest.from
	routed := len(e.Path) > 0
	switch {
	case routed && (e.ID.Source == 0 || string(name) == control):
		return errors.New("an event from another cluster without a source, or on the control channel")
	case !routed && e.ID.Source != p.id:
		return fmt.Errorf("an event of %v from %v", e.ID.Source, p.id)
	case !routed && from != p.desc.Load():
		p.desc.Store(from)
	}
	e.From, e.Deadline = from.attrs, time.Time{}
	if left := p.dec.rest.left; left > 0 {
		e.Deadline = p.read.Add(left)
	}
	if string(name) == control {
		return n.control(p, e)
	}
	c := p.way.to(n, name, same)
	if c == nil {
		n.strays.Add(1) // closed a moment ago: the peer has not heard of it yet
		return nil
	}
	if !routed || c.admit(p, e) {
		c.receive(p, e, len(frame), more)
	}
	return nil
}

// setMembers takes the registry's view of who exists.
func (n *Node) setMembers(members []Member) {
	n.mu.Lock()
	n.changePeersLocked(func(peers map[NodeID]*peer) {
		for _, p := range peers {
			p.member = false
		}
		for _, m := range members {
			if m.ID == n.id || m.ID == 0 {
				continue
			}
			p := peers[m.ID]
			if p == nil {
				p = newPeer(m.ID)
				peers[m.ID] = p
			}
			p.member = true
			p.gossip = m.Announcement
		}
	})
	n.rebuildLocked()
	n.forgetLocked()
	n.mu.Unlock()
	n.watching.run()
}

// forgetLocked drops the peers that are neither members nor linked.
func (n *Node) forgetLocked() {
	gone := func(_ NodeID, p *peer) bool { return !p.member && !p.linked }
	n.changePeersLocked(func(peers map[NodeID]*peer) { maps.DeleteFunc(peers, gone) })
}

// changePeersLocked changes which peers there are.
func (n *Node) changePeersLocked(change func(map[NodeID]*peer)) {
	peers := maps.Collect(n.peers.Load().All())
	change(peers)
	n.peers.Store(IndexOf(peers))
}

// rebuildLocked works out anew who the sinks of each channel are, and queues
// what the watchers are told. A node is a sink while its link is up: who
// exists comes from the registry, who can be used from the link.
func (n *Node) rebuildLocked() {
	var peers []*peer
	for _, p := range n.peers.Load().All() {
		peers = append(peers, p)
	}
	slices.SortFunc(peers, func(a, b *peer) int { return cmp.Compare(a.id, b.id) })
	for name, c := range *n.channels.Load() {
		var now []*peer
		for _, p := range peers {
			if p.linked && p.hasOpenLocked(name) {
				now = append(now, p)
			}
		}
		c.setRemote(now)
	}
}
