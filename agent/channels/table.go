package channels

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kecho/channel"
)

// What applications have at most.
const (
	MaxChannels = 32  // open
	MaxReaders  = 256 // of all of them
	MaxTypes    = 16  // for which one is open
)

// How long nobody reads until an idle channel keeps nothing.
const (
	MinIdle = time.Second
	MaxIdle = time.Hour
)

// Errors that callers branch on.
var (
	ErrUnknown  = errors.New("there is no such channel open on this node")
	ErrOwn      = errors.New("it is the agent's own, and only shown")
	ErrHeld     = errors.New("the agent needs it: a threshold submits on it")
	ErrName     = fmt.Errorf("want a name of 1 to %d letters, digits, dots, dashes and underscores", channel.MaxName)
	ErrMany     = fmt.Errorf("%d channels are open already", MaxChannels)
	ErrFast     = fmt.Errorf("more than %d events a second are published here", MaxRate)
	ErrFull     = errors.New("no link takes more now")
	ErrLarge    = errors.New("the event is too large")
	ErrEvent    = errors.New("a channel cannot carry it")
	ErrKeep     = errors.New("it is open, and keeps other types, or is idle after another time, or never: close it first")
	ErrTypes    = fmt.Errorf("want at most %d types of 1 to %d bytes", MaxTypes, channel.MaxName)
	ErrIdleTime = fmt.Errorf("want %v to %v", MinIdle, MaxIdle)
	ErrReaders  = fmt.Errorf("%d others read channels already", MaxReaders)
	ErrGone     = errors.New("the node that asked is not linked with this one")
	ErrClosed   = channel.ErrClosed
)

// Config is what a Table is made of.
type Config struct {
	// Node is where the channels are opened. It is called when one is needed.
	Node func() *channel.Node
	// Own are the names of the channels that are the agent's own, whether they
	// are open or not.
	Own []string
}

// Table is the channels that are open on one node.
type Table struct {
	cfg     Config
	readers readers

	mu     sync.Mutex
	open   map[string]*Channel         // guarded by mu
	shared map[string]*channel.Channel // open for a gateway, whether they are in open or not; guarded by mu
	closed bool                        // guarded by mu
}

// New makes a table without channels.
func New(cfg Config) *Table {
	t := &Table{cfg: cfg, open: make(map[string]*Channel), shared: make(map[string]*channel.Channel)}
	t.readers.life, t.readers.cut = context.WithCancel(context.Background())
	return t
}

// Info is what is known of one channel.
type Info struct {
	Name string
	// Own says that it is the agent's own.
	Own   bool
	Stats channel.Stats
	// Sinks are the other nodes that have it open.
	Sinks []channel.Sink
	// Idle is how long after its last reader events are kept. Zero: always.
	Idle time.Duration
	// Types are those of the events that are kept. Nil: all.
	Types []string
	// Last is the ID of the newest item of the log; "" where no application has
	// it open, and while nothing is kept.
	Last string
	// Refused is how many events were published here too fast, and not taken: ErrFast.
	Refused uint64
	// Readers is how many follow it here, over the API; one that polls only
	// while it waits.
	Readers int
}

// List is all channels that are open on the node, by name.
func (t *Table) List() []Info {
	var all []Info
	for _, c := range t.cfg.Node().Channels() {
		all = append(all, t.info(c))
	}
	return all
}

// Info is what is known of the channel of that name, or ErrUnknown.
func (t *Table) Info(name string) (Info, error) {
	all := t.cfg.Node().Channels()
	i := slices.IndexFunc(all, func(c *channel.Channel) bool { return c.Name() == name })
	if i < 0 {
		return Info{}, fmt.Errorf("channel %.80q: %w", name, ErrUnknown)
	}
	return t.info(all[i]), nil
}

func (t *Table) info(c *channel.Channel) Info {
	info := Info{Name: c.Name(), Stats: c.Stats(), Sinks: slices.Collect(c.Sinks())}
	t.mu.Lock()
	ours, shared := t.open[c.Name()], t.shared[c.Name()] != nil
	t.mu.Unlock()
	info.Own = ours == nil && !shared
	if ours != nil {
		info.Idle, info.Types, info.Refused = ours.shelf.idle, ours.types, ours.refused.Load()
		log, readers, asleep := ours.shelf.state()
		if info.Readers = readers; !asleep {
			info.Last = log.ID(log.Now())
		}
	}
	return info
}

// Open opens the channel of that name, or returns it when it is open; made says
// which.
func (t *Table) Open(name string) (c *Channel, made bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.openLocked(name, Keep{})
}

