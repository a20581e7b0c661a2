package channels

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"kecho/channel"
)

// MaxChannels is how many channels applications have open at most.
const MaxChannels = 32

// Errors that callers branch on.
var (
	ErrUnknown = errors.New("there is no such channel open on this node")
	ErrOwn     = errors.New("it is the agent's own, and only shown")
	ErrHeld    = errors.New("the agent needs it: a threshold submits on it")
	ErrName    = fmt.Errorf("want a name of 1 to %d letters, digits, dots, dashes and underscores", channel.MaxName)
	ErrMany    = fmt.Errorf("%d channels are open already", MaxChannels)
	ErrFast    = fmt.Errorf("more than %d events a second are published here", MaxRate)
	ErrFull    = errors.New("no link takes more now")
	ErrLarge   = errors.New("the event is too large")
	ErrEvent   = errors.New("a channel cannot carry it")
	ErrClosed  = channel.ErrClosed
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
	cfg Config

	mu     sync.Mutex
	open   map[string]*Channel // guarded by mu
	closed bool                // guarded by mu
}

// New makes a table without channels.
func New(cfg Config) *Table { return &Table{cfg: cfg, open: make(map[string]*Channel)} }

// Info is what is known of one channel.
type Info struct {
	Name string
	// Own says that it is the agent's own.
	Own   bool
	Stats channel.Stats
	// Sinks are the other nodes that have it open.
	Sinks []channel.Sink
	// Last is the ID of the newest item of the log; "" of the agent's own.
	Last string
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
	ours := t.open[c.Name()]
	t.mu.Unlock()
	if info.Own = ours == nil; !info.Own {
		info.Last = ours.log.ID(ours.log.Now())
	}
	return info
}

// Open opens the channel of that name, or returns it when it is open; made says
// which.
func (t *Table) Open(name string) (c *Channel, made bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.openLocked(name)
}

// Hold opens the channel of that name if it is not open, and keeps it so.
func (t *Table) Hold(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, _, err := t.openLocked(name)
	if err == nil {
		c.held = true
	}
	return err
}

func (t *Table) openLocked(name string) (c *Channel, made bool, err error) {
	if slices.Contains(t.cfg.Own, name) {
		return nil, false, fmt.Errorf("channel %q: %w", name, ErrOwn)
	}
	switch c := t.open[name]; {
	case !validName(name):
		return nil, false, fmt.Errorf("channel %.80q: %w", name, ErrName)
	case t.closed:
		return nil, false, fmt.Errorf("channel %q: %w", name, channel.ErrClosed)
	case c != nil:
		return c, false, nil
	case len(t.open) == MaxChannels:
		return nil, false, ErrMany
	}
	opened, err := t.cfg.Node().Open(name)
	if err != nil {
		return nil, false, err
	}
	c, err = newChannel(opened, t.cfg.Node().ID())
	if err != nil {
		return nil, false, err
	}
	t.open[name] = c
	return c, true, nil
}

// At is the open channel of that name, for its events: ErrUnknown, or ErrOwn.
func (t *Table) At(name string) (*Channel, error) {
	t.mu.Lock()
	c := t.open[name]
	t.mu.Unlock()
	if c != nil {
		return c, nil
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

// End ends all readers; nothing is opened any more.
func (t *Table) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, c := range t.open {
		c.log.Close()
	}
}

func validName(name string) bool {
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
