package link

import (
	"fmt"
	"net"
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
}

// write is the writer goroutine: it writes what waits until the link ends.
func (l *link) write() {
	var t turn
	for l.next(&t) {
		l.writing.Store(l.peer.now())
		buffers := t.buffers // WriteTo uses it up
		_, err := buffers.WriteTo(l.conn)
		l.writing.Store(0)
		for _, b := range t.blocks {
			l.blocks.put(b)
		}
		if err != nil {
			l.close(lost(err))
			return
		}
		if t.last {
			l.closeWrite()
			return
		}
	}
}

// next waits for something to write and moves it into t. It reports false when
// the link has ended. Without the baton it must not look into the queues: who
// passes it may still be writing.
func (l *link) next(t *turn) bool {
	for {
		if !t.baton {
			select {
			case <-l.wake:
				t.baton = true
			case <-l.over:
				return false
			}
		}
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return false
		}
		if l.takeLocked(t) {
			l.mu.Unlock()
			return true
		}
		l.busy, t.baton = false, false
		l.mu.Unlock()
	}
}

// takeLocked moves the next turn's blocks into t. It reports false when there
// is nothing to write.
func (l *link) takeLocked(t *turn) bool {
	clear(t.blocks)
	t.blocks, t.buffers = t.blocks[:0], t.buffers[:0]
	if l.rest != nil {
		t.blocks = append(t.blocks, l.rest)
		l.rest = nil
	}
	for ln := range l.queues {
		l.expireLocked(lane(ln))
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

// closeWrite tells the peer that nothing follows, where a connection can. The
// bye says it too.
func (l *link) closeWrite() {
	if half, ok := l.socket.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

func lost(err error) error { return fmt.Errorf("%w: %w", ErrLost, err) }
