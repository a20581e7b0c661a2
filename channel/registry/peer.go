package registry

import (
	"maps"
	"slices"

	"kecho/channel"
)

// Status is what gossip believes of a peer. It says who exists, not who is
// healthy: that is for the links.
type Status string

const (
	// Alive: it answers, or others say so.
	Alive Status = "alive"
	// Leaving: it said that it goes.
	Leaving Status = "leaving"
	// Failed: it does not answer. It may be dead, or cut off from here.
	Failed Status = "failed"
	// Left: it is gone and said so. It is kept for 5 minutes.
	Left Status = "left"
)

// Peer is another node of the cluster.
type Peer struct {
	ID       channel.NodeID
	Name     string
	Addr     string // gossip, ip:port
	LinkAddr string // links, host:port; empty if it has none
	Status   Status
	Tags     map[string]string // its Config.Tags
	channel.Announcement
}

// clone shares nothing with p but strings.
func (p Peer) clone() Peer {
	p.Tags = maps.Clone(p.Tags)
	p.Channels = slices.Clone(p.Channels)
	return p
}

func (p Peer) equal(q Peer) bool {
	return p.ID == q.ID && p.Name == q.Name && p.Addr == q.Addr && p.LinkAddr == q.LinkAddr &&
		p.Status == q.Status && maps.Equal(p.Tags, q.Tags) && equalAnnouncement(p.Announcement, q.Announcement)
}

func equalAnnouncement(a, b channel.Announcement) bool {
	return a.Version == b.Version && a.Partial == b.Partial && slices.Equal(a.Channels, b.Channels)
}

func (p Peer) member() channel.Member {
	return channel.Member{ID: p.ID, Announcement: p.clone().Announcement}
}
