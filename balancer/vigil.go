package balancer

import (
	"sync"
	"time"
)

// vigil delays the read with which net/http watches over its client while a
// request is served: most answers are written before it would have begun, and
// spare two system calls and, where the client's next request is faster than the
// end of this one, a head that comes in pieces. A client that leaves is noticed
// by so much later, as in the lane.
type vigil struct {
	mu      sync.Mutex
	asleep  bool          // guarded by mu
	since   time.Time     // when it began; guarded by mu
	hurried bool          // there is a read deadline: it may be over; guarded by mu
	wake    chan struct{} // one token: it is over; made by the first
	timer   *time.Timer   // of several vigils; made by the first
	timed   bool          // it runs; guarded by mu
}

// vigilFor is how long it is.
const vigilFor = sweepEvery

// keep returns when the read is to begin.
func (v *vigil) keep() {
	v.mu.Lock()
	if v.hurried {
		v.mu.Unlock()
		return
	}
	if v.wake == nil {
		v.wake = make(chan struct{}, 1)
		v.timer = time.AfterFunc(vigilFor, v.look)
		v.timed = true
	}
	v.asleep, v.since = true, time.Now()
	if !v.timed {
		v.timed = true
		v.timer.Reset(vigilFor)
	}
	v.mu.Unlock()
	<-v.wake
}

// look ends a vigil whose time is over.
func (v *vigil) look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.timed = false
	if !v.asleep {
		return
	}
	if left := vigilFor - time.Since(v.since); left > 0 {
		v.timed = true
		v.timer.Reset(left)
		return
	}
	v.endLocked()
}

// hurry ends a vigil where the read is to end at some time.
func (v *vigil) hurry(by time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hurried = !by.IsZero(); v.hurried {
		v.endLocked()
	}
}

// end ends a vigil.
func (v *vigil) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.endLocked()
}

func (v *vigil) endLocked() {
	if v.asleep {
		v.asleep = false
		v.wake <- struct{}{}
	}
}
