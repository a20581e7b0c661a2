package balancer

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// laneWriter is the http.ResponseWriter of a request that the lane does not
// serve as bytes. It does what net/http's does for one of HTTP/1.1.
type laneWriter struct {
	conn   *laneConn
	body   *laneBody
	header http.Header
	bare   bool // the method is HEAD

	status  int    // 0: not said
	head    []byte // from WriteHeader on; nil: it was written
	held    []byte // of the body, until its length is known or is too much
	length  int64  // of the body; -1: not said
	written int64  // bytes of it
	chunked bool
	trails  bool // trailers were announced
	duplex  bool // the request's body may be read after the head
	failed  bool // the connection is of no more use
	out     []byte
	room    *laneRoom // of head, held and out; nil: none was taken
}

// laneRoom is the memory of an answer that is made: head and out are one after the
// other in the same.
type laneRoom struct{ out, held []byte }

// laneRooms are free; one belongs to whoever took it.
var laneRooms = sync.Pool{New: func() any { return new(laneRoom) }}

// maxRoom is how much of it is kept.
const maxRoom = 64 << 10

// maxUnread is how much of a body that nobody wanted is read so that the
// connection can be used again; net/http reads as much.
const maxUnread = 256 << 10

var errBodyTooLong = errors.New("more of a body was written than its Content-Length says")

// Header implements http.ResponseWriter.
func (w *laneWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *laneWriter) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		p := w.appendFields(appendStatus(nil, status))
		w.send(append(p, "\r\n"...))
		return
	}
	w.status = status
	if lengths := w.header["Content-Length"]; len(lengths) == 1 {
		if n, err := strconv.ParseInt(lengths[0], 10, 64); err == nil && n >= 0 {
			w.length = n
		}
	}
	w.trails = len(w.header["Trailer"]) > 0
	w.room = laneRooms.Get().(*laneRoom)
	w.held = w.room.held[:0]
	w.head = w.appendFields(appendStatus(w.room.out[:0], status))
	if w.header["Date"] == nil {
		w.head = appendDate(w.head)
	}
}

// appendFields appends the header, without what frames.
func (w *laneWriter) appendFields(p []byte) []byte {
	for name, values := range w.header {
		if name == "Content-Length" || name == "Transfer-Encoding" || name == "Connection" || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, value := range values {
			p = appendField(p, []byte(name), []byte(value))
		}
	}
	return p
}

// bodiless says whether no body follows the head, whatever it says.
func (w *laneWriter) bodiless() bool {
	return w.bare || w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// Write implements http.ResponseWriter.
func (w *laneWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.failed:
		return 0, errGone
	case w.bodiless():
		if w.written += int64(len(p)); w.bare {
			return len(p), nil
		}
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, errBodyTooLong
	}
	w.written += int64(len(p))
	if w.head != nil && len(w.held)+len(p) <= smallAnswer {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	return len(p), w.flush(p)
}

// FlushError is for http.ResponseController.
func (w *laneWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.flush(nil)
}

// flush writes what is held and more.
func (w *laneWriter) flush(more []byte) error {
	w.out = w.out[:0]
	if w.head != nil {
		w.startHead(false)
	}
	if w.chunked {
		w.out = appendChunk(appendChunk(w.out, w.held), more)
	} else {
		w.out = append(append(w.out, w.held...), more...)
	}
	w.held = w.held[:0]
	w.send(w.out)
	if w.failed {
		return errGone
	}
	return nil
}

// startHead puts the head before what is written; whole says that all of the
// body is held.
func (w *laneWriter) startHead(whole bool) {
	w.dropBody()
	p := w.head
	switch {
	case w.length < 0 && whole && !w.trails && !w.bodiless():
		w.length = int64(len(w.held))
		fallthrough
	case w.length >= 0 && w.status != http.StatusNoContent:
		p = appendLength(p, w.length)
	case !w.bodiless():
		w.chunked = true
		p = append(p, "Transfer-Encoding: chunked\r\n"...)
	}
	if w.closes() {
		w.conn.closes = true
		p = append(p, "Connection: close\r\n"...)
	}
	w.out = append(p, "\r\n"...)
	w.head = nil
}

// closes says whether the connection ends after the answer.
func (w *laneWriter) closes() bool {
	return w.conn.closes || w.conn.lane.draining() || listHas(w.header["Connection"], "close")
}

// dropBody reads what the handler has left of the request's body, so that the
// next request can follow; a connection with more than a little ends.
func (w *laneWriter) dropBody() {
	if w.duplex || w.body.over() || w.closes() {
		return
	}
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	for read := 0; read < maxUnread; {
		n, err := w.body.Read(buf[:])
		if read += n; err != nil {
			break
		}
	}
	if !w.body.over() {
		w.conn.closes = true
	}
}

// finish writes what is left.
func (w *laneWriter) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.out = w.out[:0]
	if w.head != nil {
		w.startHead(!w.hasTrailers())
	}
	if w.chunked {
		w.out = appendChunk(w.out, w.held)
		w.out = appendTrailer(append(w.out, "0\r\n"...), w.trailer())
	} else {
		w.out = append(w.out, w.held...)
	}
	w.send(w.out)
	if !w.bodiless() && w.length > w.written {
		w.failed = true // the client must not take it for whole
	}
	if w.room.out, w.room.held = w.out[:0], w.held[:0]; cap(w.out)+cap(w.held) <= maxRoom {
		laneRooms.Put(w.room)
	}
	w.out, w.held, w.room = nil, nil, nil
}

func (w *laneWriter) send(p []byte) {
	if len(p) == 0 || w.failed {
		return
	}
	if _, err := w.conn.conn.Write(p); err != nil {
		w.failed = true
	}
}

// hasTrailers says whether there are trailers that the head did not announce.
func (w *laneWriter) hasTrailers() bool {
	for name := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// trailer is what comes after the body: what the head announced, and what has
// net/http's prefix.
func (w *laneWriter) trailer() http.Header {
	trailer := make(http.Header)
	for name, values := range w.header {
		if plain, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			trailer[plain] = values
		} else if w.trails && listHas(w.header["Trailer"], name) {
			trailer[name] = values
		}
	}
	return trailer
}

// EnableFullDuplex is for http.ResponseController.
func (w *laneWriter) EnableFullDuplex() error {
	w.duplex = true
	return nil
}

// SetReadDeadline is for http.ResponseController.
func (w *laneWriter) SetReadDeadline(t time.Time) error {
	return w.conn.reading.set(t, w.conn.conn.SetReadDeadline)
}

// refuse answers in this node's own words what cannot be served, and ends the
// connection.
func (c *laneConn) refuse(f *fault) {
	w := &laneWriter{conn: c, body: &laneBody{conn: c, err: io.EOF}, header: make(http.Header), length: -1}
	refuse(w, f.status, 0, f.reason)
	w.finish()
	c.lingers = true
}
