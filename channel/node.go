package channel

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
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
	id        NodeID
	links     Links
	registry  Registry
	log       *slog.Logger
	start     time.Time // what Heard is counted from, on the monotonic clock
	seq       atomic.Uint64
	strays    atomic.Uint64
	desc      describer
	watching  notifier // makes the calls of Watch
	telling   notifier // tells registry and peers what is open here
	workers   workers
	timers    timers // of subscriptions
	interests teller // of what is wanted here
	stopped   atomic.Bool
	scratch   sync.Pool // of *scratch

	channels atomic.Pointer[map[string]*Channel] // copied on write, under mu
	peers    atomic.Pointer[Index[peer]]         // replaced by changePeersLocked

	mu      sync.Mutex
	version uint64   // of this node's announcement; guarded by mu
	told    uint64   // the newest version that all were told; guarded by mu
	asking  []string // channels of which the others' interests are watched here, sorted; guarded by mu
}

// New makes a node. Nothing runs before Run, but channels can be opened and
// subscribed to. Its error is always nil today.
func New(cfg Config) (*Node, error) {
	n := &Node{id: cfg.ID, links: cfg.Links, registry: cfg.Registry, log: cfg.Logger, start: time.Now()}
	if n.id == 0 {
		n.id = NewNodeID()
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	n.timers.wake = make(chan struct{}, 1)
	n.interests.wake = make(chan struct{}, 1)
	n.scratch.New = func() any { return new(scratch) }
	n.channels.Store(&map[string]*Channel{})
	n.peers.Store(new(Index[peer]))
	n.desc.static.Store(emptyDescription)
	return n, nil
}

// ID is who this node is.
func (n *Node) ID() NodeID { return n.id }

// Strays is how many events came for channels that are not open here: a few
// are normal after a Close, which peers hear of a moment later.
func (n *Node) Strays() uint64 { return n.strays.Load() }

// Run serves the links and watches the registry until ctx is done, or until
// one of them fails, whose error it returns. It waits for handlers that are
// under way; what still waited for a handler is dropped, and submits fail with
// ErrClosed from then on. It is called once.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	run := func(what string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", what, err)
				cancel()
			}
		})
	}
	n.startWorkers()
	wg.Go(func() { n.timers.run(ctx, n.elapsed) })
	wg.Go(func() { n.tellInterests(ctx) })
	if n.links != nil {
		run("serve links", func() error { return n.links.Serve(ctx, receiver{n}) })
	}
	if n.registry != nil {
		run("watch the registry", func() error { return n.registry.Watch(ctx, n.setMembers) })
	}
	<-ctx.Done()
	n.stopped.Store(true)
	for _, c := range *n.channels.Load() {
		c.requests.close()
	}
	n.workers.stop()
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// startWorkers lets queues be drained, those too that filled before.
func (n *Node) startWorkers() {
	n.workers.start()
	for _, c := range *n.channels.Load() {
		c.subs.every((*Subscription).wake)
	}
}

// MaxChannels is how many channels one node has open at most.
const MaxChannels = MaxList

// Open opens the channel of that name, 1 to 64 bytes, on this node: from now
// on others' events on it arrive here. A node has a channel open once; who
// opens it again gets an error.
func (n *Node) Open(name string) (*Channel, error) {
	if name == "" || len(name) > MaxName {
		return nil, fmt.Errorf("open channel %.80q: want a name of 1 to %d bytes", name, MaxName)
	}
	c := &Channel{name: name, node: n, noSink: fmt.Errorf("submit on channel %q: %w", name, ErrNoSink)}
	c.remote.Store(new([]*peer))
	if err := n.add(c); err != nil {
		return nil, fmt.Errorf("open channel %q: %w", name, err)
	}
	n.telling.run()
	return c, nil
}

func (n *Node) add(c *Channel) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	have := *n.channels.Load()
	if have[c.name] != nil {
		return errOpen
	}
	if len(have) == MaxChannels {
		return fmt.Errorf("%d channels are open already: %w", MaxChannels, ErrTooLarge)
	}
	channels := maps.Clone(have)
	c.share = leastShared(have)
	channels[c.name] = c
	n.setChannelsLocked(channels)
	n.rebuildLocked()
	n.askLocked()
	if c.asked.Load() {
		n.interests.mark(c, ownChanged|newlyAsked)
	}
	return nil
}

// leastShared is a share of the links' queues that fewest channels have: none,
// where less than Shares are open.
func leastShared(channels map[string]*Channel) uint8 {
	var users [Shares]int
	for _, c := range channels {
		users[c.share]++
	}
	users[0] = math.MaxInt // the nodes' own
	return uint8(slices.Index(users[:], slices.Min(users[:])))
}

func (n *Node) remove(c *Channel) {
	n.mu.Lock()
	channels := maps.Clone(*n.channels.Load())
	delete(channels, c.name)
	n.setChannelsLocked(channels)
	n.askLocked()
	c.bringers = nil
	n.mu.Unlock()
	n.interests.mark(c, ownChanged)
	n.telling.run()
}

func (n *Node) setChannelsLocked(channels map[string]*Channel) {
	n.channels.Store(&channels)
	n.version++
	n.telling.add(n.tellAll)
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

// elapsed is the time since the node was made: what waits is counted from it.
func (n *Node) elapsed() time.Duration { return time.Since(n.start) }

func (n *Node) nextID() ID { return ID{Source: n.id, Seq: n.seq.Add(1)} }
