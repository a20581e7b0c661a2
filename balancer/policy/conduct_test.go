package policy

import (
	"testing"
	"time"
)

// ejectedFor is how long a peer is left alone from now on.
func ejectionOf(ps *peers, now time.Duration, p Peer) time.Duration {
	var d time.Duration
	for ps.ejected(now+d, p) {
		d += 100 * time.Millisecond
	}
	return d
}

// meet is peers 1 to n.
func meet(n int) *peers {
	ps := &peers{places: 1}
	for i := range n {
		ps.hear(0, Peer(i+1), Report{Places: 1, Service: time.Millisecond})
	}
	return ps
}

// TestEjectedInRow: three failures one after the other, then each one, and for
// longer each time until it has been well for as long.
func TestEjectedInRow(t *testing.T) {
	ps, now := meet(4), time.Minute
	for range 2 {
		ps.fail(now, 1)
		ps.fail(now, 1)
		ps.good(now, 1, 1)
	}
	if ps.ejected(now, 1) {
		t.Fatal("ejected for failures that were not in a row")
	}
	ps.fail(now, 1)
	ps.fail(now, 1)
	for _, want := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
		ps.fail(now, 1)
		ps.fail(now, 1) // of what it had before
		got := ejectionOf(ps, now, 1)
		if got != want*time.Second {
			t.Fatalf("ejected for %v, want %v s", got, int(want))
		}
		now += got
	}
	ps.good(now, 1, 1)
	ps.fail(now, 1)
	if ps.ejected(now, 1) {
		t.Fatal("an answer does not clear the row")
	}
	now += 301 * time.Second
	for range 3 {
		ps.fail(now, 1)
	}
	if got := ejectionOf(ps, now, 1); got != 10*time.Second {
		t.Errorf("a long time after the last, ejected for %v, want 10 s", got)
	}
}

// TestEjectedByShare: more than 3 of 10, of at least 20 within 10 s.
func TestEjectedByShare(t *testing.T) {
	for name, c := range map[string]struct {
		of, each int // every each-th of so many fails
		step     time.Duration
		want     bool
	}{
		"every third":      {21, 3, 100 * time.Millisecond, true},
		"too few":          {18, 3, 100 * time.Millisecond, false},
		"every fourth":     {80, 4, 100 * time.Millisecond, false},
		"over a long time": {60, 3, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			ps, now := meet(4), time.Hour
			for i := range c.of {
				now += c.step
				if i%c.each == c.each-1 {
					ps.fail(now, 1)
				} else {
					ps.good(now, 1, 1)
				}
			}
			if got := ps.ejected(now, 1); got != c.want {
				t.Errorf("ejected: %v, want %v", got, c.want)
			}
		})
	}
}

// TestEjectedAtMost: half of the peers, of one that one; and when others left,
// so that over half are, nobody.
func TestEjectedAtMost(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 7: 3} {
		ps := meet(n)
		for p := range n {
			for range failuresInRow {
				ps.fail(time.Minute, Peer(p+1))
			}
		}
		got := 0
		for p := range n {
			if ps.ejected(time.Minute, Peer(p+1)) {
				got++
			}
		}
		if got != want {
			t.Errorf("%d of %d are ejected, want %d", got, n, want)
		}
		if n == 7 {
			for p := 4; p <= 6; p++ {
				ps.forget(Peer(p))
			}
			if ps.ejected(time.Minute, 1) {
				t.Error("three of four that are left are ejected")
			}
			if ps.forget(2); !ps.ejected(time.Minute, 1) && ps.ejections(time.Minute) != 2 {
				t.Error("one that left counts as ejected")
			}
		}
	}
}

// TestTrust: a peer has no more than it has shown that it can do.
func TestTrust(t *testing.T) {
	k := newConduct(2)
	full := func() (n int) {
		for ; !k.full(mostTrust); n++ {
			k.has++
		}
		return n
	}
	answer := func(n int, services float64) {
		for range n {
			k.answered(time.Second, services)
			k.has--
		}
	}
	if n := full(); n != 2 {
		t.Fatalf("a new peer gets %d, want 2", n)
	}
	answer(2, 1)
	if n := full(); n != 3 {
		t.Fatalf("after two answers it gets %d, want 3", n)
	}
	answer(3, 5)
	if n := full(); n != 3 {
		t.Fatalf("after three answers that were not quick it gets %d, want 3", n)
	}
	answer(3, 9)
	if n := full(); n != 1 {
		t.Fatalf("after three slow answers it gets %d, want 1", n)
	}
	answer(1, 1)
	for range 20 {
		full()
		answer(k.has, 1)
	}
	if k.trust > mostTrust {
		t.Errorf("it is trusted with %d, over the limit", k.trust)
	}
	for range 3 {
		k.failed(time.Second)
	}
	if k.trust > mostTrust/8 {
		t.Errorf("after three failures it is still trusted with %d", k.trust)
	}
}
