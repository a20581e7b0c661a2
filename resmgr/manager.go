package resmgr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kecho/channel"
)

// Share is one manager of a node: what it has and what it is called.
type Share struct {
	// Name is the manager's name: one in the whole cluster, the same after a
	// restart.
	Name     string
	Capacity Amounts
	Tags     Tags
}

// Config is what a Manager is made of.
type Config struct {
	// Node and Channel are where the group meets. The channel is the manager's
	// own: its OUT-filter is set.
	Node    *channel.Node
	Channel *channel.Channel
	// Shares is what this node gives. None: it only asks.
	Shares []Share
	// Journal keeps what was granted. Nil: nothing is kept over a restart.
	Journal Journal
	// FenceFrom is a fence that all are above. Without a journal it should be
	// the clock's milliseconds, so that fences rise over a restart too. Zero is
	// for tests, and where a journal knows.
	FenceFrom Fence
	// Logger gets what peers and the journal do wrong. Nil: nothing is logged.
	Logger *slog.Logger
	// Changed, when set, is called for each change of a lease of this node's
	// clients, in order, one at a time, outside every lock. It must not block.
	Changed func(Change)
	// MaxTTL and Settle are GranterConfig's.
	MaxTTL time.Duration
	Settle time.Duration
}

// Manager is a node's part in the group: the asking side of its clients, and a
// Granter for each of its shares.
type Manager struct {
	cfg     Config
	log     *slog.Logger
	self    channel.NodeID
	start   time.Time
	kick    chan struct{} // the timer loop looks again
	dirty   chan struct{} // the journal has work
	stopped chan struct{} // closed when Run ends

	mu       sync.Mutex
	asker    *Asker
	granters []*Granter
	fences   *Fences
	peers    map[channel.NodeID]map[string]*peerReport // what each node's managers said last
	writes   []written                                 // for the journal, in order
	urgent   bool                                      // somebody waits for one of them
	lazy     time.Duration                             // when they are written anyway; 0: there are none
	outbox   []Effect                                  // to be sent and told, in order
	flushing bool                                      // somebody sends
	armed    time.Duration                             // when the timer loop wakes; 0: it does not
	report   time.Duration                             // when reports go out
	changed  bool                                      // a report is due for a change
	over     bool                                      // Run has ended
	failing  bool                                      // the journal has failed, and it was logged
	said     time.Duration                             // when that, or its end, was logged last; 0: never

	picked   []channel.NodeID // who the OUT-filter left; owned by who sends
	narrowed bool             // it left somebody out; owned by who sends
	sending  *Effect          // what is being submitted; owned by who sends
}

// written is one write on its way, of one of the granters.
type written struct {
	granter *Granter
	effect  Effect
}

// How often a node says what it has.
const (
	reportEvery   = 100 * time.Millisecond // at most, on change
	reportRefresh = 10 * time.Second
)

// ErrStopped says that the manager does not run any more.
var ErrStopped = errors.New("the resource manager has stopped")

// New makes a manager with what the journal holds. Nothing runs before Run. An
// error says that a share or the journal cannot be used: the node can do
// everything else without it.
func New(cfg Config) (*Manager, error) {
	m := &Manager{
		cfg: cfg, log: cfg.Logger, self: cfg.Node.ID(), start: time.Now(),
		kick: make(chan struct{}, 1), dirty: make(chan struct{}, 1), stopped: make(chan struct{}),
		fences: NewFences(0), peers: map[channel.NodeID]map[string]*peerReport{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	ephemeral := cfg.Journal == nil
	if ephemeral {
		m.cfg.Journal = &MemoryJournal{}
	}
	m.asker = NewAsker(AskerConfig{NextID: cfg.Channel.NextID, Start: m.start})
	for i, s := range cfg.Shares {
		if slices.ContainsFunc(cfg.Shares[:i], func(o Share) bool { return o.Name == s.Name }) {
			return nil, fmt.Errorf("two managers of this node are called %q", s.Name)
		}
		had, err := m.cfg.Journal.Recover(s.Name)
		if err != nil {
			return nil, fmt.Errorf("manager %s: read its journal: %w", s.Name, err)
		}
		had.Fence = max(had.Fence, cfg.FenceFrom)
		g, err := NewGranter(GranterConfig{
			Name: s.Name, Capacity: s.Capacity, Tags: s.Tags, Ephemeral: ephemeral, MaxTTL: cfg.MaxTTL, Settle: cfg.Settle,
		}, 0, had)
		if err != nil {
			return nil, err
		}
		m.granters = append(m.granters, g)
		m.noteReport(m.self, g.Report(0))
	}
	cfg.Channel.SetOut(m.outFilter)
	return m, nil
}

// Run takes part in the group until ctx is done. It is called once. What its
// clients wait for then ends with ErrStopped; leases stay.
func (m *Manager) Run(ctx context.Context) error {
	sub, err := m.cfg.Channel.Subscribe(channel.Match{}, m.receive)
	if err != nil {
		return fmt.Errorf("join the resource group: %w", err)
	}
	defer sub.Close()
	stop := m.cfg.Channel.Watch(m.sink)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { m.keepJournal(ctx) })
	m.keepTime(ctx)
	wg.Wait()
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	close(m.stopped)
	return nil
}

func (m *Manager) now() time.Duration { return time.Since(m.start) }

// enter has a core do something under the lock, and then does what it says.
func (m *Manager) enter(f func(now time.Duration)) {
	m.mu.Lock()
	f(m.now())
	m.mu.Unlock()
	m.flush()
}

// keepTime does what is due, and says what there is, until ctx is done.
func (m *Manager) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			m.enter(m.tick)
		case <-m.kick:
		}
		m.mu.Lock()
		m.armed = m.nextLocked()
		wait := m.armed - m.now()
		m.mu.Unlock()
		timer.Reset(max(wait, 0))
	}
}

