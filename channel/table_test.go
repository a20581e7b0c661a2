package channel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// live is a subscription that only a table knows.
func live(priority Priority, terms ...Match) *Subscription {
	return &Subscription{terms: terms, priority: priority}
}

// found is what the table hands an event to, in order.
func (t *table) found(typ Type, source NodeID) (subs []*Subscription) {
	t.each(typ, source, func(s *Subscription) { subs = append(subs, s) })
	return subs
}

// A random history of comings and goings against a list that is scanned.
func TestTableAgainstScan(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	match := func() Match {
		return Match{Type: []Type{"", "a", "b", "c"}[rnd.IntN(4)], Source: NodeID(rnd.IntN(4))}
	}
	var tab table
	var all []*Subscription
	for step := range 5000 {
		grow := step/500%2 == 0
		if k := len(all); k == 0 || rnd.IntN(3) > 0 == grow {
			terms := []Match{match()}
			if other := match(); other != terms[0] && rnd.IntN(3) == 0 {
				terms = append(terms, other)
			}
			s := live(Priority(rnd.IntN(3)-1), terms...)
			tab.add(s)
			all = append(all, s)
		} else {
			i := rnd.IntN(k)
			tab.remove(all[i])
			tab.remove(all[i]) // twice is nothing
			all = slices.Delete(all, i, i+1)
		}
		if len(all) > 0 && rnd.IntN(5) == 0 {
			s := all[rnd.IntN(len(all))]
			s.suspended.Store(!s.suspended.Load())
		}
		typ, source := Type([]string{"a", "b", "d"}[rnd.IntN(3)]), NodeID(1+rnd.IntN(4))
		ks := keys(typ, source)
		var want []*Subscription
		for _, s := range all {
			if !s.suspended.Load() && slices.ContainsFunc(s.terms, func(m Match) bool { return slices.Contains(ks[:], m) }) {
				want = append(want, s)
			}
		}
		got := tab.found(typ, source)
		if !slices.IsSortedFunc(got, func(a, b *Subscription) int { return int(b.priority) - int(a.priority) }) {
			t.Fatalf("step %d: priorities out of order", step)
		}
		if len(got) != len(want) || slices.ContainsFunc(want, func(s *Subscription) bool { return !slices.Contains(got, s) }) {
			t.Fatalf("step %d: %d subscriptions for %s from %d, want %d", step, len(got), typ, source, len(want))
		}
		if tab.any(typ, source) != (len(want) > 0) {
			t.Fatalf("step %d: any is wrong", step)
		}
		n := 0
		tab.every(func(*Subscription) { n++ })
		if n != len(all) {
			t.Fatalf("step %d: every of %d subscriptions calls %d times", step, len(all), n)
		}
	}
	for _, s := range all {
		tab.remove(s)
	}
	if n := len(tab.slots.Load().chain); n != minSlots || tab.keys != 0 || tab.ranked.Load() != 0 {
		t.Errorf("empty, it has %d slots, %d keys, %d ranked", n, tab.keys, tab.ranked.Load())
	}
}

// Whoever reads while others come and go finds what is there all the time,
// each once, in the order in which they came.
func TestTableReadWhileChanging(t *testing.T) {
	var tab table
	kept := []*Subscription{live(Normal, Match{Type: "a"}), live(Normal, Match{Type: "a"}), live(Normal, Match{})}
	for _, s := range kept {
		tab.add(s)
	}
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range 300 {
				s := live(Normal, Match{Type: "a"}, Match{Type: Type(fmt.Sprint(w, "-", i))})
				tab.add(s)
				if i%3 > 0 {
					tab.remove(s)
				}
			}
		})
	}
	wg.Go(func() {
		for range 2000 {
			var seen []*Subscription
			tab.each("a", 1, func(s *Subscription) {
				if slices.Contains(kept, s) {
					seen = append(seen, s)
				}
			})
			if !slices.Equal(seen, kept) {
				t.Errorf("%d of %d found", len(seen), len(kept))
				return
			}
		}
	})
	wg.Wait()
}
