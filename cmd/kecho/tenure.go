package main

import "time"

// tenure is how the holder of a lease keeps it, and when it must stop: a pure
// state machine. Times are since a moment of the caller's choice, on a clock
// that also runs while the machine sleeps.
//
// The lease lasts for ttl from when a renewal was sent that worked, at least. It
// is renewed when a third of that is over. What works under it is asked to end
// at 2/3 and made to at 5/6, so that it is gone before anybody else can have what
// it had.
type tenure struct {
	ttl   time.Duration
	since time.Duration // when the last renewal that worked was sent
	next  time.Duration // when the next one is sent
	ended time.Duration // when it was heard that the lease is over
	gone  bool          // it is over

	renewing, asked, killed bool
}

// deed is what the holder must do.
type deed uint8

const (
	nothing   deed = iota
	renew          // send a renewal; then renewed or failed
	terminate      // ask what works to end
	kill           // end it
)

// newTenure is of a lease that was granted after it was asked for at since.
func newTenure(ttl, since time.Duration) *tenure {
	return &tenure{ttl: ttl, since: since, next: since + ttl/3}
}

// step is what is to be done now; nothing: until due.
func (t *tenure) step(now time.Duration) deed {
	switch {
	case !t.killed && now >= t.killAt():
		t.asked, t.killed = true, true
		return kill
	case !t.asked && now >= t.askAt():
		t.asked = true
		return terminate
	case !t.asked && !t.renewing && now >= t.next:
		t.renewing = true
		return renew
	}
	return nothing
}

// due is when step has something to do, if nothing happens before.
func (t *tenure) due() time.Duration {
	switch {
	case t.killed:
		return t.killAt() + time.Hour
	case t.asked:
		return t.killAt()
	case t.renewing:
		return min(t.askAt(), t.killAt())
	}
	return min(t.next, t.askAt(), t.killAt())
}

func (t *tenure) askAt() time.Duration {
	if t.gone {
		return t.ended
	}
	return t.since + t.ttl*2/3
}

func (t *tenure) killAt() time.Duration {
	last := t.since + t.ttl*5/6
	if t.gone {
		return min(last, t.ended+t.ttl/6)
	}
	return last
}

// patience is how long a renewal waits for its answer.
func (t *tenure) patience() time.Duration { return t.ttl / 6 }

// renewed takes that the renewal that was sent then has worked.
func (t *tenure) renewed(sent time.Duration) {
	t.renewing, t.since, t.next = false, sent, sent+t.ttl/3
}

// failed takes that a renewal has not; over says that there is no lease any
// more, else it is tried again soon.
func (t *tenure) failed(now time.Duration, over bool) {
	t.renewing = false
	t.next = now + max(t.ttl/30, 20*time.Millisecond)
	if over && !t.gone {
		t.gone, t.ended = true, now
	}
}

// fresh reports whether enough of the time is left to begin something.
func (t *tenure) fresh(now time.Duration) bool { return now < t.since+t.ttl/3 }
