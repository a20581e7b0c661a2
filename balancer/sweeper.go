package balancer

import (
	"context"
	"errors"
	"sync"
	"time"
)

// sweepEvery is how often clients that wait are looked at.
const sweepEvery = 100 * time.Millisecond

// sweeper looks now and then at clients that wait for an answer, which nobody
// reads from meanwhile: where one has left, its request is cancelled.
type sweeper struct {
	mu      sync.Mutex
	waiting map[*waitingClient]struct{} // guarded by mu
}

// waitingClient is a client whose request is being served.
type waitingClient struct {
	s      *sweeper
	conn   *laneConn
	body   *laneBody
	cancel context.CancelCauseFunc
	still  bool          // what is in its buffer must stay in its place
	ripe   bool          // it has waited since the sweep before; guarded by sweeper.mu
	heard  chan struct{} // closed when what listens to it ends; nil: nothing does; guarded by sweeper.mu
}

// add has a client be looked at until end.
func (s *sweeper) add(c *laneConn, body *laneBody, cancel context.CancelCauseFunc) *waitingClient {
	w := &waitingClient{s: s, conn: c, body: body, cancel: cancel}
	s.watch(w)
	return w
}

// watch has a client be looked at until its end, after which it can be watched
// again.
func (s *sweeper) watch(w *waitingClient) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(map[*waitingClient]struct{})
	}
	w.ripe, w.heard = false, nil
	s.waiting[w] = struct{}{}
}

// end returns when nobody looks at the client any more.
func (w *waitingClient) end() {
	w.s.mu.Lock()
	delete(w.s.waiting, w)
	heard := w.heard
	w.s.mu.Unlock()
	if heard != nil {
		_ = w.conn.conn.SetReadDeadline(time.Unix(1, 0)) // an error ends the listening too
		<-heard
		w.conn.setReadBy(time.Time{})
	}
}

func (s *sweeper) run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.sweep()
		}
	}
}

func (s *sweeper) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.waiting {
		switch {
		case !w.ripe:
			w.ripe = true
		case w.heard != nil || !w.body.over() || w.still && w.conn.w == len(w.conn.buf):
		case w.conn.sock.raw == nil:
			w.heard = make(chan struct{})
			w.conn.setReadBy(time.Time{}) // that for its request may be near
			go w.listen(w.heard)
		case w.conn.gone(w.still):
			w.cancel(errGone)
			delete(s.waiting, w)
		}
	}
}

// listen waits, in end's time, for a client that cannot be looked at.
func (w *waitingClient) listen(heard chan struct{}) {
	defer close(heard)
	c := w.conn
	n, err := c.conn.Read(c.room())
	c.w += n
	if n == 0 && err != nil && !isTimeout(err) {
		w.cancel(errGone)
	}
}

// errGone says that the client did not wait for its answer.
var errGone = errors.New("the client is gone")
