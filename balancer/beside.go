package balancer

import (
	"context"
	"errors"
	"sync/atomic"

	"kecho/balancer/policy"
)

// A request that may have copies is served here beside what peers do with it:
// on a goroutine of its own, of which the first answer's is heard.

// here is a request at this node's web server while peers may have it too.
type here struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	out    *outgoing
	err    error       // how it ended; set before done is closed
	won    atomic.Bool // its answer is the client's
}

// errBeaten says that another answer came first.
var errBeaten = errors.New("another server answered first")

// copies reports whether a request may be at several servers at once.
func (b *Balancer) copies(j *job) bool {
	switch b.cfg.Policy.Mode {
	case policy.Race, policy.Hedge, policy.Speculative:
		return j.request.Movable && j.request.Repeatable
	}
	return false
}

// beside has this node's web server work on the request, and returns.
func (b *Balancer) beside(j *job) {
	ctx, cancel := context.WithCancelCause(j.r.Context())
	h := &here{cancel: cancel, done: make(chan struct{}), out: &outgoing{
		header: b.rewriter.outbound(j.r), body: j.payload.reader(), length: j.payload.length, answerBy: j.answerBy(),
	}}
	h.out.wins = func() bool {
		h.won.Store(b.desk.beats(j))
		return h.won.Load()
	}
	j.here = h
	r := j.r.WithContext(ctx)
	go func() { // finished waits for it
		defer close(h.done)
		defer func() {
			if v := recover(); v != nil {
				h.err = errBadAnswer // nothing panics here; the handler's goroutine would have told
			}
		}()
		h.err = b.upstream.serve(&j.w, r, h.out)
	}()
}

// besideOver gives the place back and says what came of it.
func (b *Balancer) besideOver(j *job) {
	h := j.here
	j.here = nil
	h.cancel(nil)
	err, res := h.err, policy.Aborted
	defer func() { b.desk.finish(&j.request, h.out.took, res) }()
	switch {
	case h.won.Load():
		j.route, j.over = RouteLocal, true
		if err == nil {
			res = resultOf(j.w.status)
			return
		}
		if j.r.Context().Err() == nil {
			res = policy.Faulty
		}
		b.broken(j, "answer of the web server", err)
	case errors.Is(err, errBeaten) || j.over || j.r.Context().Err() != nil:
	case errors.Is(err, errUpstreamTimeout):
		res = policy.Faulty
		b.giveUp(j, errTimeout)
	case errors.Is(err, errUpstreamDown):
		j.trouble, res = err.Error(), policy.Unreached
	case err != nil:
		j.trouble, j.lost, res = err.Error(), true, policy.Broken
	}
}

// stopHere ends what this node's web server does for the request, of which an
// answer is not wanted any more, and gives the place back.
func (b *Balancer) stopHere(j *job) {
	if h := j.here; h != nil {
		j.here = nil
		h.cancel(errBeaten)
		<-h.done
		b.desk.finish(&j.request, h.out.took, policy.Aborted)
	}
}
