package monitor

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// watch sets a threshold and has the log of what it tells.
func watch(t testing.TB, m *Monitor, text string) (*Threshold, *[]string) {
	t.Helper()
	var log []string
	return mustWatch(t, m, text, func(c Crossing) { log = append(log, tale(c)) }), &log
}

func mustWatch(t testing.TB, m *Monitor, text string, callback func(Crossing)) *Threshold {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return mustWatchCondition(t, m, c, callback)
}

func mustWatchCondition(t testing.TB, m *Monitor, c Condition, callback func(Crossing)) *Threshold {
	t.Helper()
	threshold, err := m.Watch(c, callback)
	if err != nil {
		t.Fatal(err)
	}
	return threshold
}

func mustGauge(t testing.TB, m *Monitor, name, item string) *Gauge {
	t.Helper()
	g, err := m.Gauge(Key{name, item})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func expectTold(t *testing.T, log *[]string, want ...string) {
	t.Helper()
	if !slices.Equal(*log, want) {
		t.Errorf("told %q, want %q", *log, want)
	}
}

func TestThresholdOncePerCrossing(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "cpu", "")
	both, told := watch(t, m, "cpu > 0.85 cancel < 0.7")
	_, plain := watch(t, m, "cpu >= 0.9")
	for _, v := range []float64{0.85, 0.86, 0.9, 0.95, 0.7, 0.89, 0.9, 0.69, 0.8, 0.86} {
		g.Set(v)
	}
	expectTold(t, told, "true 0.86", "false 0.69", "true 0.86")
	expectTold(t, plain, "true 0.9", "true 0.9")
	if v, ok := both.Value(); !both.Raised() || !ok || v != 0.86 {
		t.Errorf("raised %v at %v (%v)", both.Raised(), v, ok)
	}
}

func TestThresholdSetWhileItHolds(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "cpu", "")
	_, early := watch(t, m, "cpu < 1")
	expectTold(t, early)
	g.Set(0)
	_, late := watch(t, m, "cpu < 1")
	expectTold(t, early, "true 0")
	expectTold(t, late, "true 0")
}

// What cannot be known keeps nothing raised.
func TestThresholdOfAnAbsentGauge(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "cpu", "")
	high, told := watch(t, m, "high(cpu) > 5 cancel < 1")
	for _, v := range []float64{6, math.Inf(1), 4, math.NaN(), 7} {
		g.Set(v)
	}
	expectTold(t, told, "true 6", "false NaN", "true 7")
	g.Unset()
	if _, ok := g.Value(); ok || high.Raised() {
		t.Error("an absent gauge has a value, or its threshold is raised")
	}
	g.Add(2)
	if v, _ := high.Value(); v != 2 {
		t.Errorf("the highest since it was absent is %v, want 2", v)
	}
}

func TestThresholdCallbackMaySetItsGauge(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "level", "")
	var told []string
	var threshold *Threshold
	threshold = mustWatch(t, m, "level > 10 cancel < 1", func(c Crossing) {
		told = append(told, "begin "+tale(c))
		if c.Raised {
			g.Set(0)
		} else {
			threshold.Close()
			g.Set(20)
		}
		told = append(told, "end")
	})
	g.Set(11)
	expectTold(t, &told, "begin true 11", "end", "begin false 0", "end")
}

func TestThresholdClosed(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	a, told := watch(t, m, "rate(x, 1s) > 1")
	b, others := watch(t, m, "x > 1")
	a.Close()
	a.Close()
	g.Set(5)
	m.Tick()
	expectTold(t, told)
	expectTold(t, others, "true 5")
	b.Close()
	if g.quiet.get() != always || g.timed.Load() || len(g.statistics) != 0 || len(m.timed) != 0 {
		t.Errorf("closed thresholds leave %v, %v, %d, %d", g.quiet.get(), g.timed.Load(), len(g.statistics), len(m.timed))
	}
}

// A callback that panics has its threshold tell of the next crossing.
func TestThresholdAfterAPanic(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	var told []string
	mustWatch(t, m, "x > 1 cancel < 0", func(c Crossing) {
		told = append(told, tale(c))
		if c.Raised {
			panic("a programmer's error")
		}
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not come up")
			}
		}()
		g.Set(2)
	}()
	g.Set(-1)
	expectTold(t, &told, "true 2", "false -1")
}

