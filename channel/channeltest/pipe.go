package channeltest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kecho/channel"
)

// pipeQueue is how many frames of one priority a pipe holds.
const pipeQueue = 1024

// pipe is one direction of a link: three queues, and the goroutine that calls
// the receiver.
type pipe struct {
	from   channel.NodeID
	to     *port
	before <-chan struct{} // the reader of the pair's last link has ended; nil: there was none
	done   chan struct{}   // this one's has

	mu     sync.Mutex
	queues [3][]waiting  // urgent, normal, bulk; guarded by mu
	cause  error         // why it is closed; guarded by mu
	change chan struct{} // closed and replaced at each change; guarded by mu
}

// waiting is a frame until it is received, or dropped at the time it is due.
type waiting struct {
	frame []byte
	due   time.Time // zero: never
}

func newPipe(from channel.NodeID, to *port) *pipe {
	return &pipe{from: from, to: to, done: make(chan struct{}), change: make(chan struct{})}
}

// put appends w to its queue. A full queue refuses, or, for bulk, waits.
func (p *pipe) put(ctx context.Context, prio channel.Priority, w waiting) error {
	q := int(channel.Urgent - prio)
	for {
		p.mu.Lock()
		p.expireLocked()
		switch {
		case p.cause != nil:
			p.mu.Unlock()
			return fmt.Errorf("send to %v: %w", p.to.id, channel.ErrNoLink)
		case len(p.queues[q]) < pipeQueue:
			p.queues[q] = append(p.queues[q], w)
			p.changedLocked()
			p.mu.Unlock()
			return nil
		}
		change := p.change
		p.mu.Unlock()
		if prio != channel.Bulk {
			return fmt.Errorf("send to %v: %w", p.to.id, channel.ErrQueueFull)
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// expireLocked drops the frames whose time has come.
func (p *pipe) expireLocked() {
	now := time.Now()
	for i, q := range p.queues {
		p.queues[i] = slices.DeleteFunc(q, func(w waiting) bool { return !w.due.IsZero() && !now.Before(w.due) })
	}
}

func (p *pipe) changedLocked() {
	close(p.change)
	p.change = make(chan struct{})
}

func (p *pipe) close(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		p.cause = cause
		p.changedLocked()
	}
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
		if err := p.to.r.Receive(p.from, frame); err != nil {
			p.to.hub.cut(pairOf(p.from, p.to.id), err)
		}
	}
}

// next waits for the next frame, of the most urgent queue that has one.
func (p *pipe) next() ([]byte, error) {
	for {
		p.mu.Lock()
		if p.cause != nil {
			defer p.mu.Unlock()
			return nil, p.cause
		}
		p.expireLocked()
		for i := range p.queues {
			if q := p.queues[i]; len(q) > 0 {
				p.queues[i] = q[1:]
				p.changedLocked()
				p.mu.Unlock()
				return q[0].frame, nil
			}
		}
		change := p.change
		p.mu.Unlock()
		<-change
	}
}
