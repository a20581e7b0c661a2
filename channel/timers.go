package channel

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// timers is all timeouts of a node: one heap, one goroutine, which Run owns.
// Setting, moving and stopping one costs the logarithm of their number.
type timers struct {
	wake chan struct{} // capacity 1: there is a new first one

	mu   sync.Mutex
	heap timerHeap // guarded by mu
}

// timer is one timeout. It is made once and set many times.
type timer struct {
	fire func() // called without locks; must not block

	at    time.Duration // when, from Node.start; guarded by timers.mu
	place int           // in the heap, from 1; 0: it is not set; guarded by timers.mu
}

// set has t fire at that time, and at no other that was set before.
func (ts *timers) set(t *timer, at time.Duration) {
	ts.mu.Lock()
	t.at = at
	if t.place == 0 {
		heap.Push(&ts.heap, t)
	} else {
		heap.Fix(&ts.heap, t.place-1)
	}
	first := ts.heap[0] == t
	ts.mu.Unlock()
	if first {
		select {
		case ts.wake <- struct{}{}:
		default:
		}
	}
}

// stop has t not fire; a call that is under way is not waited for.
func (ts *timers) stop(t *timer) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.place > 0 {
		heap.Remove(&ts.heap, t.place-1)
	}
}

// take is a timer that is due, or how long it is until the first one is; none
// and zero: there are no timers.
func (ts *timers) take(now time.Duration) (due *timer, wait time.Duration) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.heap) == 0 {
		return nil, 0
	}
	if wait = ts.heap[0].at - now; wait > 0 {
		return nil, wait
	}
	return heap.Pop(&ts.heap).(*timer), 0
}

// run fires what is due until ctx is done.
func (ts *timers) run(ctx context.Context, now func() time.Duration) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for ctx.Err() == nil {
		due, wait := ts.take(now())
		if due != nil {
			due.fire()
			continue
		}
		var rings <-chan time.Time // nil: there is nothing to wait for
		if wait > 0 {
			alarm.Reset(wait)
			rings = alarm.C
		} else {
			alarm.Stop()
		}
		select {
		case <-rings:
		case <-ts.wake:
		case <-ctx.Done():
		}
	}
}

// timerHeap implements heap.Interface.
type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.place = len(*h)
}

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	n := len(*h) - 1
	t := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	t.place = 0
	return t
}
