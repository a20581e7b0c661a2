package channeltest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kecho/channel"
)

// pipeQueue and pipeBytes are what a pipe holds at one priority at most, as a
// link does.
const (
	pipeQueue = 1536
	pipeBytes = 6 << 20
)

// pipe is one direction of a link: three queues, and the goroutine that calls
// the receiver.
type pipe struct {
	from   channel.NodeID
	to     *port
	before <-chan struct{} // the reader of the pair's last link has ended; nil: there was none
	done   chan struct{}   // this one's has

	mu     sync.Mutex
	queues [3][]waiting              // urgent, normal, bulk; guarded by mu
	bytes  [3]int                    // in them; guarded by mu
	shares [3][channel.Shares]amount // of them; guarded by mu
	cause  error                     // why it is closed; guarded by mu
	ending bool                      // it is closed for who sends, and what it took arrives; guarded by mu
	change chan struct{}             // closed and replaced at each change; guarded by mu
}

// waiting is a frame until it is received, or dropped at the time it is due.
type waiting struct {
	frame []byte
	channel.Handling
}

// queue is where it waits.
func (w *waiting) queue() int { return int(channel.Urgent - w.Priority) }

// amount is what one share has in a queue.
type amount struct{ frames, bytes int }

func newPipe(from channel.NodeID, to *port) *pipe {
	return &pipe{from: from, to: to, done: make(chan struct{}), change: make(chan struct{})}
}

// put appends w to its queue. A full queue refuses, or, for bulk, waits.
func (p *pipe) put(ctx context.Context, w waiting) error {
	q := w.queue()
	for {
		p.mu.Lock()
		p.expireLocked()
		switch {
		case p.cause != nil:
			p.mu.Unlock()
			return fmt.Errorf("send to %v: %w", p.to.id, channel.ErrNoLink)
		case p.fitsLocked(&w):
			p.queues[q] = append(p.queues[q], w)
			p.countLocked(&w, 1)
			p.changedLocked()
			p.mu.Unlock()
			return nil
		}
		change := p.change
		p.mu.Unlock()
		if w.Priority != channel.Bulk || w.Try {
			return fmt.Errorf("send to %v: %w", p.to.id, channel.ErrQueueFull)
		}
		select {
		case <-change:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fitsLocked is the rule that a link has: one share has at most twice what it
// leaves free.
func (p *pipe) fitsLocked(w *waiting) bool {
	q := w.queue()
	frames, bytes := pipeQueue-len(p.queues[q])-1, pipeBytes-p.bytes[q]-len(w.frame)
	have := p.shares[q][w.Share]
	switch {
	case len(p.queues[q]) == 0:
		return true
	case frames < 0 || bytes < 0:
		return false
	}
	return have.frames == 0 || have.frames+1 <= 2*frames && have.bytes+len(w.frame) <= 2*bytes
}

// countLocked is that w has come, 1, or gone, -1.
func (p *pipe) countLocked(w *waiting, n int) {
	q := w.queue()
	p.bytes[q] += n * len(w.frame)
	p.shares[q][w.Share].frames += n
	p.shares[q][w.Share].bytes += n * len(w.frame)
}

// expireLocked drops the frames whose time has come.
func (p *pipe) expireLocked() {
	now := time.Now()
	for i, q := range p.queues {
		p.queues[i] = slices.DeleteFunc(q, func(w waiting) bool {
			late := !w.Due.IsZero() && !now.Before(w.Due)
			if late {
				p.countLocked(&w, -1)
			}
			return late
		})
	}
}

func (p *pipe) changedLocked() {
	close(p.change)
	p.change = make(chan struct{})
}

// close ends the pipe, at once or when what it took has arrived. The first
// cause counts.
func (p *pipe) close(cause error, atOnce bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		p.cause, p.ending = cause, true
	}
	p.ending = p.ending && !atOnce
	p.changedLocked()
}

// read is the life of the link as the receiver sees it.
func (p *pipe) read() {
	defer close(p.done)
	if p.before != nil {
		<-p.before
	}
	p.to.r.LinkUp(p.from)
	for {
		frame, err := p.next()
		if err != nil {
			p.to.r.LinkDown(p.from, err)
			return
		}
		if err := p.to.r.Receive(p.from, time.Now(), frame, false); err != nil {
			p.to.hub.renew(pairOf(p.from, p.to.id), err)
		}
	}
}

// next waits for the next frame, of the most urgent queue that has one.
func (p *pipe) next() ([]byte, error) {
	for {
		p.mu.Lock()
		if p.cause != nil && !p.ending {
			defer p.mu.Unlock()
			return nil, p.cause
		}
		p.expireLocked()
		for i := range p.queues {
			if q := p.queues[i]; len(q) > 0 {
				p.queues[i] = q[1:]
				p.countLocked(&q[0], -1)
				p.changedLocked()
				p.mu.Unlock()
				return q[0].frame, nil
			}
		}
		if p.cause != nil {
			defer p.mu.Unlock()
			return nil, p.cause
		}
		change := p.change
		p.mu.Unlock()
		<-change
	}
}
