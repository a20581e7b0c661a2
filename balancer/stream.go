package balancer

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"kecho/channel"
)

// Windows: how much of a body may be on its way without having been read.
const (
	maxWindow  = 256 << 10 // docs/design.md, "Limits": per exchange and direction
	minWindow  = 64 << 10
	linkWindow = 8 << 20 // all exchanges with one peer together
)

// creditAfter is how long bytes that were read wait for more before they are
// credited: a slow reader is not taken for one that stands still.
const creditAfter = 5 * time.Second

// windowFor is the window of one more exchange beside open others.
func windowFor(open int) int {
	return max(minWindow, min(maxWindow, linkWindow/max(open, 1)))
}

var (
	errWindow   = errors.New("more was sent than there was credit for")
	errAfterFin = errors.New("a body went on after its end")
	errGap      = errors.New("a part of the body is missing")
	errStalled  = errors.New("the owner neither sent nor read anything for too long")
)

// inflow is a body that comes in events and is read as an io.Reader: at most
// its window is held, however large the body is and however slowly it is read.
// push and fail are called by a link's reader and never block; Read by one
// goroutine.
type inflow struct {
	window int
	credit func(n int) // tells the sender that n bytes were read; may block
	// patience is how long Read waits for the sender before the body fails
	// with errStalled. Zero: for ever. Set before the first Read.
	patience time.Duration

	mu      sync.Mutex
	arrived sync.Cond
	ring    []byte      // guarded by mu
	start   int         // of the data in ring; guarded by mu
	size    int         // of the data in ring; guarded by mu
	came    int64       // bytes since the start; guarded by mu
	owed    int         // read and not yet credited; guarded by mu
	paid    time.Time   // when credit was given last; guarded by mu
	fin     bool        // guarded by mu
	trailer http.Header // guarded by mu; set with fin
	err     error       // guarded by mu
}

// flows are the two directions of what is with a peer, in one piece of memory.
type flows struct {
	in  inflow
	out outflow
}

// open makes an inflow of one that is zero.
func (f *inflow) open(window int, credit func(n int)) {
	f.window, f.credit, f.paid = window, credit, time.Now()
	f.arrived.L = &f.mu
}

// push takes the next bytes. An error says that the sender broke the rules, or
// that an event was lost on the way: a body is whole or it fails.
func (f *inflow) push(c chunk) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.err != nil:
		return nil // nobody reads any more
	case f.fin:
		return errAfterFin // what came before it is whole
	case c.offset != f.came:
		f.failLocked(errGap)
		return errGap
	case f.size+len(c.data) > f.window:
		f.failLocked(errWindow)
		return errWindow
	}
	if c.fin && len(f.ring) == 0 && len(c.data) > 0 { // it is all that comes, as mostly
		f.ring = make([]byte, len(c.data))
	}
	f.appendLocked(c.data)
	f.came += int64(len(c.data))
	f.fin, f.trailer = c.fin, c.trailer
	f.arrived.Signal()
	return nil
}

// pushEvent is push for what a body event carries.
func (f *inflow) pushEvent(e *channel.Event) error {
	c, err := unpackChunk(e.Body)
	if err != nil {
		f.fail(err)
		return err
	}
	return f.push(c)
}

func (f *inflow) appendLocked(data []byte) {
	if need := f.size + len(data); need > len(f.ring) {
		grown := make([]byte, min(max(need, 2*len(f.ring), 4<<10), f.window))
		n := copy(grown, f.ring[f.start:min(f.start+f.size, len(f.ring))])
		copy(grown[n:], f.ring[:f.size-n])
		f.ring, f.start = grown, 0
	}
	if len(data) == 0 {
		return
	}
	end := (f.start + f.size) % len(f.ring)
	n := copy(f.ring[end:], data)
	copy(f.ring, data[n:])
	f.size += len(data)
}

// fail ends the body with err; what has come before can still be read.
func (f *inflow) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failLocked(err)
}

func (f *inflow) failLocked(err error) {
	if f.err == nil && !f.fin {
		f.err = err
		f.arrived.Signal()
	}
}

// Read implements io.Reader. It blocks until there is something.
func (f *inflow) Read(p []byte) (int, error) {
	n, owed, err := f.read(p)
	if owed > 0 {
		f.credit(owed)
	}
	return n, err
}

func (f *inflow) read(p []byte) (n, owed int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dryLocked() {
		f.waitLocked()
	}
	if f.size == 0 {
		if f.err != nil {
			return 0, 0, f.err
		}
		return 0, 0, io.EOF
	}
	n = copy(p, f.ring[f.start:min(f.start+f.size, len(f.ring))])
	f.size -= n
	if f.start += n; f.start == len(f.ring) || f.size == 0 {
		f.start = 0
	}
	f.owed += n
	if !f.fin && (f.owed >= f.window/4 || time.Since(f.paid) >= creditAfter) {
		owed, f.owed, f.paid = f.owed, 0, time.Now()
	}
	return n, owed, nil
}

// dryLocked reports whether there is nothing to be read yet.
func (f *inflow) dryLocked() bool { return f.size == 0 && !f.fin && f.err == nil }

func (f *inflow) waitLocked() {
	if f.patience > 0 {
		timer := time.AfterFunc(f.patience, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.dryLocked() {
				f.failLocked(errStalled)
			}
		})
		defer timer.Stop()
	}
	for f.dryLocked() {
		f.arrived.Wait()
	}
}

// trailers is what came after the body; to be asked when it has been read to
// its end.
func (f *inflow) trailers() http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trailer
}

// outflow is the credit that a body may be sent on. Its methods may be called
// by any goroutine.
type outflow struct {
	// patience is how long take waits for credit before the sending ends with
	// errStalled. Zero: for ever. Set before the first take.
	patience time.Duration

	mu      sync.Mutex
	changed sync.Cond
	credit  int   // guarded by mu
	err     error // guarded by mu
}

// open makes an outflow of one that is zero.
func (o *outflow) open(credit int) {
	o.credit = credit
	o.changed.L = &o.mu
}

// take blocks until there is credit and takes at most limit of it.
func (o *outflow) take(limit int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.brokeLocked() {
		o.waitLocked()
	}
	if o.err != nil {
		return 0, o.err
	}
	n := min(limit, o.credit)
	o.credit -= n
	return n, nil
}

// brokeLocked reports whether there is no credit yet.
func (o *outflow) brokeLocked() bool { return o.credit <= 0 && o.err == nil }

func (o *outflow) waitLocked() {
	if o.patience > 0 {
		timer := time.AfterFunc(o.patience, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.brokeLocked() {
				o.err = errStalled
				o.changed.Broadcast()
			}
		})
		defer timer.Stop()
	}
	for o.brokeLocked() {
		o.changed.Wait()
	}
}

// add gives credit; never more than the window can be outstanding, whatever
// the other side says.
func (o *outflow) add(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.credit = min(o.credit+n, maxWindow)
	o.changed.Broadcast()
}

// giveBack returns credit that was taken and not used.
func (o *outflow) giveBack(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.credit += n
}

// fail ends the sending: take returns err from now on.
func (o *outflow) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.changed.Broadcast()
}
