package channels

import (
	"context"
	"sync"
)

// readers are those who follow a table's channels, each in a goroutine of its
// own making.
type readers struct {
	life context.Context // of the readers: over when they are cut off
	cut  context.CancelFunc

	mu   sync.Mutex
	n    int           // guarded by mu
	none chan struct{} // closed by the last to leave, when somebody waits; guarded by mu
}

// Enter lets somebody read a channel until leave; nil: it reads none. ctx is over with the one that
// is given, and when the reader is cut off. The error is ErrReaders.
func (t *Table) Enter(parent context.Context, c *Channel) (ctx context.Context, leave func(), err error) {
	ctx, out, err := t.enter(parent)
	if err != nil {
		return nil, nil, err
	}
	if c == nil {
		return ctx, out, nil
	}
	c.shelf.enter()
	return ctx, func() {
		c.shelf.leave()
		out()
	}, nil
}

func (t *Table) enter(parent context.Context) (ctx context.Context, leave func(), err error) {
	r := &t.readers
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == MaxReaders {
		return nil, nil, ErrReaders
	}
	r.n++
	ctx, cancel := context.WithCancel(parent)
	stop := context.AfterFunc(r.life, cancel)
	return ctx, func() {
		stop()
		cancel()
		r.leave()
	}, nil
}

func (r *readers) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.none != nil {
		close(r.none)
		r.none = nil
	}
}

// Wait returns when nobody reads any more. Who still does when ctx is done is
// cut off. It is called once, after End.
func (t *Table) Wait(ctx context.Context) {
	r := &t.readers
	r.mu.Lock()
	none := make(chan struct{})
	if r.n == 0 {
		close(none)
	} else {
		r.none = none
	}
	r.mu.Unlock()
	select {
	case <-none:
	case <-ctx.Done():
	}
	r.cut()
	<-none
}

// Readers is how many there are now.
func (t *Table) Readers() int {
	t.readers.mu.Lock()
	defer t.readers.mu.Unlock()
	return t.readers.n
}
