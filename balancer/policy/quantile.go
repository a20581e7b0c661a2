package policy

import (
	"math/bits"
	"time"
)

// How a quantile is found: in four steps from one power of two to the next, so
// within 19 %, of the last few thousand.
const (
	steps         = 4
	quantileLeast = 100  // before there is a value
	quantileEvery = 32   // how often it is taken
	quantileMost  = 4096 // then all counts are halved
)

// quantile follows a quantile of times without keeping them.
type quantile struct {
	share  float64
	value  time.Duration // 0: not known yet
	counts [64 * steps]uint16
	total  int
	fresh  int // since the value was taken
}

// step is the range that a time is counted in.
func step(d time.Duration) int {
	n := uint64(max(d, steps))
	top := bits.Len64(n) - 1 // at least 2
	return top*steps + int(n>>(top-2)&(steps-1))
}

// end is the time at which a range ends.
func end(i int) time.Duration {
	top := i / steps
	return time.Duration(steps+i%steps+1) << (top - 2)
}

// note counts one time.
func (q *quantile) note(d time.Duration) {
	q.counts[step(d)]++
	q.total++
	if q.total >= quantileMost {
		q.total = 0
		for i := range q.counts {
			q.counts[i] /= 2
			q.total += int(q.counts[i])
		}
	}
	if q.fresh++; q.fresh >= quantileEvery && q.total >= quantileLeast {
		q.fresh = 0
		q.value = q.find()
	}
}

// find is the end of the first range up to which the share of all is.
func (q *quantile) find() time.Duration {
	sum := 0
	for i, n := range q.counts {
		if sum += int(n); float64(sum) >= q.share*float64(q.total) {
			return end(i)
		}
	}
	return 0
}
