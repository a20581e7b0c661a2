package channeltest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kecho/channel"
)

// linksWorld is a LinksNet that serves, with a receiver for each node.
type linksWorld struct {
	*LinksNet
	t     *testing.T
	ends  []*linkEnd
	stops []func() // one for each node: end it and wait
}

func startLinks(t *testing.T, make MakeLinks, n int, deadAfter time.Duration) *linksWorld {
	t.Helper()
	w := &linksWorld{LinksNet: make(t, n, deadAfter), t: t}
	calls := new(atomic.Int64)
	for i := range n {
		end := &linkEnd{t: t, self: w.IDs[i], calls: calls, peers: map[channel.NodeID]*linkPeer{}}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := w.Links[i].Serve(ctx, end); err != nil {
				t.Errorf("node %d: serve: %v", i, err)
			}
		})
		stop := func() { cancel(); wg.Wait() }
		w.ends, w.stops = append(w.ends, end), append(w.stops, stop)
	}
	t.Cleanup(func() {
		var wg sync.WaitGroup
		for _, stop := range w.stops {
			wg.Go(stop)
		}
		wg.Wait()
	})
	return w
}

func (w *linksWorld) ids(i int) channel.NodeID { return w.IDs[i] }

func (w *linksWorld) end(i int) { w.stops[i]() }

// link introduces a and b and waits until both have the link.
func (w *linksWorld) link(a, b int) {
	w.t.Helper()
	w.Introduce(a, b)
	w.ends[a].awaitUp(w.ids(b), 1)
	w.ends[b].awaitUp(w.ids(a), 1)
}

