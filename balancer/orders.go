package balancer

import (
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// What the desk hears of this node's own requests, and what it says to their
// goroutines: orders, which are the core's effects about them, in its order.

// countLocked counts a request that goes to peers because there is no place for
// it here, and one that no peer took: each once.
func (d *desk) countLocked(j *job, e *policy.Effect) {
	switch {
	case e.Do == policy.DoSubmit && !j.asked && e.Message.Epoch == 0:
		j.asked = true
		d.overflowed++
	case e.Do == policy.DoSend:
		j.given = true
	case e.Do == policy.DoSubmit || e.Do == policy.DoAbort:
	case j.asked && !j.given:
		j.given = true
		d.untaken++
	}
}

// orderLocked puts an order before j's goroutine. The core says a bounded number
// of things about one request.
func (d *desk) orderLocked(j *job, e *policy.Effect) {
	d.countLocked(j, e)
	if e.Do == policy.DoStart {
		e.Message.Epoch = e.Request.Epoch()
	}
	j.orders = append(j.orders, *e)
	if j.told != nil {
		select {
		case j.told <- struct{}{}:
		default:
		}
	}
}

// arrive tells the core of a request that has come.
func (d *desk) arrive(j *job) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		return d.core.Arrive(now, &j.request, out)
	})
}

// enter gives r a place if that is all that its coming would do; else nothing
// was done. r is no job's: nothing more is said of it until it is finished.
func (d *desk) enter(r *policy.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.core.AtOnce(r) {
		return false
	}
	r.Movable = false // it is here, and has no copies
	d.effects = d.core.Arrive(d.now(), r, d.effects[:0])
	clear(d.effects) // its start
	return true
}

// startNow gives a request a place here if there is one at once. It reports
// false when there is none; then the core has not heard of the request.
func (d *desk) startNow(j *job) bool {
	d.mu.Lock()
	now := d.now()
	if !d.core.AtOnce(&j.request) {
		d.mu.Unlock()
		return false
	}
	d.effects = d.core.Arrive(now, &j.request, d.effects[:0])
	left := d.settleLocked()
	clear(j.orders) // the only one is to start
	j.orders = j.orders[:0]
	d.mu.Unlock()
	if len(left) > 0 {
		d.errands(left)
	}
	return true
}

// next is the next order; false when there is none, and j.told says when there
// will be.
func (d *desk) next(j *job) (policy.Effect, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(j.orders) == 0 {
		if j.told == nil {
			j.told = make(chan struct{}, 1)
		}
		return policy.Effect{}, false
	}
	order := j.orders[0]
	j.orders = j.orders[1:]
	return order, true
}

// finish gives the place of a request back that ran here, took until the head
// of its answer.
func (d *desk) finish(r *policy.Request, took time.Duration, res policy.Result) {
	turned := false
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		was := d.core.Sick()
		out = d.core.Finish(now, r, took, res, out)
		turned = d.core.Sick() != was
		return out
	})
	if turned {
		d.turned()
	}
}

// isSick reports whether the web server fails what it is given.
func (d *desk) isSick() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Sick()
}

// quit says that nobody waits for the answer of j any more. A place that j was
// just given it gives back.
func (d *desk) quit(j *job) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		out = d.core.Leave(now, &j.request, out)
		for i := range j.orders {
			if j.orders[i].Do == policy.DoStart {
				out = d.core.Finish(now, &j.request, 0, policy.Aborted, out)
			}
		}
		j.orders = nil
		return out
	})
}

// answered says that the head of an answer of a peer is here; it reports false
// when it is not wanted any more.
func (d *desk) answered(j *job, from channel.NodeID, epoch uint32) (wanted bool) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		if wanted = d.core.Awaits(&j.request, policy.Peer(from), epoch); !wanted {
			return out
		}
		return d.core.Answered(now, &j.request, policy.Peer(from), out)
	})
	return wanted
}

// beats says that the head of this node's web server's answer is here; it
// reports false when it is not wanted any more.
func (d *desk) beats(j *job) (wanted bool) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		if wanted = !j.closed && d.core.Awaits(&j.request, 0, j.request.Epoch()); !wanted {
			return out
		}
		j.closed = true
		return d.core.Answered(now, &j.request, 0, out)
	})
	return wanted
}

// close has no answer of this node's web server be wanted; false when one has
// come already, and is the client's.
func (d *desk) close(j *job) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !j.closed
	j.closed = true
	return first
}

// unanswered says that a peer has no answer, although it may have begun.
func (d *desk) unanswered(j *job, from channel.NodeID, epoch uint32) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		if !d.core.Awaits(&j.request, policy.Peer(from), epoch) {
			return out // it is known
		}
		return d.core.NoAnswer(now, &j.request, policy.Peer(from), true, out)
	})
}

// refused says that a peer has not begun what it was sent.
func (d *desk) refused(j *job, from channel.NodeID, epoch uint32) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		if !d.present[from] {
			return out // it is gone, which the core knows
		}
		report, _ := d.core.Heard(policy.Peer(from)) // its refusal was heard when it came
		return d.core.Receive(now, policy.Peer(from), policy.Message{Kind: policy.Refuse, ID: j.request.ID(), Epoch: epoch, Report: report}, out)
	})
}

// unsent says that the link to a peer did not take what was to go there. Where
// fits is false no peer can get it.
func (d *desk) unsent(j *job, to channel.NodeID, fits bool) {
	d.step(func(now time.Duration, out []policy.Effect) []policy.Effect {
		if !fits {
			d.core.Fix(&j.request)
		}
		return d.core.Unsent(now, &j.request, policy.Peer(to), out)
	})
}

// extend moves the deadline of j to left from now.
func (d *desk) extend(j *job, left time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.core.Extend(d.now(), &j.request, left)
}

// wants says whether a claim of a peer would find its request waiting.
func (d *desk) wants(from channel.NodeID, number uint64, epoch uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.core.Offered(policy.Peer(from), number, epoch)
}

// begun reports whether the exchange was given a place.
func (d *desk) begun(x *exchange) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return x.guest != nil
}

// has reports whether the core knows of the exchange, or did until it answered
// its owner.
func (d *desk) has(x *exchange) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return x.known || d.core.Keeps(policy.Peer(x.owner), x.number, x.epoch, x)
}
