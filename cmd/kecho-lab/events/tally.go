package events

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts what a sink hears.
type tally struct {
	events atomic.Int64

	mu   sync.Mutex
	took []int64 // guarded by mu
	last int64   // guarded by mu
}

// count is for an event whose time nobody wants.
func (t *tally) count() { t.events.Add(1) }

func (t *tally) note(took, now int64) {
	t.mu.Lock()
	t.took, t.last = append(t.took, took), now
	t.mu.Unlock()
	t.events.Add(1)
}

// lookEvery is between two looks at the count.
const lookEvery = 2 * time.Millisecond

// await waits until so many events were heard, or until ctx ends.
func (t *tally) await(ctx context.Context, events int) Heard {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for t.events.Load() < int64(events) && ctx.Err() == nil {
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return Heard{Events: int(t.events.Load()), Last: t.last, Took: slices.Clone(t.took)}
}

func (t *tally) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events.Store(0)
	t.took, t.last = t.took[:0], 0
}
