package h1

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// Room around a chunk's data, so that it goes in one write.
const (
	chunkData = 32 << 10
	chunkHead = 6 // "8000\r\n"
	chunkRoom = chunkHead + chunkData + 2
)

// chunks are free buffers for bodies.
var chunks = sync.Pool{New: func() any { return new([chunkRoom]byte) }}

// sendBody sends the body on a goroutine. Into the channel goes true when the
// server asks for it; that it is closed means that there is an answer, or none
// will come.
func (cn *conn) sendBody(r *Request) chan bool {
	proceed := make(chan bool, 1)
	cn.mu.Lock()
	cn.sending = true
	cn.mu.Unlock()
	go func() { // it ends with the body, or with the connection
		err := errUnwanted
		if cn.wanted(r, proceed) {
			err = cn.copyBody(r)
		}
		if err == nil && r.Wrote != nil {
			r.Wrote()
		}
		cn.sent(r, err)
	}()
	return proceed
}

var errUnwanted = errors.New("the body was not asked for")

// wanted waits until the server asks for a body that waits for that, or has
// let its time pass.
func (cn *conn) wanted(r *Request, proceed <-chan bool) bool {
	if !r.expects() {
		return true
	}
	timer := time.NewTimer(cn.client.cfg.ContinueTimeout)
	defer timer.Stop()
	select {
	case ask := <-proceed:
		return ask
	case <-timer.C:
		return true
	}
}

// sent notes how the sending ended. Once sending is false the connection may be
// another exchange's, and is not touched any more.
func (cn *conn) sent(r *Request, err error) {
	cn.mu.Lock()
	cn.broken = err
	cn.mu.Unlock()
	if errors.Is(err, errBody) {
		_ = cn.nc.Close() // or the server would wait for the rest
	}
	deadline := time.Now().Add(cn.client.cfg.HeadTimeout)
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if r.AnswerBy.IsZero() {
		cn.awaitHeadLocked(deadline, cn.nc.SetReadDeadline)
	}
	cn.sending = false
}

// copyBody writes the body as it is read.
func (cn *conn) copyBody(r *Request) error {
	buf := chunks.Get().(*[chunkRoom]byte)
	defer chunks.Put(buf)
	for left := r.Length; left != 0; {
		data := buf[chunkHead : chunkHead+chunkData]
		if left > 0 {
			data = data[:min(left, chunkData)]
		}
		n, err := r.Body.Read(data)
		left -= min(int64(n), max(left, 0))
		if n > 0 {
			if err := cn.writePart(buf, n, r.Length < 0); err != nil {
				return fmt.Errorf("write the request's body: %w", err)
			}
		}
		switch {
		case err == io.EOF && left > 0:
			return fmt.Errorf("%w: %w", errBody, io.ErrUnexpectedEOF)
		case err == io.EOF && r.Length < 0:
			return cn.writeLast(r)
		case err != nil && err != io.EOF:
			return fmt.Errorf("%w: %w", errBody, err)
		}
	}
	return nil
}

// writePart writes n bytes of buf's data, as a chunk if need be.
func (cn *conn) writePart(buf *[chunkRoom]byte, n int, asChunk bool) error {
	if !asChunk {
		_, err := cn.nc.Write(buf[chunkHead : chunkHead+n])
		return err
	}
	var head [chunkHead]byte
	size := append(strconv.AppendInt(head[:0], int64(n), 16), "\r\n"...)
	start := chunkHead - len(size)
	copy(buf[start:], size)
	end := chunkHead + n
	end += copy(buf[end:], "\r\n")
	_, err := cn.nc.Write(buf[start:end])
	return err
}

// writeLast ends a chunked body with the trailers.
func (cn *conn) writeLast(r *Request) error {
	if err := checkFields(r.Trailer); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	b := append([]byte("0\r\n"), appendFields(nil, r.Trailer)...)
	_, err := cn.nc.Write(append(b, "\r\n"...))
	return err
}
