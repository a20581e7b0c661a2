package policy

import (
	"slices"
	"time"
)

// Mode says how requests move to peers.
type Mode uint8

const (
	// Auto pulls where offers are cheap beside the service and pushes where
	// they are not.
	Auto Mode = iota
	// Pull offers: a peer with a free place claims.
	Pull
	// Pushes sends to the best of a few peers, which may refuse.
	Pushes
	// Stay moves nothing.
	Stay
	// Paper is the KECho paper's policy: what has waited for Copies.After moves to
	// the least loaded.
	Paper
	// Race is Auto for what may be begun once. What may be begun twice waits at
	// other peers too, as soon as it comes.
	Race
	// Hedge is Auto, and what may be begun twice gets a backup when it takes
	// longer than most do.
	Hedge
	// Speculative is Auto, and what may be begun twice and is small travels with
	// its offers: who has a place free begins it and says so.
	Speculative
)

var modeNames = [...]string{"auto", "offers", "push", "none", "paper", "race", "hedge", "speculative"}

// String is the mode's name as configuration has it.
func (m Mode) String() string { return modeNames[m] }

// ModeNamed is the mode of that name; false when there is none.
func ModeNamed(name string) (Mode, bool) {
	i := slices.Index(modeNames[:], name)
	return Mode(max(i, 0)), i >= 0
}

// What an offer's round trip may cost beside a service,
// and what control messages may cost beside the machine.
const (
	pullBelow = 0.10 // of S: c·R
	pushAbove = 0.15
	// The same for uneven services, while messages are not too many: with 5 ms and
	// one place lognormal ones have a p99 of 1.28 x the central queue's offered and
	// 1.41 pushed, and even ones the same.
	unevenPull = 0.22
	unevenPush = 0.30
	rest       = 10 * time.Second // after messages were too many
	fewAbove   = 0.05             // half as many copies
	fewCopies  = 2
	// Where many wait each is offered to one less: messages at .95 of capacity go
	// from 8.4 to 7.5 a request, p99 from 1.18 to 1.19 x the central queue's.
	crowd       = 3
	crowdCopies = 3
	maxControl  = 0.03 // of a core
	window      = 100 * time.Millisecond
)

// governor bounds what balancing itself costs: messages are counted, and when
// they take more than their share of a core fewer copies are offered.
type governor struct {
	cost  time.Duration // of a message
	since time.Duration
	count int
	level int // index in copies
	pulls bool
	rose  time.Duration // when messages were too many
}

// copiesAt is how many peers are offered a request at each level.
var copiesAt = [...]int{4, 2, 1, 0}

// note counts n control messages.
func (g *governor) note(now time.Duration, n int) {
	g.count += n
	passed := now - g.since
	if passed < window {
		return
	}
	share := float64(g.cost) * float64(g.count) / float64(passed)
	switch {
	case share > maxControl:
		g.level, g.rose = min(g.level+1, len(copiesAt)-1), now
	case share < maxControl/2:
		g.level = max(g.level-1, 0)
	}
	g.since, g.count = now, 0
}

// calm reports whether messages have not been too many lately.
func (g *governor) calm() bool { return g.level == 0 && g.since-g.rose >= rest }

// pulling decides between offers and pushes; in between it stays as it was.
func (c *Core) pulling(r *Request) bool {
	switch c.cfg.Mode {
	case Pull:
		return true
	case Pushes:
		return r.Large
	case Paper:
		return false
	}
	cost := float64(c.cfg.Places) * float64(c.trip) / float64(c.service)
	pull, push := pullBelow, pushAbove
	if c.spread.uneven() && c.governor.calm() {
		pull, push = unevenPull, unevenPush
	}
	if cost <= pull {
		c.governor.pulls = true
	} else if cost > push {
		c.governor.pulls = false
	}
	return c.governor.pulls || r.Large
}

// copies is how many peers a request is offered to now.
func (c *Core) copies(now time.Duration) int {
	c.governor.note(now, 0)
	n := copiesAt[c.governor.level]
	if float64(c.cfg.Places)*float64(c.trip) > fewAbove*float64(c.service) {
		n = min(n, fewCopies)
	}
	if c.queue.len() >= crowd {
		n = min(n, crowdCopies)
	}
	return n
}
