package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"kecho/channel"
)

// peer is what the pool keeps of another node while the registry names it or a
// link to it stands.
type peer struct {
	id     channel.NodeID
	epoch  time.Time     // the pool's
	wrote  *atomic.Int64 // the pool's
	counts [lanes]count
	heard  atomic.Int64
	news   chan struct{} // capacity 1; ends the wait before a dial

	// The rest is guarded by Pool.mu.
	info    Peer
	known   bool  // SetPeers names it
	link    *link // the newest; set before its LinkUp, until after its LinkDown
	seen    uint64
	lastErr error

	dialing  bool // a dial loop runs
	waiting  bool // it has sent a hello, and waits for the answer
	abort    context.CancelCauseFunc
	failures int           // in a row
	delay    time.Duration // upper bound of the next wait
}

func newPeer(p *Pool, info Peer) *peer {
	pr := &peer{id: info.ID, epoch: p.epoch, wrote: &p.wrote, news: make(chan struct{}, 1)}
	if p.cfg.ID > info.ID {
		// Both sides learn of each other at about the same time. The one
		// whose dial would lose gives the other a moment.
		pr.delay = p.cfg.RedialMin
	}
	return pr
}

// learnLocked takes what SetPeers says. News of a peer, good or bad, makes
// what is known of its past failures worthless.
func (pr *peer) learnLocked(info Peer) {
	if pr.known && pr.info == info {
		return
	}
	if pr.info.ID != 0 {
		pr.failures, pr.delay = 0, 0
		pr.poke()
	}
	pr.known, pr.info = true, info
}

// forgetLocked is for a peer that SetPeers does not name.
func (pr *peer) forgetLocked() {
	pr.known = false
	if pr.abort != nil {
		pr.abort(errForgotten)
	}
	pr.poke()
}

func (pr *peer) poke() {
	select {
	case pr.news <- struct{}{}:
	default:
	}
}

var (
	errForgotten = errors.New("the registry does not name the peer any more")
	errAccepted  = errors.New("the peer's own dial came first")
)

// dropLocked forgets pr when nothing is left of it.
func (p *Pool) dropLocked(pr *peer) {
	if !pr.known && !pr.dialing && pr.link == nil {
		delete(p.peers, pr.id)
	}
}

// redialLocked starts a dial loop if pr needs one.
func (p *Pool) redialLocked(pr *peer) {
	if !p.serving || !pr.known || pr.dialing || pr.link != nil {
		return
	}
	pr.dialing = true
	select {
	case <-pr.news: // old news
	default:
	}
	p.wg.Go(func() { p.dialLoop(pr) })
}

// dialLoop dials until there is a link or the peer is forgotten. If the link
// is by its own doing it goes on as the link's reader.
func (p *Pool) dialLoop(pr *peer) {
	for {
		p.mu.Lock()
		wait := jitter(pr.delay)
		p.mu.Unlock()
		p.await(pr, wait)
		ctx, ok := p.beginDial(pr)
		if !ok {
			return
		}
		l, err := p.attempt(ctx, pr)
		p.endDial(ctx, pr, err)
		if err == nil {
			p.run(l)
			return
		}
	}
}

// await waits for d, or for news of the peer, or for the end.
func (p *Pool) await(pr *peer, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-pr.news:
	case <-p.ctx.Done():
	}
}

// beginDial is the context of one attempt. It reports false, and has ended the
// loop, when there is nothing to dial for.
func (p *Pool) beginDial(pr *peer) (context.Context, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.serving || !pr.known || pr.link != nil {
		pr.dialing = false
		p.dropLocked(pr)
		return nil, false
	}
	ctx, abort := context.WithCancelCause(p.ctx)
	pr.abort = abort
	return ctx, true
}

