package monitor

import "math"

// Crossing is what a threshold tells.
type Crossing struct {
	// Raised is false when the threshold was cancelled.
	Raised bool
	// Value is the statistic's that did it; NaN when it was cancelled because
	// the gauge is absent now.
	Value float64
}

// Threshold is one condition that is watched. Monitor.Watch sets them.
type Threshold struct {
	condition Condition
	gauge     *Gauge
	callback  func(Crossing)

	// Guarded by the gauge's lock.
	statistic *statistic
	raised    bool
	telling   bool // a goroutine is in tell, and tells of what is pending
	pending   []Crossing
	missed    uint64
}

// maxPending is how many crossings wait for a slow callback.
const maxPending = 64

// Condition is what is watched.
func (t *Threshold) Condition() Condition { return t.condition }

// Raised reports whether the condition holds: it was crossed, and not yet
// cancelled.
func (t *Threshold) Raised() bool {
	t.gauge.mu.Lock()
	defer t.gauge.mu.Unlock()
	return t.raised
}

// Value is the statistic's, as of the last update or Tick; false while the
// gauge is absent.
func (t *Threshold) Value() (v float64, ok bool) {
	if t.condition.Of.Kind == Absolute {
		return t.gauge.Value()
	}
	t.gauge.mu.Lock()
	defer t.gauge.mu.Unlock()
	v = t.statistic.at(t.gauge.nowLocked(), t.gauge.load())
	return v, !math.IsNaN(v)
}

// Missed is how many crossings were never told because the callback was too
// slow.
func (t *Threshold) Missed() uint64 {
	t.gauge.mu.Lock()
	defer t.gauge.mu.Unlock()
	return t.missed
}

// Reset has the statistic begin anew with the gauge's present value, for all
// thresholds on it: a watermark is that value, a rate 0, a bucket empty.
func (t *Threshold) Reset() { t.gauge.reset(t.statistic) }

// Close ends it: no callback begins any more. One that another goroutine is in
// may still run.
func (t *Threshold) Close() { t.gauge.monitor.forget(t) }

// evaluate applies the statistic's value, NaN when absent, and reports whether
// there is something to tell. The gauge's lock is held.
func (t *Threshold) evaluate(x float64) bool {
	switch {
	case !t.raised && t.condition.Raise.holds(x):
		t.raised = true
		t.queue(Crossing{Raised: true, Value: x})
		return true
	case t.raised && t.clears(x):
		t.raised = false
		if t.condition.HasCancel() {
			t.queue(Crossing{Value: x})
			return true
		}
	}
	return false
}

func (t *Threshold) clears(x float64) bool {
	if t.condition.HasCancel() && !math.IsNaN(x) {
		return t.condition.Cancel.holds(x)
	}
	return !t.condition.Raise.holds(x)
}

// next is the value that changes the threshold next, and whether it lies
// upwards.
func (t *Threshold) next() (bound float64, up bool) {
	raise, cancel := t.condition.Raise, t.condition.Cancel
	switch {
	case !t.raised:
		return raise.Value, raise.Op.up()
	case t.condition.HasCancel():
		return cancel.Value, cancel.Op.up()
	}
	return raise.Value, !raise.Op.up()
}

// queue keeps the number of what is pending bounded and its end true. With a
// cancel raises and cancels alternate, so the last pending one and c make a
// pair.
func (t *Threshold) queue(c Crossing) {
	switch n := len(t.pending); {
	case n < maxPending:
		t.pending = append(t.pending, c)
	case t.condition.HasCancel():
		t.pending = t.pending[:n-1]
		t.missed += 2
	default:
		t.missed++
	}
}

// tell calls the callback for what is pending, unless another goroutine is at
// it, or this one further up.
func (t *Threshold) tell() {
	t.gauge.mu.Lock()
	defer t.gauge.mu.Unlock()
	if t.telling {
		return
	}
	t.telling = true
	defer func() { t.telling = false }() // also after a panic
	for len(t.pending) > 0 {
		c := t.pending[0]
		t.pending = t.pending[1:]
		t.callUnlocked(c)
	}
}

// callUnlocked gives the lock up while the callback runs.
func (t *Threshold) callUnlocked(c Crossing) {
	t.gauge.mu.Unlock()
	defer t.gauge.mu.Lock()
	t.callback(c)
}
