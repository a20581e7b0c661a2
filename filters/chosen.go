package filters

import (
	"slices"
	"sync"

	"kecho/channel"
)

// DefaultMaxEntries is how many events Chosen and FirstAnswer remember unless
// they are told otherwise.
const DefaultMaxEntries = 65_536

// ChosenConfig configures a Chosen; its zero value is ready for use.
type ChosenConfig struct {
	// Max is how many events are remembered. Zero: DefaultMaxEntries.
	Max int
}

// Chosen remembers which sinks events were given, so that what follows an
// event (the rest of a body, a cancel) goes where the event went, although the
// choice would be another one now.
//
// An entry lives until Forget. When there are Max, the oldest is forgotten for
// the new one and counted: what was never forgotten by its owner is most
// likely the oldest.
type Chosen struct {
	max int

	mu      sync.Mutex
	byID    map[channel.ID]*chosenEntry // guarded by mu
	order   chosenEntry                 // guarded by mu; ring: next is the oldest, prev the newest
	free    *chosenEntry                // guarded by mu; linked by next
	evicted int64                       // guarded by mu
}

type chosenEntry struct {
	id         channel.ID
	nodes      []channel.NodeID
	prev, next *chosenEntry
}

// NewChosen makes an empty Chosen. It has nothing to close.
func NewChosen(cfg ChosenConfig) *Chosen {
	c := &Chosen{max: cfg.Max, byID: make(map[channel.ID]*chosenEntry)}
	if c.max < 1 {
		c.max = DefaultMaxEntries
	}
	c.order.prev, c.order.next = &c.order, &c.order
	return c
}

// Record is an OUT-filter that keeps every sink and notes their nodes under
// e.ID. It belongs at the end of a chain. An event submitted again under the
// same ID adds to its entry.
func (c *Chosen) Record(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	if len(sinks) == 0 || e.ID.IsZero() {
		return sinks
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.byID[e.ID]
	if entry == nil {
		entry = c.addLocked(e.ID)
	}
	for i := range sinks {
		if !slices.Contains(entry.nodes, sinks[i].Node) {
			entry.nodes = append(entry.nodes, sinks[i].Node)
		}
	}
	return sinks
}

// To is an OUT-filter for what follows an event: it keeps the sinks that were
// recorded under e.Re, none if nothing was.
func (c *Chosen) To(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	kept := sinks[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.byID[e.Re]
	if entry == nil {
		return kept
	}
	for i := range sinks {
		if slices.Contains(entry.nodes, sinks[i].Node) {
			kept = append(kept, sinks[i])
		}
	}
	return kept
}

// From is an IN-filter that drops an answer from a node that was never asked:
// an event whose Re is recorded passes only if its source is among the chosen.
// Events about anything else pass.
func (c *Chosen) From(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry := c.byID[e.Re]; entry != nil && !slices.Contains(entry.nodes, e.ID.Source) {
		return sinks[:0]
	}
	return sinks
}

// Of is the nodes that were recorded under id, in the order of preference; nil
// when there are none. The slice is the caller's.
func (c *Chosen) Of(id channel.ID) []channel.NodeID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry := c.byID[id]; entry != nil {
		return slices.Clone(entry.nodes)
	}
	return nil
}

// Forget drops what was recorded under id, if anything.
func (c *Chosen) Forget(id channel.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry := c.byID[id]; entry != nil {
		c.removeLocked(entry)
	}
}

// ChosenStats is a Chosen's state at one moment.
type ChosenStats struct {
	Entries int   // events remembered now
	Evicted int64 // entries forgotten for want of room, since the start
}

// Stats is the state now.
func (c *Chosen) Stats() ChosenStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ChosenStats{Entries: len(c.byID), Evicted: c.evicted}
}

func (c *Chosen) addLocked(id channel.ID) *chosenEntry {
	if len(c.byID) >= c.max {
		c.removeLocked(c.order.next)
		c.evicted++
	}
	entry := c.free
	if entry == nil {
		entry = new(chosenEntry)
	} else {
		c.free = entry.next
	}
	entry.id, entry.prev, entry.next = id, c.order.prev, &c.order
	entry.prev.next, c.order.prev = entry, entry
	c.byID[id] = entry
	return entry
}

func (c *Chosen) removeLocked(entry *chosenEntry) {
	delete(c.byID, entry.id)
	entry.prev.next, entry.next.prev = entry.next, entry.prev
	entry.nodes = entry.nodes[:0]
	entry.prev, entry.next = nil, c.free
	c.free = entry
}
