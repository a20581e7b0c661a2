package channel

import "sync"

// workers runs the goroutines that drain subscriptions' queues: from start,
// which Run calls, to stop, which waits for all of them.
type workers struct {
	mu      sync.Mutex
	started bool // guarded by mu
	stopped bool // guarded by mu
	wg      sync.WaitGroup
}

// run runs f on a goroutine of its own and reports whether it did: not before
// start and not after stop.
func (w *workers) run(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.started || w.stopped {
		return false
	}
	w.wg.Go(f)
	return true
}

func (w *workers) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started = true
}

func (w *workers) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.wg.Wait()
}
