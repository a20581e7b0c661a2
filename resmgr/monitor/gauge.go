package monitor

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Gauge is a value that rises and falls. Monitor.Gauge has them.
type Gauge struct {
	key     Key
	monitor *Monitor
	value   atomic.Uint64 // float64 bits; NaN: absent
	quiet   published
	timed   atomic.Bool  // a statistic needs the time
	last    atomic.Int64 // of the latest quiet update that needed it, as a time.Duration

	mu sync.Mutex // also guards what statistics and thresholds say it does
	// All statistics that a threshold is set on. Guarded by mu.
	statistics []*statistic
	told       time.Duration // the latest time that they were told. Guarded by mu.
	loud       bool          // one of them needs each value, so none is quiet. Guarded by mu.
}

func newGauge(m *Monitor, k Key) *Gauge {
	g := &Gauge{key: k, monitor: m}
	g.value.Store(absent)
	g.quiet.put(always) // nobody else has it yet
	return g
}

// Key is the gauge's name.
func (g *Gauge) Key() Key { return g.key }

// Value is what was set last; false while the gauge is absent.
func (g *Gauge) Value() (v float64, ok bool) {
	v = g.load()
	return v, !math.IsNaN(v)
}

func (g *Gauge) load() float64 { return math.Float64frombits(g.value.Load()) }

// Set sets the value, and tells the thresholds that this crosses. What is not
// finite makes the gauge absent, as Unset does.
func (g *Gauge) Set(v float64) {
	if version, ok := g.isQuiet(v); ok {
		g.value.Store(math.Float64bits(v))
		g.confirm(version)
		return
	}
	g.update(set, v)
}

// Add adds d, to 0 if the gauge is absent. As Set in all else.
func (g *Gauge) Add(d float64) {
	for {
		old := g.value.Load()
		v := sum(old, d)
		version, ok := g.isQuiet(v)
		if !ok {
			g.update(add, d)
			return
		}
		if g.value.CompareAndSwap(old, math.Float64bits(v)) {
			g.confirm(version)
			return
		}
	}
}

// isQuiet reports whether v, now, changes nothing for anybody who watches, and
// what to confirm when it has been stored.
func (g *Gauge) isQuiet(v float64) (version uint32, ok bool) {
	version, until, ok := g.quiet.has(v)
	if !ok || until == forever {
		return version, ok
	}
	now := g.monitor.now()
	if now >= until {
		return 0, false
	}
	if int64(now) > g.last.Load() {
		g.last.Store(int64(now)) // a moment more or less, when two do so
	}
	return version, true
}

// confirm ends an update without a lock: if other values are quiet by now, this
// one may cross something.
func (g *Gauge) confirm(version uint32) {
	if !g.quiet.still(version) {
		g.update(look, 0)
	}
}

// Unset makes the gauge absent: what it shows is not known. Nothing is above
// or below that, so what is raised on it is cancelled, and its statistics
// begin anew with the next value.
func (g *Gauge) Unset() { g.Set(math.NaN()) }

// absent is one NaN of many.
var absent = math.Float64bits(math.NaN())

// bitsOf is the one absent for all that is not finite.
func bitsOf(v float64) uint64 {
	if !finite(v) {
		return absent
	}
	return math.Float64bits(v)
}

func sum(bits uint64, d float64) float64 {
	if bits == absent {
		return d
	}
	return math.Float64frombits(bits) + d
}

// change is what an update does to the value.
type change uint8

const (
	look change = iota // nothing
	set
	add
)

// update changes the value and evaluates what watches it; then it tells.
func (g *Gauge) update(c change, v float64) {
	now := time.Duration(0)
	if g.timed.Load() {
		now = g.monitor.now()
	}
	g.mu.Lock()
	before := g.value.Load()
	bits := before
	switch c {
	case set:
		bits = bitsOf(v)
		before = g.value.Swap(bits)
	case add:
		for {
			bits = bitsOf(sum(before, v))
			if g.value.CompareAndSwap(before, bits) {
				break
			}
			before = g.value.Load()
		}
	}
	crossed := g.evaluateLocked(now, before, bits)
	g.mu.Unlock()
	tell(crossed)
}

