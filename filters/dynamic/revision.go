package dynamic

import (
	"sync/atomic"
	"time"

	"kecho/channel"
)

const (
	strikes  = 3           // failures in a row after which a filter rests
	restTime = time.Second // how long
)

// Stats is what one revision did since it was put.
type Stats struct {
	// FilterStats has the events that it decided about, or failed to.
	channel.FilterStats
	Failed  uint64 // runs that were cut off or ended with an error
	Skipped uint64 // events that the fallback decided about while it rested
	Dropped uint64 // events that were left no sink, by it or by the fallback
	// LastError is what the latest failure said; empty: none yet.
	LastError string
}

// revision is one program at one place.
type revision struct {
	info     Info // without Stats; never written after the revision is put
	program  Program
	fallback Fallback
	now      func() time.Time

	// users is how many events are inside, and one for the place while it is
	// current. Who brings it to 0 closes the program; it never rises from 0.
	users atomic.Int64

	runs                     channel.FilterRuns
	failed, skipped, dropped atomic.Uint64
	streak                   atomic.Int32 // failures in a row
	restUntil                atomic.Int64 // Unix nanoseconds; 0: it does not rest
	lastError                atomic.Pointer[string]
}

// enter reports false when the revision was replaced and is closed.
func (r *revision) enter() bool {
	for {
		n := r.users.Load()
		if n == 0 {
			return false
		}
		if r.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (r *revision) leave() {
	if r.users.Add(-1) == 0 {
		if err := r.program.Close(); err != nil {
			r.note(err)
		}
	}
}

func (r *revision) run(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	if until := r.restUntil.Load(); until != 0 && r.now().UnixNano() < until {
		r.skipped.Add(1)
		return r.fall(sinks)
	}
	begin := r.runs.Begin()
	kept, err := r.program.Run(e, sinks)
	r.runs.End(begin)
	if err != nil {
		r.fail(err)
		return r.fall(sinks)
	}
	if r.streak.Load() != 0 {
		r.streak.Store(0)
		r.restUntil.Store(0)
	}
	if len(kept) == 0 {
		r.dropped.Add(1)
	}
	return kept
}

// fail notes a failure. The streak goes on through a rest: the first failure
// after it begins the next.
func (r *revision) fail(err error) {
	r.failed.Add(1)
	r.note(err)
	if r.streak.Add(1) >= strikes {
		r.restUntil.Store(r.now().Add(restTime).UnixNano())
	}
}

func (r *revision) note(err error) {
	text := err.Error()
	r.lastError.Store(&text)
}

func (r *revision) fall(sinks []channel.Sink) []channel.Sink {
	if r.fallback == Drop {
		r.dropped.Add(1)
		return sinks[:0]
	}
	return sinks
}

// report is the revision's Info with its Stats now.
func (r *revision) report() Info {
	info := r.info
	info.Stats = Stats{FilterStats: r.runs.Stats(), Failed: r.failed.Load(), Skipped: r.skipped.Load(), Dropped: r.dropped.Load()}
	if text := r.lastError.Load(); text != nil {
		info.Stats.LastError = *text
	}
	return info
}
