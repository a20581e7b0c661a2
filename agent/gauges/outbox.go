package gauges

import (
	"context"
	"sync"

	"kecho/agent/api"
)

// maxOutbox is how many crossings of one threshold wait to be told. A
// receiver that is slower than they are loses the oldest.
const maxOutbox = 16

// outbox is what one threshold has to tell others. Crossings are told in their
// order, one at a time, and who crosses never waits.
type outbox struct {
	tell func(context.Context, api.Crossing) error // called without the lock

	mu      sync.Mutex
	waiting []api.Crossing     // guarded by mu
	telling bool               // a goroutine is in empty; guarded by mu
	closed  bool               // guarded by mu
	cancel  context.CancelFunc // of the telling; guarded by mu
	lost    int64              // guarded by mu
	last    error              // guarded by mu
}

// put adds a crossing and returns how many were dropped for it.
func (o *outbox) put(c api.Crossing) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0
	}
	if o.waiting = append(o.waiting, c); len(o.waiting) > maxOutbox {
		o.waiting = o.waiting[1:]
		o.lost++
		o.last = errDropped
		return 1
	}
	return 0
}

// begin reports whether the caller shall call empty.
func (o *outbox) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.telling || o.closed || len(o.waiting) == 0 {
		return false
	}
	o.telling = true
	return true
}

// empty tells what waits, until nothing does or ctx is done.
func (o *outbox) empty(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		c, ok := o.next(ctx, cancel)
		if !ok {
			return
		}
		if err := o.tell(ctx, c); err != nil {
			o.mu.Lock()
			o.lost++
			o.last = err
			o.mu.Unlock()
		}
	}
}

func (o *outbox) next(ctx context.Context, cancel context.CancelFunc) (c api.Crossing, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancel = cancel
	if o.closed || len(o.waiting) == 0 || ctx.Err() != nil {
		o.telling = false
		return c, false
	}
	c = o.waiting[0]
	o.waiting = o.waiting[1:]
	return c, true
}

// close ends it: nothing more is told, and what is being told is given up.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.waiting = true, nil
	if o.cancel != nil {
		o.cancel()
	}
}

// troubles are how many crossings were not told, and why the last was not.
func (o *outbox) troubles() (lost int64, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last != nil {
		why = o.last.Error()
	}
	return o.lost, why
}
