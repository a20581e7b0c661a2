package channel

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// table finds the subscriptions that match an event with at most four
// look-ups, however many there are. What readers see is immutable: a change
// copies it, because events are many and changes few.
type table struct {
	subs atomic.Pointer[subscriptions] // nil: none

	mu     sync.Mutex // serialises changes
	closed bool       // guarded by mu
}

type subscriptions struct {
	byKey   map[Match][]*Subscription
	sourced bool // some keys have a source
}

func (t *table) add(s *Subscription) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	byKey := t.copyLocked()
	have := byKey[s.match]
	byKey[s.match] = append(have[:len(have):len(have)], s)
	t.setLocked(byKey)
	return true
}

func (t *table) remove(s *Subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	byKey := t.copyLocked()
	left := slices.DeleteFunc(slices.Clone(byKey[s.match]), func(have *Subscription) bool { return have == s })
	if len(left) == 0 {
		delete(byKey, s.match)
	} else {
		byKey[s.match] = left
	}
	t.setLocked(byKey)
}

func (t *table) copyLocked() map[Match][]*Subscription {
	if now := t.subs.Load(); now != nil {
		return maps.Clone(now.byKey)
	}
	return make(map[Match][]*Subscription)
}

func (t *table) setLocked(byKey map[Match][]*Subscription) {
	now := &subscriptions{byKey: byKey}
	for m := range byKey {
		now.sourced = now.sourced || m.Source != 0
	}
	t.subs.Store(now)
}

// clear ends every subscription; there will be no other.
func (t *table) clear() {
	t.mu.Lock()
	t.closed = true
	subs := t.subs.Swap(nil)
	t.mu.Unlock()
	subs.every((*Subscription).drop)
}

// every calls f for each subscription.
func (t *table) every(f func(*Subscription)) { t.subs.Load().every(f) }

func (subs *subscriptions) every(f func(*Subscription)) {
	if subs == nil {
		return
	}
	for _, list := range subs.byKey {
		for _, s := range list {
			f(s)
		}
	}
}

// find is the subscriptions of the keys that match.
func (t *table) find(typ Type, source NodeID) (found [4][]*Subscription) {
	now := t.subs.Load()
	if now == nil {
		return found
	}
	if now.sourced {
		found[0] = now.byKey[Match{Type: typ, Source: source}]
		found[1] = now.byKey[Match{Source: source}]
	}
	found[2] = now.byKey[Match{Type: typ}]
	found[3] = now.byKey[Match{}]
	return found
}

// any reports whether anybody subscribes to such events.
func (t *table) any(typ Type, source NodeID) bool {
	found := t.find(typ, source)
	return len(found[0])+len(found[1])+len(found[2])+len(found[3]) > 0
}

// each calls f for every subscription that matches.
func (t *table) each(typ Type, source NodeID, f func(*Subscription)) {
	found := t.find(typ, source)
	for _, subs := range found {
		for _, s := range subs {
			f(s)
		}
	}
}
