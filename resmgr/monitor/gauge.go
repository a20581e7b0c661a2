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
	value   atomic.Uint64         // float64 bits; NaN: absent
	quiet   atomic.Pointer[quiet] // never nil
	timed   atomic.Bool           // a statistic needs the time

	mu sync.Mutex // also guards what statistics and thresholds say it does
	// All statistics that a threshold is set on. Guarded by mu.
	statistics []*statistic
	last       time.Duration // the latest time that they were told. Guarded by mu.
}

func newGauge(m *Monitor, k Key) *Gauge {
	g := &Gauge{key: k, monitor: m}
	g.value.Store(absent)
	g.publishLocked() // nobody else has it yet
	return g
}

// quiet are the values, strictly between two, that change nothing for anybody
// who watches the gauge. Setting one of them takes no lock: whoever has stored
// it looks whether it is still in force, and whoever puts another in force
// looks at the value after that, so one of both sees what the other did. Each
// is a new one, to be told apart by its address.
type quiet struct{ low, high float64 }

func (q *quiet) has(v float64) bool { return q.low < v && v < q.high }

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
	if q := g.quiet.Load(); q.has(v) {
		g.value.Store(math.Float64bits(v))
		g.confirm(q)
		return
	}
	g.update(set, v)
}

// Add adds d, to 0 if the gauge is absent. As Set in all else.
func (g *Gauge) Add(d float64) {
	q := g.quiet.Load()
	for {
		old := g.value.Load()
		v := sum(old, d)
		if !q.has(v) {
			g.update(add, d)
			return
		}
		if g.value.CompareAndSwap(old, math.Float64bits(v)) {
			g.confirm(q)
			return
		}
	}
}

// confirm ends an update without a lock: if q is not in force any more, the
// value may cross something.
func (g *Gauge) confirm(q *quiet) {
	if g.quiet.Load() != q {
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
	bits := g.value.Load()
	switch c {
	case set:
		bits = bitsOf(v)
		g.value.Store(bits)
	case add:
		for old := bits; ; old = g.value.Load() {
			bits = bitsOf(sum(old, v))
			if g.value.CompareAndSwap(old, bits) {
				break
			}
		}
	}
	crossed := g.evaluateLocked(now, bits)
	g.mu.Unlock()
	tell(crossed)
}

// evaluateLocked returns the thresholds that have something to tell of the
// value, or of those that came after it without a lock.
func (g *Gauge) evaluateLocked(now time.Duration, bits uint64) (crossed []*Threshold) {
	g.last = max(g.last, now) // who reads the clock first may come here second
	for {
		v := math.Float64frombits(bits)
		for _, s := range g.statistics {
			if x := s.next(g.last, v); !s.quiet.has(x) {
				crossed = append(crossed, s.cross(x)...)
			}
		}
		if g.measureQuietLocked() == *g.quiet.Load() {
			return crossed
		}
		g.publishLocked()
		after := g.value.Load()
		if after == bits {
			return crossed
		}
		bits = after
	}
}

// measureQuietLocked is what should be in force.
func (g *Gauge) measureQuietLocked() quiet {
	switch {
	case len(g.statistics) == 0:
		return quiet{math.Inf(-1), math.Inf(1)}
	case len(g.statistics) == 1 && g.statistics[0].measure.Kind == Absolute:
		return g.statistics[0].quiet
	}
	return quiet{} // each value counts for a watermark, a rate or a bucket
}

// publishLocked puts it in force.
func (g *Gauge) publishLocked() {
	q := g.measureQuietLocked()
	g.quiet.Store(&q)
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
	g.timed.Store(g.timed.Load() || measure.Kind.timed())
	g.publishLocked()
	crossed := g.evaluateLocked(now, g.value.Load())
	g.mu.Unlock()
	tell(crossed)
}

func (g *Gauge) watched() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.statistics) > 0
}

// reset has a statistic begin anew with the present value.
func (g *Gauge) reset(s *statistic) {
	now := g.monitor.now()
	g.mu.Lock()
	s.reset()
	crossed := g.evaluateLocked(now, g.value.Load())
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
	g.timed.Store(slices.ContainsFunc(g.statistics, func(s *statistic) bool { return s.measure.Kind.timed() }))
	g.publishLocked() // wider than before: what was quiet is
}
