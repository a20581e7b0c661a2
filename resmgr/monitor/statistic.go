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
	// next is the value at now, when the gauge is v and has been then up to
	// now. now does not go back.
	next(now time.Duration, then, v float64) float64
	// reset forgets everything.
	reset()
	// quiet is which of the gauge's values leave the statistic's value within
	// q, at now and until a time.
	quiet(now time.Duration, q quiet) span
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
func (s *statistic) next(now time.Duration, then, v float64) float64 {
	if math.IsNaN(v) {
		s.reset()
		s.value = v
	} else {
		s.value = s.series.next(now, then, v)
	}
	return s.value
}

// at is the value at the time of the last update, when the gauge is v: that
// update may have been a quiet one.
func (s *statistic) at(now time.Duration, v float64) float64 {
	if r, ok := s.series.(*rate); ok && r.began {
		return (v - r.start()) / r.over(now)
	}
	return s.value
}

// quietGauge is which values of the gauge change nothing, at now and until a
// time.
func (s *statistic) quietGauge(now time.Duration) span { return s.series.quiet(now, s.quiet) }

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

func (same) next(_ time.Duration, _, v float64) float64 { return v }
func (same) reset()                                     {}
func (same) quiet(_ time.Duration, q quiet) span        { return span{q, forever} }

// watermark is the highest value with sign 1, the lowest with -1.
type watermark struct {
	sign, most float64
}

func (w *watermark) next(_ time.Duration, _, v float64) float64 {
	w.most = max(w.most, w.sign*v)
	return w.sign * w.most
}

func (w *watermark) reset() { w.most = math.Inf(-1) }

// quiet is what does not move the mark.
func (w *watermark) quiet(time.Duration, quiet) span {
	if math.IsInf(w.most, -1) {
		return never // the first value does
	}
	mark := w.sign * w.most
	beyond := math.Nextafter(mark, math.Inf(int(w.sign)))
	if w.sign > 0 {
		return span{quiet{math.Inf(-1), beyond}, forever}
	}
	return span{quiet{beyond, math.Inf(1)}, forever}
}

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

func (r *rate) next(now time.Duration, then, v float64) float64 {
	k := int64(now / r.slot)
	if r.began && !math.IsNaN(then) {
		r.value = then // it may have been set without this
	}
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
	return (v - r.start()) / r.over(now)
}

// start is what the gauge was when the window began.
func (r *rate) start() float64 { return r.starts[(r.present+1)%int64(len(r.starts))] } // slot present-16

// over is how long ago that was, in seconds.
func (r *rate) over(now time.Duration) float64 {
	return seconds(now - time.Duration(r.present-slots)*r.slot)
}

func (r *rate) reset() { *r = rate{slot: r.slot} }

// quiet holds to the end of the slot: until then the window begins where it
// does, and only its length grows.
func (r *rate) quiet(now time.Duration, q quiet) span {
	if !r.began {
		return never
	}
	until := time.Duration(r.present+1) * r.slot
	least, most := r.over(now), r.over(until)
	low, high := max(q.low*least, q.low*most), min(q.high*least, q.high*most)
	return span{quiet{r.start() + low + r.slack(low), r.start() + high - r.slack(high)}, until}
}

// slack is more than what rounding makes of a bound: what is as near to it as
// that is not quiet.
func (r *rate) slack(bound float64) float64 {
	if math.IsInf(bound, 0) {
		return 0
	}
	return 1e-12 * (1 + math.Abs(r.start()) + math.Abs(bound))
}

// bucket is filled by rises and leaks.
type bucket struct {
	leak  float64 // a second
	began bool
	at    time.Duration
	value float64 // of the gauge
	level float64
}

func (b *bucket) next(now time.Duration, _, v float64) float64 {
	if !b.began {
		b.began, b.at, b.value = true, now, v
	}
	b.level = max(0, b.level-b.leak*seconds(now-b.at))
	b.level += max(0, v-b.value)
	b.at, b.value = now, v
	return b.level
}

func (b *bucket) reset() { *b = bucket{leak: b.leak} }

// quiet is nothing: what is poured in counts by when it was.
func (*bucket) quiet(time.Duration, quiet) span { return never }

// seconds is d.Seconds without its two divisions of integers.
func seconds(d time.Duration) float64 { return float64(d) / 1e9 }