// While a callback takes its time the others go on, what crosses meanwhile
// waits in order, and what is too much goes by pairs.
func TestThresholdWithASlowCallback(t *testing.T) {
	for _, cancel := range []string{"", " cancel < 0"} {
		synctest.Test(t, func(t *testing.T) {
			m := New(Config{})
			g := mustGauge(t, m, "x", "")
			hold := make(chan struct{})
			var told []Crossing
			slow := mustWatch(t, m, "x > 1"+cancel, func(c Crossing) {
				<-hold
				told = append(told, c)
			})
			_, other := watch(t, m, "x > 1000")
			go g.Set(2)
			synctest.Wait()
			for i := range 100 {
				g.Set(-1)
				g.Set(float64(100 + i))
			}
			g.Set(2000)
			expectTold(t, other, "true 2000")
			close(hold)
			synctest.Wait()

			most, missed := 1+maxPending, uint64(200-maxPending)
			if cancel == "" {
				missed = 100 - maxPending
			}
			if len(told) > most || slow.Missed() != missed {
				t.Fatalf("%q: %d told, %d missed; want at most %d, and %d", cancel, len(told), slow.Missed(), most, missed)
			}
			for i, c := range told {
				if want := cancel == "" || i%2 == 0; c.Raised != want {
					t.Fatalf("%q: crossing %d of %v is %v", cancel, i, told, c.Raised)
				}
			}
			if last := told[len(told)-1]; last.Raised != slow.Raised() {
				t.Errorf("%q: the last word is %v, and raised is %v", cancel, last, slow.Raised())
			}
		})
	}
}

// Many goroutines set one gauge: each threshold's callback runs alone, raises
// and cancels alternate, and the last is true.
func TestThresholdsFromManyGoroutines(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	var told [3][]Crossing
	var inside [3]sync.Mutex
	var thresholds []*Threshold
	for i, text := range []string{"x > 5 cancel < 3", "rate(x, 1ms) > 0 cancel < -1", "leaky(x, 1000/s) > 9 cancel < 1"} {
		thresholds = append(thresholds, mustWatch(t, m, text, func(c Crossing) {
			if !inside[i].TryLock() {
				t.Error("two callbacks of one threshold at once")
				return
			}
			told[i] = append(told[i], c)
			inside[i].Unlock()
		}))
	}
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 500 {
				g.Set(float64((i*7 + n) % 10))
				m.Tick()
				if i%100 == 0 {
					mustWatch(t, m, "x > 8", func(Crossing) {}).Close()
				}
			}
		})
	}
	wg.Wait()
	for i, threshold := range thresholds {
		for n, c := range told[i] {
			if c.Raised != (n%2 == 0) {
				t.Fatalf("%v: crossing %d is %v", threshold.Condition(), n, c)
			}
		}
		if raised := len(told[i])%2 == 1; raised != threshold.Raised() {
			t.Errorf("%v: told %d times, and raised is %v", threshold.Condition(), len(told[i]), threshold.Raised())
		}
	}
	if len(told[0]) == 0 {
		t.Error("nothing crossed")
	}
}

// The same where most updates take no lock: what is said at last is true of the
// value at last.
func TestThresholdFromManyGoroutinesWithoutALock(t *testing.T) {
	for range 300 {
		m := New(Config{})
		g := mustGauge(t, m, "x", "")
		var told []Crossing
		threshold := mustWatch(t, m, "x >= 5 cancel <= 3", func(c Crossing) { told = append(told, c) })
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				for i := range 20 {
					g.Set(float64((i*3+n)%8) + 0.5)
					g.Add(-1)
				}
			})
		}
		wg.Wait()
		v, _ := g.Value()
		if raised := threshold.Raised(); v >= 5 && !raised || v <= 3 && raised || raised != (len(told)%2 == 1) {
			t.Fatalf("raised is %v at %v, told %v", raised, v, told)
		}
		for i, c := range told {
			if c.Raised != (i%2 == 0) {
				t.Fatalf("crossing %d of %v", i, told)
			}
		}
	}
}

