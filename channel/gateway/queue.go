package gateway

import (
	"sync"

	"kecho/channel"
)

// What waits in one flow at most.
const (
	MaxQueue      = 1024    // bulk events
	MaxQueueBytes = 4 << 20 // bytes of their bodies
)

// queue is the bulk events that wait for room in the links.
type queue struct {
	news chan struct{} // capacity 1: there is something

	mu     sync.Mutex
	events []*channel.Event // guarded by mu
	bytes  int              // guarded by mu
}

// put keeps a clone of e, and reports false when there is no room.
func (q *queue) put(e *channel.Event) bool {
	q.mu.Lock()
	if len(q.events) == MaxQueue || q.bytes+len(e.Body) > MaxQueueBytes {
		q.mu.Unlock()
		return false
	}
	q.events = append(q.events, e.Clone())
	q.bytes += len(e.Body)
	q.mu.Unlock()
	select {
	case q.news <- struct{}{}:
	default:
	}
	return true
}

// take is the one that has waited longest; false: there is none.
func (q *queue) take() (*channel.Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return nil, false
	}
	e := q.events[0]
	q.events[0] = nil
	q.events = q.events[1:]
	q.bytes -= len(e.Body)
	return e, true
}

func (q *queue) size() (events, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.events), q.bytes
}
