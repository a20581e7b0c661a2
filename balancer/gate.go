package balancer

import (
	"context"
	"sync"
	"time"

	"kecho/balancer/policy"
)

// gate is the policy's gate with a lock, a clock and waiting requests.
type gate struct {
	start time.Time
	wake  chan struct{} // one token: the next due time may have changed

	mu   sync.Mutex
	core *policy.Gate // guarded by mu
}

// ticket is one request at the gate.
type ticket struct {
	policy.Ticket // guarded by gate.mu
	// told has the verdict for a ticket that waited.
	told chan policy.Verdict
}

func newGate(limits policy.Limits) *gate {
	return &gate{start: time.Now(), wake: make(chan struct{}, 1), core: policy.NewGate(limits)}
}

func (g *gate) now() time.Duration { return time.Since(g.start) }

// enter decides about a request that has come; it may block in the queue until
// the client is gone or the time for the answer is over, which is then the
// error. One that came through here before does not wait: Fail. After Start the
// place must be given back with finish.
func (g *gate) enter(j *job) (policy.Verdict, error) {
	g.mu.Lock()
	v := g.core.Arrive(g.now(), &j.ticket.Ticket)
	if v == policy.Wait && j.looped {
		g.core.Leave(&j.ticket.Ticket)
		v = policy.Fail
	}
	return g.settle(j, v)
}

// back decides about a request that no peer took; it may block like enter.
func (g *gate) back(j *job) (policy.Verdict, error) {
	g.mu.Lock()
	v := g.core.Back(g.now(), &j.ticket.Ticket)
	return g.settle(j, v)
}

// settle unlocks g and waits if v says so.
func (g *gate) settle(j *job, v policy.Verdict) (policy.Verdict, error) {
	if v != policy.Wait {
		g.mu.Unlock()
		return v, nil
	}
	t := &j.ticket
	t.told, t.Data = make(chan policy.Verdict, 1), t
	g.mu.Unlock()
	g.kick()
	ctx, cancel := j.waiting()
	defer cancel()
	select {
	case v := <-t.told:
		return v, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	g.core.Leave(&t.Ticket)
	g.mu.Unlock()
	select {
	case v := <-t.told: // told in the same moment
		if v == policy.Start {
			g.finish()
		}
	default:
	}
	return policy.Fail, context.Cause(ctx)
}

// peerRoom has one request that waits try the peers now: one of them seems to
// have room.
func (g *gate) peerRoom() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.core.Room(g.now()); t != nil {
		tell(t, policy.Overflow)
	}
}

// admit decides about a peer's request.
func (g *gate) admit() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.core.Admit()
}

// finish gives a place back and starts who waits for it.
func (g *gate) finish() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if next := g.core.Finish(g.now()); next != nil {
		tell(next, policy.Start)
	}
}

// setUp says whether the web server can be reached.
func (g *gate) setUp(up bool) {
	g.mu.Lock()
	g.core.SetDown(!up)
	for next := g.core.Wake(); next != nil; next = g.core.Wake() {
		tell(next, policy.Start)
	}
	g.mu.Unlock()
	g.kick()
}

func (g *gate) setOverflow(raised bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.core.SetOverflow(raised)
}

func (g *gate) drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.core.Drain()
}

func (g *gate) state() policy.State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.core.State()
}

func (g *gate) kick() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// run tells waiting requests when their time has come, until ctx is done.
func (g *gate) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Stop()
		if wait, ok := g.due(); ok {
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		case <-timer.C:
		}
	}
}

// due tells everybody whose time has come, and returns how long until the
// next; false when there is none.
func (g *gate) due() (time.Duration, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for {
		t, v := g.core.Due(now)
		if t == nil {
			break
		}
		tell(t, v)
	}
	at, ok := g.core.Next()
	return max(at-now, 0), ok
}

// tell hands a verdict to the request that waits for it; each waiting ticket
// gets one, so this does not block.
func tell(t *policy.Ticket, v policy.Verdict) { t.Data.(*ticket).told <- v }