func (m *Manager) tick(now time.Duration) {
	if m.lazy > 0 && now >= m.lazy {
		m.hurryLocked(true)
	}
	m.takeLocked(nil, m.asker.Tick(now, nil))
	for _, g := range m.granters {
		if at, ok := g.Next(); ok && at <= now {
			m.takeLocked(g, g.Tick(now, nil))
		}
	}
	if len(m.granters) > 0 && now >= m.report {
		m.changed, m.report = false, now+reportRefresh
		for _, g := range m.granters {
			r := g.Report(now)
			m.noteReport(m.self, r)
			m.outbox = append(m.outbox, Effect{Do: DoSend, Message: r})
		}
	}
}

// nextLocked is when tick has something to do.
func (m *Manager) nextLocked() time.Duration {
	next := m.now() + time.Hour
	if len(m.granters) > 0 {
		next = m.report
	}
	if m.lazy > 0 && !m.urgent {
		next = min(next, m.lazy)
	}
	if at, ok := m.asker.Next(); ok {
		next = min(next, at)
	}
	for _, g := range m.granters {
		if at, ok := g.Next(); ok {
			next = min(next, at)
		}
	}
	return next
}

// takeLocked sorts what a core says: writes for the journal, clients who have
// what they waited for, and what is sent and told when the lock is free. g is
// nil for the asking side.
func (m *Manager) takeLocked(g *Granter, out []Effect) {
	for _, e := range out {
		switch e.Do {
		case DoWrite:
			m.writes = append(m.writes, written{g, e})
			m.hurryLocked(e.Record.Kind != RecordEnd)
		case DoDone:
			if e.Asking != nil {
				close(e.Asking.Data.(*waiters).done)
			} else {
				close(e.Call.Data.(chan struct{}))
			}
		default:
			m.outbox = append(m.outbox, e)
		}
	}
	if g != nil && len(out) > 0 && !m.changed {
		m.changed = true
		m.report = min(m.report, max(m.now(), m.report-reportRefresh+reportEvery))
	}
	if m.nextLocked() < m.armed {
		signal(m.kick)
	}
}

// lazyEnds is how long the end of a lease waits for another write to go with.
// Nobody waits for it: without it the lease is held over a restart.
const lazyEnds = 50 * time.Millisecond

// hurryLocked has the journal write what there is, now or in a while.
func (m *Manager) hurryLocked(now bool) {
	if now {
		m.urgent = true
		signal(m.dirty)
	} else if m.lazy == 0 {
		m.lazy = m.now() + lazyEnds
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// keepJournal writes what there is to write, all that waits at once, until ctx
// is done and everything is written.
func (m *Manager) keepJournal(ctx context.Context) {
	for {
		m.mu.Lock()
		var batch []written
		if m.urgent || ctx.Err() != nil {
			batch, m.writes = m.writes, nil
			m.urgent, m.lazy = false, 0
		}
		m.mu.Unlock()
		if len(batch) > 0 {
			m.writeBatch(batch)
			continue
		}
		select {
		case <-m.dirty:
		case <-ctx.Done():
			m.mu.Lock()
			left := len(m.writes)
			m.mu.Unlock()
			if left == 0 {
				return
			}
		}
	}
}

func (m *Manager) writeBatch(batch []written) {
	entries := make([]Entry, len(batch))
	last := map[*Granter]uint64{}
	for i, w := range batch {
		entries[i] = Entry{w.effect.Message.Manager, w.effect.Record}
		last[w.granter] = w.effect.Seq
	}
	err := m.cfg.Journal.Write(entries)
	m.enter(func(now time.Duration) {
		m.noteJournal(err)
		if err != nil {
			m.writes, m.lazy = nil, 0 // what was handed over since is not written either
		}
		for _, g := range m.granters {
			if seq, had := last[g]; had || err != nil {
				m.takeLocked(g, g.Written(now, seq, err, nil))
			}
		}
	})
}

// sayAgain is how often it is said at most that the journal fails: on a full
// disk what is small succeeds now and then.
const sayAgain = time.Minute

// noteJournal logs that the journal fails, and that it works again.
func (m *Manager) noteJournal(err error) {
	now := m.now()
	if (err != nil) == m.failing || m.said > 0 && now-m.said < sayAgain {
		return
	}
	m.said = now
	switch {
	case err != nil:
		m.log.Error("the journal of leases cannot be written: nothing is granted until it can", "err", err)
	default:
		m.log.Info("the journal of leases is written again")
	}
	m.failing = err != nil
}
