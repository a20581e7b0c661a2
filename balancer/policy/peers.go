package policy

import (
	"slices"
	"time"
)

// medianOf is how many peers the median service time is taken of at most, and
// medianEvery how often: a decision must not cost more in a larger cluster.
const (
	medianOf    = 64
	medianEvery = 100 * time.Millisecond
)

// peers is what a core knows of the others.
type peers struct {
	index                 peerIndex
	known                 []known
	turn                  int // where the next sample begins
	median                time.Duration
	at                    time.Duration
	sample                []time.Duration
	newest                time.Duration // when the last of them was met
	places                int           // what a peer that is new is trusted with
	most                  int           // Config.PerPeer
	out                   int           // ejected, until one comes back
	back                  time.Duration // when the first of them comes back
	ejectedEver, owedEver uint64        // counted
}

type known struct {
	peer   Peer
	report Report
	heard  time.Duration
	met    time.Duration // when it was first heard, or never
	sent   int           // on their way there and not in what it reported
	conduct
	custom
}

// never is a time before all others, forever one after them.
const (
	never   time.Duration = -1 << 62
	forever time.Duration = 1 << 62
)

// find is the entry of p, made if need be. It is valid until the next call.
func (ps *peers) find(p Peer) *known {
	i, ok := ps.index.get(p)
	if !ok {
		i = len(ps.known)
		ps.index.set(p, i)
		ps.known = append(ps.known, known{peer: p, met: never, conduct: newConduct(ps.places)})
	}
	return &ps.known[i]
}

// hear notes what p says of itself, unless nobody can honestly say it: then p
// is as it was.
func (ps *peers) hear(now time.Duration, p Peer, r Report) {
	k := ps.find(p)
	if k.met == never {
		k.met, ps.newest = now, now
	}
	if !r.possible() {
		return
	}
	k.report, k.heard = r, now
	if now-ps.at >= medianEvery || ps.median == 0 {
		ps.settle(now)
	}
}

// settle takes the median of the next few peers.
func (ps *peers) settle(now time.Duration) {
	ps.at, ps.sample = now, ps.sample[:0]
	for range min(len(ps.known), medianOf) {
		ps.turn = (ps.turn + 1) % len(ps.known)
		if s := ps.known[ps.turn].report.Service; s > 0 {
			ps.sample = append(ps.sample, s)
		}
	}
	if len(ps.sample) == 0 {
		return
	}
	slices.Sort(ps.sample)
	ps.median = ps.sample[(len(ps.sample)-1)/2]
}

// forget drops a peer that is gone.
func (ps *peers) forget(p Peer) {
	i, ok := ps.index.get(p)
	if !ok {
		return
	}
	last := len(ps.known) - 1
	ps.known[i] = ps.known[last]
	ps.index.set(ps.known[i].peer, i)
	ps.known = ps.known[:last]
	ps.index.remove(p)
	ps.back = never
}

// count adds n to what is on its way to p.
func (ps *peers) count(p Peer, n int) {
	k := ps.find(p)
	k.sent = max(k.sent+n, 0)
}

// Heard is what p last said of itself; false when nothing was heard.
func (c *Core) Heard(p Peer) (Report, bool) {
	i, ok := c.peers.index.get(p)
	if !ok {
		return Report{}, false
	}
	return c.peers.known[i].report, c.peers.known[i].report.Service > 0
}

// InFlight is how many requests are on their way to p that its load, as it was
// last heard, does not count.
func (c *Core) InFlight(p Peer) int {
	if i, ok := c.peers.index.get(p); ok {
		return c.peers.known[i].sent
	}
	return 0
}

// MayAsk reports whether a submission for r may go to p: it was not asked
// before, has not failed lately, and does not take longer for a request than r's
// client waits. It would refuse, and that must not count against it.
func (c *Core) MayAsk(now time.Duration, r *Request, p Peer) bool {
	left := r.deadline - now
	if i, ok := c.peers.index.get(p); ok && left > 0 && c.peers.known[i].report.Service > left {
		return false
	}
	return !slices.Contains(r.tried, p) && !c.peers.ejected(now, p)
}

// mayHave reports whether p may be given one more request: it has not failed
// lately, and not all that it is trusted with.
func (c *Core) mayHave(now time.Duration, p Peer) bool {
	i, ok := c.peers.index.get(p)
	return !ok || !c.peers.known[i].full(c.peers.most) && !c.peers.ejected(now, p)
}

// Promises reports whether p, by what was heard of it and sent to it since,
// would have a request wait less than maxWait: the condition for a push. What
// it had to do when it was heard is taken for done as time passes, and one that
// was never heard for idle: a refusal costs little and says how it is, while a
// peer that is not asked stays as busy as it once was. Nothing is promised by one
// that has all that it is trusted with.
func (c *Core) Promises(now time.Duration, p Peer, maxWait time.Duration) bool {
	i, ok := c.peers.index.get(p)
	if !ok {
		return true
	}
	k := &c.peers.known[i]
	if k.full(c.peers.most) {
		return false
	}
	return k.report.Service == 0 || k.report.Wait(k.sent)-(now-k.heard) < maxWait
}

// Weight is how often p should be picked beside others: its speed, as a share
// of the median's, from 1/4 to 4.
func (c *Core) Weight(p Peer) float64 {
	report, ok := c.Heard(p)
	if !ok || report.Places <= 0 {
		return 1
	}
	speed := float64(report.Places) / float64(c.cfg.Places) * float64(c.peers.median) / float64(report.Service)
	return min(max(speed, 0.25), 4)
}

// patience is how long an own request waits for a faster peer, or for a sound
// one while this node's server fails: then it is only tried here when none was
// found for long.
func (c *Core) patience() time.Duration {
	if c.sick {
		return max(c.median(), 4*c.trip, min(c.cfg.ShedAge, c.cfg.Timeout)/2)
	}
	if c.raised {
		return 4 * c.trip
	}
	return c.trip * 3 / 2
}

// probeEvery is how often a request that may be begun twice is tried at this
// node's own server while that fails, though peers would have it: nothing else
// may come here that shows when it is well again.
const probeEvery = time.Second

// probes reports whether r is to be tried here now for that.
func (c *Core) probes(now time.Duration, r *Request) bool {
	if !c.sick || !r.Repeatable || now-c.probed < probeEvery {
		return false
	}
	c.probed = now
	return true
}

// slow reports whether this node takes much longer for a request than the
// others, or fails.
func (c *Core) slow() bool {
	return c.cfg.Mode != Stay && c.cfg.Mode != Paper && float64(c.service) > 1.3*float64(c.median()) || c.sick
}

// median is the usual service time of a node.
func (c *Core) median() time.Duration {
	if c.peers.median == 0 {
		return c.service
	}
	return c.peers.median
}