// attempt dials when there is a place for it. On success the link is the peer's,
// and the loop is over.
func (p *Pool) attempt(ctx context.Context, pr *peer) (*link, error) {
	p.mu.Lock()
	failed := pr.failures > 0
	p.mu.Unlock()
	if err := p.dialing.enter(ctx, failed); err != nil {
		return nil, err
	}
	defer p.dialing.leave()
	p.mu.Lock()
	info := pr.info // there may have been news while it waited
	p.mu.Unlock()
	return p.dial(ctx, pr, info)
}

func (p *Pool) dial(ctx context.Context, pr *peer, info Peer) (*link, error) {
	limited, cancel := context.WithTimeout(ctx, p.cfg.DialTimeout)
	conn, err := p.cfg.Dial(limited, info.Addr)
	cancel()
	if err != nil {
		return nil, fmt.Errorf("dial %s at %s: %w", info.Name, info.Addr, err)
	}
	l, err := p.greet(ctx, pr, info, conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet %s at %s: %w", info.Name, info.Addr, err)
	}
	return l, nil
}

// endDial ends an attempt. If it failed it notes why, and how long to wait at
// most before the next.
func (p *Pool) endDial(ctx context.Context, pr *peer, err error) {
	p.mu.Lock()
	aborted := ctx.Err() != nil // by the pool itself: nothing has failed
	pr.abort(nil)
	pr.abort = nil
	if err == nil || aborted {
		pr.waiting = false
		p.mu.Unlock()
		return
	}
	said := pr.lastErr != nil && causeOf(pr.lastErr.Error()) == causeOf(err.Error())
	p.failedLocked(pr, err)
	name, delay := pr.info.Name, pr.delay
	p.mu.Unlock()

	level := slog.LevelInfo
	var no *refusal
	switch {
	case said:
		level = slog.LevelDebug
	case errors.As(err, &no) && no.lasting():
		level = slog.LevelWarn
	}
	p.log.Log(ctx, level, "no link yet", "peer", name, "error", clip(err.Error()), "again within", delay)
}

// failedLocked notes a failed attempt.
func (p *Pool) failedLocked(pr *peer, err error) {
	pr.waiting = false
	pr.lastErr = err
	pr.failures++
	pr.delay = p.backoff(pr.failures)
	var no *refusal
	if !errors.As(err, &no) {
		return
	}
	switch {
	case no.lasting():
		pr.delay = p.cfg.RedialMax
	case no.code == codeUnknown:
		pr.delay = min(pr.delay, maxUnknown)
	case no.code == codeCrossed:
		pr.delay = min(pr.delay, maxCrossed)
	}
}

// maxCrossed bounds the wait for the peer's own dial to get through, which ends
// the wait. With a shorter one a node with many peers and little CPU spent it on
// connections that were refused: 2,127 for 1,000 links.
const maxCrossed = time.Second

// maxUnknown bounds the wait when the peer has not heard of this node: the
// rumour is on its way.
const maxUnknown = 250 * time.Millisecond

// gone takes an ended link away from its peer and sees to the next one.
func (p *Pool) gone(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr := l.peer
	pr.lastErr = l.ending()
	if pr.link != l {
		return // replaced
	}
	pr.link = nil
	switch {
	case errors.Is(pr.lastErr, ErrLeft):
		pr.delay = p.cfg.RedialMax // an id is one life: it will not be back
	case !l.up.IsZero() && time.Since(l.up) >= p.cfg.DeadAfter:
		pr.failures, pr.delay = 0, p.cfg.RedialMin
	default: // came up and failed at once: as good as a failed dial
		pr.failures++
		pr.delay = p.backoff(pr.failures)
	}
	p.dropLocked(pr)
	p.redialLocked(pr)
}

// backoff is the upper bound of the wait after so many failures in a row.
func (p *Pool) backoff(failures int) time.Duration {
	return min(p.cfg.RedialMax, p.cfg.RedialMin<<min(failures-1, 20))
}

// jitter is a random wait of at most bound: full jitter, so that those who
// lost a node at the same time do not come back at the same time.
func jitter(bound time.Duration) time.Duration {
	if bound <= 0 {
		return 0
	}
	return rand.N(bound)
}
