package balancer

import (
	"cmp"
	"context"
	"sync"
	"time"

	"kecho/balancer/h1"
)

// ending is a context of which most never ask for more than whether it has
// ended: what that takes is made only for who waits for it.
type ending struct {
	parent context.Context
	nudge  h1.Nudge // of the exchange with the web server, which hears of its end too

	mu    sync.Mutex
	cause error                   // nil: it was not cancelled; guarded by mu
	inner context.Context         // nil: nobody has asked for it; guarded by mu
	end   context.CancelCauseFunc // of inner; guarded by mu
}

var _ context.Context = (*ending)(nil)

// cancel ends it; the first cause counts, and nil is context.Canceled.
func (e *ending) cancel(cause error) {
	e.mu.Lock()
	e.cause = cmp.Or(e.cause, cause, context.Canceled)
	cause = e.cause
	end := e.end
	e.mu.Unlock()
	if end != nil {
		end(cause)
	}
	e.nudge.Now()
}

// why is what has ended it; nil: it goes on.
func (e *ending) why() error {
	e.mu.Lock()
	cause := e.cause
	e.mu.Unlock()
	if cause == nil && e.parent.Err() != nil {
		return context.Cause(e.parent)
	}
	return cause
}

// whole is the same as any other context.
func (e *ending) whole() context.Context {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inner == nil {
		parent := e.parent
		if e.cause != nil { // whatever has become of it since
			parent = context.WithoutCancel(parent)
		}
		e.inner, e.end = context.WithCancelCause(parent)
		if e.cause != nil {
			e.end(e.cause)
		}
	}
	return e.inner
}

// Done implements context.Context.
func (e *ending) Done() <-chan struct{} { return e.whole().Done() }

// Err implements context.Context.
func (e *ending) Err() error {
	if e.why() != nil {
		return context.Canceled
	}
	return nil
}

// Deadline implements context.Context.
func (e *ending) Deadline() (time.Time, bool) { return e.parent.Deadline() }

// Value implements context.Context.
func (e *ending) Value(key any) any { return e.whole().Value(key) }
