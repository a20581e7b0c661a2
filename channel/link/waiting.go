package link

import (
	"context"
	"slices"

	"kecho/channel"
)

// waiter is a Send of bulk that found no room. Its frame is lent until taken
// is closed, or until it has taken itself off the list.
type waiter struct {
	order
	frame []byte
	taken chan struct{}
	err   error // set before taken is closed
}

// waiting is the waiters of a link: of each share first come first served.
// Guarded by link.mu.
type waiting struct {
	list   []*waiter // in the order in which they came
	counts [channel.Shares]int32
	shares uint64 // those that have any
	next   bool   // one of them is not to be overtaken by anybody
}

func (ws *waiting) add(w *waiter) {
	ws.list = append(ws.list, w)
	ws.counts[w.share]++
	ws.shares |= 1 << w.share
}

// gone is that w is not in the list any more.
func (ws *waiting) gone(w *waiter) {
	if ws.counts[w.share]--; ws.counts[w.share] == 0 {
		ws.shares &^= 1 << w.share
	}
}

// lets reports whether a frame of that share may be taken before all that wait.
func (ws *waiting) lets(share uint8) bool {
	return !ws.next && ws.shares&(1<<share) == 0
}

func (ws *waiting) end(err error) {
	for _, w := range ws.list {
		w.err = err
		close(w.taken)
	}
	*ws = waiting{}
}

// admitLocked moves what fits now from the waiters to the queue of bulk. Who
// waits for room in its share keeps nobody of another waiting. But the first of
// a share that has nothing queued needs only room in the queue: nobody overtakes
// it, else small frames might for ever.
func (l *link) admitLocked() {
	ws := &l.waiting
	ws.next = false
	if len(ws.list) == 0 {
		return
	}
	blocked, kept := uint64(0), 0
	for i, w := range ws.list {
		if blocked == ws.shares || ws.next {
			kept += copy(ws.list[kept:], ws.list[i:])
			break
		}
		if blocked&(1<<w.share) == 0 && l.roomLocked(bulk, w.share, w.frame) {
			l.pushLocked(w.order, w.frame)
			ws.gone(w)
			close(w.taken)
			continue
		}
		blocked |= 1 << w.share
		ws.next = l.queues[bulk].shares.of[w.share].frames == 0
		ws.list[kept] = w
		kept++
	}
	clear(ws.list[kept:])
	ws.list = ws.list[:kept]
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
	i := slices.Index(l.waiting.list, w)
	if i < 0 {
		return w.err
	}
	l.waiting.list = slices.Delete(l.waiting.list, i, i+1)
	l.waiting.gone(w)
	l.admitLocked() // w may have been what the others waited behind
	return context.Cause(ctx)
}
