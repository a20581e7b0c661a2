package policy

import "time"

// When a peer is ejected, by what became of the requests that it had of this
// node, and for how long: doubled when it fails again as soon as it is asked
// again.
const (
	failuresInRow = 3
	failuresOf    = 20               // requests that were ended, at least, in the time that is looked at
	failuresShare = 0.3              // of them, more than that
	shortEjection = 10 * time.Second // POLICY: 10 s x 2^k
	longEjection  = 5 * time.Minute
)

// What one peer may have of this node's requests at once, unanswered: as many as
// this node has places at first, and one more with each answer while it has
// that many. So a peer that takes requests and answers none has no more. An
// answer counts only if it came in fastAnswer services, and one that took
// slowAnswer is one less: the peer has more than it can do, whatever it says.
const (
	mostTrust  = maxGuests
	fastAnswer = 4
	slowAnswer = 8
)

// conduct is how a peer has behaved with what it had of this node, and what it
// is trusted with.
type conduct struct {
	has    int // copies that it has
	trust  int // has at most
	row    int // failures in a row
	recent recent
	until  time.Duration // ejected until then
	length time.Duration // of the last ejection
}

// newConduct is that of a peer which nothing is known of.
func newConduct(trust int) conduct { return conduct{trust: max(trust, 1), until: never} }

// full reports whether p has all that it is trusted with, or most.
func (k *conduct) full(most int) bool { return k.has >= min(k.trust, most) }

// answered notes an answer that took so many usual services.
func (k *conduct) answered(now time.Duration, services float64) {
	k.row = 0
	k.recent.note(now, true)
	switch {
	case services > slowAnswer:
		k.trust = max(k.trust-1, 1)
	case services <= fastAnswer && 2*k.has >= k.trust:
		k.trust = min(k.trust+1, mostTrust)
	}
}

// failed notes a request that has no answer. It reports whether the peer is to
// be left alone.
func (k *conduct) failed(now time.Duration) bool {
	k.trust = max(k.trust/2, 1)
	k.row++
	k.recent.note(now, false)
	return k.row >= failuresInRow || k.recent.bad(now)
}

// eject begins an ejection, longer than the last if that was not long ago.
// After it the first failure is one too many.
func (k *conduct) eject(now time.Duration) {
	if k.length == 0 || now-k.until > max(k.length, shortEjection) {
		k.length = shortEjection
	} else {
		k.length = min(2*k.length, longEjection)
	}
	k.until, k.trust, k.row, k.recent = now+k.length, 1, failuresInRow-1, recent{}
}

// fail notes that a request to p has no answer, or that p is silent about it.
// At most half of the peers (of one, that one) are ejected at a time, so that a
// fault of our own does not leave us alone; and one that is ejected was asked
// before it was.
func (ps *peers) fail(now time.Duration, p Peer) {
	k := ps.find(p)
	if now < k.until {
		return
	}
	if k.failed(now) && ps.ejections(now) < max(len(ps.known)/2, 1) {
		k.eject(now)
		ps.back = never
		ps.ejectedEver++
	}
}

// good notes that p answered, after so many usual services.
func (ps *peers) good(now time.Duration, p Peer, services float64) {
	if i, ok := ps.index.get(p); ok {
		ps.known[i].answered(now, services)
	}
}

// ejections is how many peers are ejected. It walks over all when that has
// changed, which is seldom.
func (ps *peers) ejections(now time.Duration) int {
	if now < ps.back {
		return ps.out
	}
	ps.out, ps.back = 0, forever
	for i := range ps.known {
		if until := ps.known[i].until; now < until {
			ps.out++
			ps.back = min(ps.back, until)
		}
	}
	return ps.out
}

// ejected reports whether p is to be left alone. When over half of the peers
// are, because others left, nobody is.
func (ps *peers) ejected(now time.Duration, p Peer) bool {
	i, ok := ps.index.get(p)
	return ok && now < ps.known[i].until && (ps.ejections(now) <= max(len(ps.known)/2, 1))
}

// lend counts n copies more at p.
func (ps *peers) lend(p Peer, n int) {
	if i, ok := ps.index.get(p); ok {
		ps.known[i].has += n
	}
}

// recent is how many requests ended in each of the last 10 seconds, and how many
// of them failed.
type recent struct {
	second int64
	ended  [10]struct{ all, failed uint32 }
}

// note counts one request that ended.
func (r *recent) note(now time.Duration, ok bool) {
	r.turn(now)
	n := &r.ended[r.second%int64(len(r.ended))]
	n.all++
	if !ok {
		n.failed++
	}
}

// turn forgets the seconds that are too long ago.
func (r *recent) turn(now time.Duration) {
	second := int64(now / time.Second)
	for range min(second-r.second, int64(len(r.ended))) {
		r.second++
		r.ended[r.second%int64(len(r.ended))] = struct{ all, failed uint32 }{}
	}
	r.second = second
}

// bad reports whether too many of enough failed.
func (r *recent) bad(now time.Duration) bool {
	r.turn(now)
	var all, failed uint32
	for _, n := range r.ended {
		all += n.all
		failed += n.failed
	}
	return all >= failuresOf && float64(failed) > failuresShare*float64(all)
}
