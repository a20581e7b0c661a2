package channel

import (
	"sync/atomic"
	"time"
)

// Timeout says which of a subscription's times has passed.
type Timeout int8

const (
	// Interval: SubscriptionConfig.Every has passed again.
	Interval Timeout = iota + 1
	// Silence: nothing has come for SubscriptionConfig.Silence.
	Silence
)

// String is "interval" or "silence".
func (t Timeout) String() string {
	if t == Interval {
		return "interval"
	}
	return "silence"
}

// minTimeout bounds how often a subscription's own times pass.
const minTimeout = time.Millisecond

// timeouts is the timers of one subscription; those that have none have no
// timeouts either.
type timeouts struct {
	every, silence timer        // every is set under Subscription.mu
	heard          atomic.Int64 // when anything last came, from Node.start
	silent         atomic.Bool  // the watchdog has barked; what comes next sets it again

	due [Silence + 1]bool // has passed, and was not told yet; guarded by Subscription.mu
}

// startTimeoutsLocked sets what is configured, from now on.
func (s *Subscription) startTimeoutsLocked() {
	t, now := s.timeouts, s.channel.node.elapsed()
	if t == nil {
		return
	}
	ts := &s.channel.node.timers
	if s.cfg.Every > 0 {
		ts.set(&t.every, now+s.cfg.Every)
	}
	if s.cfg.Silence > 0 {
		t.heard.Store(int64(now))
		t.silent.Store(false)
		ts.set(&t.silence, now+s.cfg.Silence)
	}
}

// stopTimeoutsLocked ends them, and forgets what was not told yet.
func (s *Subscription) stopTimeoutsLocked() {
	if t := s.timeouts; t != nil {
		ts := &s.channel.node.timers
		ts.stop(&t.every)
		ts.stop(&t.silence)
		t.due = [Silence + 1]bool{}
	}
}

func newTimeouts(s *Subscription) *timeouts {
	if s.cfg.Elapsed == nil {
		return nil
	}
	t := new(timeouts)
	t.every.fire = func() { s.interval(t) }
	t.silence.fire = func() { s.watchdog(t) }
	return t
}

// hear notes that something has come. It moves no timer: the watchdog looks,
// when it wakes, whether it was too early.
func (s *Subscription) hear() {
	t := s.timeouts
	if t == nil || s.cfg.Silence == 0 {
		return
	}
	now := s.channel.node.elapsed()
	t.heard.Store(int64(now))
	if t.silent.Load() && t.silent.CompareAndSwap(true, false) {
		s.channel.node.timers.set(&t.silence, now+s.cfg.Silence)
	}
}

// interval is what the interval's timer calls. Times that nobody woke for are
// left out, and the rhythm stays.
func (s *Subscription) interval(t *timeouts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() || s.suspended.Load() {
		return
	}
	now := s.channel.node.elapsed()
	late := now - t.every.at
	if late < 0 {
		return // resumed at this moment
	}
	s.channel.node.timers.set(&t.every, now+s.cfg.Every-late%s.cfg.Every)
	s.tellLocked(t, Interval)
}

// watchdog is what the timer of the silence calls.
func (s *Subscription) watchdog(t *timeouts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() || s.suspended.Load() {
		return
	}
	heard := t.heard.Load()
	if until := time.Duration(heard) + s.cfg.Silence; until > s.channel.node.elapsed() {
		s.channel.node.timers.set(&t.silence, until)
		return
	}
	t.silent.Store(true)
	if t.heard.Load() != heard && t.silent.CompareAndSwap(true, false) {
		// Something came at this moment and did not see that it should set it.
		s.channel.node.timers.set(&t.silence, s.channel.node.elapsed()+s.cfg.Silence)
		return
	}
	s.tellLocked(t, Silence)
}

// tellLocked has the handler's goroutine call Elapsed before it takes what
// waits.
func (s *Subscription) tellLocked(t *timeouts, which Timeout) {
	t.due[which] = true
	s.wakeLocked()
}

// passedLocked is a timeout that is to be told now; zero: none.
func (s *Subscription) passedLocked() Timeout {
	if s.timeouts != nil {
		for which := Interval; which <= Silence; which++ {
			if s.timeouts.due[which] {
				return which
			}
		}
	}
	return 0
}
