package monitor

import (
	"math"
	"testing"
	"time"
)

// Which updates need no lock; the model holds that none of them matters.
func TestQuiet(t *testing.T) {
	now := time.Now()
	m := New(Config{Now: func() time.Time { return now }})
	g := mustGauge(t, m, "x", "")
	quiet := func(want bool, values ...float64) {
		t.Helper()
		for _, v := range values {
			if _, ok := g.isQuiet(v); ok != want {
				t.Errorf("%v is quiet: %v, in %+v", v, ok, g.quiet.get())
			}
		}
	}
	quiet(true, 0, -1e300, 1e300)
	quiet(false, math.NaN(), math.Inf(1))
	mark, _ := watch(t, m, "high(x) > 100")
	quiet(false, 0)
	g.Set(5)
	quiet(true, -1e300, 4.9, 5)
	quiet(false, math.Nextafter(5, 6), 6)
	low, _ := watch(t, m, "low(x) < -100")
	g.Set(3)
	quiet(true, 3, 4, 5)
	quiet(false, 2.9, 5.1)
	mark.Close()
	low.Close()
	quiet(true, 0, 6)

	// 16 s are 16 slots of a second: between 16 and 17 s ago it was 5.
	g.Set(5)
	rate, _ := watch(t, m, "rate(x, 16s) > 2 cancel < -2")
	quiet(true, 36.9, 5, -1e6)
	quiet(false, 37, 38, math.NaN())
	now = now.Add(500 * time.Millisecond)
	g.Set(6)
	if v, _ := rate.Value(); v != 1/16.5 {
		t.Errorf("rate %v after a quiet update, want %v", v, 1/16.5)
	}
	quiet(true, 36.9)
	now = now.Add(500 * time.Millisecond)
	quiet(false, 5) // the next slot
	g.Set(5)
	quiet(true, 5, 36.9)
	bucket, _ := watch(t, m, "leaky(x, 1/s) > 2")
	quiet(false, 5)
	bucket.Close()
	quiet(true, 5)
	g.Unset()
	quiet(false, 5)
}
