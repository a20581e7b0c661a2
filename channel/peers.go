package channel

import (
	"context"
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
	event Event
	sinks []Sink

	// guarded by Node.mu
	linked bool
	member bool
	gossip Announcement // what the registry says
	direct Announcement // what the peer itself said over its link
}

// hasOpenLocked reports whether the peer has the channel open, by the newest
// that it said.
func (p *peer) hasOpenLocked(channel string) bool {
	a := p.direct
	if p.gossip.Version > a.Version {
		a = p.gossip
	}
	return slices.Contains(a.Channels, channel)
}

// receiver is the node as its links see it.
type receiver struct{ n *Node }

// LinkUp implements Receiver.
func (r receiver) LinkUp(id NodeID) {
	n := r.n
	n.mu.Lock()
	p := n.peerLocked(id)
	p.linked = true
	p.direct = Announcement{}
	p.heard.Store(int64(time.Since(n.start)))
	own := n.announcementLocked()
	n.rebuildLocked()
	n.mu.Unlock()
	n.sendAnnouncement(id, own)
	n.notify.run()
}

// LinkDown implements Receiver.
func (r receiver) LinkDown(id NodeID, cause error) {
	n := r.n
	n.mu.Lock()
	if p := (*n.peers.Load())[id]; p != nil {
		p.linked = false
		n.forgetLocked(p)
		n.rebuildLocked()
	}
	n.mu.Unlock()
	n.notify.run()
}

// Receive implements Receiver.
func (r receiver) Receive(id NodeID, frame []byte) error {
	n := r.n
	p := (*n.peers.Load())[id]
	if p == nil {
		return nil // its link came down
	}
	now := time.Now()
	p.heard.Store(int64(now.Sub(n.start)))
	e := &p.event
	*e = Event{}
	env, err := p.dec.decodeEnvelope(frame, e)
	if err != nil {
		return err
	}
	if e.ID.Source != id {
		return fmt.Errorf("an event of %v from %v", e.ID.Source, id)
	}
	old := p.desc.Load()
	desc, err := p.dec.describe(env.from, old)
	if err != nil {
		return err
	}
	if desc != old {
		p.desc.Store(desc)
	}
	e.From = desc.attrs
	if env.left > 0 {
		e.Deadline = now.Add(env.left)
	}
	if string(env.channel) == control {
		return n.control(p, e)
	}
	c := (*n.channels.Load())[string(env.channel)]
	if c == nil {
		n.strays.Add(1) // closed a moment ago: the peer has not heard of it yet
		return nil
	}
	c.receive(p, e, len(frame))
	return nil
}

// announceType is the one event of the control channel: Body is the packed
// Announcement of its source.
const announceType Type = "channels"

func (n *Node) control(p *peer, e *Event) error {
	if e.Type != announceType {
		return nil // a later version's
	}
	var a Announcement
	if err := Unpack(e.Body, &a); err != nil {
		return fmt.Errorf("announcement of channels: %w", err)
	}
	n.mu.Lock()
	if a.Version >= p.direct.Version {
		p.direct = a
		n.rebuildLocked()
	}
	n.mu.Unlock()
	n.notify.run()
	return nil
}

// sendAnnouncement tells one peer which channels are open here. It may be
// called with the lock held: urgent events do not block.
func (n *Node) sendAnnouncement(to NodeID, a Announcement) {
	body, err := Pack(a)
	if err == nil {
		e := Event{ID: n.nextID(), Type: announceType, Priority: Urgent, Body: body}
		from, _ := n.desc.appendTo(nil, nil)
		err = n.links.Send(context.Background(), to, Urgent, appendEnvelope(nil, control, &e, 0, from))
	}
	if err != nil {
		// The link is going down, or its queue is full of what is newer: the
		// registry tells the peer all the same, only later.
		n.log.Debug("a peer was not told over its link which channels are open", "peer", to, "err", err)
	}
}

func (n *Node) nextID() ID { return ID{Source: n.id, Seq: n.seq.Add(1)} }

// setMembers takes the registry's view of who exists.
func (n *Node) setMembers(members []Member) {
	n.mu.Lock()
	for _, p := range *n.peers.Load() {
		p.member = false
	}
	for _, m := range members {
		if m.ID == n.id || m.ID == 0 {
			continue
		}
		p := n.peerLocked(m.ID)
		p.member = true
		p.gossip = m.Announcement
	}
	for _, p := range *n.peers.Load() {
		n.forgetLocked(p)
	}
	n.rebuildLocked()
	n.mu.Unlock()
	n.notify.run()
}

func (n *Node) peerLocked(id NodeID) *peer {
	peers := *n.peers.Load()
	if p := peers[id]; p != nil {
		return p
	}
	p := &peer{id: id}
	p.desc.Store(emptyDescription)
	peers = maps.Clone(peers)
	peers[id] = p
	n.peers.Store(&peers)
	return p
}

// forgetLocked drops a peer that is neither a member nor linked.
func (n *Node) forgetLocked(p *peer) {
	if p.member || p.linked {
		return
	}
	peers := maps.Clone(*n.peers.Load())
	delete(peers, p.id)
	n.peers.Store(&peers)
}

// rebuildLocked works out anew who the sinks of each channel are, and queues
// what the watchers are told. A node is a sink while its link is up: who
// exists comes from the registry, who can be used from the link.
func (n *Node) rebuildLocked() {
	peers := *n.peers.Load()
	ids := slices.Sorted(maps.Keys(peers))
	for name, c := range *n.channels.Load() {
		var now []*peer
		for _, id := range ids {
			if p := peers[id]; p.linked && p.hasOpenLocked(name) {
				now = append(now, p)
			}
		}
		c.setRemote(now)
	}
}
