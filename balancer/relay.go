package balancer

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"kecho/balancer/h1"
)

// laneOut is how much of an answer's head and body is written at a time.
const laneOut = copySize + 4<<10

// smallAnswer is up to how many bytes a body of unknown length that is there at
// once is given its length: as many as net/http holds back for that.
const smallAnswer = 2 << 10

// relay passes the answer on whose head is there. An error before w.begun leaves
// the client without an answer; a later one is errCut.
func (c *laneConn) relay(took time.Duration) error {
	w, x := c.work, &c.work.exchange
	c.closes = w.head.closes || c.lane.draining()
	if cap(w.out) < laneOut {
		w.out = make([]byte, 0, laneOut)
	}
	p := c.appendAnswer(w.out[:0], took)
	if x.Length() < 0 && x.HasBody() {
		return c.relayChunks(p)
	}
	if x.Length() >= 0 && x.Status() != http.StatusNoContent {
		p = appendLength(p, x.Length())
	}
	p = append(p, "\r\n"...)
	if !x.HasBody() {
		return c.write(p)
	}
	return c.relaySized(p)
}

// relaySized passes on a body of known length after the head p. The head waits
// for the first of it: where that fails another server may answer.
func (c *laneConn) relaySized(p []byte) error {
	w, x := c.work, &c.work.exchange
	if x.Buffered() == 0 && isStreaming(x) {
		w.headFirst = p
		x.Soon(headAfter)
	}
	p = slices.Grow(p, 1) // a large head may have left no room
	for {
		n, err := x.Read(p[len(p):cap(p)])
		w.headFirst = nil
		if broken := err != nil && err != io.EOF; broken && n == 0 && !w.begun {
			return fmt.Errorf("read the answer: %w", err)
		}
		piece := p[:len(p)+n]
		if w.begun {
			piece = piece[len(p):]
		}
		if werr := c.write(piece); werr != nil {
			return werr
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errCut, err)
		}
		p = w.out[:0]
	}
}

// relayChunks passes on a body of unknown length after the head p, which lacks
// its last lines. It waits for the first of the body for a moment.
func (c *laneConn) relayChunks(p []byte) error {
	w, x := c.work, &c.work.exchange
	const chunkedLine = "Transfer-Encoding: chunked\r\n\r\n"
	whole := append(p, chunkedLine...)
	if x.Buffered() == 0 {
		w.headFirst = whole
		x.Soon(headAfter)
	}
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	n, err := x.Read(buf[:])
	w.headFirst = nil
	switch {
	case w.begun:
		p = p[:0]
	case n == 0 && err != nil && err != io.EOF:
		return fmt.Errorf("read the answer: %w", err)
	case err == io.EOF && n <= smallAnswer && !w.trails && x.Trailer() == nil:
		p = append(appendLength(p, int64(n)), "\r\n"...)
		return c.write(append(p, buf[:n]...))
	default:
		p = whole
	}
	for {
		p = appendChunk(p, buf[:n])
		if err == io.EOF {
			p = appendTrailer(append(p, "0\r\n"...), x.Trailer())
		}
		if werr := c.write(p); werr != nil {
			return werr
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errCut, err)
		}
		n, err = x.Read(buf[:])
		p = w.out[:0]
	}
}

// appendChunk appends data as a chunk; no data is none.
func appendChunk(p, data []byte) []byte {
	if len(data) == 0 {
		return p
	}
	p = strconv.AppendInt(p, int64(len(data)), 16)
	p = append(append(append(p, "\r\n"...), data...), "\r\n"...)
	return p
}

func appendLength(p []byte, length int64) []byte {
	p = append(p, "Content-Length: "...)
	p = strconv.AppendInt(p, length, 10)
	return append(p, "\r\n"...)
}

// isStreaming is streams of the answer's fields.
func isStreaming(x *h1.Exchange) bool {
	for i := range x.Fields() {
		if name, value := x.Field(i); h1.Folds(name, "content-type") {
			return strings.HasPrefix(string(value), "text/event-stream")
		}
	}
	return false
}

// write writes a part of the answer, the head first.
func (c *laneConn) write(p []byte) error {
	w := c.work
	w.begun = true
	if len(p) == 0 {
		return nil
	}
	if _, err := c.conn.Write(p); err != nil {
		w.failed = err
		return fmt.Errorf("%w: write to the client: %w", errCut, err)
	}
	return nil
}

// look is called while the web server says nothing. A head that waited for its
// body goes alone.
func (w *laneWork) look() error {
	if p := w.headFirst; p != nil {
		w.headFirst = nil
		return w.conn.write(p)
	}
	if w.conn.gone(true) {
		return errGone
	}
	return nil
}

// early passes an informational answer on.
func (w *laneWork) early(x *h1.Exchange) error {
	if x.Status() == http.StatusContinue {
		return nil // nobody asked for it
	}
	p := appendStatus(nil, x.Status())
	hop := connectionNames(x)
	for i := range x.Fields() {
		name, value := x.Field(i)
		k := kindOfName(name)
		if (k.returns() || k == identifies) && !hop[http.CanonicalHeaderKey(string(name))] {
			p = appendField(p, name, value)
		}
	}
	if _, err := w.conn.conn.Write(append(p, "\r\n"...)); err != nil {
		return errGone
	}
	return nil
}
