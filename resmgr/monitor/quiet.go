package monitor

import (
	"math"
	"sync/atomic"
	"time"
)

// quiet are the values, strictly between two, that change nothing.
type quiet struct{ low, high float64 }

func (q quiet) has(v float64) bool { return q.low < v && v < q.high }

// span is quiet values of a gauge, up to a time on the monitor's clock.
type span struct {
	quiet
	until time.Duration
}

// forever needs no clock.
const forever = time.Duration(math.MaxInt64)

var (
	always = span{quiet{math.Inf(-1), math.Inf(1)}, forever}
	never  = span{quiet{}, forever}
)

// published is the span in force. Setting one of its values takes no lock:
// whoever has stored it looks whether the span is still in force, and whoever
// puts another in force looks at the value after that, so one of both sees what
// the other did. A version tells one span from the next; it is odd while the
// parts of a span are being changed.
type published struct {
	version   atomic.Uint32
	low, high atomic.Uint64 // float64 bits
	until     atomic.Int64
}

// has reports whether v is quiet until then, by the span of that version.
func (p *published) has(v float64) (version uint32, until time.Duration, ok bool) {
	version = p.version.Load()
	ok = version&1 == 0 && math.Float64frombits(p.low.Load()) < v && v < math.Float64frombits(p.high.Load())
	return version, time.Duration(p.until.Load()), ok
}

// still reports whether the span of that version is in force.
func (p *published) still(version uint32) bool { return p.version.Load() == version }

// get is the span, for who may put.
func (p *published) get() span {
	return span{
		quiet{math.Float64frombits(p.low.Load()), math.Float64frombits(p.high.Load())},
		time.Duration(p.until.Load()),
	}
}

// put puts another in force, one caller at a time.
func (p *published) put(s span) {
	p.version.Add(1)
	p.low.Store(math.Float64bits(s.low))
	p.high.Store(math.Float64bits(s.high))
	p.until.Store(int64(s.until))
	p.version.Add(1)
}
