package policy

import (
	"math/bits"
	"time"
)

// Bounds of hedging, beside Copies.Share and the budget: how many backups are
// looked for for one request, and how many tell whether hedging helps.
const (
	hedgeRate   = .1 // a second
	hedgeBurst  = 10
	maxBackups  = 3
	leastHedges = 8  // before they are judged
	probeCost   = 10 // of a backup while they do not help
)

// hedger decides when a request that takes long gets a backup. It helps when
// a server is slow and hurts when the request is: then the backup takes as
// long, and that is seen by who wins.
type hedger struct {
	budget Budget
	took   quantile
	ends   uint32 // a bit a backup, won or lost, the last the lowest
	judged int
}

func newHedger(p Copies) hedger {
	return hedger{budget: Budget{Share: p.Share, Rate: hedgeRate, Burst: hedgeBurst}, took: quantile{share: p.Quantile}}
}

// note counts a backup that was not refused, at the end of its request.
func (h *hedger) note(won bool) {
	h.ends <<= 1
	if won {
		h.ends |= 1
	}
	h.ends &= 1<<callsSeen - 1
	h.judged = min(h.judged+1, callsSeen)
}

// helps reports whether at least half of the last backups won.
func (h *hedger) helps() bool {
	return h.judged < leastHedges || 2*bits.OnesCount32(h.ends) >= h.judged
}

// cost is what a backup takes of hedging's own budget: while they do not help,
// a few go on to show when they do again.
func (h *hedger) cost() int {
	if h.helps() {
		return 1
	}
	return probeCost
}

// begun notes that r was begun, at a peer or here, and plans its backup.
func (c *Core) begun(now time.Duration, r *Request, at Peer) {
	if r.begun != 0 {
		return // the backup
	}
	r.begun, r.first = max(now, 1), at
	if c.cfg.Mode != Hedge || !r.Repeatable || !r.Movable {
		return
	}
	after := c.cfg.Copies.After
	if after == 0 {
		after = c.hedger.took.value
	}
	if after > 0 {
		r.backup = now + after
	}
}

// hedge has a backup of r begun where there is a place free, here if r is not
// here.
func (c *Core) hedge(now time.Duration, r *Request, out []Effect) []Effect {
	r.backup = 0
	copies := len(r.copies)
	if r.phase == running {
		copies++
	}
	fee := c.hedger.cost()
	if r.backups >= maxBackups || copies >= c.cfg.Copies.Most || !c.hedger.budget.Spend(now, fee) {
		c.plan(now, r)
		return out
	}
	r.fee = fee
	if r.phase == moved && !c.down && !c.sick && c.vacant() > 0 && c.queue.len() == 0 && c.budget.Spend(now, 1) {
		c.hedged(now, r, 1)
		return c.start(now, r, out)
	}
	before := len(out)
	if out = c.fork(now, r, 1, onlyFree, out); len(out) == before {
		c.hedger.budget.Return(now, fee)
	}
	c.plan(now, r)
	return out
}

// hedged notes that there are n backups now, or for 0 that no peer seems to have
// a place free.
func (c *Core) hedged(now time.Duration, r *Request, n int) {
	r.backups++
	c.count.Hedged += uint64(n)
	if n == 0 {
		c.unhedged(now, r)
	}
}

// unhedged has another backup looked for soon when one was not begun.
func (c *Core) unhedged(now time.Duration, r *Request) {
	c.hedger.budget.Return(now, r.fee)
	if r.backups < maxBackups {
		r.backup = now + max(4*c.trip, c.service/4)
	}
}

// took notes how long r took from its start to the head of its answer, and
// whether a backup has won.
func (c *Core) took(now time.Duration, r *Request, from Peer, backups bool) {
	if c.cfg.Mode != Hedge || r.begun == 0 {
		return
	}
	c.hedger.took.note(now - r.begun)
	if backups || from != r.first {
		c.hedger.note(from != r.first)
		if from != r.first {
			c.count.Won++
		}
	}
}
