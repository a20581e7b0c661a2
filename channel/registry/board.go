package registry

import (
	"context"
	"slices"
	"sync"

	"kecho/channel"
)

// board holds what is known of the peers, for whoever watches.
type board struct {
	mu      sync.Mutex
	peers   []Peer        // by name; replaced whole, never written to
	changed chan struct{} // closed and replaced with each change
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

// set replaces the peers and returns those before. It wakes the watchers only
// if there is something new.
func (b *board) set(peers []Peer) (before []Peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before = b.peers
	if !slices.EqualFunc(before, peers, Peer.equal) {
		b.peers = peers
		close(b.changed)
		b.changed = make(chan struct{})
	}
	return before
}

func (b *board) get() ([]Peer, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peers, b.changed
}

// find is the peer of that name.
func (b *board) find(name string) (Peer, bool) {
	peers, _ := b.get()
	i := slices.IndexFunc(peers, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return Peer{}, false
	}
	return peers[i], true
}

// alive reports whether a live peer has the gossip address addr.
func (b *board) alive(addr string) bool {
	peers, _ := b.get()
	return slices.ContainsFunc(peers, func(p Peer) bool { return p.Addr == addr && p.Status == Alive })
}

// watch calls changed with all peers that have not left, at once and after each
// change, until ctx is done.
func (b *board) watch(ctx context.Context, changed func([]Peer)) error {
	for {
		peers, next := b.get()
		here := make([]Peer, 0, len(peers))
		for _, p := range peers {
			if p.Status != Left {
				here = append(here, p.clone())
			}
		}
		changed(here)
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}

// members watches what the channels need to know, and nothing else.
func (b *board) members(ctx context.Context, changed func([]channel.Member)) error {
	var last []channel.Member
	return b.watch(ctx, func(peers []Peer) {
		members := make([]channel.Member, len(peers))
		for i, p := range peers {
			members[i] = p.member()
		}
		if last != nil && slices.EqualFunc(last, members, equalMember) {
			return
		}
		last = make([]channel.Member, len(peers))
		for i, p := range peers {
			last[i] = p.member()
		}
		changed(members)
	})
}

func equalMember(a, b channel.Member) bool {
	return a.ID == b.ID && equalAnnouncement(a.Announcement, b.Announcement)
}
