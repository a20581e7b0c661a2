package policy

import (
	"math/rand/v2"
	"testing"
	"time"
)

// grows is a server of so many workers as a limit sees it: mean times by the
// number in flight, with noise.
func grows(r *rand.Rand, workers, n int) time.Duration {
	mean := 40e6 * max(1, float64(n)/float64(workers))
	return time.Duration(mean * r.ExpFloat64())
}

// TestLimitFit: the answer is among what is possible, and what is possible
// becomes narrow.
func TestLimitFit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, workers := range []int{1, 2, 4, 10, 30} {
		l := newLimit(64, 64)
		for range 20_000 {
			n := 1 + r.IntN(64)
			l.beside[n-1].note(0, grows(r, workers, n).Seconds())
		}
		low, high, last := l.fit()
		if low > workers || high < workers || last != 64 || high > workers+workers/3+1 || low < workers*2/3 {
			t.Errorf("of %d workers: %d to %d, up to %d seen", workers, low, high, last)
		}
	}
	l := newLimit(64, 64)
	for range 2000 {
		n := 1 + r.IntN(20)
		l.beside[n-1].note(0, grows(r, 30, n).Seconds())
	}
	if _, high, last := l.fit(); high != 20 || last != 20 {
		t.Errorf("20 of 30 workers were used: up to %d is possible, %d were seen", high, last)
	}
}

// TestLimitBounds: it stays between 1 and the upper bound whatever it hears, and
// moves by steps.
func TestLimitBounds(t *testing.T) {
	const most = 10
	l := newLimit(3, most)
	r := rand.New(rand.NewPCG(5, 6))
	now, low, high := time.Duration(0), 3, 3
	for i := range 200_000 {
		now += time.Duration(r.IntN(100)) * time.Millisecond
		before := l.places
		workers := 1 + i/1000%40
		n := 1 + r.IntN(l.places+2) // above the limit too: it has just come down
		moved := l.note(now, n, grows(r, workers, n)*time.Duration(r.IntN(2)), r.IntN(2) == 0)
		if moved != (l.places != before) || l.places < 1 || l.places > most || l.places > before+max(1, before/4) || l.places < before*2/3 {
			t.Fatalf("from %d to %d, moved: %v", before, l.places, moved)
		}
		low, high = min(low, l.places), max(high, l.places)
	}
	if low != 1 || high != most {
		t.Errorf("it was between %d and %d, want 1 and %d", low, high, most)
	}
}

// TestLimitRises: nothing is known of more than the limit, and others wait: it
// rises; when nobody waits it stays.
func TestLimitRises(t *testing.T) {
	for _, crowded := range []bool{true, false} {
		l, now := newLimit(1, 64), time.Duration(0)
		for range 2000 {
			now += 10 * time.Millisecond
			l.note(now, l.places, 40*time.Millisecond, crowded)
		}
		if crowded != (l.places == 64) {
			t.Errorf("others wait: %v; it came to %d", crowded, l.places)
		}
	}
}

// TestLearnedPlaces: a core uses what it has learned, and tells it.
func TestLearnedPlaces(t *testing.T) {
	c := NewCore(Config{Places: 1, MaxPlaces: 4, Service: 40 * time.Millisecond})
	var running []*Request
	out, now := []Effect(nil), time.Duration(0)
	take := func() {
		for _, e := range out {
			if e.Do == DoStart {
				running = append(running, e.Request)
			}
		}
		out = out[:0]
	}
	for range 400 {
		now += 40 * time.Millisecond
		for c.State().Queued < 8 {
			out = c.Arrive(now, &Request{}, out)
		}
		take()
		for _, r := range running {
			out = c.Finish(now, r, 40*time.Millisecond, Served, out)
		}
		running = running[:0]
		take()
		if len(running) > 4 {
			t.Fatalf("%d run at once, at most 4 may", len(running))
		}
	}
	if c.Report().Places != 4 || len(running) != 4 {
		t.Errorf("it came to %d places, %d run; want 4", c.Report().Places, len(running))
	}
}

// TestLimitAllocatesNothing: a judgement is no garbage, and with a thousand
// places it costs microseconds, a few times a second.
func TestLimitAllocatesNothing(t *testing.T) {
	l, now := newLimit(1000, 1000), time.Duration(0)
	if n := testing.AllocsPerRun(100, func() {
		for n := range 1000 {
			now += time.Millisecond
			l.note(now, n+1, time.Duration(n+1)*time.Millisecond, true)
		}
	}); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkLimit(b *testing.B) {
	l, now, n := newLimit(64, 64), time.Duration(0), 0
	b.ReportAllocs()
	for b.Loop() {
		now += time.Millisecond
		n = (n + 7) % l.places
		l.note(now, n+1, time.Duration(n+40)*time.Millisecond, true)
	}
}
