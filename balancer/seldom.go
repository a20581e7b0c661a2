package balancer

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// seldomEvery is how often one kind of line is logged at most.
const seldomEvery = time.Second

// seldom is one kind of line that every request could add to the log: the
// first is logged at once, others at most once a second, with how many like it
// were left out since ("more"). Its method may be called by many goroutines.
type seldom struct {
	mu   sync.Mutex
	next time.Time // guarded by mu
	more int       // guarded by mu
}

func (s *seldom) log(to *slog.Logger, level slog.Level, message string, args ...any) {
	s.mu.Lock()
	now := time.Now()
	if now.Before(s.next) {
		s.more++
		s.mu.Unlock()
		return
	}
	more := s.more
	s.next, s.more = now.Add(seldomEvery), 0
	s.mu.Unlock()
	if more > 0 {
		args = append(args, "more", more)
	}
	to.Log(context.Background(), level, message, args...)
}

// lines are the kinds of lines that every request could add.
type lines struct{ unserved, broken, repeated, lost, unanswered, malformed, encrypted seldom }
