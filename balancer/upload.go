package balancer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// errUpload says that the request's body could not be read to its end: the
// client went, or broke its framing. It is no fault of the web server's.
var errUpload = errors.New("the request's body broke off")

// upload is a request's body on its way to the web server. h1 reads it
// on a goroutine that may outlive the answer; upload makes sure that nothing
// reads the client's connection after the handler.
type upload struct {
	body    io.Reader
	trailer http.Header // announced names; filled in at the body's end
	came    http.Header // where net/http puts the client's trailers

	mu      sync.Mutex
	reading bool
	closed  bool
	length  int64 // of body; -1: not known
	read    int64 // bytes of it
	whole   bool  // all of it was read
	// overtaken: the answer began before that.
	overtaken bool
	err       error         // what ended body, unless io.EOF
	idle      chan struct{} // closed when the last read is over; made by end

	patience  time.Duration // see watch
	still     *time.Timer   // runs while the body stands still; nil: nobody watches
	unwritten bool          // the watch goes on after the last read
}

func newUpload(body io.Reader, length int64, r *http.Request) *upload {
	b := &upload{body: body, length: length, came: r.Trailer}
	for name := range r.Trailer {
		if !trailerField(name) {
			continue
		}
		if b.trailer == nil {
			b.trailer = make(http.Header, len(r.Trailer))
		}
		b.trailer[name] = nil
	}
	return b
}

// Read reads from the client, and takes its trailers over at the end.
func (b *upload) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	if b.whole { // and from then on the server may close it at any moment
		b.mu.Unlock()
		return 0, io.EOF
	}
	b.reading = true
	b.restLocked()
	b.mu.Unlock()

	n, err := b.body.Read(p)
	if err == io.EOF {
		for name := range b.trailer {
			b.trailer[name] = b.came[name]
		}
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.read += int64(n)
	b.whole = b.whole || err == io.EOF || b.read == b.length
	if _, theirs := errors.AsType[*fault](err); theirs || err != nil && err != io.EOF && !b.closed {
		b.err = err
	}
	b.moveLocked()
	if b.idle != nil {
		close(b.idle)
	}
	return n, err
}

// watch has expire called, on a goroutine of its own, once nothing was read of
// the body for that long although who reads it could: a server that does not
// read holds the request, and while it does nobody sees that its client went.
// The time that a read waits for the client does not count. The watch ends
// with the body's last byte, or with wrote where that is still to come, and
// with end at the latest.
func (b *upload) watch(patience time.Duration, unwritten bool, expire func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.patience, b.unwritten = patience, unwritten
	b.still = time.AfterFunc(patience, func() {
		b.mu.Lock()
		stuck := b.watchedLocked()
		b.mu.Unlock()
		if stuck {
			expire()
		}
	})
}

// watchedLocked says whether it is the server's turn to read on.
func (b *upload) watchedLocked() bool {
	return b.still != nil && !b.reading && !b.closed && (!b.whole || b.unwritten)
}

func (b *upload) restLocked() {
	if b.still != nil {
		b.still.Stop()
	}
}

// moveLocked has the watch's time begin again.
func (b *upload) moveLocked() {
	if b.watchedLocked() {
		b.still.Reset(b.patience)
	} else {
		b.restLocked()
	}
}

// wrote says that the last of the body was written.
func (b *upload) wrote() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwritten = false
	b.moveLocked()
}

// beside is the answer's body, which counts as progress of the request's: a
// server may answer before it reads on. b may be nil.
func (b *upload) beside(answer io.Reader) io.Reader {
	if b == nil {
		return answer
	}
	return &besideUpload{answer, b}
}

type besideUpload struct {
	answer io.Reader
	upload *upload
}

// Read implements io.Reader.
func (a *besideUpload) Read(p []byte) (int, error) {
	a.move() // what was read before is written
	n, err := a.answer.Read(p)
	a.move()
	return n, err
}

func (a *besideUpload) move() {
	a.upload.mu.Lock()
	defer a.upload.mu.Unlock()
	a.upload.moveLocked()
}

// Close ends the reading; it does not wait for a Read that is under way.
func (b *upload) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.restLocked()
	return nil
}

// lingerFor is how long a body that the web server did not want is still read,
// so that its client sees the answer and not a reset.
const lingerFor = time.Second

// kept says that the body is in memory: nothing of it is the client's
// connection's any more.
func (b *upload) kept() bool {
	_, memory := b.body.(*bytes.Reader)
	return memory
}

// answered is to be called between the arrival of the answer's head and its
// writing, with its end-to-end fields. Where the client still sends, net/http
// must not eat the rest of the body as the answer begins, in the middle of
// what the web server reads (full duplex); and the connection must end after
// the answer: in full duplex, net/http takes up the next request wherever its
// reading of this one stopped (seen with Go 1.26.8).
func (b *upload) answered(w http.ResponseWriter, r *http.Request, head http.Header) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwritten = false // with the answer's head, its time is not the body's
	b.moveLocked()
	if !b.whole && !b.kept() && r.ProtoMajor == 1 {
		b.overtaken = true
		head["Connection"] = []string{"close"}
		_ = http.NewResponseController(w).EnableFullDuplex() // a writer that cannot is not net/http's
	}
}

// end returns when nothing reads the body any more; it may be called again. A read that waits for a
// client which sends nothing is broken off: at once where there is no answer
// yet, else after a moment.
func (b *upload) end(w http.ResponseWriter) {
	b.mu.Lock()
	b.closed = true
	b.restLocked()
	reading, overtaken, over := b.reading, b.overtaken, b.whole || b.kept()
	if reading {
		b.idle = make(chan struct{})
	}
	b.mu.Unlock()
	control := http.NewResponseController(w)
	var err error
	switch {
	case over:
	case overtaken:
		_ = control.Flush() // the answer does not wait; an error ends the reading too
		err = control.SetReadDeadline(time.Now().Add(lingerFor))
	case reading:
		err = control.SetReadDeadline(time.Unix(1, 0))
	}
	if reading && err == nil {
		<-b.idle
	}
}

// blame says that err is the body's fault where it is. b may be nil.
func (b *upload) blame(err error) error {
	if b == nil || err == nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err == nil:
		return err
	case errors.Is(err, errUpload):
		return fmt.Errorf("%w: %w", err, b.err)
	}
	return fmt.Errorf("%w: %w: %w", errUpload, b.err, err)
}
