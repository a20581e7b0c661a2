package link

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kecho/channel"
)

// link is one live connection to one peer. Whoever made it calls Pool.run,
// which reads; one more goroutine writes what cannot be written at once.
type link struct {
	peer   *peer
	socket net.Conn // under TLS; what ends the link when it is closed
	tracks []*track // one for all priorities, or one for each
	limits *Config
	blocks *blocks
	over   chan struct{} // closed with closed
	ended  chan struct{} // closed by Pool.run after LinkDown
	prev   *link         // whose ended run awaits first; owned by run

	// What the health loop reads and writes: nanoseconds since the peer's
	// epoch (the pool's), zero for never.
	heard  atomic.Int64
	pinged atomic.Int64 // the last ping, as its payload
	rtt    atomic.Int64

	mu        sync.Mutex
	up        time.Time // when LinkUp was told
	closed    bool
	finishing bool  // nothing more is taken; what waits, a bye, the end
	cause     error // of the end
	queues    [lanes]queue
	waiters   []*waiter // of bulk, first come first served
}

// waiter is a Send of bulk that found no room. Its frame is lent until taken
// is closed, or until it has taken itself off the list.
type waiter struct {
	frame []byte
	due   int64
	taken chan struct{}
	err   error // set before taken is closed
}

func newLink(p *Pool, pr *peer, conn, socket net.Conn) *link {
	tune(socket)
	return &link{
		peer: pr, socket: socket, tracks: tracksOf(conn, socket),
		limits: &p.cfg, blocks: &p.blocks, prev: pr.link,
		over: make(chan struct{}), ended: make(chan struct{}),
	}
}

// send takes frame: writes it now if nobody else writes, else queues a copy,
// which is dropped when it still waits at the time of the peer's epoch that is
// due; zero: never.
func (l *link) send(ctx context.Context, ln lane, due int64, frame []byte) error {
	l.mu.Lock()
	if l.closed || l.finishing {
		l.mu.Unlock()
		return channel.ErrNoLink
	}
	if tr := l.track(ln); !tr.busy {
		return l.sendNowAndUnlock(tr, ln.kind(), frame)
	}
	if len(l.waiters) == 0 || ln != bulk {
		if l.roomLocked(ln, frame) {
			l.queues[ln].push(l.blocks, ln.kind(), due, frame)
			l.mu.Unlock()
			return nil
		}
	}
	if ln != bulk {
		l.mu.Unlock()
		return channel.ErrQueueFull
	}
	w := &waiter{frame: frame, due: due, taken: make(chan struct{})}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	return l.await(ctx, w)
}

// control is send for the link's own frames. One that finds no room is
// dropped: the next ping makes up for it.
func (l *link) control(kind byte, payload []byte) {
	l.mu.Lock()
	tr := l.track(urgent)
	switch {
	case l.closed || l.finishing:
	case !tr.busy:
		l.sendNowAndUnlock(tr, kind, payload)
		return
	case l.roomLocked(urgent, payload):
		l.queues[urgent].push(l.blocks, kind, 0, payload)
	}
	l.mu.Unlock()
}

// sendNowAndUnlock writes one frame when nobody else writes on tr. The lock is
// not held during the system call, so others queue behind it instead of waiting.
func (l *link) sendNowAndUnlock(tr *track, kind byte, frame []byte) error {
	tr.busy = true
	b := l.blocks.get(headerSize + len(frame))
	b.append(kind, frame)
	if tr.direct == nil {
		tr.rest = b
		l.mu.Unlock()
		tr.wake <- struct{}{}
		return nil
	}
	l.mu.Unlock()
	n, err := tr.direct.write(b.buf)
	if err != nil {
		l.blocks.put(b)
		l.close(lost(err))
		return channel.ErrNoLink
	}
	if n == len(b.buf) {
		l.blocks.put(b)
		b = nil
	} else {
		b.off = n
	}
	l.mu.Lock()
	tr.rest = b
	tr.busy = l.waitsLocked(tr)
	wake := tr.busy
	l.mu.Unlock()
	if wake {
		tr.wake <- struct{}{}
	}
	return nil
}

// waitsLocked reports whether there is anything for tr's writer to do.
func (l *link) waitsLocked(tr *track) bool {
	if tr.rest != nil || l.finishing || l.closed {
		return true
	}
	for _, q := range l.queues[tr.first:tr.end] {
		if q.frames > 0 {
			return true
		}
	}
	return false
}

// roomLocked reports whether frame fits into the queue of ln, after what is
// late was dropped if need be. One frame always fits into an empty queue.
func (l *link) roomLocked(ln lane, frame []byte) bool {
	q := &l.queues[ln]
	fits := func() bool {
		return q.frames == 0 ||
			q.frames < l.limits.QueueFrames && q.bytes+headerSize+len(frame) <= l.limits.QueueBytes
	}
	return fits() || l.expireLocked(ln) && fits()
}

// expireLocked drops what waits in vain, and reports whether anything did.
func (l *link) expireLocked(ln lane) bool {
	q := &l.queues[ln]
	if q.timed == 0 {
		return false
	}
	n := q.expire(l.blocks, l.peer.now())
	l.peer.counts[ln].late.Add(uint64(n))
	return n > 0
}

// admitLocked moves what fits now from the waiters to the queue of bulk.
func (l *link) admitLocked() {
	n := 0
	for _, w := range l.waiters {
		if !l.roomLocked(bulk, w.frame) {
			break
		}
		l.queues[bulk].push(l.blocks, kindBulk, w.due, w.frame)
		close(w.taken)
		n++
	}
	l.waiters = slices.Delete(l.waiters, 0, n)
}

// await returns when w's frame was taken, when the link ended, or when ctx is
// done and w's frame was not taken before.
func (l *link) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.taken:
		return w.err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiters, w)
	if i < 0 {
		return w.err
	}
	l.waiters = slices.Delete(l.waiters, i, i+1)
	l.admitLocked() // w may have been what the others waited behind
	return context.Cause(ctx)
}

// finish takes nothing more, writes what waits and a bye, and then leaves it
// to the peer to close. The reader goes on until then.
func (l *link) finish() {
	l.mu.Lock()
	if l.closed || l.finishing {
		l.mu.Unlock()
		return
	}
	l.finishing = true
	l.cause = ErrDraining
	var wake []*track
	for _, tr := range l.tracks {
		if !tr.busy {
			tr.busy = true
			wake = append(wake, tr)
		}
	}
	l.mu.Unlock()
	for _, tr := range wake {
		tr.wake <- struct{}{}
	}
}

// close ends the link at once. The first cause counts.
func (l *link) close(cause error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	if l.cause == nil {
		l.cause = cause
	}
	for _, tr := range l.tracks {
		tr.rest = nil
	}
	l.queues = [lanes]queue{}
	for _, w := range l.waiters {
		w.err = channel.ErrNoLink
		close(w.taken)
	}
	l.waiters = nil
	close(l.over)
	l.mu.Unlock()
	// Not conn.Close: TLS would try to say goodbye and could wait for it.
	l.socket.Close()
}

// ending is why the link ended; nil while it lives.
func (l *link) ending() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		return nil
	}
	return l.cause
}
