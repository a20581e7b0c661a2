package balancer

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"kecho/balancer/policy"
)

// Where the web server is this program (Config.Handler), a request that has a
// place is the handler's as it came: with the client's own ResponseWriter and
// Request, and nothing of ours in its header or the answer's. Only what waits, or
// goes to peers, takes the way of ServeHTTP.

// visit is a request at the handler. It is the ResponseWriter that the handler
// gets, and used again once the handler has returned: as net/http says, nobody
// may write to it then.
type visit struct {
	http.ResponseWriter
	request policy.Request // of one that took no other way
	load    func(header http.Header)
	began   time.Time
	head    time.Time // when the answer began; zero: it has not
	status  int
	ended   bool // the handler returned
}

// visits are free; one belongs to whoever took it.
var visits = sync.Pool{New: func() any { return new(visit) }}

func (b *Balancer) newVisit(w http.ResponseWriter) *visit {
	v := visits.Get().(*visit)
	v.ResponseWriter, v.load, v.began = w, b.cfg.Load, time.Now()
	return v
}

// free gives v back; the core must be done with its request.
func (v *visit) free() {
	v.ResponseWriter, v.load, v.head, v.status, v.ended = nil, nil, time.Time{}, 0, false
	visits.Put(v)
}

// serveAtOnce has the handler answer a request for which there is a place, and
// for which no more is to be known. False: nothing was done.
func (b *Balancer) serveAtOnce(w http.ResponseWriter, r *http.Request) bool {
	if r.Header["Via"] != nil || !b.cfg.IgnorePriority && r.Header["Priority"] != nil || r.Method == http.MethodConnect {
		return false
	}
	if _, said := b.deadlines.left(r.Header); said {
		return false
	}
	if _, looks := r.Context().Value(guardKey{}).(*guarded); looks { // it may have something against it
		return false
	}
	v := b.newVisit(w)
	v.request.Movable, v.request.Repeatable = b.data != nil, isRepeatable(r)
	v.request.Number, v.request.Timeout = 0, b.cfg.Timeout
	if b.data != nil {
		v.request.Number = b.data.NextID().Seq
	}
	if !b.desk.enter(&v.request) {
		v.free()
		return false
	}
	defer b.leaveAtOnce(v, r)
	b.cfg.Handler.ServeHTTP(v.writer(), r)
	v.ended = true
	return true
}

func (b *Balancer) leaveAtOnce(v *visit, r *http.Request) {
	res := v.result(r)
	b.desk.finish(&v.request, v.took(), res)
	b.count.route(RouteLocal)
	if b.cfg.Observe != nil {
		b.cfg.Observe(RouteLocal, v.status, time.Since(v.began))
	}
	v.free()
}

// inside has the handler answer a request that took the way of ServeHTTP to its
// place, and gives the place back.
func (b *Balancer) inside(j *job) {
	v := b.newVisit(j.w.ResponseWriter)
	j.route, j.over = RouteLocal, true
	defer func() {
		res := v.result(j.r)
		j.w.status = v.status
		b.desk.finish(&j.request, v.took(), res)
		j.settled = true
		v.free()
	}()
	ours := v.Header()
	delete(ours, "Via") // this is no proxy
	delete(ours, "X-Request-Id")
	b.tellTimeLeft(j, j.r.Header)
	if body := j.payload.reader(); body != nil {
		j.r.Body = io.NopCloser(body)
	} else {
		j.r.Body = http.NoBody
	}
	b.cfg.Handler.ServeHTTP(v.writer(), j.r)
	v.ended = true
}

// result is what came of it, when the handler is done with it in one way or
// another.
func (v *visit) result(r *http.Request) policy.Result {
	gone := r.Context().Err() != nil
	switch {
	case !v.ended && gone:
		return policy.Aborted
	case !v.ended: // a panic: the server that called us ends the connection
		if v.status == 0 {
			v.status = http.StatusInternalServerError
		}
		return policy.Faulty
	case v.status == 0 && gone:
		return policy.Aborted
	case v.status == 0:
		v.answer(http.StatusOK) // net/http writes the head
	}
	return resultOf(v.status)
}

// took is how long it was until the head of the answer.
func (v *visit) took() time.Duration {
	if v.head.IsZero() {
		return time.Since(v.began)
	}
	return v.head.Sub(v.began)
}

// answer notes that the final head is about to be written.
func (v *visit) answer(status int) {
	v.status, v.head = status, time.Now()
	if v.load != nil {
		v.load(v.Header())
	}
}

// WriteHeader implements http.ResponseWriter.
func (v *visit) WriteHeader(status int) {
	if v.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		v.answer(status)
	}
	v.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (v *visit) Write(p []byte) (int, error) {
	v.implied()
	return v.ResponseWriter.Write(p)
}

// WriteString implements io.StringWriter.
func (v *visit) WriteString(s string) (int, error) {
	v.implied()
	return io.WriteString(v.ResponseWriter, s)
}

// implied notes the head of who writes a body without one.
func (v *visit) implied() {
	if v.status == 0 {
		v.answer(http.StatusOK)
	}
}

// Unwrap is for http.ResponseController.
func (v *visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

// writer is v with what else the client's ResponseWriter can do, which handlers
// look for.
func (v *visit) writer() http.ResponseWriter {
	_, flushes := v.ResponseWriter.(http.Flusher)
	_, hijacks := v.ResponseWriter.(http.Hijacker)
	_, copies := v.ResponseWriter.(io.ReaderFrom)
	_, pushes := v.ResponseWriter.(http.Pusher)
	switch {
	case flushes && hijacks && copies:
		return connVisit{flushVisit{v}} // HTTP/1 of net/http
	case flushes && pushes:
		return streamVisit{flushVisit{v}} // HTTP/2
	case flushes:
		return flushVisit{v}
	}
	return v
}

// flushVisit can flush.
type flushVisit struct{ *visit }

// Flush implements http.Flusher.
func (v flushVisit) Flush() { _ = v.FlushError() } // who wants the error asks for it

// FlushError is for http.ResponseController.
func (v flushVisit) FlushError() error {
	v.implied()
	return http.NewResponseController(v.ResponseWriter).Flush()
}

// connVisit is on a connection of its own.
type connVisit struct{ flushVisit }

// Hijack implements http.Hijacker.
func (v connVisit) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := v.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil && v.status == 0 {
		v.status, v.head = http.StatusSwitchingProtocols, time.Now()
	}
	return conn, buffered, err
}

// ReadFrom implements io.ReaderFrom: a file goes to the socket by itself.
func (v connVisit) ReadFrom(from io.Reader) (int64, error) {
	v.implied()
	return v.ResponseWriter.(io.ReaderFrom).ReadFrom(from)
}

// streamVisit is an HTTP/2 stream.
type streamVisit struct{ flushVisit }

// Push implements http.Pusher.
func (v streamVisit) Push(target string, options *http.PushOptions) error {
	return v.ResponseWriter.(http.Pusher).Push(target, options)
}
