package channel

import (
	"context"
	"errors"
	"fmt"
)

// announceType is the event of the control channel of which Body is the packed
// Announcement of its source.
const announceType Type = "channels"

// tellAll tells the registry and all linked peers what is open here. It is
// called by n.telling only, so that the newest is told last, and does nothing
// when a call before it has told as much.
func (n *Node) tellAll() {
	n.mu.Lock()
	own := n.announcementLocked()
	if own.Version == n.told {
		n.mu.Unlock()
		return
	}
	n.told = own.Version
	var linked []NodeID
	for id, p := range n.peers.Load().All() {
		if p.linked {
			linked = append(linked, id)
		}
	}
	n.mu.Unlock()
	if n.registry != nil {
		if err := n.registry.Announce(own); err != nil {
			n.log.Warn("the registry does not take the announcement of channels; connected peers are told over the links", "err", err)
		}
	}
	for _, id := range linked {
		n.sendAnnouncement(id, own)
	}
}

// tell tells one peer, whose link has just come up; called by n.telling only.
func (n *Node) tell(id NodeID) {
	n.mu.Lock()
	own := n.announcementLocked()
	n.mu.Unlock()
	n.sendAnnouncement(id, own)
}

func (n *Node) announcementLocked() Announcement {
	return Announcement{Version: n.version, Channels: n.wantedLocked()}
}

func (n *Node) sendAnnouncement(to NodeID, a Announcement) { n.sendControl(to, announceType, a) }

// sendControl sends what is packed of v on the control channel. It reports false
// when the link had no room for it: what no registry tells, too, is told again.
func (n *Node) sendControl(to NodeID, typ Type, v any) (taken bool) {
	body, err := Pack(v)
	if err == nil {
		e := Event{ID: n.nextID(), Type: typ, Priority: Urgent, Body: body}
		from, _ := n.desc.appendTo(nil, nil)
		err = n.links.Send(context.Background(), to, Handling{Priority: Urgent}, appendEnvelope(nil, control, &e, 0, from))
	}
	if err != nil {
		// The link is going down, or its queue is full of what is newer: the
		// registry tells the peer all the same, only later.
		n.log.Debug("a peer was not told over its link", "peer", to, "what", typ, "err", err)
	}
	return !errors.Is(err, ErrQueueFull)
}

// control takes an event of the control channel.
func (n *Node) control(p *peer, e *Event) error {
	switch e.Type {
	case announceType:
		return n.announcedBy(p, e)
	case asksType:
		return n.askedBy(p, e)
	case interestsType, bringsType:
		return n.toldBy(p, e)
	case awaitsType:
		return n.awaitedBy(p, e)
	case doneType:
		return n.doneBy(p, e)
	}
	return nil // a later version's
}

// announcedBy takes which channels a peer has open.
func (n *Node) announcedBy(p *peer, e *Event) error {
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
	n.watching.run()
	return nil
}
