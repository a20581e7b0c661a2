package policy

import "time"

// Bounds of hedging, beside Copies.Share and the budget.
const (
	hedgeRate  = .1 // a second
	hedgeBurst = 10
	maxBackups = 3 // looked for, of one request
)

// How the wait for a backup is stretched by those that win and lose, at most,
// and how quickly it comes back by itself: of requests that are slow wherever
// they are at most one in 500 has a backup.
const (
	stretchStep = 1.1
	stretchMost = 8
	stretchRest = .9998 // a request
)

// hedger decides when a request that takes long gets a backup. It helps when
// a server is slow and hurts when the request is: then the backup takes as
// long. So the wait is stretched until half of the backups win, and if none
// does there are next to none.
type hedger struct {
	budget  Budget
	took    quantile
	stretch float64
}

func newHedger(p Copies) hedger {
	return hedger{budget: Budget{Share: p.Share, Rate: hedgeRate, Burst: hedgeBurst}, took: quantile{share: p.Quantile}, stretch: 1}
}

// answered counts a request that was answered so long after its start.
func (h *hedger) answered(took time.Duration) {
	h.took.note(took)
	h.stretch = max(h.stretch*stretchRest, 1)
}

// judge counts a backup that was not refused.
func (h *hedger) judge(won bool) {
	if won {
		h.stretch = max(h.stretch/stretchStep, 1)
	} else {
		h.stretch = min(h.stretch*stretchStep, stretchMost)
	}
}

// wait is how long after its start a request gets a backup, by a fixed time or
// else by the times so far; 0: never.
func (h *hedger) wait(fixed time.Duration) time.Duration {
	if fixed == 0 {
		fixed = h.took.value
	}
	return time.Duration(float64(fixed) * h.stretch)
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
	if wait := c.hedger.wait(c.cfg.Copies.After); wait > 0 {
		r.backup = now + wait
	}
}

// hedge has a backup of r begun where there is a place free, here if r is not
// here, or nearly: at a peer that it waits for no longer than a service takes.
func (c *Core) hedge(now time.Duration, r *Request, out []Effect) []Effect {
	r.backup = 0
	copies := len(r.copies)
	if r.phase == running {
		copies++
	}
	if r.backups >= maxBackups || copies >= c.cfg.Copies.Most || !c.hedger.budget.Spend(now, 1) {
		c.plan(now, r)
		return out
	}
	if r.phase == moved && !c.down && !c.sick && c.vacant() > 0 && c.queue.len() == 0 && c.budget.Spend(now, 1) {
		c.hedged(now, r, 1)
		return c.start(now, r, out)
	}
	before := len(out)
	if out = c.fork(now, r, 1, c.service, out); len(out) == before {
		c.hedger.budget.Return(now, 1)
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
	c.hedger.budget.Return(now, 1)
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
	c.hedger.answered(now - r.begun)
	if backups || from != r.first {
		c.hedger.judge(from != r.first)
		if from != r.first {
			c.count.Won++
		}
	}
}
