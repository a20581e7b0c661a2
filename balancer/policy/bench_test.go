package policy

import (
	"testing"
	"time"
)

var limits = Limits{Soft: 4, Hard: 8, Queue: 10_000, QueueAge: time.Hour}

func BenchmarkArriveFinish(b *testing.B) {
	g := NewGate(limits)
	t := &Ticket{Movable: true}
	b.ReportAllocs()
	for b.Loop() {
		if g.Arrive(0, t) != Start {
			b.Fatal("no place")
		}
		g.Finish(0)
	}
}

// TestArriveAllocatesNothing: the local path is every request's.
func TestArriveAllocatesNothing(t *testing.T) {
	g, x := NewGate(limits), &Ticket{Movable: true}
	if n := testing.AllocsPerRun(100, func() {
		g.Arrive(0, x)
		g.Finish(0)
	}); n != 0 {
		t.Errorf("a request at a gate with room allocates %v times", n)
	}
	full, now := full(t, 100)
	if n := testing.AllocsPerRun(100, func() {
		next := full.Finish(now)
		full.Arrive(now, next)
		full.Back(now, next)
	}); n != 0 {
		t.Errorf("a request through the queue allocates %v times", n)
	}
}

// full is a gate with n requests waiting, all of them refused by peers.
func full(tb testing.TB, n int) (*Gate, time.Duration) {
	tb.Helper()
	g, now := NewGate(limits), time.Duration(0)
	for range limits.Hard {
		g.Arrive(now, new(Ticket))
	}
	for range n {
		now += time.Millisecond / 10
		t := &Ticket{Movable: true}
		if v := g.Arrive(now, t); v != Overflow {
			tb.Fatal("not at its limit:", v)
		}
		if v := g.Back(now, t); v != Wait {
			tb.Fatal("not waiting:", v)
		}
	}
	return g, now
}

// BenchmarkQueue is what one event costs while 10,000 requests wait.
func BenchmarkQueue(b *testing.B) {
	b.Run("kick", func(b *testing.B) { // nothing is due
		g, _ := full(b, limits.Queue)
		b.ReportAllocs()
		for b.Loop() {
			if t, _ := g.Due(0); t != nil {
				b.Fatal("due too early")
			}
			if _, ok := g.Next(); !ok {
				b.Fatal("nothing is ever due")
			}
		}
	})
	b.Run("retry", func(b *testing.B) { // one is due, and refused again
		g, _ := full(b, limits.Queue)
		b.ReportAllocs()
		for b.Loop() {
			at, _ := g.Next()
			t, v := g.Due(at)
			if v != Overflow || g.Back(at, t) != Wait {
				b.Fatal("not due, or not waiting again")
			}
		}
	})
	b.Run("serve", func(b *testing.B) { // one starts, one comes
		g, now := full(b, limits.Queue)
		b.ReportAllocs()
		for b.Loop() {
			t := g.Finish(now)
			if g.Arrive(now, t) != Overflow || g.Back(now, t) != Wait {
				b.Fatal("not waiting")
			}
		}
	})
	b.Run("leave", func(b *testing.B) { // a client in the middle is gone, and comes again
		g, now := full(b, limits.Queue-1)
		t := &Ticket{Movable: true}
		b.ReportAllocs()
		for b.Loop() {
			if g.Arrive(now/2, t) != Overflow || g.Back(now, t) != Wait {
				b.Fatal("not waiting")
			}
			g.Leave(t)
		}
	})
}
