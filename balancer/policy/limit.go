package policy

import (
	"math"
	"time"
)

// limit learns how many requests the web server runs at once, its parallelism,
// from how long it takes beside others: a service takes as long with many in
// flight as with few, up to the parallelism; beyond that they wait inside the
// server and the time grows as their number. So the parallelism is where the one
// turns into the other, and traffic shows it as it comes: nothing is held back
// to see the server idle, as where a least round trip is measured.
//
// What fits nearly as well as the best is possible too. Of what is possible the
// limit is the highest that is sure not to be twice the parallelism: one too
// high costs p99 (1.3 x at twice, docs/design.md, "Policy"), one too low costs
// capacity. While no growth was seen, and requests wait for a place, it rises.
// What was seen above the limit is soon forgotten, and so it is tried again: the
// limit follows when the server is given more.
type limit struct {
	most   int // the upper bound
	places int // what it has come to
	beside []beside
	costs  []float64 // of fit
	judged time.Duration
	// Since it was judged:
	fresh  int  // services
	atEdge int  // of them, begun as the last that had a place
	crowd  bool // others waited for a place
}

// beside is the services that were begun as the n-th in flight.
type beside struct {
	weight float64 // how many, the old ones less
	mean   float64 // seconds
	spread float64 // variance
	at     time.Duration
}

const (
	limitMemory = 30 * time.Second       // half of what is as old counts
	limitWeight = 1000                   // services that are remembered of one number
	limitBeyond = 10 * time.Second       // the memory of numbers above the limit
	limitHint   = 30                     // and how many are remembered of one
	limitRound  = 16                     // services between two judgements, at least
	limitPause  = 250 * time.Millisecond // and time
	limitEdge   = 8                      // of them at the limit before it rises
	limitDoubt  = 6.0                    // how much worse an answer may fit and yet be possible
)

func newLimit(places, most int) *limit {
	return &limit{most: most, places: places, beside: make([]beside, most), costs: make([]float64, most)}
}

// note counts a service that took so long and was begun as the n-th in flight;
// crowded says that others wait for a place. It reports whether the limit moved.
func (l *limit) note(now time.Duration, n int, took time.Duration, crowded bool) bool {
	if n > l.most {
		return false
	}
	l.beside[n-1].note(now, max(took, 1).Seconds())
	l.crowd = l.crowd || crowded
	l.fresh++
	if n >= l.places {
		l.atEdge++
	}
	if l.fresh < limitRound || now-l.judged < limitPause {
		return false
	}
	before := l.places
	l.judge(now)
	l.judged, l.fresh, l.atEdge, l.crowd = now, 0, 0, false
	return l.places != before
}

// judge moves the limit, by a third down and a quarter up at most.
func (l *limit) judge(now time.Duration) {
	l.fade(now)
	low, high, last := l.fit()
	more := min(l.places+max(1, l.places/4), l.most)
	switch {
	case high < last:
		l.places = min(max(min(high, 2*low-1), l.places*2/3, 1), more)
	case l.crowd && l.atEdge >= limitEdge:
		l.places = more
	}
}

func (b *beside) note(now time.Duration, seconds float64) {
	b.fade(now, limitMemory)
	b.weight = min(b.weight, limitWeight-1) + 1
	d := seconds - b.mean
	b.mean += d / b.weight
	b.spread += (d*d*(b.weight-1)/b.weight - b.spread) / b.weight
}

// fade has old services count less.
func (b *beside) fade(now, half time.Duration) {
	b.weight *= math.Exp2(-(now - b.at).Seconds() / half.Seconds())
	b.at = now
}

func (l *limit) fade(now time.Duration) {
	for i := range l.beside {
		if b := &l.beside[i]; i < l.places {
			b.fade(now, limitMemory)
		} else {
			b.weight = min(b.weight, limitHint)
			b.fade(now, limitBeyond)
		}
	}
}

// fit is the lowest and the highest parallelism that are possible, and the
// highest number in flight that was seen: when that is possible, no growth was
// seen. For each p the mean times should be s below p and s n/p above, for the
// s that fits best; the cost is the sum of squares of what they differ by, in
// units of the noise. With sums that move from the one side to the other as p
// goes up that takes one pass.
func (l *limit) fit() (low, high, last int) {
	var below, above sums
	noise := 0.0
	for i := range l.beside {
		if b := &l.beside[i]; b.counts() {
			above.add(b, 1/float64(i+1), 1)
			noise += b.weight * b.spread / (b.mean * b.mean)
			last = i + 1
		}
	}
	noise = min(max(noise/above.weight, .1), 3)
	best := math.Inf(1)
	for i := range last {
		p := float64(i + 1)
		if b := &l.beside[i]; b.counts() {
			above.add(b, 1/p, -1)
			below.add(b, 1, 1)
		}
		w := below.weight + above.weight
		s := (below.first + p*above.first) / w
		l.costs[i] = ((below.second+p*p*above.second)/(s*s) - w) / noise
		best = min(best, l.costs[i])
	}
	for i, cost := range l.costs[:last] {
		if cost <= best+limitDoubt {
			if low == 0 {
				low = i + 1
			}
			high = i + 1
		}
	}
	return low, high, last
}

// counts reports whether anything is remembered that is worth it.
func (b *beside) counts() bool { return b.weight >= .5 }

// sums are of weights, of weighted times and of their squares.
type sums struct{ weight, first, second float64 }

// add adds b, its time multiplied by scale, sign times.
func (s *sums) add(b *beside, scale, sign float64) {
	x := b.mean * scale
	s.weight += sign * b.weight
	s.first += sign * b.weight * x
	s.second += sign * b.weight * x * x
}

// learnPlaces notes a service for the limit, if places are learned. One that was
// ended before it had an answer counts if it took longer than is usual by then:
// to leave those out would make a slow server look fast.
func (c *Core) learnPlaces(now time.Duration, r *Request, took time.Duration, res Result) {
	if c.limit == nil || res == Unreached || res != Served && took < c.service {
		return
	}
	if c.limit.note(now, r.beside, took, c.queue.len()+c.shadows.len() > 0) {
		c.cfg.Places, c.cfg.Hard = c.limit.places, c.limit.places
	}
}
