package link

import (
	"context"
	"slices"
	"sync"
)

// maxDialing is how many attempts a node makes at once. An attempt with TLS
// costs each end about a millisecond of CPU, so a node that learns of a thousand
// peers and dials all at once may have them all run out of time together, throw
// the work away and begin again. On two cores that others used too (a load of
// 10) 1,000 links over QUIC were not there after 90 s, 10,000 dials had timed
// out; with this, and places at the other end, they took 3 to 25 s. Those
// that wait here have not begun, and their time has not either.
const maxDialing = 64

// places are what attempts need, one each.
type places struct {
	mu    sync.Mutex
	taken int
	// Who waits, first come first served. Who has failed before waits until
	// nobody else does: peers that are gone hold a place for a whole
	// DialTimeout, and must not keep those from theirs that are there.
	first, again []chan struct{}
}

// enter waits for a place, or for ctx.
func (p *places) enter(ctx context.Context, failed bool) error {
	p.mu.Lock()
	if p.taken < maxDialing {
		p.taken++
		p.mu.Unlock()
		return nil
	}
	line := p.lineLocked(failed)
	mine := make(chan struct{})
	*line = append(*line, mine)
	p.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(*line, mine); i >= 0 {
		*line = slices.Delete(*line, i, i+1)
		return context.Cause(ctx)
	}
	return nil // it was given a place meanwhile; what follows sees to ctx
}

// leave gives the place to who waits.
func (p *places) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range []*[]chan struct{}{&p.first, &p.again} {
		if len(*line) > 0 {
			close((*line)[0])
			*line = slices.Delete(*line, 0, 1)
			return
		}
	}
	p.taken--
}

func (p *places) lineLocked(failed bool) *[]chan struct{} {
	if failed {
		return &p.again
	}
	return &p.first
}