// send sends one frame, however often its queue is full.
func (w *linksWorld) send(from, to int, p channel.Priority, frame []byte) {
	w.t.Helper()
	for began := time.Now(); ; {
		err := w.Links[from].Send(w.t.Context(), w.ids(to), channel.Handling{Priority: p}, frame)
		if err == nil {
			return
		}
		if !errors.Is(err, channel.ErrQueueFull) || time.Since(began) > patience {
			w.t.Errorf("send %v from %d to %d: %v", p, from, to, err)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// bulk sends n numbered frames of 30 KiB from node 0 to node 1, one after the
// other, in a goroutine. Each result is in the channel when Send has returned.
func (w *linksWorld) bulk(ctx context.Context, n int) <-chan error {
	results := make(chan error, n)
	var wg sync.WaitGroup
	w.t.Cleanup(wg.Wait)
	wg.Go(func() {
		for i := range n {
			results <- w.Links[0].Send(ctx, w.ids(1), channel.Handling{Priority: channel.Bulk}, numbered(channel.Bulk, i, 30<<10))
		}
	})
	return results
}

// halted returns when the sender behind taken has come to a halt, with how
// many frames it got rid of.
func (w *linksWorld) halted(taken <-chan error) int {
	w.t.Helper()
	for last := -1; last != len(taken); {
		last = len(taken)
		time.Sleep(100 * time.Millisecond)
	}
	if len(taken) == cap(taken) {
		w.t.Fatalf("%d frames of bulk were taken and nobody reads", len(taken))
	}
	return len(taken)
}

// waiting is the result of one more Send of bulk than is behind taken, which
// has come to a halt.
func (w *linksWorld) waiting(ctx context.Context, taken <-chan error) <-chan error {
	w.t.Helper()
	w.halted(taken)
	late := make(chan error, 1)
	var wg sync.WaitGroup
	w.t.Cleanup(wg.Wait)
	wg.Go(func() {
		late <- w.Links[0].Send(ctx, w.ids(1), channel.Handling{Priority: channel.Bulk}, numbered(channel.Urgent, -1, 30<<10))
	})
	time.Sleep(10 * time.Millisecond) // it waits by then
	return late
}

// linkEnd is the receiver of one node. It checks that for each peer the calls
// come one after the other and in order, and keeps what it is given.
type linkEnd struct {
	t     *testing.T
	self  channel.NodeID
	calls *atomic.Int64 // of all ends of the test

	mu     sync.Mutex
	peers  map[channel.NodeID]*linkPeer
	change chan struct{} // closed at the next call, if somebody waits
	gate   chan struct{} // Receive waits until it is closed; nil: it does not
}

// linkPeer is what a linkEnd was told of one peer. Guarded by linkEnd.mu.
type linkPeer struct {
	up     bool
	inside bool // a call has not returned yet
	more   bool // the last frame was not to be the last
	ups    int
	downs  int
	cause  error // the last
	frames [][]byte
}

var _ channel.Receiver = (*linkEnd)(nil)

func (e *linkEnd) LinkUp(peer channel.NodeID) {
	p := e.enter(peer, "LinkUp", false)
	defer e.leave(p)
	e.mu.Lock()
	defer e.mu.Unlock()
	p.up = true
	p.ups++
}

func (e *linkEnd) LinkDown(peer channel.NodeID, cause error) {
	p := e.enter(peer, "LinkDown", true)
	defer e.leave(p)
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.more {
		e.t.Errorf("node %v: LinkDown of %v instead of a frame that was read", e.self, peer)
	}
	p.up, p.more = false, false
	p.downs++
	p.cause = cause
	if cause == nil {
		e.t.Errorf("node %v: LinkDown of %v without a cause", e.self, peer)
	}
}

func (e *linkEnd) Receive(peer channel.NodeID, heard time.Time, frame []byte, more bool) error {
	p := e.enter(peer, "Receive", true)
	defer e.leave(p)
	if age := time.Since(heard); age < 0 || age > time.Hour {
		e.t.Errorf("node %v: a frame that was heard %v ago", e.self, age)
	}
	e.mu.Lock()
	gate := e.gate
	p.more = more && string(frame) != nonsense
	e.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if string(frame) == nonsense {
		return errNonsense
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p.frames = append(p.frames, slices.Clone(frame))
	return nil
}

func (e *linkEnd) enter(peer channel.NodeID, call string, up bool) *linkPeer {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.peerLocked(peer)
	if p.inside {
		e.t.Errorf("node %v: %s of %v during another call", e.self, call, peer)
	}
	if p.up != up {
		e.t.Errorf("node %v: %s of %v while it is up: %v", e.self, call, peer, p.up)
	}
	p.inside = true
	return p
}

func (e *linkEnd) leave(p *linkPeer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.inside = false
	e.calls.Add(1)
	if e.change != nil {
		close(e.change)
		e.change = nil
	}
}

func (e *linkEnd) peerLocked(id channel.NodeID) *linkPeer {
	p := e.peers[id]
	if p == nil {
		p = new(linkPeer)
		e.peers[id] = p
	}
	return p
}

// shut makes Receive wait from now on, until open is called.
func (e *linkEnd) shut() (open func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	gate := make(chan struct{})
	e.gate = gate
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.gate = nil
		close(gate)
	})
}

// await waits for n frames of peer in all, and is these.
func (e *linkEnd) await(peer channel.NodeID, n int) (frames [][]byte) {
	e.t.Helper()
	e.until(peer, func(p *linkPeer) bool {
		frames = slices.Clone(p.frames)
		return len(p.frames) >= n
	})
	return frames
}

func (e *linkEnd) awaitUp(peer channel.NodeID, n int) {
	e.t.Helper()
	e.until(peer, func(p *linkPeer) bool { return p.ups >= n })
}

// awaitDown is the last cause.
func (e *linkEnd) awaitDown(peer channel.NodeID, n int) (cause error) {
	e.t.Helper()
	e.until(peer, func(p *linkPeer) bool {
		cause = p.cause
		return p.downs >= n
	})
	return cause
}

func (e *linkEnd) counts(peer channel.NodeID) (ups, downs int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.peerLocked(peer)
	return p.ups, p.downs
}

// until waits for what was told of peer to be as it should, as long as any end
// is told of anything: a busy machine is slow with a thousand links.
func (e *linkEnd) until(peer channel.NodeID, done func(*linkPeer) bool) {
	e.t.Helper()
	timeout, calls := time.After(3*patience), e.calls.Load()
	for {
		e.mu.Lock()
		p := e.peerLocked(peer)
		ok, have := done(p), *p
		if e.change == nil {
			e.change = make(chan struct{})
		}
		change := e.change
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-change:
		case <-timeout:
			if now := e.calls.Load(); now != calls {
				timeout, calls = time.After(3*patience), now
				continue
			}
			e.t.Fatalf("node %v waits in vain for %v: %d times up, %d times down (%v), %d frames", e.self, peer, have.ups, have.downs, have.cause, len(have.frames))
		}
	}
}
