package sim

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestAgenda: events come in the order of their times, and of one time in the
// order in which they were planned.
func TestAgenda(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var a agenda
	planned, waiting := 0, map[int]time.Duration{}
	var last event
	for range 50_000 {
		if r.IntN(100) < 52 || len(waiting) == 0 {
			planned++
			e := event{at: a.now + time.Duration(r.IntN(50)), node: planned}
			waiting[planned] = e.at
			a.plan(e)
			continue
		}
		e, ok := a.next()
		if at, is := waiting[e.node]; !ok || !is || at != e.at || a.now != e.at {
			t.Fatalf("event %d at %v came at %v; it was planned for %v", e.node, e.at, a.now, at)
		}
		if e.at < last.at || e.at == last.at && e.node < last.node {
			t.Fatalf("event %d at %v after event %d at %v", e.node, e.at, last.node, last.at)
		}
		delete(waiting, e.node)
		last = e
	}
	for range waiting {
		if _, ok := a.next(); !ok {
			t.Fatal("an event is lost")
		}
	}
	if _, ok := a.next(); ok {
		t.Error("an event that was never planned")
	}
}

// TestVacancies: the fastest is first, and of equals the lower.
func TestVacancies(t *testing.T) {
	speeds := []float64{1, 2, 1, 2}
	v := newVacancies(130, func(i int) float64 { return speeds[i%4] })
	for _, want := range []int{1, 3, 5} {
		got, ok := v.first()
		if !ok || got != want {
			t.Fatalf("first is %d, %v; want %d", got, ok, want)
		}
		v.set(got, false)
	}
	for i := range 130 {
		v.set(i, false)
	}
	if i, ok := v.first(); ok {
		t.Error("no server is free, but", i)
	}
	v.set(128, true)
	if i, ok := v.first(); !ok || i != 128 {
		t.Error(i, ok)
	}
}
