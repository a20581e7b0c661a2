package balancer

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// How long a client may make no progress, so that slow ones do not hold places
// and connections for ever.
const (
	headPatience  = 5 * time.Second  // from a head's first byte to its last
	bodyPatience  = 15 * time.Second // for more of a body that is waited for
	writePatience = 30 * time.Second // to take anything of what is written
	// renewAfter spares setting a deadline with every read and write: patience
	// may be shorter by that much.
	renewAfter = time.Second
)

// readDeadline is the read deadline of an HTTP/1 connection. What net/http or
// a handler has set holds; ours are set while there is none. Its methods may
// be called by many goroutines at once.
type readDeadline struct {
	mu      sync.Mutex
	theirs  time.Time // zero: none
	renewed time.Time // when ours was set for a body; zero: it is not
	headBy  time.Time // when a head that has begun must be whole; zero: nobody waits for it
}

// set is what net/http or a handler wants.
func (d *readDeadline) set(t time.Time, apply func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.theirs, d.renewed = t, time.Time{}
	return apply(t)
}

// forBody is called before each read of the body that is being served. What it
// sets does not outlive the body: net/http sets its own, or none, before it
// reads anything else.
func (d *readDeadline) forBody(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.theirs.IsZero() && now.Sub(d.renewed) >= renewAfter {
		d.renewed = now
		_ = conn.SetReadDeadline(now.Add(bodyPatience)) // an error ends the read too
	}
}

// forHead is called before each read of more of a head. To net/http the
// connection is idle until the head is whole, which is more patience than a
// head gets. While an earlier request is served there is no deadline: its end
// would be that request's.
func (d *readDeadline) forHead(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if !d.theirs.After(now) {
		return
	}
	if d.headBy.IsZero() {
		d.headBy = now.Add(headPatience)
	}
	if d.theirs.Before(d.headBy) {
		d.headBy = d.theirs
	} else {
		d.theirs = d.headBy
		_ = conn.SetReadDeadline(d.headBy)
	}
}

// headOver says that a head is whole.
func (d *readDeadline) headOver() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.headBy = time.Time{}
}

// used says whether a deadline was set since it was asked last.
func (d *readDeadline) used() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	set := !d.renewed.IsZero() || !d.theirs.IsZero()
	d.renewed, d.theirs = time.Time{}, time.Time{}
	return set
}

// ours says whether a read that timed out had waited for as long as a head or
// a body is waited for here, and not as somebody else wanted.
func (d *readDeadline) ours() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.renewed.IsZero() || !d.headBy.IsZero() && !time.Now().Before(d.headBy)
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// watch breaks off a call on an HTTP/2 stream that waits for its client. A
// deadline of a stream strikes even while nobody waits, so it is set only when
// it is over already. A nil watch does nothing.
type watch struct {
	limit  time.Duration
	expire func(past time.Time) error // http.ResponseController.SetReadDeadline or SetWriteDeadline
	timer  *time.Timer                // of one call at a time
	fired  chan struct{}
}

// watchReads and watchWrites are nil if w is no stream: an HTTP/1 connection has
// its guard.
func watchReads(w http.ResponseWriter) *watch {
	if !isStream(w) {
		return nil
	}
	return &watch{limit: bodyPatience, expire: http.NewResponseController(w).SetReadDeadline, fired: make(chan struct{})}
}

func watchWrites(w http.ResponseWriter) *watch {
	if !isStream(w) {
		return nil
	}
	return &watch{limit: writePatience, expire: http.NewResponseController(w).SetWriteDeadline, fired: make(chan struct{})}
}

// isStream says whether w writes to an HTTP/2 stream: only those can push.
func isStream(w http.ResponseWriter) bool {
	for {
		inner, wrapped := w.(interface{ Unwrap() http.ResponseWriter })
		if !wrapped {
			break
		}
		w = inner.Unwrap()
	}
	_, stream := w.(http.Pusher)
	return stream
}

// begin is to be called before a call that may wait.
func (w *watch) begin() {
	switch {
	case w == nil:
	case w.timer == nil:
		w.timer = time.AfterFunc(w.limit, func() {
			_ = w.expire(time.Unix(1, 0))
			close(w.fired)
		})
	default:
		w.timer.Reset(w.limit)
	}
}

// end is to be called after it; it reports whether the call was broken off. No
// call may follow then.
func (w *watch) end() (late bool) {
	if w == nil || w.timer.Stop() {
		return false
	}
	<-w.fired // the stream must not be touched after its handler
	return true
}

// lastWords says that what is still to be written ends an answer: a stream has
// as long for that as for any write.
func lastWords(w http.ResponseWriter) {
	if isStream(w) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience)) // an error ends the answer too
	}
}

// patientBody is the body of r, which ends with faultSlowBody when the client
// sends nothing of it for too long.
func patientBody(w http.ResponseWriter, r *http.Request) io.Reader {
	if r.ContentLength == 0 {
		return r.Body
	}
	if watch := watchReads(w); watch != nil {
		return &streamBody{r.Body, watch}
	}
	return r.Body // the guard's
}

// streamBody is a request's body on an HTTP/2 stream.
type streamBody struct {
	body  io.Reader
	watch *watch
}

// Read implements io.Reader.
func (b *streamBody) Read(p []byte) (int, error) {
	b.watch.begin()
	n, err := b.body.Read(p)
	if b.watch.end() && isTimeout(err) {
		err = faultSlowBody
	}
	return n, err
}
