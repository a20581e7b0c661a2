package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// spend takes single copies until there is no more.
func spend(b *Budget, now time.Duration) int {
	n := 0
	for b.Spend(now, 1) {
		n++
	}
	return n
}

func TestBudget(t *testing.T) {
	var b Budget
	if got := spend(&b, time.Hour); got != 10 {
		t.Errorf("a new budget has %d, want what a second earns", got)
	}
	if got := spend(&b, time.Hour); got != 0 {
		t.Errorf("a clock that stands still earned %d", got)
	}
	for range 52 {
		b.Earn(time.Hour)
	}
	if got := spend(&b, time.Hour); got != 10 {
		t.Errorf("52 requests earned %d, want a fifth", got)
	}
	if got := spend(&b, time.Hour+500*time.Millisecond); got != 5 {
		t.Errorf("half a second earned %d, want 5", got)
	}
	if got := spend(&b, 100*time.Hour); got != 100 {
		t.Errorf("days earned %d, want the burst", got)
	}
	for range 10_000 {
		b.Earn(100 * time.Hour)
	}
	if got := spend(&b, 100*time.Hour); got != 100 {
		t.Errorf("10,000 requests at once earned %d, want the burst", got)
	}
}

func TestBudgetAllOrNothing(t *testing.T) {
	b := Budget{Rate: 3, Burst: 3}
	if b.Spend(0, 4) {
		t.Error("4 of 3 were there")
	}
	if !b.Spend(0, 2) || b.Spend(0, 2) || !b.Spend(0, 1) {
		t.Error("what cannot be had whole must take nothing")
	}
}

// TestBudgetBounds: never more than the first second's, the shares and the
// rate allow, and never more at once than the burst; and what is owed is had.
func TestBudgetBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Budget{
			Share: rapid.SampledFrom([]float64{0, 0.1, 1}).Draw(t, "share"),
			Rate:  rapid.SampledFrom([]float64{0, 1, 50}).Draw(t, "rate"),
			Burst: rapid.SampledFrom([]float64{0, 5, 20}).Draw(t, "burst"),
		}
		share, rate, burst := b.Share, b.Rate, b.Burst
		for p, v := range map[*float64]float64{&share: 0.2, &rate: 10, &burst: 100} {
			if *p == 0 {
				*p = v
			}
		}
		// What there is, counted in millionths so that nothing is rounded. A
		// budget begins with its first use.
		const unit = 1_000_000
		var now time.Duration
		b.Earn(now)
		have := min(int((rate+share)*unit), int(burst)*unit)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				pass := rapid.IntRange(0, 3000).Draw(t, "ms")
				now += time.Duration(pass) * time.Millisecond
				have = min(have+pass*int(rate)*unit/1000, int(burst)*unit)
			case 1:
				b.Earn(now)
				have = min(have+int(share*unit), int(burst)*unit)
			case 2:
				n := rapid.IntRange(1, 3).Draw(t, "n")
				got := b.Spend(now, n)
				if near := have - n*unit; near > -10 && near < 10 {
					if got {
						have = max(near, 0)
					}
				} else if got != (near > 0) {
					t.Fatalf("at %v: spend %d of %v/%d: %v", now, n, have, unit, got)
				} else if got {
					have = near
				}
			}
		}
	})
}
