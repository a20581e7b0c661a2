package channeltest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"kecho/channel"
)

// Recorder keeps a clone of every event that its Handle gets. The zero value
// is ready.
type Recorder struct {
	mu     sync.Mutex
	events []*channel.Event // guarded by mu
	change chan struct{}    // closed at the next event, if somebody waits; guarded by mu
}

// Record subscribes a new Recorder to c until the test ends.
func Record(t testing.TB, c *channel.Channel, m channel.Match) *Recorder {
	t.Helper()
	r := new(Recorder)
	sub, err := c.Subscribe(m, r.Handle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	return r
}

// Handle is a channel.Handler.
func (r *Recorder) Handle(e *channel.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e.Clone())
	if r.change != nil {
		close(r.change)
		r.change = nil
	}
}

// Events is what has come so far, in order.
func (r *Recorder) Events() []*channel.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Bodies is the bodies of Events as strings.
func (r *Recorder) Bodies() []string {
	var all []string
	for _, e := range r.Events() {
		all = append(all, string(e.Body))
	}
	return all
}

// Wait waits until at least n events have come in all, and returns them.
func (r *Recorder) Wait(t testing.TB, n int) []*channel.Event {
	t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		have := slices.Clone(r.events)
		if r.change == nil {
			r.change = make(chan struct{})
		}
		change := r.change
		r.mu.Unlock()
		if len(have) >= n {
			return have
		}
		select {
		case <-change:
		case <-timeout:
			t.Fatalf("%d events after %v, want %d", len(have), patience, n)
		}
	}
}
