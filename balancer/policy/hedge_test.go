package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestQuantile: it is within a step of what sorting says, follows a change, and
// says nothing of a few.
func TestQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, share := range []float64{.5, .95, .99} {
		q := quantile{share: share}
		for _, scale := range []time.Duration{time.Microsecond, 40 * time.Millisecond, time.Hour} {
			var all []time.Duration
			for range 30_000 {
				d := time.Duration(r.ExpFloat64() * float64(scale))
				q.note(d)
				if all = append(all, d); scale == time.Microsecond && (len(all) < quantileLeast) != (q.value == 0) && len(all) < quantileLeast {
					t.Fatalf("after %d: %v", len(all), q.value)
				}
			}
			slices.Sort(all)
			want := all[int(share*float64(len(all)))]
			if ratio := float64(q.value) / float64(want); ratio < .9 || ratio > 1.35 {
				t.Errorf("p%v of %v in the mean: %v, sorted %v", 100*share, scale, q.value, want)
			}
		}
	}
}

// TestSteps: every time is below the end of its range and not below the one
// before.
func TestSteps(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, 4, 5, 7, 8, 9, 1023, 1024, time.Millisecond, time.Second, time.Hour, 1<<62 - 1, 1 << 62, 1<<63 - 1} {
		i := step(d)
		if i < 0 || i >= len(quantile{}.counts) {
			t.Fatalf("%d is in range %d", d, i)
		}
		if d > 4 && d < 1<<61 && (end(i) <= d || end(i-1) > d) {
			t.Errorf("%d is in range %d, from %d to %d", d, i, end(i-1), end(i))
		}
	}
}

// TestHedgerStops: backups that lose are all but ended, and come back when they
// win again; where some win the wait is such that half do.
func TestHedgerStops(t *testing.T) {
	h := newHedger(Copies{}.usual(Hedge))
	now := time.Duration(0)
	random := rand.New(rand.NewPCG(1, 2))
	// play is n requests that take 10 ms in the mean, and of each hundred some at
	// a server that then takes a second longer.
	play := func(n int, slow float64) (sent, won int) {
		for range n {
			now += 10 * time.Millisecond
			h.budget.Earn(now)
			need := time.Duration(random.ExpFloat64() * float64(10*time.Millisecond))
			took, wait := need, h.wait(0)
			if random.Float64() < slow/100 {
				took += time.Second
			}
			if wait > 0 && took > wait && h.budget.Spend(now, 1) {
				sent++
				h.judge(wait+need < took)
				if wait+need < took {
					won++
				}
				took = min(took, wait+need)
			}
			h.answered(took)
		}
		return sent, won
	}
	play(5000, 0)
	if n, won := play(20_000, 0); n > 60 || won > 0 {
		t.Errorf("%d of 20,000 have a backup that cannot win, want 2 in a thousand; %d won", n, won)
	}
	play(5000, 2)
	if n, won := play(20_000, 2); won < 350 || won < n*4/10 {
		t.Errorf("of 400 at a slow server %d have a backup that wins, and %d have one in all", won, n)
	}
	play(5000, 0)
	if n, _ := play(20_000, 0); n > 60 {
		t.Errorf("%d of 20,000 have a backup when none can win any more", n)
	}
}

// TestHedgeTime: without a fixed time it is the quantile of the times so far,
// and until there are enough there is none.
func TestHedgeTime(t *testing.T) {
	c := NewCore(Config{Places: 1, Mode: Hedge, Copies: Copies{Share: 1}})
	c.Hear(0, 'b', Report{})
	now := time.Duration(0)
	serve := func(took time.Duration) (backup time.Duration) {
		r := &Request{Movable: true, Repeatable: true}
		c.Arrive(now, r, nil)
		if at, ok := c.Next(); ok {
			backup = at - now
		}
		now += took
		c.Answered(now, r, 0, nil)
		c.Finish(now, r, took, Served, nil)
		if _, ok := c.Next(); ok {
			t.Error("a backup is planned for what was answered")
		}
		return backup
	}
	for i := range 200 {
		took := 10 * time.Millisecond
		if i%25 == 0 {
			took = 300 * time.Millisecond
		}
		if at := serve(took); i < quantileLeast && at != 0 {
			t.Fatalf("a backup after %v when %d were answered", at, i)
		}
	}
	if at := serve(time.Millisecond); at < 10*time.Millisecond || at > 13*time.Millisecond {
		t.Errorf("a backup after %v, want 10 ms", at)
	}
}
