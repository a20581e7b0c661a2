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
	// DropOldest drops what has waited longest of what is least urgent, until there
	// is room, but nothing that is more urgent than the event that comes.
	DropOldest
	// KeepNewest is for events that are states: whether the queue is full or
	// not, at most one event of a key waits (SubscriptionConfig.Key), and a
	// newer one takes its place, or one further in front if it is more urgent. An
	// event of another key for which there is no room is dropped. The order holds
	// within each key only.
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

// backlog is the queue of one subscription: what is urgent is taken first. It is a
// pure state: its owner locks.
type backlog struct {
	maxEvents, maxBytes int
	rule                WhenFull

	lanes         [priorities]lane
	events, bytes int              // in all lanes
	keyed         map[string]place // with KeepNewest: what waits
}

const priorities = 3

// lane is what waits at one priority; that of Urgent is the first.
type lane struct {
	items []item
	bytes int
	first uint64 // the number of items[0], counted from the start
}

// place is where an item waits: its lane, and its number there.
type place struct {
	lane   int
	number uint64
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

// lane is where the item waits: that of the most urgent of its events.
func (it *item) lane() int {
	if it.event != nil {
		return laneOf(it.event)
	}
	lane := priorities - 1
	for _, e := range it.set {
		lane = min(lane, laneOf(e))
	}
	return lane
}

func laneOf(e *Event) int { return int(Urgent - e.Priority) }

// admit makes room for an item of that key and size, in that lane.
func (b *backlog) admit(key string, size, lane int) (v verdict) {
	if b.rule == KeepNewest {
		if at, ok := b.keyed[key]; ok {
			v.conflated = true
			v.refused = b.bytes-b.at(at).size+size > b.maxBytes
			return v
		}
	}
	if b.rule == DropOldest && b.fitsWithout(lane, size) {
		for ; !b.fits(size); v.displaced++ {
			b.takeFrom(b.leastUrgent())
		}
	}
	v.refused = !b.fits(size)
	return v
}

func (b *backlog) fits(size int) bool {
	return b.events < b.maxEvents && b.bytes+size <= b.maxBytes
}

// fitsWithout reports whether there would be room without what waits in that lane and
// the less urgent ones.
func (b *backlog) fitsWithout(lane, size int) bool {
	events := 0
	for i := range lane {
		events += len(b.lanes[i].items)
		size += b.lanes[i].bytes
	}
	return events < b.maxEvents && size <= b.maxBytes
}

// leastUrgent is the last lane in which anything waits.
func (b *backlog) leastUrgent() int {
	i := priorities - 1
	for i > 0 && len(b.lanes[i].items) == 0 {
		i--
	}
	return i
}

// at is the item at a place.
func (b *backlog) at(p place) *item {
	l := &b.lanes[p.lane]
	return &l.items[p.number-l.first]
}

// put adds what admit has made room for.
func (b *backlog) put(it item) {
	to := it.lane()
	if b.rule == KeepNewest {
		if p, ok := b.keyed[it.key]; ok {
			old := b.at(p)
			it.since = old.since // its turn is that of what it replaces
			if to >= p.lane {
				b.count(p.lane, 0, it.size-old.size)
				*old = it
				return
			}
			b.remove(p)
		}
		if b.keyed == nil {
			b.keyed = make(map[string]place)
		}
		b.keyed[it.key] = place{to, b.lanes[to].first + uint64(len(b.lanes[to].items))}
	}
	b.count(to, 1, it.size)
	b.lanes[to].items = append(b.lanes[to].items, it)
}

// count adds to what waits in a lane, and in all.
func (b *backlog) count(lane, events, bytes int) {
	b.events += events
	b.bytes += bytes
	b.lanes[lane].bytes += bytes
}

// remove takes out what stands between others. It takes time in proportion to the
// queue.
func (b *backlog) remove(p place) {
	l := &b.lanes[p.lane]
	i := int(p.number - l.first)
	b.count(p.lane, -1, -l.items[i].size)
	l.items = slices.Delete(l.items, i, i+1)
	b.number(p.lane)
}

// number writes down again where the keyed items of a lane are.
func (b *backlog) number(lane int) {
	l := &b.lanes[lane]
	for i := range l.items {
		b.keyed[l.items[i].key] = place{lane, l.first + uint64(i)}
	}
}

// take is the first of the most urgent items, of which there must be one.
func (b *backlog) take() item {
	i := 0
	for len(b.lanes[i].items) == 0 {
		i++
	}
	return b.takeFrom(i)
}

func (b *backlog) takeFrom(lane int) item {
	l := &b.lanes[lane]
	it := l.items[0]
	l.items[0] = item{}
	l.items = l.items[1:]
	l.first++
	b.count(lane, -1, -it.size)
	if b.rule == KeepNewest {
		delete(b.keyed, it.key)
	}
	return it
}

// expire drops what is late and says how much that was.
func (b *backlog) expire(now time.Time) int {
	before := b.events
	clear(b.keyed)
	for i := range b.lanes {
		l := &b.lanes[i]
		l.items = slices.DeleteFunc(l.items, func(it item) bool {
			late := it.late(now)
			if late {
				b.count(i, -1, -it.size)
			}
			return late
		})
		if b.rule == KeepNewest {
			b.number(i)
		}
	}
	return before - b.events
}

// clear drops everything and says how much that was.
func (b *backlog) clear() int {
	n := b.events
	for i := range b.lanes {
		l := &b.lanes[i]
		l.first += uint64(len(l.items))
		l.items, l.bytes = nil, 0
	}
	b.events, b.bytes, b.keyed = 0, 0, nil
	return n
}
