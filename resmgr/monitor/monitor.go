package monitor

import (
	"slices"
	"sync"
	"time"
)

// Config configures a Monitor; its zero value works.
type Config struct {
	// Now is the clock of rates and leaky buckets. It is called without a lock
	// held, and only for gauges with such a statistic. Nil: time.Now.
	Now func() time.Time
}

// Monitor is a set of gauges and of the thresholds on them.
type Monitor struct {
	clock func() time.Time // nil: time.Now
	start time.Time

	mu     sync.Mutex
	gauges map[Key]*Gauge // guarded by mu
	timed  []*Threshold   // those that time alone can cross; guarded by mu
}

// New makes a monitor without gauges.
func New(cfg Config) *Monitor {
	m := &Monitor{clock: cfg.Now, start: time.Now(), gauges: make(map[Key]*Gauge)}
	if m.clock != nil {
		m.start = m.clock()
	}
	return m
}

// Gauge is the gauge of that name and item; the first who asks makes it,
// absent. The error is the key's. Keep the gauge: setting it does not look it
// up again.
func (m *Monitor) Gauge(k Key) (*Gauge, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.gauges[k]
	if g == nil {
		g = newGauge(m, k)
		m.gauges[k] = g
	}
	return g, nil
}

// Forget takes the gauge of that name away, unless a threshold is on it, and
// reports whether there is none any more. Who still has it, or is about to
// watch it, sets and watches what nobody sees.
func (m *Monitor) Forget(k Key) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.gauges[k]
	if g != nil && g.watched() {
		return false
	}
	delete(m.gauges, k)
	return true
}

// Watch sets a threshold, which lives until it is closed. callback is told of
// each crossing as the package's documentation says; if the condition holds
// already, before Watch returns. The gauge need not have been set. The error
// is the condition's.
func (m *Monitor) Watch(c Condition, callback func(Crossing)) (*Threshold, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	g, err := m.Gauge(c.Of.Of)
	if err != nil {
		return nil, err
	}
	t := &Threshold{condition: c, gauge: g, callback: callback}
	if c.Of.Kind.timed() {
		m.mu.Lock()
		m.timed = append(m.timed, t)
		m.mu.Unlock()
	}
	g.watch(t)
	return t, nil
}

// Tick evaluates what time alone changes: a rate falls and a bucket leaks
// while its gauge is not set. Without Tick they are evaluated when it is. It
// costs nothing for all other statistics.
func (m *Monitor) Tick() {
	m.mu.Lock()
	timed := slices.Clone(m.timed)
	m.mu.Unlock()
	seen := make(map[*Gauge]bool, len(timed))
	for _, t := range timed {
		if !seen[t.gauge] {
			seen[t.gauge] = true
			t.gauge.update(look, 0)
		}
	}
}

// now is the time since New. time.Since costs half of time.Now.
func (m *Monitor) now() time.Duration {
	if m.clock == nil {
		return time.Since(m.start)
	}
	return m.clock().Sub(m.start)
}

// forget closes a threshold; a second time does nothing.
func (m *Monitor) forget(t *Threshold) {
	m.mu.Lock()
	m.timed = slices.DeleteFunc(m.timed, func(o *Threshold) bool { return o == t })
	m.mu.Unlock()
	t.gauge.unwatch(t)
}
