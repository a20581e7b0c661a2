package monitor

import (
	"math"
	"slices"
	"time"
)

// statistic is one view of a gauge and the thresholds on it. The gauge's lock
// guards it.
type statistic struct {
	measure Measure
	series
	value      float64 // as it was last evaluated; NaN: absent. Not kept of an Absolute.
	thresholds []*Threshold
	quiet      quiet // values of the statistic that change none of them
}

// series makes the values of a statistic out of those of its gauge.
type series interface {
	// next is the value at now, when the gauge is v. now does not go back.
	next(now time.Duration, v float64) float64
	// reset forgets everything.
	reset()
}

func newStatistic(m Measure) *statistic {
	s := &statistic{measure: m, value: math.NaN()}
	switch m.Kind {
	case Absolute:
		s.series = same{}
	case High:
		s.series = &watermark{sign: 1}
	case Low:
		s.series = &watermark{sign: -1}
	case Rate:
		s.series = &rate{slot: m.Window / slots}
	case Leaky:
		s.series = &bucket{leak: m.Leak}
	}
	s.reset()
	return s
}

// next is the series', and starts anew after the gauge was absent.
func (s *statistic) next(now time.Duration, v float64) float64 {
	if math.IsNaN(v) {
		s.reset()
		s.value = v
	} else {
		s.value = s.series.next(now, v)
	}
	return s.value
}

// cross evaluates the thresholds for x, in the order in which they were set,
// and returns those that have something to tell.
func (s *statistic) cross(x float64) (crossed []*Threshold) {
	for _, t := range s.thresholds {
		if t.evaluate(x) {
			crossed = append(crossed, t)
		}
	}
	s.measureQuiet()
	return crossed
}

// measureQuiet finds the next bounds on both sides.
func (s *statistic) measureQuiet() {
	s.quiet = quiet{math.Inf(-1), math.Inf(1)}
	for _, t := range s.thresholds {
		if b, up := t.next(); up {
			s.quiet.high = min(s.quiet.high, b)
		} else {
			s.quiet.low = max(s.quiet.low, b)
		}
	}
}

// add sets a threshold; the next evaluation looks at it.
func (s *statistic) add(t *Threshold) {
	s.thresholds = append(s.thresholds, t)
	s.measureQuiet()
}

func (s *statistic) remove(t *Threshold) {
	s.thresholds = slices.DeleteFunc(s.thresholds, func(o *Threshold) bool { return o == t })
	s.measureQuiet()
}

// same is the gauge itself.
type same struct{}

func (same) next(_ time.Duration, v float64) float64 { return v }
func (same) reset()                                  {}

// watermark is the highest value with sign 1, the lowest with -1.
type watermark struct {
	sign, most float64
}

func (w *watermark) next(_ time.Duration, v float64) float64 {
	w.most = max(w.most, w.sign*v)
	return w.sign * w.most
}

func (w *watermark) reset() { w.most = math.Inf(-1) }

// slots is how finely a rate's window is cut.
const slots = 16

// rate knows what the gauge was at the start of each of the last slots.
type rate struct {
	slot    time.Duration
	began   bool
	present int64              // the slot that now is in
	value   float64            // of the gauge
	starts  [slots + 1]float64 // of the gauge at the start of slot i, at i % len
}

func (r *rate) next(now time.Duration, v float64) float64 {
	k := int64(now / r.slot)
	if !r.began {
		r.began, r.present, r.value = true, k, v
		for i := range r.starts {
			r.starts[i] = v
		}
	}
	for i := max(r.present+1, k-slots); i <= k; i++ {
		r.starts[i%int64(len(r.starts))] = r.value
	}
	r.present, r.value = k, v
	then := r.starts[(k+1)%int64(len(r.starts))] // slot k-16
	span := now - time.Duration(k-slots)*r.slot
	return (v - then) / span.Seconds()
}

func (r *rate) reset() { *r = rate{slot: r.slot} }

// bucket is filled by rises and leaks.
type bucket struct {
	leak  float64 // a second
	began bool
	at    time.Duration
	value float64 // of the gauge
	level float64
}

func (b *bucket) next(now time.Duration, v float64) float64 {
	if !b.began {
		b.began, b.at, b.value = true, now, v
	}
	b.level = max(0, b.level-b.leak*(now-b.at).Seconds())
	b.level += max(0, v-b.value)
	b.at, b.value = now, v
	return b.level
}

func (b *bucket) reset() { *b = bucket{leak: b.leak} }
