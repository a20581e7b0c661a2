package channel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Node is made of.
type Config struct {
	// ID is who this node is. Zero: a new one.
	ID NodeID
	// Links carry events to other nodes. Nil: there are none.
	Links Links
	// Registry knows the other nodes. Nil: only what the links say of
	// themselves.
	Registry Registry
	// Logger gets what peers do wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Node is one member of the cluster: where channels are opened.
type Node struct {
	id       NodeID
	links    Links
	registry Registry
	log      *slog.Logger
	start    time.Time // what Heard is counted from, on the monotonic clock
	seq      atomic.Uint64
	strays   atomic.Uint64
	desc     describer
	notify   notifier
	workers  workers
	scratch  sync.Pool // of *scratch

	channels atomic.Pointer[map[string]*Channel] // copied on write, under mu
	peers    atomic.Pointer[map[NodeID]*peer]    // copied on write, under mu

	mu      sync.Mutex
	version uint64 // of this node's announcement; guarded by mu
}

// New makes a node. Nothing runs before Run, but channels can be opened and
// subscribed to.
func New(cfg Config) (*Node, error) {
	n := &Node{id: cfg.ID, links: cfg.Links, registry: cfg.Registry, log: cfg.Logger, start: time.Now()}
	if n.id == 0 {
		n.id = NewNodeID()
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	n.scratch.New = func() any { return new(scratch) }
	n.channels.Store(&map[string]*Channel{})
	n.peers.Store(&map[NodeID]*peer{})
	n.desc.static.Store(emptyDescription)
	return n, nil
}

// ID is who this node is.
func (n *Node) ID() NodeID { return n.id }

// Run serves the links and watches the registry until ctx is done, or until
// one of them fails, whose error it returns. When it returns, no handler runs
// and none will. It is called once.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	run := func(what string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	if n.links != nil {
		run("serve links", func() error { return n.links.Serve(ctx, receiver{n}) })
	}
	if n.registry != nil {
		run("watch the registry", func() error { return n.registry.Watch(ctx, n.setMembers) })
	}
	<-ctx.Done()
	wg.Wait()
	n.workers.stop()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Limits on channels.
const MaxChannels = MaxList // that one node has open

// Open opens the channel of that name, 1 to 64 bytes, on this node: from now
// on others' events on it arrive here. A node has a channel open once; who
// opens it again gets an error.
func (n *Node) Open(name string) (*Channel, error) {
	if name == "" || len(name) > MaxName {
		return nil, fmt.Errorf("open channel %.80q: want a name of 1 to %d bytes", name, MaxName)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	have := *n.channels.Load()
	if have[name] != nil {
		return nil, fmt.Errorf("open channel %q: it is open on this node already", name)
	}
	if len(have) == MaxChannels {
		return nil, fmt.Errorf("open channel %q: %d channels are open already: %w", name, MaxChannels, ErrTooLarge)
	}
	c := &Channel{name: name, node: n}
	c.remote.Store(new([]*peer))
	n.setChannelLocked(name, c)
	return c, nil
}

// Channels is every channel open on this node, by name.
func (n *Node) Channels() []*Channel {
	have := *n.channels.Load()
	var all []*Channel
	for _, name := range slices.Sorted(maps.Keys(have)) {
		all = append(all, have[name])
	}
	return all
}

// setChannelLocked adds or, with nil, removes a channel and tells everybody.
func (n *Node) setChannelLocked(name string, c *Channel) {
	channels := maps.Clone(*n.channels.Load())
	if c == nil {
		delete(channels, name)
	} else {
		channels[name] = c
	}
	n.channels.Store(&channels)
	n.version++
	n.rebuildLocked()
	own := n.announcementLocked()
	if n.registry != nil {
		if err := n.registry.Announce(own); err != nil {
			n.log.Warn("the registry does not take the announcement of channels; connected peers are told over the links", "err", err)
		}
	}
	for id, p := range *n.peers.Load() {
		if p.linked {
			n.sendAnnouncement(id, own)
		}
	}
}

func (n *Node) announcementLocked() Announcement {
	return Announcement{Version: n.version, Channels: slices.Sorted(maps.Keys(*n.channels.Load()))}
}

// workers runs the goroutines that drain subscriptions' queues; none starts
// after stop.
type workers struct {
	mu      sync.Mutex
	stopped bool // guarded by mu
	wg      sync.WaitGroup
}

// start runs f on a goroutine of its own and reports whether it did.
func (w *workers) start(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false
	}
	w.wg.Go(f)
	return true
}

func (w *workers) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.wg.Wait()
}

// notifier makes calls one after the other, in the order they were handed in,
// outside every lock.
type notifier struct {
	mu      sync.Mutex
	calls   []func() // guarded by mu
	running bool     // guarded by mu
}

// add hands in calls; it may be called with locks held.
func (n *notifier) add(calls ...func()) {
	n.mu.Lock()
	n.calls = append(n.calls, calls...)
	n.mu.Unlock()
}

// run makes the calls handed in so far, unless somebody is at it.
func (n *notifier) run() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running {
		return
	}
	n.running = true
	for len(n.calls) > 0 {
		calls := n.calls
		n.calls = nil
		n.mu.Unlock()
		for _, call := range calls {
			call()
		}
		n.mu.Lock()
	}
	n.running = false
}
