package monitor

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestGauge(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	if _, ok := g.Value(); ok {
		t.Error("a new gauge has a value")
	}
	g.Add(-2)
	g.Add(5)
	if v, ok := g.Value(); !ok || v != 3 {
		t.Errorf("%v (%v), want 3", v, ok)
	}
	if again := mustGauge(t, m, "x", ""); again != g || mustGauge(t, m, "x", "a") == g {
		t.Error("a key has two gauges, or two keys have one")
	}
	if _, err := m.Gauge(Key{}); err == nil {
		t.Error("a gauge without a name")
	}
}

func TestForget(t *testing.T) {
	m := New(Config{})
	g, _ := m.Gauge(Key{Name: "x"})
	g.Set(3)
	c, _ := Parse("x > 5")
	watched, err := m.Watch(c, func(Crossing) {})
	if err != nil {
		t.Fatal(err)
	}
	if m.Forget(g.Key()) {
		t.Error("a gauge that is watched was forgotten")
	}
	watched.Close()
	if !m.Forget(g.Key()) || !m.Forget(Key{Name: "never"}) {
		t.Error("a gauge that nobody watches was kept")
	}
	if again, _ := m.Gauge(g.Key()); again == g {
		t.Error("the forgotten gauge is back")
	}
}

func TestGaugeAddsUp(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				g.Add(1)
			}
		})
	}
	threshold, _ := watch(t, m, "x > 1e9") // from the middle on the lock is in play
	wg.Wait()
	if v, _ := g.Value(); v != 4000 {
		t.Errorf("%v, want 4000", v)
	}
	if v, _ := threshold.Value(); v != 4000 {
		t.Errorf("the threshold saw %v at last, want 4000", v)
	}
}

// The clock is not asked where it does not matter, and one that goes back
// changes nothing.
func TestGaugeAndTheClock(t *testing.T) {
	asked, now := 0, time.Now()
	m := New(Config{Now: func() time.Time { asked++; return now }})
	plain, timed := mustGauge(t, m, "plain", ""), mustGauge(t, m, "timed", "")
	watch(t, m, "plain > 5")
	bucket, _ := watch(t, m, "leaky(timed, 1/s) > 5")
	asked = 0
	plain.Set(1)
	m.Tick()
	if asked != 1 {
		t.Errorf("the clock was asked %d times, want once, for the tick of the one that needs it", asked)
	}
	timed.Set(0)
	timed.Set(5)
	now = now.Add(-time.Hour)
	timed.Set(6)
	if v, _ := bucket.Value(); v != 6 {
		t.Errorf("%v in the bucket, want 6", v)
	}
}

func TestSetAllocatesNothing(t *testing.T) {
	m := New(Config{})
	for _, text := range []string{"x > 1e9", "high(x) > 1e9", "low(x) < -1e9", "rate(x, 1ms) > 1e15", "leaky(x, 1e9/s) > 1e9"} {
		watch(t, m, text)
	}
	g, unwatched := mustGauge(t, m, "x", ""), mustGauge(t, m, "y", "")
	watch(t, m, "z > 1e9 cancel < 1")
	alone := mustGauge(t, m, "z", "")
	v := 0.0
	if n := testing.AllocsPerRun(1000, func() {
		v++
		g.Set(v)
		g.Add(1)
		alone.Set(v)
		alone.Add(1)
		unwatched.Set(v)
		unwatched.Add(1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// An update that crosses nothing, with n gauges that have a threshold each,
// and with n thresholds on the one gauge.
func BenchmarkSet(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("gauges=%d", n), func(b *testing.B) {
			m := New(Config{})
			for i := range n {
				mustGauge(b, m, "x", fmt.Sprint(i)).Set(0)
				watch(b, m, fmt.Sprintf("x{item=%d} > 1 cancel < 0.5", i))
			}
			benchmarkSet(b, mustGauge(b, m, "x", "0"))
		})
		b.Run(fmt.Sprintf("thresholds=%d", n), func(b *testing.B) {
			m := New(Config{})
			for i := range n {
				watch(b, m, fmt.Sprintf("x{item=0} > %d cancel < 0.5", i+1))
			}
			benchmarkSet(b, mustGauge(b, m, "x", "0"))
		})
	}
}

// An update by what is watched.
func BenchmarkSetBy(b *testing.B) {
	for _, text := range []string{"y > 9", "x > 9", "high(x) > 9", "rate(x, 10s) > 1e18", "leaky(x, 1/s) > 1e18"} {
		b.Run(text, func(b *testing.B) {
			m := New(Config{})
			watch(b, m, text)
			benchmarkSet(b, mustGauge(b, m, "x", ""))
		})
	}
}

func benchmarkSet(b *testing.B, g *Gauge) {
	b.ReportAllocs()
	v := 0.0
	for b.Loop() {
		v = 0.9 - v
		g.Set(v)
	}
}
