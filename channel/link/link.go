package link

import (
	"context"
	"net"
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
	sent      [lanes]flow // what was taken; the peer's counts get it at the end
	waiting   waiting     // sends of bulk
}

// order says how one frame is sent.
type order struct {
	ln    lane
	share uint8
	try   bool  // bulk does not wait
	due   int64 // of the peer's epoch: dropped when it still waits then; zero: never
}

func newLink(p *Pool, pr *peer, conn, socket net.Conn) *link {
	tune(socket)
	return &link{
		peer: pr, socket: socket, tracks: tracksOf(conn, socket),
		limits: &p.cfg, blocks: &p.blocks, prev: pr.link,
		over: make(chan struct{}), ended: make(chan struct{}),
	}
}

// send takes frame: writes it now if nobody else writes, else queues a copy.
func (l *link) send(ctx context.Context, o order, frame []byte) error {
	l.mu.Lock()
	if l.closed || l.finishing {
		l.mu.Unlock()
		return channel.ErrNoLink
	}
	tr := l.track(o.ln)
	if !tr.busy && !tr.streamsLocked(l.peer, l.peer.now()) {
		l.sent[o.ln].add(frame)
		return l.sendNowAndUnlock(tr, o.ln.kind(), frame)
	}
	if (o.ln != bulk || l.waiting.lets(o.share)) && l.roomLocked(o.ln, o.share, frame) {
		l.pushLocked(o, frame)
		wake := !tr.busy || (o.ln != bulk || l.queues[bulk].bytes >= lingerBytes) && tr.rouseLocked()
		tr.full = min(tr.full+1, streamMost)
		tr.busy = true
		l.mu.Unlock()
		tr.passIf(wake)
		return nil
	}
	wake := tr.rouseLocked()
	if o.ln != bulk || o.try {
		l.mu.Unlock()
		tr.passIf(wake)
		return channel.ErrQueueFull
	}
	w := &waiter{order: o, frame: frame, taken: make(chan struct{})}
	l.waiting.add(w)
	l.admitLocked() // w may be one that nobody may overtake
	l.mu.Unlock()
	tr.passIf(wake)
	return l.await(ctx, w)
}

// control is send for the link's own frames. One that finds no room is
// dropped: the next ping makes up for it.
func (l *link) control(kind byte, payload []byte) {
	l.mu.Lock()
	tr := l.track(urgent)
	wake := false
	switch {
	case l.closed || l.finishing:
	case !tr.busy:
		l.sendNowAndUnlock(tr, kind, payload)
		return
	case l.roomLocked(urgent, 0, payload):
		l.queues[urgent].push(l.blocks, kind, 0, 0, payload)
		wake = tr.rouseLocked()
	}
	l.mu.Unlock()
	tr.passIf(wake)
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
	began := l.peer.now()
	n, err := tr.direct.TryWrite(b.buf)
	l.peer.wrote.Add(l.peer.now() - began)
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
	tr.passIf(wake)
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

// roomLocked reports whether the queue of ln has room for frame, after what is
// late was dropped if need be.
func (l *link) roomLocked(ln lane, share uint8, frame []byte) bool {
	q := &l.queues[ln]
	return q.fits(l.limits, share, frame) || l.expireLocked(ln) && q.fits(l.limits, share, frame)
}

// pushLocked takes frame into its queue, where there is room.
func (l *link) pushLocked(o order, frame []byte) {
	l.queues[o.ln].push(l.blocks, o.ln.kind(), o.share, o.due, frame)
	l.sent[o.ln].add(frame)
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
		if !tr.busy || tr.rouseLocked() {
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
	for ln := range l.sent {
		l.peer.counts[ln].out.add(l.sent[ln])
		l.sent[ln] = flow{}
	}
	if l.cause == nil {
		l.cause = cause
	}
	for _, tr := range l.tracks {
		tr.rest = nil
	}
	l.queues = [lanes]queue{}
	l.waiting.end(channel.ErrNoLink)
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
