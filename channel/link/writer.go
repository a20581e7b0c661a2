package link

import (
	"fmt"
	"net"
	"runtime"
	"time"
)

// What one turn takes of each priority, in blocks: the most urgent first, but
// some of each, so that none starves and an urgent frame never waits for more
// than one turn.
var turnBlocks = [lanes]int{urgent: 2, normal: 1, bulk: 1}

// turn is what the writer writes at once.
type turn struct {
	blocks  []*block
	buffers net.Buffers
	baton   bool // busy is the writer's, until it finds nothing to write
	last    bool // the bye is in it
	waited  bool // it has lingered for this one
	alarm   *time.Timer
}

// write is tr's writer goroutine: it writes what waits until the link ends.
func (l *link) write(tr *track) {
	var t turn
	for l.next(tr, &t) {
		tr.writing.Store(l.peer.now())
		err := tr.turns.WriteAll(t.buffers)
		tr.writing.Store(0)
		for _, b := range t.blocks {
			l.blocks.put(b)
		}
		if err != nil {
			l.close(lost(err))
			return
		}
		if t.last {
			tr.closeWrite()
			return
		}
	}
}

// next waits for something to write and moves it into t. It reports false when
// the link has ended. Without the baton it must not look into the queues: who
// passes it may still be writing.
func (l *link) next(tr *track, t *turn) bool {
	for {
		if !t.baton {
			select {
			case <-tr.wake:
				t.baton = true
				runtime.Gosched() // who is ready to send does so first, and goes with this turn
			case <-l.over:
				return false
			}
		}
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return false
		}
		if !t.waited && l.lingersLocked(tr) {
			t.waited = true
			l.mu.Unlock()
			l.linger(tr, t)
			continue
		}
		if t.waited = false; l.takeLocked(tr, t) {
			l.mu.Unlock()
			return true
		}
		tr.busy, t.baton = false, false
		l.mu.Unlock()
	}
}

// takeLocked moves the next turn's blocks into t. It reports false when there
// is nothing to write.
func (l *link) takeLocked(tr *track, t *turn) bool {
	clear(t.blocks)
	t.blocks, t.buffers = t.blocks[:0], t.buffers[:0]
	if tr.rest != nil {
		t.blocks = append(t.blocks, tr.rest)
		tr.rest = nil
	}
	tr.floodsLocked(l.peer.now(), l.queues[bulk].frames)
	for ln := tr.first; ln < tr.end; ln++ {
		if l.expireLocked(ln) && ln == bulk {
			l.admitLocked() // what waited outside must not wait for another turn
		}
		t.blocks = l.queues[ln].pop(t.blocks, turnBlocks[ln])
	}
	l.admitLocked()
	if len(t.blocks) == 0 {
		if !l.finishing {
			return false
		}
		t.blocks = append(t.blocks, &block{buf: appendFrame(nil, kindBye, nil)})
		t.last = true
	}
	for _, b := range t.blocks {
		t.buffers = append(t.buffers, b.buf[b.off:])
	}
	return true
}

// In a flood a turn waits until all that it takes of bulk is there, but not long:
// one call of the system, and one waking of the other end, is then for some hundred
// frames. It is a flood while frames of bulk come faster than one in floodGap. What
// the other priorities bring, and who finds the queue full, waits for no turn.
const (
	lingerBytes = blockSize
	lingerFor   = 500 * time.Microsecond
	floodGap    = 10 * time.Microsecond
)

// floodsLocked notes a turn, and how many frames of bulk have come since the last.
func (tr *track) floodsLocked(now int64, frames int) {
	tr.flood = int64(frames)*int64(floodGap) > now-tr.turned
	tr.turned = now
}

// lingersLocked reports whether the next turn is to wait, and notes that it does.
func (l *link) lingersLocked(tr *track) bool {
	if !tr.flood || tr.rest != nil || l.finishing || len(l.waiting.list) > 0 {
		return false
	}
	for ln := tr.first; ln < min(bulk, tr.end); ln++ {
		if l.queues[ln].frames > 0 {
			return false
		}
	}
	tr.lingers = tr.end > bulk && l.queues[bulk].bytes < lingerBytes
	return tr.lingers
}

// rouseLocked reports whether tr's writer lingers, and must be told not to.
func (tr *track) rouseLocked() bool {
	lingers := tr.lingers
	tr.lingers = false
	return lingers
}

// linger waits until somebody rouses the writer, for lingerFor, or for the end.
func (l *link) linger(tr *track, t *turn) {
	if t.alarm == nil {
		t.alarm = time.NewTimer(lingerFor)
	} else {
		t.alarm.Reset(lingerFor)
	}
	defer t.alarm.Stop()
	select {
	case <-tr.wake:
		return
	case <-l.over:
		return
	case <-t.alarm.C:
	}
	l.mu.Lock()
	alone := tr.rouseLocked()
	l.mu.Unlock()
	if !alone { // who rouses it has not passed the baton yet
		select {
		case <-tr.wake:
		case <-l.over:
		}
	}
}

func lost(err error) error { return fmt.Errorf("%w: %w", ErrLost, err) }