// Keep says which events of a channel come to this node, and for how long.
type Keep struct {
	// Idle has events be kept for who reads, and for that long, twice at most,
	// after the last has left. Then nothing is kept, and the other nodes are told
	// to send nothing, until somebody reads again. Zero: always.
	Idle time.Duration
	// Types are those of the events that are kept; gateways are told that no others
	// are wanted. Nil: all.
	Types []string
}

// Validate is ErrIdleTime or ErrTypes, and what they are about.
func (k Keep) Validate() error {
	if k.Idle != 0 && (k.Idle < MinIdle || k.Idle > MaxIdle) {
		return fmt.Errorf("idle after %v: %w", k.Idle, ErrIdleTime)
	}
	types := slices.Compact(slices.Sorted(slices.Values(k.Types)))
	if len(types) > MaxTypes || slices.ContainsFunc(types, func(typ string) bool { return typ == "" || len(typ) > channel.MaxName }) {
		return fmt.Errorf("types %.200q: %w", types, ErrTypes)
	}
	return nil
}

// OpenWith is Open of a channel that keeps so. ErrKeep: it is open, and does not.
func (t *Table) OpenWith(name string, k Keep) (c *Channel, made bool, err error) {
	if err := k.Validate(); err != nil {
		return nil, false, err
	}
	k.Types = slices.Compact(slices.Sorted(slices.Values(k.Types)))
	t.mu.Lock()
	defer t.mu.Unlock()
	c, made, err = t.openLocked(name, k)
	if err == nil && (c.shelf.idle != k.Idle || !slices.Equal(c.types, k.Types)) {
		return nil, false, fmt.Errorf("channel %q: %w", name, ErrKeep)
	}
	return c, made, err
}

// Hold opens the channel of that name if it is not open, and keeps it so.
func (t *Table) Hold(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, _, err := t.openLocked(name, Keep{})
	if err == nil {
		c.held = true
	}
	return err
}

func (t *Table) openLocked(name string, k Keep) (c *Channel, made bool, err error) {
	if slices.Contains(t.cfg.Own, name) {
		return nil, false, fmt.Errorf("channel %q: %w", name, ErrOwn)
	}
	switch c := t.open[name]; {
	case !ValidName(name):
		return nil, false, fmt.Errorf("channel %.80q: %w", name, ErrName)
	case t.closed:
		return nil, false, fmt.Errorf("channel %q: %w", name, channel.ErrClosed)
	case c != nil:
		return c, false, nil
	case len(t.open) == MaxChannels:
		return nil, false, ErrMany
	}
	opened := t.shared[name]
	if opened == nil {
		if opened, err = t.cfg.Node().Open(name); err != nil {
			return nil, false, err
		}
	}
	c, err = newChannel(opened, t.cfg.Node().ID(), k)
	if err != nil {
		return nil, false, err
	}
	c.shared = t.shared[name] != nil
	t.open[name] = c
	return c, true, nil
}

// Share opens the channel of that name for a gateway, for as long as the node is
// there. For applications it is not open until one opens it.
func (t *Table) Share(name string) (*channel.Channel, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	opened, err := t.cfg.Node().Open(name)
	if err == nil {
		t.shared[name] = opened
	}
	return opened, err
}

// At is the open channel of that name, for its events: ErrUnknown, or ErrOwn.
func (t *Table) At(name string) (*Channel, error) {
	t.mu.Lock()
	c, shared := t.open[name], t.shared[name] != nil
	t.mu.Unlock()
	switch {
	case c != nil:
		return c, nil
	case shared:
		return nil, fmt.Errorf("channel %.80q: %w", name, ErrUnknown)
	}
	if _, err := t.Info(name); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("channel %q: %w", name, ErrOwn)
}

// Close closes the channel of that name here. Its readers see their end.
func (t *Table) Close(name string) error {
	c, err := t.At(name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	if c.held {
		t.mu.Unlock()
		return fmt.Errorf("channel %q: %w", name, ErrHeld)
	}
	if t.open[name] == c {
		delete(t.open, name)
	}
	t.mu.Unlock()
	c.close()
	return nil
}

// Submit submits to whoever has a held channel open, this node's readers too.
func (t *Table) Submit(ctx context.Context, name, kind string, body []byte) error {
	c, err := t.At(name)
	if err != nil {
		return err
	}
	_, err = c.channel.Submit(ctx, channel.Event{Type: channel.Type(kind), Body: body})
	if errors.Is(err, channel.ErrNoSink) { // a filter has left nobody
		return nil
	}
	return err
}

// End has all readers see their end; nothing is opened any more. Wait has them
// gone.
func (t *Table) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, c := range t.open {
		c.shelf.end()
	}
}

// ValidName reports whether an application's channel can be called that.
func ValidName(name string) bool {
	if name == "" || len(name) > channel.MaxName || name == "." || name == ".." {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
