package balancer

import (
	"context"
	"math"
	"sync"
	"time"

	"kecho/balancer/choice"
	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// desk is the policy's core with a lock and a clock. It is told what happens;
// what the core says of this node's own requests it puts before their
// goroutines, and all else it has done as errands, after the lock is given
// back.
type desk struct {
	began   time.Time
	wake    chan struct{} // one token: the next due time is earlier now
	errands func([]errand)
	rtt     func(peer channel.NodeID) time.Duration
	turned  func() // isSick says something else now

	peerRules rules // of an operator

	mu      sync.Mutex
	core    *policy.Core
	chooser *choice.Chooser
	effects []policy.Effect            // what the core said last
	peers   []policy.Peer              // scratch of choose
	armed   time.Duration              // when run's timer goes off; 0: it does not
	present map[channel.NodeID]bool    // who has the data channel open
	opened  map[channel.ID]*submission // that are on their way to the links
	// Requests of this node, each once: that went to peers; that none took.
	overflowed, untaken uint64

	trip time.Duration // mean of the round trips; 0: none is known
}

// submission is an offer or a push for which the OUT-filter picks the peers.
type submission struct {
	effect policy.Effect
	told   bool             // the core knows who was picked
	picked []channel.NodeID // these
	left   []errand         // what it said then, to be done when the event is on its way
}

func newDesk(cfg policy.Config, zone string) *desk {
	d := &desk{
		began: time.Now(), wake: make(chan struct{}, 1), core: policy.NewCore(cfg),
		present: make(map[channel.NodeID]bool), opened: make(map[channel.ID]*submission),
	}
	d.chooser = choice.New(choice.Config{Core: d.core, Zone: zone})
	return d
}

// now is the time on the core's clock: the monotonic one, which does not jump
// when the wall clock is set. The core has no other (policy.TestNoClock).
func (d *desk) now() time.Duration { return time.Since(d.began) }

// step tells the core something and has done what it says.
func (d *desk) step(tell func(now time.Duration, out []policy.Effect) []policy.Effect) {
	d.mu.Lock()
	d.effects = tell(d.now(), d.effects[:0])
	left := d.settleLocked()
	d.mu.Unlock()
	if len(left) > 0 {
		d.errands(left)
	}
}

// settleLocked puts what the core said of own requests before their goroutines
// and returns the rest.
func (d *desk) settleLocked() (left []errand) {
	for i := range d.effects {
		e := &d.effects[i]
		if e.Request != nil && e.Request.Owner() == 0 && !isOffer(e) {
			d.orderLocked(e.Request.Data.(*job), e)
			continue
		}
		if isOffer(e) {
			d.countLocked(e.Request.Data.(*job), e)
		}
		left = addErrand(left, e)
	}
	clear(d.effects) // so that nothing is kept alive
	if at, ok := d.core.Next(); ok && (d.armed == 0 || at < d.armed) {
		d.armed = max(at, 1)
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	return left
}

// isOffer reports whether e is an offer without the request.
func isOffer(e *policy.Effect) bool {
	return e.Do == policy.DoSubmit && e.Message.Kind == policy.Offer && !e.Message.Tied
}

// run tells the core when a time has come that it waits for, until ctx is done.
func (d *desk) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour) // stopped or set before it is waited for
	defer timer.Stop()
	for ctx.Err() == nil {
		switch wait, ok := d.tick(); {
		case !ok:
			timer.Stop()
		case wait == 0:
			continue
		default:
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// tick tells the core the time if something is due, and returns how long until
// the next; false when nothing will be.
func (d *desk) tick() (time.Duration, bool) {
	d.mu.Lock()
	d.armed = 0
	at, ok := d.core.Next()
	due := ok && at <= d.now()
	d.mu.Unlock()
	if due {
		d.step(d.core.Tick)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok = d.core.Next(); ok {
		d.armed = max(at, 1)
	}
	return max(at-d.now(), 0), ok
}

// setUp says whether the web server can be reached.
func (d *desk) setUp(up bool) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect { return d.core.SetUp(now, up, out) })
}

func (d *desk) setOverflow(raised bool) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		return d.core.SetOverflow(now, raised, out)
	})
}

func (d *desk) drain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.core.Drain()
}

// count fills in what the core knows.
func (d *desk) count(s *Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.core.Counts()
	s.State, s.Overflowed, s.NoPeer, s.Retries = d.core.State(), d.overflowed, d.untaken, n.Lost
	s.Displaced, s.Early = n.Displaced, n.Early
	s.Offers, s.Grants, s.Pushes, s.Control, s.CopiesSilent = n.Offered, n.Granted, n.Pushed, n.Control, n.Silent
	s.Copies, s.Backups = n.Copied, n.Hedged
	s.Ejections, s.Ejected, s.Unanswered = n.Ejected, d.core.Ejected(d.now()), n.Unanswered
}

// report is what this node says of itself, and whether it drains.
func (d *desk) report() (policy.Report, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Report(), d.core.State().Draining
}

// met notes that a node has the data channel open, or has not any more.
func (d *desk) met(s channel.Sink, present bool) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		if present {
			d.present[s.Node] = true
			d.core.Hear(now, policy.Peer(s.Node), reportOf(s.Attrs))
			d.measureLocked(s.Node)
			return out
		}
		delete(d.present, s.Node)
		return d.core.PeerGone(now, policy.Peer(s.Node), out)
	})
}

// alone forgets every peer.
func (d *desk) alone() {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		for node := range d.present {
			out = d.core.PeerGone(now, policy.Peer(node), out)
		}
		clear(d.present)
		return out
	})
}

// hear notes what a node says of itself.
func (d *desk) hear(node channel.NodeID, attrs channel.Attrs) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.present[node] {
		d.core.Hear(d.now(), policy.Peer(node), reportOf(attrs))
		d.measureLocked(node)
	}
}

// receive has the core hear what a peer says about a request. It reports false
// when there is no such peer, any more or yet.
func (d *desk) receive(from channel.NodeID, attrs channel.Attrs, m policy.Message) (known bool) {
	m.Report = reportOf(attrs)
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		if known = d.present[from]; !known {
			return out
		}
		d.measureLocked(from)
		return d.core.Receive(now, policy.Peer(from), m, out)
	})
	return known
}

// measureLocked takes a peer's round trip into the mean.
func (d *desk) measureLocked(node channel.NodeID) {
	const weight = 16
	if d.rtt == nil {
		return
	}
	rtt := d.rtt(node)
	switch {
	case rtt <= 0:
		return
	case d.trip == 0:
		d.trip = rtt
	default:
		d.trip += (rtt - d.trip) / weight
	}
	d.core.SetRoundTrip(d.trip)
}

// reportOf is what a node describes itself as; one that does not say it has
// said nothing.
func reportOf(attrs channel.Attrs) policy.Report {
	load, told := filters.LoadIn(attrs)
	places, sized := filters.CapacityIn(attrs)
	if !told || !sized {
		return policy.Report{Load: math.NaN()}
	}
	if draining, _ := filters.Draining.In(attrs); draining {
		places = 0
	}
	service, _ := filters.ServiceIn(attrs)
	return policy.Report{Load: load, Places: int(places), Service: service}
}
