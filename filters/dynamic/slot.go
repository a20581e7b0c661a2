package dynamic

import (
	"sync"
	"sync/atomic"

	"kecho/channel"
)

// slot is one Place with its current revision.
type slot struct {
	place   Place
	current atomic.Pointer[revision] // nil: no filter

	mu       sync.Mutex // held while the place changes
	detached bool       // guarded by mu
}

// filter is what the channel runs while there is a revision.
func (s *slot) filter(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	r := s.enter()
	if r == nil {
		return sinks
	}
	defer r.leave()
	return r.run(e, sinks)
}

// enter is the current revision with its caller inside; nil when there is none.
func (s *slot) enter() *revision {
	for {
		r := s.current.Load()
		if r == nil || r.enter() {
			return r
		}
		// Replaced and closed since the load: the next one is current.
	}
}

// swap makes next, which may be nil, the current revision and returns the one
// before. It reports false when the place is gone.
func (s *slot) swap(next *revision) (old *revision, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached {
		return nil, false
	}
	return s.swapLocked(next), true
}

func (s *slot) swapLocked(next *revision) *revision {
	old := s.current.Swap(next)
	switch {
	case old == nil && next != nil:
		s.place.Set(s.filter)
	case old != nil && next == nil:
		s.place.Set(nil)
	}
	return old
}

// detach takes the filter off for good.
func (s *slot) detach() *revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
	return s.swapLocked(nil)
}
