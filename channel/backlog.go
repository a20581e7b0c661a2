package channel

import (
	"slices"
	"time"
)

// WhenFull says what happens to an event for which there is no room in the
// queue of a subscription. Whatever is dropped is counted.
type WhenFull int8

const (
	// Refuse drops the event that comes.
	Refuse WhenFull = iota
	// DropOldest drops what has waited longest, until there is room.
	DropOldest
	// KeepNewest is for events that are states: whether the queue is full or
	// not, at most one event of a key waits (SubscriptionConfig.Key), and a
	// newer one takes its place. An event of another key for which there is no
	// room is dropped. The order holds within each key only.
	KeepNewest
)

// item is what a handler is called for: an event, a correlated set of them, or
// a time that has passed, which does not wait in the queue.
type item struct {
	event *Event
	set   []*Event
	time  Timeout
	key   string        // with KeepNewest
	size  int           // bytes
	since time.Duration // when it began to wait, from Node.start
}

// backlog is the queue of one subscription. It is a pure state: its owner
// locks.
type backlog struct {
	maxEvents, maxBytes int
	rule                WhenFull

	items []item
	bytes int
	first uint64            // the number of items[0], counted from the start
	keyed map[string]uint64 // with KeepNewest: the number of what waits
}

// late reports whether a deadline has passed: of a set any.
func (it *item) late(now time.Time) bool {
	past := func(e *Event) bool { return !e.Deadline.IsZero() && now.After(e.Deadline) }
	if it.event != nil {
		return past(it.event)
	}
	return slices.ContainsFunc(it.set, past)
}

// verdict says what room for one item costs.
type verdict struct {
	refused   bool // it must not be put
	displaced int  // older ones that were dropped for it
	conflated bool // put takes the place of an older one of its key
}

// admit makes room for an item of that key and size.
func (b *backlog) admit(key string, size int) (v verdict) {
	if b.rule == KeepNewest {
		if i, ok := b.keyed[key]; ok {
			v.conflated = true
			v.refused = b.bytes-b.items[i-b.first].size+size > b.maxBytes
			return v
		}
	}
	if b.rule == DropOldest && size <= b.maxBytes {
		for len(b.items) > 0 && !b.fits(size) {
			b.take()
			v.displaced++
		}
	}
	v.refused = !b.fits(size)
	return v
}

func (b *backlog) fits(size int) bool {
	return len(b.items) < b.maxEvents && b.bytes+size <= b.maxBytes
}

// put adds what admit has made room for.
func (b *backlog) put(it item) {
	b.bytes += it.size
	if b.rule == KeepNewest {
		if i, ok := b.keyed[it.key]; ok {
			old := &b.items[i-b.first]
			b.bytes -= old.size
			it.since = old.since // its turn is that of what it replaces
			*old = it
			return
		}
		if b.keyed == nil {
			b.keyed = make(map[string]uint64)
		}
		b.keyed[it.key] = b.first + uint64(len(b.items))
	}
	b.items = append(b.items, it)
}

// take is the item at the front, of which there must be one.
func (b *backlog) take() item {
	it := b.items[0]
	b.items[0] = item{}
	b.items = b.items[1:]
	b.bytes -= it.size
	b.first++
	if b.rule == KeepNewest {
		delete(b.keyed, it.key)
	}
	return it
}

// expire drops what is late and says how much that was.
func (b *backlog) expire(now time.Time) int {
	n := len(b.items)
	b.items = slices.DeleteFunc(b.items, func(it item) bool {
		late := it.late(now)
		if late {
			b.bytes -= it.size
		}
		return late
	})
	clear(b.keyed)
	if b.rule == KeepNewest {
		for i := range b.items {
			b.keyed[b.items[i].key] = b.first + uint64(i)
		}
	}
	return n - len(b.items)
}

// clear drops everything and says how much that was.
func (b *backlog) clear() int {
	n := len(b.items)
	b.first += uint64(n)
	b.items, b.bytes, b.keyed = nil, 0, nil
	return n
}