// One goroutine crosses, under the lock, while another sets what was quiet
// before, without it. Whichever comes last, the threshold must know of it.
func TestSetWhileAnotherCrosses(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	threshold := mustWatch(t, m, "x > 5 cancel < 3", func(Crossing) {})
	meet, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for range meet {
			g.Set(2)
			meet <- struct{}{}
		}
	}()
	for i := range 20_000 {
		meet <- struct{}{}
		for range i % 64 { // each a little later than the one before
			g.Value()
		}
		g.Set(6)
		<-meet
		if v, _ := g.Value(); threshold.Raised() != (v == 6) {
			t.Fatalf("round %d: raised is %v at %v", i, threshold.Raised(), v)
		}
		g.Set(2)
	}
	close(meet)
	<-done
}

// Between an update's look at what is quiet and its end, another crosses.
func TestSetOvertakenByACrossing(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	_, told := watch(t, m, "x > 5 cancel < 3")
	version, ok := g.isQuiet(2)
	if !ok {
		t.Fatal("2 is not quiet")
	}
	g.Set(6)
	g.value.Store(math.Float64bits(2))
	g.confirm(version)
	expectTold(t, told, "true 6", "false 2")
}

// A gauge that is set while its first threshold is: whichever comes first, the
// threshold knows of it.
func TestSetWhileAnotherWatches(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	meet, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for range meet {
			g.Set(6)
			meet <- struct{}{}
		}
	}()
	for i := range 20_000 {
		g.Set(2)
		meet <- struct{}{}
		for range i % 64 {
			g.Value()
		}
		threshold := mustWatchCondition(t, m, Condition{Of: Measure{Of: g.Key()}, Raise: Bound{Above, 5}}, func(Crossing) {})
		<-meet
		if !threshold.Raised() {
			t.Fatalf("round %d: not raised", i)
		}
		threshold.Close()
	}
	close(meet)
	<-done
}

// What waits for a slow callback is not told after Close.
func TestThresholdClosedByItsCallback(t *testing.T) {
	m := New(Config{})
	g := mustGauge(t, m, "x", "")
	var told []string
	var threshold *Threshold
	threshold = mustWatch(t, m, "x > 1 cancel < 0", func(c Crossing) {
		told = append(told, tale(c))
		g.Set(-1)
		threshold.Close()
	})
	g.Set(2)
	expectTold(t, &told, "true 2")
}

func TestConditionCheck(t *testing.T) {
	x := Measure{Of: Key{Name: "x"}}
	for _, c := range []Condition{
		{},
		{Of: x},
		{Of: x, Raise: Bound{5, 1}},
		{Of: x, Raise: Bound{Above, math.NaN()}},
		{Of: x, Raise: Bound{Above, math.Inf(1)}},
		{Of: x, Raise: Bound{Above, 1}, Cancel: Bound{0, 1}},
		{Of: x, Raise: Bound{Above, 1}, Cancel: Bound{Below, 1}},
		{Of: x, Raise: Bound{Above, 1}, Cancel: Bound{Above, 0}},
		{Of: Measure{Kind: 9, Of: x.Of}, Raise: Bound{Above, 1}},
		{Of: Measure{Kind: Rate, Of: x.Of}, Raise: Bound{Above, 1}},
		{Of: Measure{Kind: Leaky, Of: x.Of}, Raise: Bound{Above, 1}},
		{Of: Measure{Kind: Leaky, Of: x.Of, Leak: math.Inf(1)}, Raise: Bound{Above, 1}},
		{Of: Measure{Of: x.Of, Leak: 1}, Raise: Bound{Above, 1}},
		{Of: Measure{Of: x.Of, Window: 1}, Raise: Bound{Above, 1}},
		{Of: Measure{Of: Key{Name: "a b"}}, Raise: Bound{Above, 1}},
		{Of: Measure{Of: Key{Name: "x", Item: "\xff"}}, Raise: Bound{Above, 1}},
	} {
		if _, err := New(Config{}).Watch(c, func(Crossing) {}); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func ExampleMonitor_Watch() {
	m := New(Config{})
	used, _ := m.Gauge(Key{Name: "disk.used", Item: "/data"})
	when, _ := Parse("disk.used{item=/data} > 0.9 cancel < 0.8")
	full, _ := m.Watch(when, func(c Crossing) { fmt.Println(c.Raised, c.Value) })
	defer full.Close()
	for _, share := range []float64{0.5, 0.91, 0.99, 0.85, 0.79} {
		used.Set(share)
	}
	// Output:
	// true 0.91
	// false 0.79
}
