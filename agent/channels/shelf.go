package channels

import (
	"sync"
	"time"

	"kecho/agent/news"
)

// shelf is where a channel's last events are kept for its readers. One that is
// idle keeps nothing while nobody has read for that long: then the channel's
// subscription is suspended, and the other nodes send nothing.
type shelf struct {
	idle    time.Duration    // zero: it always keeps
	fresh   func() *news.Log // each with an id of its own: who comes back to another has missed something
	suspend func()
	resume  func()
	done    chan struct{} // closed by end

	mu      sync.Mutex
	log     *news.Log // guarded by mu
	readers int       // guarded by mu
	left    time.Time // when the last reader was gone; guarded by mu
	asleep  bool      // guarded by mu
	ended   bool      // guarded by mu
}

// logNow is the log that events go into.
func (s *shelf) logNow() *news.Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log
}

// state is the log, how many read it, and whether it keeps anything now.
func (s *shelf) state() (log *news.Log, readers int, asleep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log, s.readers, s.asleep
}

func (s *shelf) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers++
	if s.asleep {
		s.asleep = false
		s.resume()
	}
}

func (s *shelf) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
	s.left = time.Now()
}

// rest is called now and then: it stops keeping when nobody has read for long.
func (s *shelf) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers > 0 || s.asleep || s.ended || time.Since(s.left) < s.idle {
		return
	}
	s.asleep = true
	s.suspend()
	s.log = s.fresh()
}

// end ends the log, and so who reads it.
func (s *shelf) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		close(s.done)
		s.log.Close()
	}
}
