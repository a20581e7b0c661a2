package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"kecho/channel"
)

// Registry is one node's membership. It is made by New and works while Run
// does.
type Registry struct {
	cfg   Config
	board *board
	ran   atomic.Bool
	ready chan struct{}

	announced chan struct{} // holds one: the announcement is not told yet
	rejoins   atomic.Int64
	failures  atomic.Int64

	mu           sync.Mutex
	announcement channel.Announcement
	addr         string // our gossip address, once bound
	link         string // our links' address, as told to the others
}

var _ channel.Registry = (*Registry)(nil)

// New checks cfg and starts nothing. Its error names everything that is wrong.
func New(cfg Config) (*Registry, error) {
	full, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return &Registry{
		cfg:       full,
		board:     newBoard(),
		ready:     make(chan struct{}),
		announced: make(chan struct{}, 1),
	}, nil
}

// Run makes the node a member and blocks until ctx is done, then leaves: the
// others are told, which takes 2 s (4 at most, none if there is nobody), and
// every goroutine has ended when it returns. It is called once.
//
// Seeds that cannot be reached are no error: the node is alone and goes on
// trying. Until it has become a member of a cluster, errors that wrap
// ErrNameTaken, ErrKeyMismatch or ErrNoAdvertise end it, at once and without a
// trace in the cluster.
func (r *Registry) Run(ctx context.Context) error {
	if !r.ran.CompareAndSwap(false, true) {
		return errors.New("registry: Run is called once")
	}
	s, err := r.start(ctx)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	if err := s.serve(ctx); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

// Ready is closed when Run has bound the gossip address and Addr is known.
func (r *Registry) Ready() <-chan struct{} { return r.ready }

// Addr is the ip:port at which others reach this node's gossip; empty until
// Ready.
func (r *Registry) Addr() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addr
}

// Announce tells the cluster which channels this node has open; before Run it
// is kept. It reaches all within about a second. Names beyond what fits, some
// 250 bytes, are left out and the announcement marked as partial.
func (r *Registry) Announce(a channel.Announcement) error {
	for _, name := range a.Channels {
		if name == "" || len(name) > channel.MaxName {
			return fmt.Errorf("announce channel %.80q: want a name of 1 to %d bytes", name, channel.MaxName)
		}
	}
	a.Channels = slices.Clone(a.Channels)
	r.mu.Lock()
	r.announcement = a
	r.mu.Unlock()
	select {
	case r.announced <- struct{}{}:
	default:
	}
	return nil
}

// Watch calls changed with the peers that have not left, at once and after each
// change, one call at a time, until ctx is done. It may begin before Run. A
// peer that gossip believes to have failed stays for as long as serf keeps it
// (10 minutes): whether it can be used is for its link to say.
func (r *Registry) Watch(ctx context.Context, changed func([]channel.Member)) error {
	return r.board.members(ctx, changed)
}

// WatchPeers is Watch with all that is known of each peer, and it calls for
// changes of that too. The slice belongs to the callee.
func (r *Registry) WatchPeers(ctx context.Context, changed func([]Peer)) error {
	return r.board.watch(ctx, changed)
}

// Peers is the peers of this moment by name, those that have left lately
// included. The slice belongs to the caller.
func (r *Registry) Peers() []Peer {
	peers, _ := r.board.get()
	out := make([]Peer, len(peers))
	for i, p := range peers {
		out[i] = p.clone()
	}
	return out
}

// Stats counts since New, and the peers of this moment.
type Stats struct {
	Rejoins  int64 // attempts to join an address
	Failures int64 // of them failed
	Peers    map[Status]int
}

// Stats is cheap enough to be scraped.
func (r *Registry) Stats() Stats {
	st := Stats{
		Rejoins:  r.rejoins.Load(),
		Failures: r.failures.Load(),
		Peers:    map[Status]int{Alive: 0, Leaving: 0, Failed: 0, Left: 0},
	}
	peers, _ := r.board.get()
	for _, p := range peers {
		st.Peers[p.Status]++
	}
	return st
}

// tags is what serf is told now.
func (r *Registry) tags() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return packTags(&r.cfg, r.link, r.announcement)
}

// update takes in what serf knows and logs what is new. It is called by one
// goroutine.
func (r *Registry) update(peers []Peer) (lost bool) {
	slices.SortFunc(peers, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	peers = r.distinct(peers)
	before := r.board.set(peers)
	for _, p := range peers {
		i := slices.IndexFunc(before, func(q Peer) bool { return q.Name == p.Name })
		log := r.cfg.Logger.With("peer", p.Name, "addr", p.Addr, "id", p.ID)
		switch {
		case i < 0 && p.Status == Alive:
			log.Info("a peer has joined")
		case i < 0:
		case before[i].ID != p.ID:
			log.Info("a peer has restarted")
		case before[i].Status == p.Status:
		case p.Status == Alive && before[i].Status != Leaving:
			log.Info("a peer is back")
		case p.Status == Failed:
			log.Warn("a peer does not answer")
			lost = true
		case p.Status == Left:
			log.Info("a peer has left")
			lost = true
		}
	}
	return lost
}

// distinct drops whoever claims an id that is this node's or an earlier
// peer's.
func (r *Registry) distinct(peers []Peer) []Peer {
	seen := map[channel.NodeID]string{r.cfg.ID: r.cfg.Name}
	return slices.DeleteFunc(peers, func(p Peer) bool {
		if other, ok := seen[p.ID]; ok {
			r.cfg.Logger.Warn("a peer has the id of another node and is left out", "peer", p.Name, "addr", p.Addr, "other", other)
			return true
		}
		seen[p.ID] = p.Name
		return false
	})
}
