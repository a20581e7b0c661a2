package channel

import (
	"slices"
	"sync/atomic"
)

// watcher is one caller of Watch.
type watcher struct {
	changed func(s Sink, present bool)
	stopped atomic.Bool
}

// Watch calls changed for each sink that is there (true), and from now on for
// each that comes (true) or goes (false), until stop is called or the channel
// closed. The calls come one at a time, in order, on the goroutine of whoever
// caused the change, and usually the first ones before Watch returns. They
// hold no lock, but the calls of all watchers of the node wait for each other:
// changed must not block. A call that is under way when stop is called
// finishes; no other begins.
func (c *Channel) Watch(changed func(s Sink, present bool)) (stop func()) {
	w := &watcher{changed: changed}
	c.mu.Lock()
	c.watchers = append(c.watchers, w)
	for _, p := range *c.remote.Load() {
		c.tell(w, p, true)
	}
	c.mu.Unlock()
	c.node.watching.run()
	return func() {
		w.stopped.Store(true)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watchers = slices.DeleteFunc(c.watchers, func(have *watcher) bool { return have == w })
	}
}

func (c *Channel) tell(w *watcher, p *peer, present bool) {
	c.node.watching.add(func() {
		if !w.stopped.Load() {
			w.changed(c.sink(p), present)
		}
	})
}

// setRemote takes the nodes that have the channel open and queues what the
// watchers are told; the node's lock is held, so that changes stay in order.
func (c *Channel) setRemote(now []*peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := *c.remote.Load()
	if slices.Equal(before, now) {
		return
	}
	c.remote.Store(&now)
	if len(c.curious) > 0 {
		c.node.interests.mark(c, viewChanged)
	}
	for _, p := range before {
		if !slices.Contains(now, p) {
			c.requests.gone(p.id)
			c.tellAllLocked(p, false)
		}
	}
	for _, p := range now {
		if !slices.Contains(before, p) {
			c.tellAllLocked(p, true)
		}
	}
}

func (c *Channel) tellAllLocked(p *peer, present bool) {
	for _, w := range c.watchers {
		c.tell(w, p, present)
	}
}

func (c *Channel) endWatches() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.watchers {
		w.stopped.Store(true)
	}
	c.watchers = nil
	c.remote.Store(new([]*peer))
}
