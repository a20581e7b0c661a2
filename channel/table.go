package channel

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// table finds the subscriptions that match an event with at most four
// look-ups, however many there are. Readers take no lock: they see slots whose
// chains are immutable. A change replaces one chain, and once in a while all
// slots, so that it costs the same whatever the number of subscriptions.
type table struct {
	slots  atomic.Pointer[slots] // nil: none
	kinds  [4]atomic.Int32       // keys of each kind, so that who has none is not looked up
	ranked atomic.Int32          // terms of subscriptions with a priority of their own
	turned atomic.Uint64         // rises after each change: what was found before may be old

	mu     sync.Mutex // serialises changes
	keys   int        // guarded by mu
	closed bool       // guarded by mu
}

// slots is a hash table of which each slot is the start of a chain.
type slots struct {
	seed  maphash.Seed
	chain []atomic.Pointer[entry] // a power of two of them
}

// entry is the subscriptions of one key. It is immutable: an appended
// subscription lies beyond the end that readers of the older entry know.
type entry struct {
	match Match
	subs  []*Subscription
	next  *entry
}

const minSlots = 8

func newSlots(n int, seed maphash.Seed) *slots {
	return &slots{seed: seed, chain: make([]atomic.Pointer[entry], n)}
}

func (ss *slots) slot(m Match) *atomic.Pointer[entry] {
	h := maphash.String(ss.seed, string(m.Type)) ^ uint64(m.Source)*0x9e3779b97f4a7c15
	h ^= h >> 32
	return &ss.chain[h&uint64(len(ss.chain)-1)]
}

// get is the subscriptions of exactly this key.
func (ss *slots) get(m Match) []*Subscription {
	for e := ss.slot(m).Load(); e != nil; e = e.next {
		if e.match == m {
			return e.subs
		}
	}
	return nil
}

// set replaces the subscriptions of one key; none: the key goes.
func (ss *slots) set(m Match, subs []*Subscription) {
	slot := ss.slot(m)
	var chain *entry
	if len(subs) > 0 {
		chain = &entry{match: m, subs: subs}
	}
	for e := slot.Load(); e != nil; e = e.next {
		if e.match != m {
			chain = &entry{match: e.match, subs: e.subs, next: chain}
		}
	}
	slot.Store(chain)
}

// keys is every key that matches an event, by kind.
func keys(typ Type, source NodeID) [4]Match {
	return [4]Match{{typ, source}, {Source: source}, {Type: typ}, {}}
}

// kind is the place of a key in keys, table.kinds and in what find returns.
func (m Match) kind() int {
	switch {
	case m.Type != "" && m.Source != 0:
		return 0
	case m.Source != 0:
		return 1
	case m.Type != "":
		return 2
	}
	return 3
}

// add enters s under each of its terms.
func (t *table) add(s *Subscription) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	for _, m := range s.terms {
		now := t.resizedLocked()
		have := now.get(m)
		if len(have) == 0 {
			t.keys++
			t.kinds[m.kind()].Add(1)
		}
		if s.priority != Normal {
			t.ranked.Add(1)
		}
		now.set(m, append(have, s))
	}
	t.turned.Add(1)
	return true
}

func (t *table) remove(s *Subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range s.terms {
		now := t.slots.Load()
		if now == nil {
			return
		}
		have := now.get(m)
		i := slices.Index(have, s)
		if i < 0 {
			continue
		}
		left := slices.Concat(have[:i], have[i+1:]) // a copy: readers have the old one
		now.set(m, left)
		if len(left) == 0 {
			t.keys--
			t.kinds[m.kind()].Add(-1)
		}
		if s.priority != Normal {
			t.ranked.Add(-1)
		}
		t.resizedLocked()
	}
	t.turned.Add(1)
}

// resizedLocked is the slots, as many as suit the number of keys: changed when
// there are fewer than keys, or eight times as many.
func (t *table) resizedLocked() *slots {
	now := t.slots.Load()
	size := minSlots
	if now != nil {
		size = len(now.chain)
		if t.keys < size && (size == minSlots || t.keys > size/8) {
			return now
		}
	}
	for size <= t.keys {
		size *= 2
	}
	for size > minSlots && t.keys <= size/8 {
		size /= 2
	}
	if now != nil && size == len(now.chain) {
		return now
	}
	next := newSlots(size, maphash.MakeSeed())
	now.each(func(e *entry) { next.set(e.match, e.subs) })
	t.slots.Store(next)
	return next
}

func (ss *slots) each(f func(*entry)) {
	if ss == nil {
		return
	}
	for i := range ss.chain {
		for e := ss.chain[i].Load(); e != nil; e = e.next {
			f(e)
		}
	}
}

// clear ends every subscription; there will be no other.
func (t *table) clear() {
	t.mu.Lock()
	t.closed = true
	all := t.slots.Swap(nil)
	t.turned.Add(1)
	t.mu.Unlock()
	all.each(func(e *entry) {
		for _, s := range e.subs {
			s.drop()
		}
	})
}

// every calls f for each subscription.
func (t *table) every(f func(*Subscription)) {
	t.slots.Load().each(func(e *entry) {
		for _, s := range e.subs {
			if e.match == s.terms[0] { // it stands under each of its terms
				f(s)
			}
		}
	})
}

// find is the subscriptions of the keys that match.
func (t *table) find(typ Type, source NodeID) (found [4][]*Subscription) {
	now := t.slots.Load()
	if now == nil {
		return found
	}
	if t.kinds[0].Load() > 0 {
		found[0] = now.get(Match{Type: typ, Source: source})
	}
	if t.kinds[1].Load() > 0 {
		found[1] = now.get(Match{Source: source})
	}
	if t.kinds[2].Load() > 0 {
		found[2] = now.get(Match{Type: typ})
	}
	if t.kinds[3].Load() > 0 {
		found[3] = now.get(Match{})
	}
	return found
}

// any reports whether anybody wants such events now.
func (t *table) any(typ Type, source NodeID) bool {
	found := t.find(typ, source)
	for _, subs := range found {
		for _, s := range subs {
			if !s.suspended.Load() {
				return true
			}
		}
	}
	return false
}

// each calls f for every subscription that wants such events now: the urgent
// first, where some have a priority.
func (t *table) each(typ Type, source NodeID, f func(*Subscription)) {
	found := t.find(typ, source)
	t.eachOf(&found, typ, source, f)
}

// eachOf is each of what was found.
func (t *table) eachOf(found *[4][]*Subscription, typ Type, source NodeID, f func(*Subscription)) {
	if t.ranked.Load() == 0 {
		for kind, subs := range found {
			for _, s := range subs {
				if s.wants(kind, typ, source) {
					f(s)
				}
			}
		}
		return
	}
	for rank := Urgent; rank >= Bulk; rank-- {
		for kind, subs := range found {
			for _, s := range subs {
				if s.priority == rank && s.wants(kind, typ, source) {
					f(s)
				}
			}
		}
	}
}