// evaluateLocked returns the thresholds that have something to tell of the
// value, which was another before, or of those that came after it without a
// lock.
func (g *Gauge) evaluateLocked(now time.Duration, before, bits uint64) (crossed []*Threshold) {
	now = max(now, g.nowLocked()) // who reads the clock first may come here second
	g.told = now
	for {
		then, v := math.Float64frombits(before), math.Float64frombits(bits)
		for _, s := range g.statistics {
			if x := s.next(now, then, v); !s.quiet.has(x) {
				crossed = append(crossed, s.cross(x)...)
			}
		}
		if g.loud { // and nobody sets it without the lock
			return crossed
		}
		q := g.measureQuietLocked(now)
		if q == g.quiet.get() {
			return crossed
		}
		g.quiet.put(q)
		after := g.value.Load()
		if after == bits {
			return crossed
		}
		before, bits = bits, after
	}
}

// nowLocked is the time of the latest update.
func (g *Gauge) nowLocked() time.Duration { return max(g.told, time.Duration(g.last.Load())) }

// measureQuietLocked is what should be in force: what is quiet to all.
func (g *Gauge) measureQuietLocked(now time.Duration) span {
	q := always
	for _, s := range g.statistics {
		own := s.quietGauge(now)
		q.low, q.high, q.until = max(q.low, own.low), min(q.high, own.high), min(q.until, own.until)
		if !(q.low < q.high) {
			return never // so that all of these are equal
		}
	}
	return q
}

// watch adds a threshold, to the statistic that it is on, and evaluates it.
func (g *Gauge) watch(t *Threshold) {
	measure := t.condition.Of
	now := g.monitor.now()
	g.mu.Lock()
	i := slices.IndexFunc(g.statistics, func(s *statistic) bool { return s.measure == measure })
	if i < 0 {
		i = len(g.statistics)
		g.statistics = append(g.statistics, newStatistic(measure))
	}
	t.statistic = g.statistics[i]
	t.statistic.add(t)
	g.measureNeedsLocked()
	crossed := g.lookLocked(now)
	g.mu.Unlock()
	tell(crossed)
}

// lookLocked evaluates the present value, and all that come from now on.
func (g *Gauge) lookLocked(now time.Duration) (crossed []*Threshold) {
	g.quiet.put(never)
	bits := g.value.Load()
	return g.evaluateLocked(now, bits, bits)
}

// reset has a statistic begin anew with the present value.
func (g *Gauge) reset(s *statistic) {
	now := g.monitor.now()
	g.mu.Lock()
	s.reset()
	crossed := g.lookLocked(now)
	g.mu.Unlock()
	tell(crossed)
}

func tell(crossed []*Threshold) {
	for _, t := range crossed {
		t.tell()
	}
}

// unwatch takes a threshold away, and its statistic with the last one.
func (g *Gauge) unwatch(t *Threshold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.pending = nil
	t.statistic.remove(t)
	g.statistics = slices.DeleteFunc(g.statistics, func(s *statistic) bool { return len(s.thresholds) == 0 })
	g.measureNeedsLocked()
	// Wider than before: what was quiet is.
	g.quiet.put(g.measureQuietLocked(g.nowLocked()))
}

// measureNeedsLocked finds out what the statistics need of an update.
func (g *Gauge) measureNeedsLocked() {
	has := func(kinds ...Kind) bool {
		return slices.ContainsFunc(g.statistics, func(s *statistic) bool { return slices.Contains(kinds, s.measure.Kind) })
	}
	g.timed.Store(has(Rate, Leaky))
	g.loud = has(Leaky)
}

func (g *Gauge) watched() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.statistics) > 0
}
